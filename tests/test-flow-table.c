/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Tests of datapath/flow-table.c on plain memory in place of maps.  What a
 * packet would find is told by a reader of our own, after the description in
 * ovs-xdp-abi.h.  Time passes when the test says so: it is linked with
 * --wrap=time_msec. */

#include <config.h>
#undef NDEBUG
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "flow-table.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "random.h"
#include "timeval.h"
#include "util.h"

#define GRACE_MS 20             /* As flow-table.h promises. */
#define N_FLOWS (XDP_MAX_FLOWS - 1)
#define N_MASKS (XDP_MAX_MASKS - 1)

/* The maps, shared with child processes. */

struct table {
    struct flow_table_maps maps;
    struct flow_table *ft;
    struct xdp_flow_stats *stats;       /* By flow index. */
    int stats_error;                    /* What the callbacks return. */
};

static int
read_stats(void *t_, uint32_t flow, struct xdp_flow_stats *sum)
{
    struct table *t = t_;

    *sum = t->stats[flow];
    return t->stats_error;
}

static int
clear_stats(void *t_, uint32_t flow)
{
    struct table *t = t_;

    if (!t->stats_error) {
        memset(&t->stats[flow], 0, sizeof t->stats[flow]);
    }
    return t->stats_error;
}

#define FOR_EACH_MEMORY(X)                                  \
    X(t->maps.config, 1)                                    \
    X(t->maps.buckets, XDP_BUCKETS)                         \
    X(t->maps.flows, XDP_MAX_FLOWS)                         \
    X(t->maps.masks, XDP_MAX_MASKS)                         \
    X(t->maps.mask_list, XDP_MAX_MASKS)                     \
    X(t->maps.ops, XDP_MAX_OPS)                             \
    X(t->stats, XDP_MAX_FLOWS)

static struct table *
table_new(void)
{
    struct table *t = xzalloc(sizeof *t);

#define MAP_MEMORY(P, N)                                            \
    P = mmap(NULL, (N) * sizeof *(P), PROT_READ | PROT_WRITE,       \
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);                    \
    assert_ptr_not_equal(P, MAP_FAILED);
    FOR_EACH_MEMORY(MAP_MEMORY)
    t->maps.read_stats = read_stats;
    t->maps.clear_stats = clear_stats;
    t->maps.aux = t;
    assert_int_equal(flow_table_create(&t->maps, false, &t->ft), 0);
    return t;
}

static void
table_free(struct table *t)
{
    flow_table_destroy(t->ft);
#define UNMAP_MEMORY(P, N) munmap(P, (N) * sizeof *(P));
    FOR_EACH_MEMORY(UNMAP_MEMORY)
    free(t);
}

/* As a new process would. */
static void
table_adopt(struct table *t)
{
    flow_table_destroy(t->ft);
    assert_int_equal(flow_table_create(&t->maps, true, &t->ft), 0);
}

/* 0: the real time. */
static long long int now = 1000;

long long int __real_time_msec(void);
long long int __wrap_time_msec(void);

long long int
__wrap_time_msec(void)
{
    return now ? now : __real_time_msec();
}

static void
wait_msec(struct table *t, int msec)
{
    now += msec;
    flow_table_run(t->ft);
}

/* Just long enough. */
static void
wait_grace(struct table *t)
{
    wait_msec(t, GRACE_MS);
}

/* The reader. */

static uint64_t
read_hash(const uint64_t *words, const struct xdp_mask *mask, uint32_t mask_id)
{
    uint64_t h = XDP_HASH_SEED ^ mask_id;

    for (uint32_t i = 0; i < mask->n_words; i++) {
        h ^= words[mask->words[i]] & mask->bits[i];
        h = (h << 29 | h >> 35) * XDP_HASH_MULT;
    }
    return h ^ h >> 32;
}

static uint32_t
read_mask(const struct table *t, const uint64_t *words, uint32_t mask_id)
{
    const struct xdp_mask *mask = &t->maps.masks[mask_id];
    uint64_t h = read_hash(words, mask, mask_id);
    uint32_t buckets[2] = { h & XDP_BUCKET_MASK, h >> 20 & XDP_BUCKET_MASK };

    for (int i = 0; mask->n_words && i < 2 * XDP_BUCKET_SLOTS; i++) {
        uint64_t slot = t->maps.buckets[buckets[i / XDP_BUCKET_SLOTS]]
                        .slots[i % XDP_BUCKET_SLOTS];
        const struct xdp_flow *flow = &t->maps.flows[(uint32_t) slot];
        bool equal = slot && slot >> 32 == h >> 32 && flow->mask_id == mask_id;

        for (uint32_t j = 0; equal && j < mask->n_words; j++) {
            uint32_t w = mask->words[j];

            equal = (words[w] & mask->bits[j]) == flow->key[w];
        }
        if (equal) {
            return slot;
        }
    }
    return 0;
}

