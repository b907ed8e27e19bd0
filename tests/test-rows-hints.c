/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Rows about hints: when they are used, when they are wrong, and who has them. */

#include <config.h>
#undef NDEBUG
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "flow-table.h"
#include "rows-dp.h"
#include "rows-model.h"
#include "rows-packet.h"
#include "rows-test.h"
#include "rows-words.h"
#include "util.h"

/* Number of hints. */
static size_t
n_hints(void)
{
    size_t n = 0;

    for (size_t i = 0; i < N_HINTS; i++) {
        n += hints[i] != 0;
    }
    return n;
}

/* The one hint that there is. */
static size_t
find_hint(void)
{
    size_t i = 0;

    compare_number("hints", 1, n_hints());
    while (!hints[i]) {
        i++;
    }
    return i;
}

/* A list of masks begins with the newest. */
static void
test_hints(void **state OVS_UNUSED)
{
    if (!begins("hints", NULL)) {
        return;
    }
    reset();
    add_flow(SRC(3) " => 9");
    add_flow(M4 "ipv4(ttl=1) => 9");
    add_flow(M4 "ipv4(tos=1) => 9");
    expect_masks(TCP4, "9", 3, 0);
    expect_masks(TCP4, "9", 1, 1);
    compare_number("flow of the hint", row_flows[0].idx,
                   hints[find_hint()] & HINT_FLOW);
    expect_masks(TCP6, "miss", 3, 0);
    expect_masks(TCP6, "miss", 3, 0);   /* A miss leaves no hint. */
    find_hint();

    /* What no mask looks at makes no other hint; what one does, makes one. */
    expect_masks(TCP4B, "9", 1, 1);
    find_hint();
    add_flow(SRC(4) " => 9");
    expect_masks(TCP4_SRC(4), "9", 3, 0);
    expect_masks(TCP4_SRC(4), "9", 1, 1);
    expect_masks(TCP4, "9", 1, 1);
    compare_number("hints", 2, n_hints());

    /* IPv6. */
    add_flow(M6 "ipv6(dst=2001:db8::5:6:7:8) => 9");
    expect_masks(TCP6, "9", 1, 0);
    expect_masks(TCP6, "9", 1, 1);
    expect_masks(TCP4, "9", 4, 0);      /* There are more bits now. */
    expect_masks(TCP4, "9", 1, 1);
    expect_masks(UDP6, "9", 1, 1);
    free_row_flows();
}

/* A hint of a flow whose actions change. */
static void
test_hint_changed(void **state OVS_UNUSED)
{
    struct xdp_op ops[] = {
        { .type = XDP_OP_SET_ETH_DST, .arg = 0x3f },
        { .type = XDP_OP_OUTPUT, .arg = OUT_PORT },
        { .type = XDP_OP_USERSPACE, .arg = 4 },
    };

    if (!begins("hint-of-changed-flow", NULL)) {
        return;
    }
    reset();
    add_flow(SRC(3) " => 9");
    expect_masks(TCP4, "9", 1, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(flow_table_modify(ft, row_flows[0].idx, ops, 2), 0);
        expect_masks(TCP4, "9", 1, 1);
        assert_int_equal(flow_table_modify(ft, row_flows[0].idx, &ops[1], 1),
                         0);
        expect_masks(TCP4, "9", 1, 1);
        assert_int_equal(flow_table_modify(ft, row_flows[0].idx, &ops[2], 1),
                         0);
        expect_masks(TCP4, "up:4", 1, 1);
        assert_int_equal(flow_table_modify(ft, row_flows[0].idx, NULL, 0), 0);
        expect_masks(TCP4, "drop:ACTION", 1, 1);
        clear_counters();
    }
    free_row_flows();
}

/* A hint of a flow that is gone, and of one that has its index now: with
 * another key, then with another mask. */
static void
test_hint_deleted(void **state OVS_UNUSED)
{
    static const char *const others[] = {
        SRC(4) " => ", M4 "ipv4(ttl=1) => ", M6 "ipv6(src=::1) => ",
        "in_port(2),eth(),eth_type(0x0800),ipv4(src=10.1.2.3) => ",
    };

    if (!begins("hint-of-deleted-flow", NULL)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        uint32_t idx;

        reset();
        /* So that the bits of the port stay as they are. */
        add_flow(SRC(5) " => 9");
        add_flow(M4 "ipv4(ttl=2) => 9");
        add_flow(M4 "ipv4(tos=2) => 9");
        add_flow(M6 "ipv6(src=::2) => 9");
        add_flow(SRC(3) " => 9");
        run_and_expect(TCP4, "9");
        run_and_expect(TCP4, "9");

        size_t pos = find_hint();
        uint32_t hint = hints[pos];
        struct xdp_port_masks masks = maps.port_masks[1];

        idx = row_flows[4].idx;
        compare_number("flow of the hint", idx, hint & HINT_FLOW);
        assert_int_equal(flow_table_delete(ft, idx, NULL), 0);
        expect_masks(TCP4, "miss", 4, 0);
        pass_grace_periods();
        expect_masks(TCP4, "miss", 4, 0);

        add_flow(others[i]);
        compare_number("the same index", idx, row_flows[5].idx);
        expect_masks(TCP4, "miss", 4, 0);
        add_flow(SRC(3) " => 9");
        compare_number("the hint is there", hint, hints[pos]);
        compare_bytes("the port's bits", masks.bits, sizeof masks.bits,
                      maps.port_masks[1].bits, sizeof masks.bits);
        expect_masks(TCP4, "9", 4, 0);
        compare_number("a new hint in its place",
                       (hint & ~HINT_FLOW) | row_flows[6].idx, hints[pos]);
        expect_masks(TCP4, "9", 1, 1);
        free_row_flows();
    }
}

