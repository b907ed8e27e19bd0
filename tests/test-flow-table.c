/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Tests of datapath/flow-table.c and ops-pool.c: flows, statistics, ops. */

#include <config.h>
#undef NDEBUG
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "memory-table.h"
#include "openvswitch/vlog.h"
#include "random.h"
#include "timeval.h"
#include "util.h"

static void
test_insert(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    struct xdp_flow_key key, mask, packet;
    uint64_t *k = (uint64_t *) &key, *m = (uint64_t *) &mask;
    uint64_t *p = (uint64_t *) &packet;
    struct xdp_op ops[XDP_FLOW_MAX_OPS + 1], read[XDP_FLOW_MAX_OPS];
    uint32_t flow, flow2;

    for (int n = 0; n < 300; n++) {
        uint32_t used = random_uint32() | 1u << n % XDP_KEY_WORDS;

        random_key(&key);
        random_key(&mask);
        for (int i = 0; i < XDP_KEY_WORDS; i++) {
            m[i] = used & 1u << i ? m[i] : 0;
        }
        if (n % 3) {            /* One port's. */
            mask.in_port = UINT32_MAX;
            key.in_port = random_range(n % 3 * XDP_MAX_PORTS);
        }
        memset(ops, n, sizeof ops);
        assert_int_equal(flow_table_insert(t->ft, &key, &mask, ops, n % 33,
                                           &flow), 0);
        assert_in_range(flow, 1, N_FLOWS);
        assert_int_equal(flow_table_count(t->ft), n + 1);
        assert_int_equal(flow_table_n_masks(t->ft), n + 1);
        assert_int_equal(read_ops(t, t->maps.flows[flow].ops, read), n % 33);
        assert_memory_equal(read, ops, n % 33 * sizeof *ops);
        assert_int_not_equal(find_link(t, list_of(&key, &mask),
                                       t->maps.flows[flow].mask_id), 0);

        /* Bits outside of the mask do not matter, those inside do. */
        assert_int_equal(lookup(t, &key), flow);
        for (int i = 0; i < XDP_KEY_WORDS; i++) {
            p[i] = (k[i] & m[i]) | (random_uint64() & ~m[i]);
        }
        assert_int_equal(lookup(t, &packet), flow);
        assert_true(hint_hits(t, &packet, flow));
        p[n % XDP_KEY_WORDS] ^= m[n % XDP_KEY_WORDS] & -m[n % XDP_KEY_WORDS];
        assert_int_equal(lookup(t, &packet), 0);
        assert_false(hint_hits(t, &packet, flow));

        p[n % XDP_KEY_WORDS] = k[n % XDP_KEY_WORDS];
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
    for (int i = 1; i <= XDP_KEY_WORDS; i++) {
        m[XDP_KEY_WORDS - i] = 1;
        assert_int_equal(flow_table_insert(t->ft, &key, &mask, ops, 1, &flow),
                         0);
        assert_true(hint_hits(t, &key, flow));
    }
    assert_int_equal(flow_table_count(t->ft), 300 + XDP_KEY_WORDS);
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

/* A flow that just outputs needs no ops of the pool. */
static void
test_output(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    struct xdp_flow_key key = make_key(1), mask = make_mask(1);
    struct xdp_op op[2] = { { .type = XDP_OP_OUTPUT },
                            { .type = XDP_OP_OUTPUT } };
    uint32_t flow = must_insert(t, 2, 2, 1), n = XDP_MAX_OPS / 32;
    uint64_t *ops = (uint64_t *) &t->maps.flows[flow].ops;

    assert_int_equal(*ops, XDP_OPS_OUTPUT | 2);
    for (op->arg = XDP_MAX_PORTS; op->arg--; ) {
        assert_int_equal(flow_table_modify(t->ft, flow, op, 1), 0);
        assert_int_equal(*ops, XDP_OPS_OUTPUT | op->arg);
    }
    wait_grace(t);

    /* Others do, all of which there are if none has leaked. */
    for (uint32_t i = 1; i < n; i++) {
        must_insert(t, 3, 1000000 + i, 32);
    }
    for (int i = 0; i < 100; i++) {
        op->arg = i;
        op->type = XDP_OP_OUTPUT_COPY;
        assert_int_equal(flow_table_modify(t->ft, flow, op, 1), 0);
        assert_int_equal(*ops & ~0ULL >> 32, 1);
        op->type = XDP_OP_OUTPUT;
        assert_int_equal(flow_table_modify(t->ft, flow, op, 1), 0);
        op->arg = XDP_MAX_PORTS + i;
        assert_int_equal(flow_table_modify(t->ft, flow, op, 1), 0);
        assert_int_equal(*ops & ~0ULL >> 32, 1);
        assert_int_equal(flow_table_modify(t->ft, flow, op, 0), 0);
        assert_int_equal(*ops & ~0ULL >> 32, 0);
        assert_int_equal(flow_table_modify(t->ft, flow, op, 2), 0);
        assert_int_equal(*ops & ~0ULL >> 32, 2);
        op->arg = i;
        assert_int_equal(flow_table_modify(t->ft, flow, op, 1), 0);
        assert_int_equal(*ops, XDP_OPS_OUTPUT | i);
        wait_grace(t);
    }
    must_insert(t, 3, 1000000, 32);
    assert_int_equal(insert(t, 3, 3, 2, &flow), ENOSPC);
    assert_int_equal(flow_table_insert(t->ft, &key, &mask, op, 1, &flow), 0);
    assert_int_equal(flow_table_flush(t->ft), 0);
    wait_grace(t);
    for (uint32_t i = 0; i < n; i++) {
        must_insert(t, 3, 1000000 + i, 32);
    }
    check_table(t, n);
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
    assert_int_equal(t->maps.flows[flow].mask_id, 0);
    copy.mask_id = 0;
    assert_int_equal(flow_table_delete(t->ft, flow, NULL), ENOENT);
    assert_int_equal(flow_table_delete(t->ft, 0, NULL), ENOENT);
    assert_int_equal(flow_table_delete(t->ft, XDP_MAX_FLOWS, NULL), ENOENT);

    /* A program that found it before still sees all that it needs. */
    for (uint32_t i = 1; i < 100; i++) {
        must_insert(t, 1, i, 2);
        wait_msec(t, i % 10 == 0);
    }
    assert_memory_equal(&t->maps.flows[flow], &copy, sizeof copy);
    assert_memory_equal(flow_ops(t, flow, &n_ops), ops, sizeof ops);

    assert_int_equal(flow_table_flush(t->ft), 0);
    check_table(t, 0);
    check_table_tight(t, 0);

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
    const struct xdp_op drop = { .type = XDP_OP_END };
    uint32_t flow, n = 0;

    while (n < XDP_MAX_OPS / 32) {
        flows[n] = must_insert(t, 1, n, 32);
        n++;
    }
    assert_int_equal(insert(t, 1, n, 1, &flow), ENOSPC);
    assert_int_equal(flow_table_modify(t->ft, flows[0], &drop, 1), ENOSPC);
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_insert),
        cmocka_unit_test(test_modify),
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_used),
        cmocka_unit_test(test_ops),
    };

    random_set_seed(1);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    return cmocka_run_group_tests_name("flow-table", tests, NULL, NULL);
}