/* The flow that a packet finds; 0 for a miss. */
static uint32_t
lookup(const struct table *t, const struct xdp_flow_key *packet)
{
    uint32_t n = t->maps.config->n_masks, flow = 0;
    uint64_t words[XDP_KEY_WORDS];

    memcpy(words, packet, sizeof words);
    for (uint32_t i = 0; !flow && i < n; i++) {
        flow = read_mask(t, words, t->maps.mask_list[i]);
    }
    return flow;
}

/* Keys and masks. */

static void
random_key(struct xdp_flow_key *key)
{
    for (size_t i = 0; i < XDP_KEY_WORDS; i++) {
        ((uint64_t *) key)[i] = random_uint64();
    }
}

/* Masks of different 'n' differ; so do keys of different 'n' under them. */
static struct xdp_flow_key
make_mask(uint32_t n)
{
    struct xdp_flow_key mask;

    memset(&mask, 0, sizeof mask);
    mask.in_port = UINT32_MAX;
    mask.nw_dst = UINT32_MAX;
    mask.tun_src = n;
    return mask;
}

static struct xdp_flow_key
make_key(uint32_t n)
{
    struct xdp_flow_key key;

    random_key(&key);
    key.in_port = 1;
    key.nw_dst = n;
    key.tun_src = UINT32_MAX;
    return key;
}

static int
insert(struct table *t, uint32_t mask_n, uint32_t key_n, size_t n_ops,
       uint32_t *flow)
{
    struct xdp_flow_key key = make_key(key_n), mask = make_mask(mask_n);
    struct xdp_op ops[XDP_FLOW_MAX_OPS];

    memset(ops, 0, sizeof ops);
    for (size_t i = 0; i < n_ops; i++) {
        ops[i].type = XDP_OP_OUTPUT;
        ops[i].arg = key_n;
    }
    return flow_table_insert(t->ft, &key, &mask, ops, n_ops, flow);
}

static uint32_t
must_insert(struct table *t, uint32_t mask_n, uint32_t key_n, size_t n_ops)
{
    uint32_t flow;

    assert_int_equal(insert(t, mask_n, key_n, n_ops, &flow), 0);
    return flow;
}

static uint32_t
lookup_n(const struct table *t, uint32_t key_n)
{
    struct xdp_flow_key key = make_key(key_n);

    return lookup(t, &key);
}

static const struct xdp_op *
flow_ops(const struct table *t, uint32_t flow, uint32_t *n_ops)
{
    *n_ops = t->maps.flows[flow].ops;
    return &t->maps.ops[t->maps.flows[flow].ops >> 32];
}

/* Checks all of the table from outside. */

struct check {
    struct table *t;
    size_t n_flows;
};

static void
check_flow(uint32_t idx, const struct xdp_flow_key *key,
           const struct xdp_flow_key *mask, const struct xdp_op *ops,
           size_t n_ops, void *check_)
{
    struct check *check = check_;

    check->n_flows++;
    assert_int_equal(lookup(check->t, key), idx);
    assert_int_equal(mask->in_port, UINT32_MAX);
    for (size_t i = 0; i < n_ops; i++) {
        assert_int_equal(ops[i].type, XDP_OP_OUTPUT);
        assert_int_equal(ops[i].arg, key->nw_dst);
    }
}

/* True of a table of flows by insert(): each is found, each slot is a flow's,
 * no op is in two flows, and only listed masks have words. */
static void
check_table(struct table *t, size_t n_flows)
{
    struct check check = { .t = t };
    uint8_t *op_used = xzalloc(XDP_MAX_OPS);
    bool *mask_listed = xzalloc(XDP_MAX_MASKS * sizeof *mask_listed);
    size_t n_slots = 0;

    flow_table_for_each(t->ft, check_flow, &check);
    assert_int_equal(check.n_flows, n_flows);
    assert_int_equal(flow_table_count(t->ft), n_flows);
    for (size_t i = 0; i < XDP_BUCKETS * XDP_BUCKET_SLOTS; i++) {
        uint64_t slot = t->maps.buckets[0].slots[i];

        if (slot) {
            uint32_t n_ops;
            const struct xdp_op *ops = flow_ops(t, slot, &n_ops);

            for (uint32_t j = 0; j < n_ops; j++) {
                assert_int_equal(op_used[ops + j - t->maps.ops]++, 0);
            }
            n_slots++;
        }
    }
    assert_int_equal(n_slots, n_flows);
    for (size_t i = 0; i < t->maps.config->n_masks; i++) {
        assert_in_range(t->maps.mask_list[i], 0, N_MASKS);
        mask_listed[t->maps.mask_list[i]] = true;
    }
    mask_listed[0] = false;
    for (size_t i = 0; i < XDP_MAX_MASKS; i++) {
        assert_true(!t->maps.masks[i].n_words || mask_listed[i]);
    }
    free(op_used);
    free(mask_listed);
}

/* Tests. */