/* Hints that are wrong, as of another packet with the same tag. */
static void
test_hint_forged(void **state OVS_UNUSED)
{
    if (!begins("hint-forged", NULL)) {
        return;
    }
    reset();
    add_flow(SRC(4) " => ");
    add_flow(M4 "ipv4(ttl=1) => ");
    add_flow(SRC(3) " => 9");
    run_and_expect(TCP4, "9");

    size_t pos = find_hint();
    uint32_t hint = hints[pos], tag = hint & ~HINT_FLOW;
    uint32_t *set = &hints[pos - pos % HINT_WAYS];
    const uint32_t wrong[] = {
        0, row_flows[0].idx, row_flows[1].idx, row_flows[2].idx + 1,
        XDP_MAX_FLOWS - 1,
    };

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        memset(set, 0, HINT_WAYS * sizeof *set);
        set[3] = tag | wrong[i];
        expect_masks(TCP4, "9", 2, 0);
        expect_masks(TCP4, "9", 1, 1);
        memset(set, 0, HINT_WAYS * sizeof *set);
        set[0] = tag | wrong[i];
        expect_masks(TCP4, "9", 2, 0);
        compare_number("the hint is right again", hint, set[0]);

        /* The first of two counts. */
        set[0] = tag | wrong[i];
        set[1] = hint;
        expect_masks(TCP4, "9", 2, 0);
        compare_number("the hint is right again", hint, set[0]);
        expect_masks(TCP4, "9", 1, 1);
    }

    /* In each place. */
    for (int way = 0; way < HINT_WAYS; way++) {
        memset(set, 0, HINT_WAYS * sizeof *set);
        set[way] = hint;
        expect_masks(TCP4, "9", 1, 1);
        set[way] = hint ^ XDP_MAX_FLOWS;
        expect_masks(TCP4, "9", 2, 0);
        compare_number("the other hint", hint ^ XDP_MAX_FLOWS, set[way]);
    }
    free_row_flows();
}

/* A set of hints of others gives one of them up. */
static void
test_hint_full(void **state OVS_UNUSED)
{
    if (!begins("hint-set-full", NULL)) {
        return;
    }
    reset();
    add_flow(SRC(4) " => ");
    add_flow(SRC(3) " => 9");
    run_and_expect(TCP4, "9");

    size_t pos = find_hint();
    uint32_t hint = hints[pos];
    uint32_t *set = &hints[pos - pos % HINT_WAYS];
    unsigned int ways = 0;

    for (int i = 0; i < 200; i++) {
        int n_own = 0;

        for (int way = 0; way < HINT_WAYS; way++) {
            set[way] = ((hint ^ (way + 1u) << 24) & ~HINT_FLOW)
                       | row_flows[0].idx;
        }
        expect_masks(TCP4, "9", 1, 0);
        for (int way = 0; way < HINT_WAYS; way++) {
            if (set[way] == hint) {
                n_own++;
                ways |= 1u << way;
            }
        }
        compare_number("own hints in the set", 1, n_own);
        expect_masks(TCP4, "9", 1, 1);
    }
    compare_number("all places get used", (1 << HINT_WAYS) - 1, ways);
    compare_number("other sets", HINT_WAYS, n_hints());
    free_row_flows();
}

/* Packets of two flows that differ only in what hints do not go by. */
static void
test_hint_same(void **state OVS_UNUSED)
{
    static const struct {
        const char *packet, *match, *from, *to;
    } pairs[] = {
        { NS, M6 "ipv6(proto=58),icmpv6(type=135,code=0),"
          "nd(target=2001:db8::9)", "db8::9", "db8::a" },
        { NS, M6 "ipv6(proto=58),icmpv6(type=135,code=0),"
          "nd(sll=02:00:00:00:00:0a)", "00:0a", "00:0b" },
        { ARP, MARP "arp(sha=02:00:00:00:00:01)", "sha=02:00:00:00:00:01",
          "sha=02:00:00:00:00:02" },
        { ARP, MARP "arp(tha=02:00:00:00:00:0c)", "00:0c", "00:0d" },
        { MPLS, "in_port(1),eth(),eth_type(0x8847),"
          "mpls(label=100,tc=3,ttl=64,bos=1)", "label=100", "label=101" },
    };

    if (!begins("hint-same-for-two-flows", NULL)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        char *packet = replace(pairs[i].packet, pairs[i].from, pairs[i].to);
        char *match = replace(pairs[i].match, pairs[i].from, pairs[i].to);
        char *flow1 = xasprintf("%s => 9", pairs[i].match);
        char *flow2 = xasprintf("%s => ", match);

        reset();
        add_flow(flow1);
        run_and_expect(packet, "miss");
        run_and_expect(pairs[i].packet, "9");
        run_and_expect(packet, "miss");
        add_flow(flow2);
        for (int j = 0; j < 3; j++) {
            clear_counters();
            run_and_expect(pairs[i].packet, "9");
            expect_masks(pairs[i].packet, "9", 1, 1);
            expect_masks(packet, "drop:ACTION", 1, 0);
            clear_counters();
            expect_masks(packet, "drop:ACTION", 1, 1);
            find_hint();
        }
        free_row_flows();
        free(flow1);
        free(flow2);
        free(match);
        free(packet);
    }
}

