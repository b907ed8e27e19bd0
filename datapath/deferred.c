/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * A queue of what waits for the end of a grace period: all wait for the same
 * time, so it is a ring, which grows as needed. */

#include <config.h>
#include "deferred.h"

#include <stdlib.h>

#include "timeval.h"
#include "util.h"

/* A ring, by 'when'. */
struct deferred_queue {
    struct deferred *ring;
    size_t head, tail;
    size_t mask;                /* Size of the ring, less one. */
};

struct deferred_queue *
deferred_queue_create(void)
{
    struct deferred_queue *q = xzalloc(sizeof *q);

    q->mask = 1023;
    q->ring = xmalloc(1024 * sizeof *q->ring);
    return q;
}

void
deferred_queue_destroy(struct deferred_queue *q)
{
    if (q) {
        free(q->ring);
        free(q);
    }
}

void
defer(struct deferred_queue *q, enum deferred_type type, uint64_t id)
{
    if (q->tail - q->head > q->mask) {
        size_t size = q->mask + 1;
        struct deferred *ring = xmalloc(2 * size * sizeof *ring);

        for (size_t i = 0; i < size; i++) {
            ring[i] = q->ring[(q->head + i) & (size - 1)];
        }
        free(q->ring);
        q->ring = ring;
        q->head = 0;
        q->tail = size;
        q->mask = 2 * size - 1;
    }
    q->ring[q->tail++ & q->mask]
        = (struct deferred) { time_msec() + GRACE_MSEC, type, id };
}

bool
deferred_queue_pop(struct deferred_queue *q, long long int now,
                   struct deferred *d)
{
    const struct deferred *first = &q->ring[q->head & q->mask];

    if (q->head == q->tail || first->when > now) {
        return false;
    }
    *d = *first;
    q->head++;
    return true;
}