static void
test_insert(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    struct xdp_flow_key key, mask, packet;
    uint64_t *k = (uint64_t *) &key, *m = (uint64_t *) &mask;
    uint64_t *p = (uint64_t *) &packet;
    struct xdp_op ops[XDP_FLOW_MAX_OPS + 1];
    uint32_t n_ops, flow, flow2;

    for (int n = 0; n < 300; n++) {
        uint32_t used = random_uint32() | 1u << n % 32;

        random_key(&key);
        random_key(&mask);
        for (int i = 0; i < XDP_KEY_WORDS; i++) {
            m[i] = used & 1u << i ? m[i] : 0;
        }
        memset(ops, n, sizeof ops);
        assert_int_equal(flow_table_insert(t->ft, &key, &mask, ops, n % 33,
                                           &flow), 0);
        assert_in_range(flow, 1, N_FLOWS);
        assert_int_equal(flow_table_count(t->ft), n + 1);
        assert_int_equal(flow_table_n_masks(t->ft), n + 1);
        assert_memory_equal(flow_ops(t, flow, &n_ops), ops,
                            n % 33 * sizeof *ops);
        assert_int_equal(n_ops, n % 33);

        /* Bits outside of the mask do not matter, those inside do. */
        assert_int_equal(lookup(t, &key), flow);
        for (int i = 0; i < XDP_KEY_WORDS; i++) {
            p[i] = (k[i] & m[i]) | (random_uint64() & ~m[i]);
        }
        assert_int_equal(lookup(t, &packet), flow);
        p[n % 32] ^= m[n % 32] & -m[n % 32];
        assert_int_equal(lookup(t, &packet), 0);

        p[n % 32] = k[n % 32];
        assert_int_equal(flow_table_insert(t->ft, &packet, &mask, ops, 1,
                                           &flow2), EEXIST);
        assert_int_equal(flow2, flow);
        assert_int_equal(flow_table_count(t->ft), n + 1);
    }
    random_key(&key);
    assert_int_equal(flow_table_insert(t->ft, &key, &mask, ops,
                                       XDP_FLOW_MAX_OPS + 1, &flow), E2BIG);
    memset(&mask, 0, sizeof mask);
    assert_int_equal(flow_table_insert(t->ft, &key, &mask, ops, 1, &flow),
                     EINVAL);
    table_free(t);
}

static void
test_modify(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    uint32_t flow = must_insert(t, 1, 1, 3), n_ops;
    const struct xdp_op *old_ops = flow_ops(t, flow, &n_ops);
    struct xdp_op old[3], ops[XDP_FLOW_MAX_OPS + 1];

    memcpy(old, old_ops, sizeof old);
    memset(ops, 0xaa, sizeof ops);
    assert_int_equal(flow_table_modify(t->ft, flow, ops, 5), 0);
    assert_memory_equal(flow_ops(t, flow, &n_ops), ops, 5 * sizeof *ops);
    assert_int_equal(n_ops, 5);
    assert_int_equal(lookup_n(t, 1), flow);

    /* The old ops stay until no program can read them any more. */
    for (uint32_t i = 0; i < 100; i++) {
        must_insert(t, 1, 100 + i, 1 + i % 3);
        wait_msec(t, i % 10 == 0);
    }
    assert_memory_equal(old_ops, old, sizeof old);
    wait_grace(t);
    for (uint32_t i = 0; i < 100; i++) {
        must_insert(t, 1, 300 + i, 1 + i % 3);
    }
    assert_memory_not_equal(old_ops, old, sizeof old);

    assert_int_equal(flow_table_modify(t->ft, flow, ops, 0), 0);
    flow_ops(t, flow, &n_ops);
    assert_int_equal(n_ops, 0);
    assert_int_equal(flow_table_modify(t->ft, flow, ops, XDP_FLOW_MAX_OPS + 1),
                     E2BIG);
    assert_int_equal(flow_table_modify(t->ft, 0, ops, 1), ENOENT);
    assert_int_equal(flow_table_modify(t->ft, N_FLOWS, ops, 1), ENOENT);
    assert_int_equal(flow_table_modify(t->ft, XDP_MAX_FLOWS, ops, 1), ENOENT);
    table_free(t);
}

static void
test_delete(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    uint32_t flow = must_insert(t, 1, 1, 2), n_ops;
    struct xdp_flow copy = t->maps.flows[flow];
    struct xdp_flow_stats stats;
    struct xdp_op ops[2];

    memcpy(ops, flow_ops(t, flow, &n_ops), sizeof ops);
    t->stats[flow].packets = 7;
    assert_int_equal(flow_table_delete(t->ft, flow, &stats), 0);
    assert_int_equal(stats.packets, 7);
    assert_int_equal(lookup_n(t, 1), 0);
    assert_int_equal(flow_table_delete(t->ft, flow, NULL), ENOENT);
    assert_int_equal(flow_table_delete(t->ft, 0, NULL), ENOENT);
    assert_int_equal(flow_table_delete(t->ft, XDP_MAX_FLOWS, NULL), ENOENT);

    /* A program that found it before still sees it whole. */
    for (uint32_t i = 1; i < 100; i++) {
        must_insert(t, 1, i, 2);
        wait_msec(t, i % 10 == 0);
    }
    assert_memory_equal(&t->maps.flows[flow], &copy, sizeof copy);
    assert_memory_equal(flow_ops(t, flow, &n_ops), ops, sizeof ops);

    assert_int_equal(flow_table_flush(t->ft), 0);
    check_table(t, 0);

    flow = must_insert(t, 1, 1, 1);
    t->stats_error = EIO;
    assert_int_equal(flow_table_delete(t->ft, flow, &stats), EIO);
    t->stats_error = 0;
    check_table(t, 0);
    table_free(t);
}