/* A port whose masks were all of IPv4's words gets one of others, and the other
 * way round. */
static void
test_hint_widened(void **state OVS_UNUSED)
{
    if (!begins("hint-before-wide-mask", NULL)) {
        return;
    }
    reset();
    add_flow("in_port(1),eth(),eth_type(0x86dd),ipv6() => 9");
    expect_masks(TCP6, "9", 1, 0);
    compare_number("wide", 0, maps.port_masks[1].wide);
    expect_masks("skb_mark(1)," TCP6, "9", 1, 1);
    assert_int_equal(flow_table_delete(ft, row_flows[0].idx, NULL), 0);
    add_flow(M6 "ipv6(src=2001:db8::1:2:3:4,dst=2001:db8::5:6:7:8) => 9");
    add_flow(M6 "ipv6(src=2001:db8::1:2:3:4,dst=2001:db8::5:6:7:9) => ");
    compare_number("wide", 1, maps.port_masks[1].wide);
    expect_masks(TCP6, "9", 1, 0);
    run_and_expect(ETH "eth_type(0x86dd),ipv6(src=2001:db8::1:2:3:4,"
                   "dst=2001:db8::5:6:7:9,label=0x12345,proto=6,tclass=0x24,"
                   "hlimit=64,frag=no)" TCP, "drop:ACTION");
    clear_counters();
    run_and_expect(SRC6(2001:db8::1, 6) TCP, "miss");
    expect_masks(TCP6, "9", 1, 1);

    assert_int_equal(flow_table_delete(ft, row_flows[1].idx, NULL), 0);
    assert_int_equal(flow_table_delete(ft, row_flows[2].idx, NULL), 0);
    pass_grace_periods();
    expect_masks(TCP6, "miss", 0, 0);
    add_flow("in_port(1),eth(),eth_type(0x86dd),ipv6() => 9");
    compare_number("wide", 0, maps.port_masks[1].wide);
    clear_hints();
    expect_masks(SRC6(2001:db8::1, 6) TCP, "9", 1, 0);
    expect_masks(TCP6, "9", 1, 1);
    free_row_flows();
}

static void
run_on_cpu(int cpu, const char *packet, const char *want)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    assert_int_equal(sched_setaffinity(0, sizeof set, &set), 0);
    run_and_expect(packet, want);
}

/* A hint is for all CPUs; counters and statistics are each CPU's own. */
static void
test_hint_cpus(void **state OVS_UNUSED)
{
    struct xdp_flow_stats stats;
    uint64_t n_seen = 0;
    cpu_set_t all;

    sched_getaffinity(0, sizeof all, &all);
    if (!begins("hint-on-another-cpu",
                CPU_COUNT(&all) < 2 ? "only one CPU" : NULL)) {
        return;
    }
    reset();
    add_flow(SRC(3) " => 9");
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all)) {
            run_on_cpu(cpu, TCP4, "9");
            compare_number("HIT of the CPU", 1,
                           read_cpu_counter(cpu, XDP_COUNTER_HIT));
            compare_number("the flow's packets on the CPU", 1,
                           read_cpu_packets(cpu, row_flows[0].idx));
            compare_number("CACHE_HIT of the CPU", n_seen != 0,
                           read_cpu_counter(cpu, XDP_COUNTER_CACHE_HIT));
            n_seen++;
        }
    }
    sched_setaffinity(0, sizeof all, &all);
    flow_table_get_stats(ft, row_flows[0].idx, &stats);
    compare_number("packets of the flow", n_seen, stats.packets);
    free_row_flows();
}

void
add_hint_tests(void)
{
    add_test("hints", test_hints, NULL);
    add_test("hint-of-changed-flow", test_hint_changed, NULL);
    add_test("hint-of-deleted-flow", test_hint_deleted, NULL);
    add_test("hint-forged", test_hint_forged, NULL);
    add_test("hint-set-full", test_hint_full, NULL);
    add_test("hint-same-for-two-flows", test_hint_same, NULL);
    add_test("hint-before-wide-mask", test_hint_widened, NULL);
    add_test("hint-on-another-cpu", test_hint_cpus, NULL);
}
