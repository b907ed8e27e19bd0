/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Tests of what readers find in the flow table while it changes: with hints,
 * after each instruction, and in other threads. */

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
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory-table.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "random.h"
#include "timeval.h"
#include "util.h"

/* Hints: readers that keep flow indexes for as long as they like. */

#define N_PACKETS 48
#define N_HINTED 192            /* Flow indexes. */

struct hint_test {
    struct table *t;
    struct xdp_flow_key packets[N_PACKETS];
    uint32_t flows[N_PACKETS];          /* What they should hit. */
};

/* A program, up to its end. */
struct hint_reader {
    uint32_t flow;
    uint32_t packet;
    uint32_t mask_id;
    long long int start;
    bool may_hit;               /* It was this packet's flow some time. */
    bool hit;
    uint64_t ops;
};

static void
hint_change(struct hint_test *h)
{
    uint32_t i = random_range(N_PACKETS), *flow = &h->flows[i];
    struct xdp_op ops[XDP_FLOW_MAX_OPS];

    if (!*flow) {
        /* Few masks, so that they are deleted and created all the time. */
        *flow = must_insert(h->t, 1 + random_range(i % 16 + 1), i,
                            random_range(4));
        assert_in_range(*flow, 1, N_HINTED - 1);
    } else if (random_range(5)) {
        assert_int_equal(flow_table_delete(h->t->ft, *flow, NULL), 0);
        *flow = 0;
    } else {
        for (int j = 0; j < XDP_FLOW_MAX_OPS; j++) {
            ops[j] = (struct xdp_op) { .type = XDP_OP_OUTPUT, .arg = i };
        }
        assert_int_equal(flow_table_modify(h->t->ft, *flow, ops,
                                           random_range(4)), 0);
    }
}

/* One step of it; true at the end. */
static bool
hint_reader_run(const struct hint_test *h, struct hint_reader *r)
{
    struct xdp_op ops[XDP_FLOW_MAX_OPS];

    if (!r->mask_id) {
        r->start = now;
        r->packet = random_range(N_PACKETS);
        r->flow = (random_range(2) ? h->flows[r->packet]
                   : (uint32_t) random_range(N_HINTED));
        r->mask_id = read_mask_id(h->t, r->flow);
        r->hit = r->may_hit = false;
        return !r->mask_id;
    } else if (!r->hit) {
        r->hit = read_flow(h->t, &h->packets[r->packet], r->flow, r->mask_id);
        r->ops = h->t->maps.flows[r->flow].ops;
        assert_true(r->may_hit || !r->hit);
        return !r->hit;
    }
    for (uint32_t n = read_ops(h->t, r->ops, ops); n--; ) {
        assert_int_equal(ops[n].arg, r->packet);
    }
    return true;
}

static void
test_hints(void **state OVS_UNUSED)
{
    enum { N_READERS = 200 };
    struct hint_test h = { .t = table_new() };
    struct hint_reader readers[N_READERS];
    size_t n_hits = 0, n_late = 0;

    memset(readers, 0, sizeof readers);
    for (uint32_t i = 0; i < N_PACKETS; i++) {
        h.packets[i] = make_key(i);
    }
    for (int step = 0; step < 50000; step++) {
        bool time_passes = !random_range(4);

        if (step % 5000 > 4000 && random_range(30)) {
            /* Times with few changes: for masks to go. */
        } else {
            hint_change(&h);
        }
        for (int i = 0; i < N_READERS; i++) {
            struct hint_reader *r = &readers[i];
            bool end = false;

            r->may_hit |= r->mask_id && h.flows[r->packet] == r->flow;
            if (!random_range(16)) {
                end = hint_reader_run(&h, r);
            }
            r->may_hit |= r->mask_id && h.flows[r->packet] == r->flow;
            while (!end && time_passes && r->mask_id
                   && now - r->start >= GRACE_MS - 1) {
                end = hint_reader_run(&h, r);
                n_late += r->hit;
            }
            n_hits += end && r->hit;
            r->mask_id = end ? 0 : r->mask_id;
        }

        /* One that is done at once, with any index and any packet. */
        for (uint32_t flow = 0; flow < N_HINTED && step % 4 == 0; flow++) {
            for (uint32_t i = 0; i < N_PACKETS; i++) {
                assert_true(hint_hits(h.t, &h.packets[i], flow)
                            == (flow && h.flows[i] == flow));
            }
        }
        wait_msec(h.t, time_passes);
    }
    assert_in_range(n_hits, 10000, SIZE_MAX);
    assert_in_range(n_late, 1000, SIZE_MAX);
    flow_table_flush(h.t->ft);
    check_table_tight(h.t, 0);
    table_free(h.t);
}

/* What readers find after each instruction of a process that changes the
 * table. */

enum { GONE = 7, CHANGED = 14, STAYS = 21 };