static void
delete_range(struct table *t, uint32_t from, uint32_t to)
{
    for (uint32_t idx = from; idx < to; idx++) {
        assert_int_equal(flow_table_delete(t->ft, idx, NULL), 0);
    }
}

/* Inserts flows until the table is full. */
static size_t
refill(struct table *t, uint32_t key_n)
{
    uint32_t flow;
    size_t n = 0;

    while (!insert(t, 1, key_n + n, 1, &flow)) {
        n++;
    }
    return n;
}

/* All indexes in use. */
static void
test_full(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    struct xdp_flow_key mask = make_mask(1), key;
    struct xdp_op op = { .type = XDP_OP_OUTPUT };
    uint32_t flow, last = 0;

    for (int by_random = 0; by_random < 2; by_random++) {
        for (uint32_t i = 0; i < N_FLOWS; i++) {
            key = make_key(i);
            if (by_random) {
                key.in_port = random_uint32();
                key.nw_dst = random_uint32();
            }
            op.arg = key.nw_dst;
            assert_int_equal(flow_table_insert(t->ft, &key, &mask, &op, 1,
                                               &last), 0);
            t->stats[last].packets++;
        }
        check_table(t, N_FLOWS);
        assert_int_equal(insert(t, 2, 1, 1, &flow), ENOSPC);

        /* Its index is free, and its statistics are 0, a grace period after a
         * flow was deleted. */
        assert_int_equal(flow_table_delete(t->ft, last, NULL), 0);
        wait_msec(t, GRACE_MS - 1);
        assert_int_equal(insert(t, 2, 1, 1, &flow), ENOSPC);
        wait_msec(t, 1);
        t->stats_error = EIO;
        assert_int_equal(insert(t, 2, 1, 1, &flow), EIO);
        t->stats_error = 0;
        assert_int_equal(must_insert(t, 2, 1, 1), last);
        assert_int_equal(t->stats[last].packets, 0);

        /* What was deleted first is free first. */
        delete_range(t, 1000, 1500);
        wait_grace(t);
        assert_int_equal(refill(t, UINT32_MAX / 4), 500);
        delete_range(t, 2000, 2600);
        wait_msec(t, GRACE_MS - 1);
        delete_range(t, 3000, 3600);
        wait_msec(t, 1);
        assert_int_equal(refill(t, UINT32_MAX / 2), 600);

        assert_int_equal(flow_table_flush(t->ft), 0);
        check_table(t, 0);
        wait_grace(t);
    }
    table_free(t);
}

/* Statistics are cleared before an index is used again. */
static void
test_stats(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    struct xdp_flow_stats stats;
    uint32_t flow = must_insert(t, 1, 1, 1);

    t->stats[flow].packets = 5;
    assert_int_equal(flow_table_get_stats(t->ft, flow, &stats), 0);
    assert_int_equal(stats.packets, 5);
    assert_int_equal(flow_table_zero_stats(t->ft, flow), 0);
    assert_int_equal(t->stats[flow].packets, 0);

    /* What an earlier process left: no flow inherits packets, and flows keep
     * theirs. */
    for (uint32_t i = 0; i < XDP_MAX_FLOWS; i++) {
        t->stats[i].packets = 9;
    }
    table_adopt(t);
    for (uint32_t i = 2; i <= 10001; i++) {
        uint32_t idx = must_insert(t, 1, i, 1);

        assert_int_equal(t->stats[idx].packets, 0);
    }
    assert_int_equal(t->stats[flow].packets, 9);
    table_free(t);
}

static void
test_used(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    struct timespec ts;
    uint64_t jiffies;

    t->maps.config->hz = 250;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    jiffies = UINT32_MAX + 1ULL - 300 * 250
              + (ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000) / 4;
    assert_true(flow_table_used_msec(t->ft, 0) == 0);
    assert_in_range(time_msec() - flow_table_used_msec(t->ft, jiffies - 500),
                    1990, 5000);
    assert_in_range(time_msec() - flow_table_used_msec(t->ft, jiffies + 50000),
                    0, 0);
    table_free(t);
}

/* Ops. */

