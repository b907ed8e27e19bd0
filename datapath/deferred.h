/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * What the flow table has removed and BPF programs may still read: it waits
 * for a grace period until it may be used again.  A program runs with bottom
 * halves disabled, for microseconds: GRACE_MSEC is far above that.
 *
 * The caller serializes all functions; flow-table.c does by its mutex. */
#ifndef DEFERRED_H
#define DEFERRED_H 1

#include <stdbool.h>
#include <stdint.h>

#define GRACE_MSEC 20

/* What waits for the end of a grace period. */
enum deferred_type {
    DEFERRED_FLOW,              /* A flow index and the flow's ops. */
    DEFERRED_OPS,               /* Ops, as in struct xdp_flow. */
    DEFERRED_IDLE_LINK,         /* A link that had no flow, but may now. */
    DEFERRED_LINK,              /* A link. */
    DEFERRED_MASK,              /* A mask id. */
};

struct deferred {
    long long int when;         /* time_msec() at which it is over. */
    enum deferred_type type;
    uint64_t id;
};

struct deferred_queue;

/* Makes an empty queue. */
struct deferred_queue *deferred_queue_create(void);
/* Frees it and forgets what waits in it; ignores NULL. */
void deferred_queue_destroy(struct deferred_queue *);

/* Lets 'id' wait for GRACE_MSEC from now. */
void defer(struct deferred_queue *, enum deferred_type, uint64_t id);
/* Takes out what has waited longest, to '*d'.  False, with '*d' untouched: at
 * 'now', of time_msec(), nothing has waited long enough. */
bool deferred_queue_pop(struct deferred_queue *, long long int now,
                        struct deferred *d);

#endif /* deferred.h */