static void
change_in_steps(struct table *t)
{
    uint32_t flow = must_insert(t, 1, CHANGED, 3), flow2;
    struct xdp_op ops[4];

    for (int i = 0; i < 4; i++) {
        ops[i] = (struct xdp_op) { .type = XDP_OP_OUTPUT, .arg = CHANGED };
    }
    flow_table_modify(t->ft, flow, ops, 1);
    flow_table_modify(t->ft, flow, ops, 4);
    flow_table_modify(t->ft, flow, ops, 2);
    flow_table_delete(t->ft, flow, NULL);
    flow2 = must_insert(t, 2, CHANGED, 1);      /* A new mask. */
    flow_table_delete(t->ft, flow2, NULL);
}

static void
check_step(const struct table *t, const uint32_t ns[3],
           const struct xdp_flow_key packets[3], uint32_t stays)
{
    struct xdp_op ops[XDP_FLOW_MAX_OPS];

    for (int i = 0; i < 3; i++) {
        uint32_t found = lookup(t, &packets[i]);

        assert_true(ns[i] == STAYS ? found == stays
                    : ns[i] == GONE ? !found : found != stays);
        for (uint32_t flow = 0; flow < 8; flow++) {
            if (hint_hits(t, &packets[i], flow)) {
                uint32_t n = read_ops(t, t->maps.flows[flow].ops, ops);

                assert_true((ns[i] == STAYS) == (flow == stays));
                assert_int_not_equal(ns[i], GONE);
                assert_in_range(n, 1, 4);
                while (n--) {
                    assert_int_equal(ops[n].arg, ns[i]);
                }
            } else {
                assert_true(ns[i] != STAYS || flow != stays);
            }
        }
    }
}

static void
test_steps(void **state OVS_UNUSED)
{
    const uint32_t ns[3] = { GONE, CHANGED, STAYS };
    struct xdp_flow_key packets[3];
    struct table *t = table_new();
    uint32_t gone = must_insert(t, 1, GONE, 3);
    uint32_t stays = must_insert(t, 1, STAYS, 3);
    size_t n_steps = 0;
    int status;
    pid_t pid;

    for (int i = 0; i < 3; i++) {
        packets[i] = make_key(ns[i]);
    }
    /* The next flow gets this index. */
    flow_table_delete(t->ft, gone, NULL);
    wait_grace(t);
    pid = fork();
    assert_return_code(pid, errno);
    if (!pid) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP)) {
            _exit(2);
        }
        change_in_steps(t);
        _exit(0);
    }
    for (;;) {
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFSTOPPED(status)) {
            break;
        }
        check_step(t, ns, packets, stays);
        n_steps++;
        assert_return_code(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), errno);
    }
    assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
    assert_in_range(n_steps, 1000, SIZE_MAX);
    table_adopt(t);
    check_table__(t, 1, true);
    table_free(t);
}

/* Threads. */

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
    enum { N_KEYS = 3000, N_LOOKUPS = 100000 };
    struct table *t = table_new();
    struct churn churns[2] = { { t, 1000 }, { t, 2000 } };
    uint32_t *hints = xcalloc(N_KEYS, sizeof *hints);
    size_t n_lookups = 0, n_hits = 0;
    pthread_t threads[2];
    uint32_t flows[50];

    now = 0;
    for (int i = 0; i < 50; i++) {
        flows[i] = must_insert(t, 1 + i, i, 2);
    }
    for (int i = 0; i < 2; i++) {
        threads[i] = ovs_thread_create("churn", churn, &churns[i]);
    }
    for (int i = 0; i < N_LOOKUPS; i++) {
        uint32_t n = random_range(3) * 1000 + random_range(100);
        struct xdp_flow_key packet = make_key(n);
        struct xdp_op ops[XDP_FLOW_MAX_OPS];
        long long int start = time_msec();
        uint32_t flow = hints[n], n_ops = 0;
        bool hit = hint_hits(t, &packet, flow);

        for (int j = 0; !hit && j < 50; j++) {
            flow = random_range(500);
            hit = hint_hits(t, &packet, flow);
        }
        if (!hit) {
            flow = lookup(t, &packet);
        }
        if (flow) {
            uint64_t encoded = __atomic_load_n(&t->maps.flows[flow].ops,
                                               __ATOMIC_ACQUIRE);

            n_ops = read_ops(t, encoded, ops);
        }
        if (time_msec() - start < GRACE_MS / 2) {
            assert_true(n >= 50 || flow == flows[n]);
            for (uint32_t j = 0; j < n_ops; j++) {
                assert_int_equal(ops[j].arg, n);
            }
            n_lookups++;
            n_hits += hit && n >= 1000;
        }
        hints[n] = flow ? flow : hints[n];
        if (i % 10000 == 0) {
            flow_table_for_each(t->ft, check_ops, NULL);
        }
    }
    for (int i = 0; i < 2; i++) {
        xpthread_join(threads[i], NULL);
    }
    now = time_msec();
    assert_in_range(n_lookups, N_LOOKUPS / 2, N_LOOKUPS);
    assert_in_range(n_hits, N_LOOKUPS / 100, N_LOOKUPS);
    check_table_tight(t, flow_table_count(t->ft));
    free(hints);
    table_free(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_threads),
    };

    random_set_seed(1);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    return cmocka_run_group_tests_name("flow-readers", tests, NULL, NULL);
}