static void
test_ops(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    uint32_t *flows = xcalloc(XDP_MAX_FLOWS, sizeof *flows);
    uint32_t flow, n = 0;

    while (n < XDP_MAX_OPS / 32) {
        flows[n] = must_insert(t, 1, n, 32);
        n++;
    }
    assert_int_equal(insert(t, 1, n, 1, &flow), ENOSPC);
    assert_int_equal(flow_table_modify(t->ft, flows[0], t->maps.ops, 1),
                     ENOSPC);
    assert_int_equal(insert(t, 1, n, 0, &flow), 0);
    assert_int_equal(flow_table_delete(t->ft, flow, NULL), 0);
    check_table(t, n);

    /* In the room of one there is then room for many others, and back. */
    assert_int_equal(flow_table_delete(t->ft, flows[--n], NULL), 0);
    assert_int_equal(insert(t, 1, n, 1, &flow), ENOSPC);
    wait_grace(t);
    for (size_t i = 3; i <= 7; i++) {
        flows[n] = must_insert(t, 1, n, i);
        n++;
    }
    for (size_t i = 0; i < 7; i++) {
        flows[n] = must_insert(t, 1, n, 1);
        n++;
    }
    assert_int_equal(insert(t, 1, n, 1, &flow), ENOSPC);
    check_table(t, n);
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(flow_table_delete(t->ft, flows[--n], NULL), 0);
    }
    wait_grace(t);
    flows[n] = must_insert(t, 1, n, 32);
    n++;

    /* Adoption knows the gaps. */
    while (n > XDP_MAX_OPS / 64) {
        assert_int_equal(flow_table_delete(t->ft, flows[--n], NULL), 0);
    }
    table_adopt(t);
    check_table(t, n);
    while (n < XDP_MAX_OPS / 32) {
        must_insert(t, 1, n++, 32);
    }
    assert_int_equal(insert(t, 1, n, 1, &flow), ENOSPC);
    check_table(t, n);

    /* Lengths at random, with the pool full or half full. */
    for (int round = 0; round < 3; round++) {
        size_t n_failed = 0;

        for (uint32_t i = 0; i < n; i++) {
            flow = random_uint32() % 2 ? lookup_n(t, i) : 0;
            assert_true(!flow || !flow_table_delete(t->ft, flow, NULL));
        }
        wait_grace(t);
        while (n_failed < 100) {
            n_failed += insert(t, 1, n++, 1 + random_range(32), &flow) != 0;
        }
        check_table(t, flow_table_count(t->ft));
    }
    free(flows);
    table_free(t);
}

/* Masks. */

static void
test_masks(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    uint32_t flows[3], flow, id;

    for (int i = 0; i < 3; i++) {
        flows[i] = must_insert(t, 1 + i / 2, i, 1);
    }
    assert_int_equal(flow_table_n_masks(t->ft), 2);
    assert_int_equal(t->maps.config->n_masks, 2);
    id = t->maps.flows[flows[0]].mask_id;
    assert_int_equal(t->maps.flows[flows[1]].mask_id, id);
    assert_int_not_equal(t->maps.flows[flows[2]].mask_id, id);

    /* A mask stays with its last flow, and a little longer. */
    flow_table_delete(t->ft, flows[0], NULL);
    wait_grace(t);
    wait_grace(t);
    assert_int_equal(flow_table_n_masks(t->ft), 2);
    flow_table_delete(t->ft, flows[1], NULL);
    flows[0] = must_insert(t, 1, 0, 1);
    assert_int_equal(t->maps.flows[flows[0]].mask_id, id);
    wait_grace(t);
    wait_grace(t);
    assert_int_equal(flow_table_n_masks(t->ft), 2);
    assert_int_equal(lookup_n(t, 0), flows[0]);

    flow_table_delete(t->ft, flows[0], NULL);
    wait_grace(t);
    assert_int_equal(flow_table_n_masks(t->ft), 1);
    assert_int_equal(t->maps.masks[id].n_words, 0);
    wait_grace(t);
    wait_grace(t);
    assert_int_equal(t->maps.config->n_masks, 1);
    assert_int_equal(lookup_n(t, 2), flows[2]);
    flow_table_flush(t->ft);
    for (int i = 0; i < 3; i++) {
        wait_grace(t);
    }
    assert_int_equal(t->maps.config->n_masks, 0);

    /* All ids; one is free again two grace periods after its last flow. */
    for (uint32_t i = 1; i <= N_MASKS; i++) {
        flow = must_insert(t, i, i, 1);
    }
    check_table(t, N_MASKS);
    id = t->maps.flows[flow].mask_id;
    assert_int_equal(insert(t, N_MASKS + 1, 0, 1, &flows[0]), ENOSPC);
    assert_int_equal(flow_table_delete(t->ft, flow, NULL), 0);
    assert_int_equal(insert(t, N_MASKS + 1, 0, 1, &flows[0]), ENOSPC);
    wait_grace(t);
    wait_msec(t, GRACE_MS - 1);
    assert_int_equal(insert(t, N_MASKS + 1, 0, 1, &flows[0]), ENOSPC);
    wait_msec(t, 1);
    flow = must_insert(t, N_MASKS + 1, 0, 1);
    assert_int_equal(t->maps.flows[flow].mask_id, id);
    check_table(t, N_MASKS);

    /* The list becomes short again. */
    for (uint32_t i = 1; i < N_MASKS; i++) {
        if (i % 1000) {
            flow_table_delete(t->ft, lookup_n(t, i), NULL);
        }
    }
    for (int i = 0; i < 5; i++) {
        wait_grace(t);
    }
    check_table(t, 9);
    assert_int_equal(t->maps.config->n_masks, 9);
    table_free(t);
}

/* Readers meet every mask that is there all the time while masks come and go
 * between each two of their steps. */
static void
change_mask(struct table *t, uint32_t flows[], uint8_t there[], size_t n,
            bool grow)
{
    size_t i = random_range(n);
    bool likely = random_range(10);

    if (flows[i] && likely != grow) {
        flow_table_delete(t->ft, flows[i], NULL);
        there[i] = flows[i] = 0;
    } else if (!flows[i] && likely == grow) {
        flows[i] = must_insert(t, 1 + i, i, 1);
    }
}

static void
test_mask_list(void **state OVS_UNUSED)
{
    enum { N = 300, N_WALKS = 2000 };
    struct table *t = table_new();
    uint32_t flows[N] = { 0 };

    for (int walk = 0; walk < N_WALKS; walk++) {
        uint8_t there[N], seen[XDP_MAX_MASKS] = { 0 };
        uint32_t ids[N], n = t->maps.config->n_masks;
        int msec = 0;

        for (int i = 0; i < N; i++) {
            there[i] = flows[i] != 0;
            ids[i] = t->maps.flows[flows[i]].mask_id;
        }
        for (uint32_t place = 0; place <= n; place++) {
            if (place < n) {
                seen[t->maps.mask_list[place]] = 1;
            }
            if (place == n || !random_range(4)) {
                change_mask(t, flows, there, N, walk / 50 % 2);
            }
            if (msec < GRACE_MS - 1 && random_range(n + 1) < GRACE_MS) {
                msec++;
                wait_msec(t, 1);
            }
        }
        for (int i = 0; i < N; i++) {
            assert_true(!there[i] || seen[ids[i]]);
        }
    }
    table_free(t);
}

/* Threads. */

static void *
churn(void *t_)
{
    struct table *t = t_;
    uint32_t base = 1000 * (1 + random_range(1000)), flows[100] = { 0 };

    for (int i = 0; i < 100000; i++) {
        uint32_t n = i % 100;

        if (flows[n] && i % 3) {
            struct xdp_op ops[XDP_FLOW_MAX_OPS];

            for (int j = 0; j < XDP_FLOW_MAX_OPS; j++) {
                ops[j] = (struct xdp_op) { .type = XDP_OP_OUTPUT,
                                           .arg = base + n };
            }
            ovs_assert(!flow_table_modify(t->ft, flows[n], ops, i % 33));
        } else if (flows[n]) {
            ovs_assert(!flow_table_delete(t->ft, flows[n], NULL));
            flows[n] = 0;
        } else {
            int error = insert(t, base + n, base + n, i % 33, &flows[n]);

            ovs_assert(!error || error == ENOSPC);
            flows[n] = error ? 0 : flows[n];
        }
    }
    return NULL;
}

static void
check_ops(uint32_t idx OVS_UNUSED, const struct xdp_flow_key *key,
          const struct xdp_flow_key *mask OVS_UNUSED, const struct xdp_op *ops,
          size_t n_ops, void *aux OVS_UNUSED)
{
    for (size_t i = 0; i < n_ops; i++) {
        assert_int_equal(ops[i].arg, key->nw_dst);
    }
}

static void
test_threads(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    pthread_t threads[2];
    uint32_t flows[50];
    size_t n_lookups = 0;

    now = 0;
    for (int i = 0; i < 50; i++) {
        flows[i] = must_insert(t, 1 + i, i, 2);
    }
    for (int i = 0; i < 2; i++) {
        threads[i] = ovs_thread_create("churn", churn, t);
    }
    for (int i = 0; i < 1000; i++) {
        long long int start = time_msec();
        uint32_t flow = lookup_n(t, i % 50);

        if (time_msec() - start < GRACE_MS / 2) {
            assert_int_equal(flow, flows[i % 50]);
            n_lookups++;
        }
        if (i % 100 == 0) {
            flow_table_for_each(t->ft, check_ops, NULL);
        }
    }
    for (int i = 0; i < 2; i++) {
        xpthread_join(threads[i], NULL);
    }
    now = time_msec();
    assert_in_range(n_lookups, 500, 1000);
    check_table(t, flow_table_count(t->ft));
    table_free(t);
}

/* Adoption. */

static void
test_adopt(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    uint32_t flows[1000], flow;

    table_adopt(t);             /* Nothing. */
    check_table(t, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        flows[i] = must_insert(t, 1 + i % 100, i, i % 33);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        if (i % 100 < 40) {
            flow_table_delete(t->ft, flows[i], NULL);
        }
    }
    table_adopt(t);
    check_table(t, 600);
    assert_int_equal(flow_table_n_masks(t->ft), 60);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(lookup_n(t, i), i % 100 < 40 ? 0 : flows[i]);
        assert_int_equal(insert(t, 1 + i % 100, i, i % 33, &flow),
                         i % 100 < 40 ? 0 : EEXIST);
    }
    check_table(t, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(flow_table_delete(t->ft, lookup_n(t, i), NULL), 0);
    }
    check_table(t, 0);
    table_free(t);
}

/* Adoption of damaged maps. */

#define N_SOUND 20              /* Flows; every other one under each mask. */

struct victim {
    struct table *t;
    struct xdp_flow *flow;      /* The first. */
    struct xdp_flow *other;     /* The second: under the other mask. */
    struct xdp_mask *mask;      /* Of the first. */
    uint64_t *slot;             /* Of the first. */
    uint64_t *next;             /* The next, of the same bucket: free. */
    uint64_t *elsewhere;        /* A free slot in a bucket it cannot be in. */
};

static uint64_t *
find_slot(const struct table *t, uint32_t idx)
{
    for (size_t i = 0; i < XDP_BUCKETS * XDP_BUCKET_SLOTS; i++) {
        uint64_t *slot = (uint64_t *) &t->maps.buckets[0].slots[i];

        if ((uint32_t) *slot == idx) {
            return slot;
        }
    }
    fail();
    return NULL;
}

/* Makes the first flow one that is found under its mask as it is now. */
static void
republish(struct victim *v)
{
    uint64_t key[XDP_KEY_WORDS] = { 0 }, hash;

    for (uint32_t i = 0; i < v->mask->n_words; i++) {
        uint32_t w = v->mask->words[i];

        key[w] = v->flow->key[w] & v->mask->bits[i];
    }
    memcpy(v->flow->key, key, sizeof key);
    hash = read_hash(key, v->mask, v->flow->mask_id);
    v->t->maps.buckets[hash & XDP_BUCKET_MASK].slots[XDP_BUCKET_SLOTS - 1]
        = hash >> 32 << 32 | (v->flow - v->t->maps.flows);
    *v->slot = 0;
}

static void
swap_words(struct victim *v)
{
    uint8_t word = v->mask->words[0];
    uint64_t bits = v->mask->bits[0];

    v->mask->words[0] = v->mask->words[1];
    v->mask->words[1] = word;
    v->mask->bits[0] = v->mask->bits[1];
    v->mask->bits[1] = bits;
    republish(v);
}

static void
all_words(struct victim *v)
{
    for (uint32_t i = 0; i < XDP_KEY_WORDS; i++) {
        v->mask->words[i] = i;
        v->mask->bits[i] = 1;
    }
    v->mask->n_words = UINT32_MAX;
}

/* Another mask id with an equal mask, and a flow that is right under it. */
static void
duplicate_mask(struct victim *v)
{
    struct xdp_flow *flow = &v->t->maps.flows[N_FLOWS];
    uint64_t hash;

    v->t->maps.masks[100] = *v->mask;
    *flow = *v->flow;
    flow->mask_id = 100;
    flow->ops = 0;
    hash = read_hash((uint64_t *) flow->key, v->mask, 100);
    v->t->maps.buckets[hash & XDP_BUCKET_MASK].slots[XDP_BUCKET_SLOTS - 1]
        = hash >> 32 << 32 | N_FLOWS;
}

static void
duplicate_flow(struct victim *v)
{
    v->t->maps.flows[N_FLOWS] = *v->flow;
    v->t->maps.flows[N_FLOWS].ops = 0;
    *v->next = *v->slot >> 32 << 32 | N_FLOWS;
}

#define ANY UINT32_MAX
#define INDEX_BITS ((uint64_t) UINT32_MAX)

/* What is done to the maps, and how many flows are left. */
#define DAMAGES(X)                                                          \
    X(nothing, 20, (void) v)                                                \
    X(slot_without_index, 19, v->t->maps.flows[0] = *v->flow;               \
      *v->slot &= ~INDEX_BITS)                                              \
    X(slot_with_great_index, 19, *v->slot |= INDEX_BITS)                    \
    X(slot_with_unused_index, 19, *v->slot |= N_FLOWS)                      \
    X(slot_with_other_hash, 19, *v->slot ^= UINT64_C(1) << 40)              \
    X(slot_elsewhere, 19, *v->elsewhere = *v->slot; *v->slot = 0)           \
    X(slot_elsewhere_too, 20, *v->elsewhere = *v->slot)                     \
    X(slot_twice, 20, *v->next = *v->slot)                                  \
    X(flow_twice, 20, duplicate_flow(v))                                    \
    X(flow_without_mask, 19, v->t->maps.masks[0] = *v->mask;                \
      v->flow->mask_id = 0; republish(v))                                   \
    X(flow_with_great_mask, 19, v->flow->mask_id = UINT32_MAX)              \
    X(flow_with_other_mask, 19, v->flow->mask_id = v->other->mask_id)       \
    X(flow_with_other_key, 19, v->flow->key[v->mask->words[0]] ^= 1)        \
    X(flow_key_beyond_mask, 19, v->flow->key[31] = 1)                       \
    X(ops_too_many, 19, v->flow->ops = (v->flow->ops >> 32 << 32) | 33)     \
    X(ops_far_too_many, 19, v->flow->ops = (UINT64_C(31) << 32) | INDEX_BITS)\
    X(ops_beyond_pool, 19, v->flow->ops = ((uint64_t) XDP_MAX_OPS << 32) | 1)\
    X(ops_over_border, 19, v->flow->ops = ((uint64_t) 63 << 32) | 2)        \
    X(ops_of_another, 19, v->flow->ops = v->other->ops)                     \
    X(op_unknown, 19,                                                       \
      v->t->maps.ops[v->flow->ops >> 32].type = XDP_OP_N)                   \
    X(mask_without_words, 10, memset(v->mask, 0, sizeof *v->mask);          \
      republish(v))                                                         \
    X(mask_with_33_words, 10, v->mask->n_words = 33)                        \
    X(mask_with_many_words, 10, all_words(v))                               \
    X(mask_with_great_word, 10, v->mask->words[v->mask->n_words - 1] = 32)  \
    X(mask_with_equal_words, 10, v->mask->words[1] = v->mask->words[0];     \
      v->mask->bits[1] = v->mask->bits[0]; republish(v))                    \
    X(mask_with_words_swapped, 10, swap_words(v))                           \
    X(mask_with_empty_word, 10, v->mask->bits[0] = 0; republish(v))         \
    X(mask_with_words_behind, 10, v->mask->bits[v->mask->n_words] = 1)      \
    X(mask_with_other_bits, 10, v->mask->bits[0] ^= 1)                      \
    X(mask_twice, ANY, duplicate_mask(v))                                   \
    X(mask_without_flows, 20, v->t->maps.masks[100] = *v->mask)             \
    X(mask_listed_without_flows, 20, v->t->maps.masks[100] = *v->mask;      \
      v->t->maps.config->n_masks = 3; v->t->maps.mask_list[2] = 100)        \
    X(mask_0_with_words, 20, v->t->maps.masks[0] = *v->mask)                \
    X(list_without_one, 20, v->t->maps.mask_list[0] = 0)                    \
    X(list_with_great_id, 20, v->t->maps.mask_list[0] += XDP_MAX_MASKS)     \
    X(list_with_one_twice, 20,                                              \
      v->t->maps.mask_list[1] = v->t->maps.mask_list[0])                    \
    X(list_empty, 20, v->t->maps.config->n_masks = 0)                       \
    X(list_too_long, 20, v->t->maps.config->n_masks = UINT32_MAX)

#define DAMAGE_FUNCTION(NAME, N, STATEMENTS)            \
    static void damage_##NAME(struct victim *v) { STATEMENTS; }
DAMAGES(DAMAGE_FUNCTION)

static const struct damage {
    const char *name;
    void (*cb)(struct victim *);
    uint32_t n_flows;
} damages[] = {
#define DAMAGE_ROW(NAME, N, STATEMENTS) { #NAME, damage_##NAME, N },
    DAMAGES(DAMAGE_ROW)
};

static void
test_adopt_damaged(void **state OVS_UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
        struct table *t = table_new();
        uint32_t flows[N_SOUND], flow;
        struct victim v = { .t = t };

        for (uint32_t n = 0; n < N_SOUND; n++) {
            flows[n] = must_insert(t, 1 + n % 2, n, 3);
        }
        v.flow = &t->maps.flows[flows[0]];
        v.other = &t->maps.flows[flows[1]];
        v.mask = &t->maps.masks[v.flow->mask_id];
        v.slot = find_slot(t, flows[0]);
        v.next = v.slot + 1;
        v.elsewhere = v.slot + XDP_BUCKET_SLOTS;
        assert_true(!*v.next && !*v.elsewhere);

        print_message("%s\n", damages[i].name);
        damages[i].cb(&v);
        table_adopt(t);
        check_table(t, damages[i].n_flows == ANY ? flow_table_count(t->ft)
                    : damages[i].n_flows);
        wait_grace(t);
        assert_int_equal(t->maps.config->n_masks,
                         damages[i].n_flows == 10 ? 1 : 2);

        /* The table is as good as new. */
        for (uint32_t n = 0; n < N_SOUND; n++) {
            int error = insert(t, 1 + n % 2, n, 3, &flow);

            assert_true(!error || error == EEXIST);
            assert_int_equal(lookup_n(t, n), flow);
        }
        check_table(t, N_SOUND);
        table_free(t);
    }
}

/* A process that is killed at any instruction leaves a table without a flaw:
 * no flow is lost. */
static void
test_adopt_killed(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    size_t total = 0;

    for (int i = 0; i < 30; i++) {
        size_t n_slots = 0;
        int status;
        pid_t pid = fork();

        assert_return_code(pid, errno);
        if (!pid) {
            random_set_seed(i + 1);
            now = 0;
            for (;;) {
                churn(t);
            }
        }
        xnanosleep(random_range(60) * 1000000 + random_range(1000000));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

        for (size_t j = 0; j < XDP_BUCKETS * XDP_BUCKET_SLOTS; j++) {
            n_slots += t->maps.buckets[0].slots[j] != 0;
        }
        table_adopt(t);
        check_table(t, n_slots);
        total += n_slots;
        flow_table_flush(t->ft);
        wait_grace(t);
    }
    assert_in_range(total, 30, SIZE_MAX);
    table_free(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_insert),
        cmocka_unit_test(test_modify),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_used),
        cmocka_unit_test(test_ops),
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_mask_list),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_adopt_damaged),
        cmocka_unit_test(test_adopt_killed),
    };

    random_set_seed(1);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    return cmocka_run_group_tests_name("flow-table", tests, NULL, NULL);
}
