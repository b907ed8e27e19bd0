/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The BPF pipeline, row by row, through BPF_PROG_RUN: nothing is attached and
 * nothing pinned.  Each row of bpf-rows.h is a packet, the megaflows that are
 * in the table, and what has to come out.
 *
 * What comes out is also computed by a model made from Open vSwitch's own
 * functions (flow_extract(), flow_equal_except(), odp_execute_actions()), and
 * all of it is compared: verdict, every byte of the frame, the upcall header,
 * the drop reason, the counters, and the statistics of each flow.
 *
 * How packets and flows are written is in rows-packet.h and rows-model.h.
 *
 * One row: "tests/test-bpf-rows NAME"; NAME may have '*' and '?' in it. */

#include <config.h>
#undef NDEBUG
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bpf-rows.h"
#include "bpf/handover.h"
#include "dp-packet.h"
#include "dp-xdp.h"
#include "flow-table.h"
#include "flow.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "random.h"
#include "rows-dp.h"
#include "rows-live.h"
#include "rows-model.h"
#include "rows-packet.h"
#include "util.h"

static const char *skip_reason;     /* Why no row can run. */
static const char *live_skip_reason;    /* Why none can that needs devices. */

/* Runs one packet over the flows, without hints and with those that the first
 * time left, and compares all that comes out.  'want' may
 * begin with '~': with XDP, a drop in place of what the model does; or '!':
 * the same, and Open vSwitch's functions cannot even run the actions of the
 * first flow. "deep" is a packet that goes up without a lookup.  'expect', if
 * nonnull, is the packet that leaves. */
static void
check_packet(const char *spec, const char *const *flows, const char *want,
             const char *expect)
{
    struct dp_packet *packet = make_packet(spec), *result;
    bool literal = want[0] == '!' || (want[0] == '~' && hook == HOOK_XDP);
    uint8_t out[MAX_FRAME];
    struct outcome o;
    size_t out_size;
    uint32_t up_at = UINT32_MAX, verdict;

    reset();
    for (; *flows; flows++) {
        add_row_flow(*flows, packet);
    }
    ovs_scan(want, "up:%"SCNu32, &up_at);
    result = dp_packet_clone(packet);
    model(result, (want[0] == '!' ? MODEL_MATCH
                   : !strcmp(want, "deep") ? MODEL_DEEP : MODEL_ALL),
          up_at, &o);
    if (literal) {
        ovs_strlcpy(o.verdict, ++want, sizeof o.verdict);
        o.has_frame = false;
        o.counters[XDP_COUNTER_FORWARDED] = 0;
    }
    if (want[0] == '~') {
        want = o.verdict;
    }
    if (strcmp(o.verdict, want)) {
        row_fail("the row wants \"%s\", Open vSwitch does \"%s\"", want,
                 o.verdict);
    }
    if (expect) {
        dp_packet_delete(result);
        result = make_packet(expect);
    } else if (o.has_frame && csums_ok(packet) && !csums_ok(result)) {
        row_fail("Open vSwitch spoils a checksum");
    }

    for (int hinted = 0; hinted < 2; hinted++) {
        clear_counters();
        for (size_t i = 0; i < n_row_flows; i++) {
            flow_table_zero_stats(ft, row_flows[i].idx);
        }
        verdict = run_packet(packet, out, &out_size);
        expect_verdict(!strcmp(want, "deep") ? "miss" : want, verdict, out,
                       out_size);
        if (o.has_frame) {
            expect_frame(&o, result, out, out_size);
        }
        expect_counters(&o);
        expect_stats();
        if (hinted) {
            compare_number("CACHE_HIT", o.counters[XDP_COUNTER_HIT],
                           read_counter(XDP_COUNTER_CACHE_HIT));
        }
    }
    free_row_flows();
    dp_packet_delete(packet);
    dp_packet_delete(result);
}

/* Rows. */

static bool
begins(const char *name, const char *skip_row)
{
    free_row_flows();           /* Of a row that failed. */
    row_name = name;
    if (skip_reason || skip_row) {
        print_message("skipped: %s\n", skip_reason ? skip_reason : skip_row);
        skip();
    }
    return true;
}

/* The same, of a row for 'packet'. */
static bool
begins_with(const char *name, const char *skip_row, const char *packet_)
{
    if (begins(name, skip_row)) {
        struct dp_packet *packet = make_packet(packet_);
        bool ok = can_run(packet);

        dp_packet_delete(packet);
        if (!ok) {
            print_message("skipped: BPF_PROG_RUN takes no such frame for "
                          "TC\n");
            skip();
        }
    }
    return true;
}

static void
test_row(void **state)
{
    const struct row *row = *state;

    if (begins_with(row->name, row->skip, row->packet)) {
        check_packet(row->packet, row->flows, row->want, row->expect);
    }
}

/* 's' with its first 'from' replaced by 'to'; the caller frees it. */
static char *
replace(const char *s, const char *from, const char *to)
{
    const char *p = strstr(s, from);

    if (!p) {
        row_fail("no \"%s\" in the packet", from);
    }
    return xasprintf("%.*s%s%s", (int) (p - s), s, to, p + strlen(from));
}

/* The packet hits the flow; with 'from' replaced by 'to', it misses. */
static void
test_match(void **state)
{
    const struct match_row *row = *state;

    if (begins_with(row->name, row->skip, row->packet)) {
        char *flow = xasprintf("%s => %d", row->match, OUT_PORT);
        const char *flows[] = { flow, NULL };
        char *other = replace(row->packet, row->from, row->to);

        check_packet(row->packet, flows, "9", NULL);
        check_packet(other, flows, "miss", NULL);
        free(other);
        free(flow);
    }
}

/* The packet gets exactly the key that Open vSwitch gives it. */
static void
test_key(void **state)
{
    static const char *const flows[] = { "exact => 9", NULL };
    const struct key_row *row = *state;

    if (begins_with(row->name, row->skip, row->packet)) {
        check_packet(row->packet, flows, "9", NULL);
    }
}

/* The packet is edited and sent. */
static void
test_edit(void **state)
{
    const struct edit_row *row = *state;

    if (begins_with(row->name, row->skip, row->packet)) {
        char *flow = xasprintf("exact => %s,%d", row->actions, OUT_PORT);
        const char *flows[] = { flow, NULL };

        check_packet(row->packet, flows, "9", row->expect);
        free(flow);
    }
}

/* Frames of 'len' bytes: from userspace, as BPF_PROG_RUN gives no frame to a
 * port's program that is shorter than an Ethernet header. */
static void
test_truncated(void **state)
{
    const struct truncated_row *row = *state;

    if (!begins(row->name, NULL)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(truncated_bases); i++) {
        static const char *const flows[] = { "exact => 9", NULL };
        struct dp_packet *packet = make_packet(truncated_bases[i]);

        if (row->len >= ETH_HEADER_LEN && row->len <= dp_packet_size(packet)) {
            char *s = xasprintf("%s; cut %"PRIuSIZE, truncated_bases[i],
                                row->len);

            dp_packet_set_size(packet, row->len);
            if (can_run(packet)) {
                check_packet(s, flows, "9", NULL);
            }
            free(s);
        } else if (row->len < ETH_HEADER_LEN) {
            struct xdp_inject_hdr hdr = {
                .magic = XDP_INJECT_MAGIC, .mode = XDP_INJECT_PIPELINE,
                .port = 1,
            };
            uint8_t out[MAX_FRAME];
            size_t size;
            uint32_t verdict;

            reset();
            verdict = run_inject(&hdr, dp_packet_data(packet), row->len, out,
                                 &size);
            expect_verdict("drop:BAD_INJECT", verdict, out, size);
        }
        dp_packet_delete(packet);
    }
}

/* A mask of some random words, and some random bits of them. */
static void
random_mask(struct xdp_flow_key *mask)
{
    uint64_t words[XDP_KEY_WORDS] = { 0 };
    int n = 1 + random_range(8);

    for (int i = 0; i < n; i++) {
        uint64_t bits = (uint64_t) random_uint32() << 32 | random_uint32();

        words[random_range(XDP_KEY_WORDS)]
            = random_range(2) ? bits : UINT64_C(1) << random_range(64);
    }
    memcpy(mask, words, sizeof *mask);
}

/* Masks of any shape, on the keys of all kinds of packets: the key with a bit
 * outside the mask changed hits, and misses with one inside. */
static void
test_mask_shape(void **state)
{
    const char *spec = *state;

    if (!begins("mask-shape", NULL)) {
        return;
    }
    struct xdp_op op = { .type = XDP_OP_OUTPUT, .arg = OUT_PORT };
    struct dp_packet *packet = make_packet(spec);
    struct xdp_flow_key key, mask;
    struct flow flow, all;

    memset(&all, 0, sizeof all);
    flow_extract(packet, &flow);
    if (flow.nw_proto == IPPROTO_ICMPV6) {
        flow.tcp_flags = 0;     /* Of ND, not in a datapath's key. */
    }
    assert_int_equal(flow_to_xdp_key(&flow, &all, &key, &mask), 0);
    for (int i = 0; i < 50; i++) {
        uint64_t k[XDP_KEY_WORDS], m[XDP_KEY_WORDS];
        bool inside = i % 2;
        uint8_t out[MAX_FRAME];
        uint32_t idx, w, b;
        size_t size;

        do {
            random_mask(&mask);
            memcpy(k, &key, sizeof k);
            memcpy(m, &mask, sizeof m);
            w = random_range(XDP_KEY_WORDS);
            b = random_range(64);
        } while (!(m[w] >> b & 1) != !inside);
        k[w] ^= UINT64_C(1) << b;

        struct xdp_flow_key other;

        memcpy(&other, k, sizeof other);
        reset();
        assert_int_equal(flow_table_insert(ft, &other, &mask, &op, 1, &idx),
                         0);
        for (int hinted = 0; hinted < 2; hinted++) {
            uint32_t verdict = run_packet(packet, out, &size);

            expect_verdict(inside ? "miss" : "9", verdict, out, size);
        }
        compare_number("CACHE_HIT", !inside,
                       read_counter(XDP_COUNTER_CACHE_HIT));
    }
    dp_packet_delete(packet);
}

/* Rows with a course of their own. */

static void
run_and_expect(const char *spec, const char *want)
{
    struct dp_packet *packet = make_packet(spec);
    uint8_t out[MAX_FRAME];
    uint32_t verdict;
    size_t size;

    verdict = run_packet(packet, out, &size);
    expect_verdict(want, verdict, out, size);
    dp_packet_delete(packet);
}

static void
add_flow(const char *flow)
{
    add_row_flow(flow, NULL);
}

/* Runs the packet and expects it to have tried 'n_masks', with and without the
 * hint. */
static void
expect_masks(const char *packet, const char *want, uint64_t n_masks,
             uint64_t n_cached)
{
    uint64_t masks = read_counter(XDP_COUNTER_MASK_HIT);
    uint64_t cached = read_counter(XDP_COUNTER_CACHE_HIT);

    run_and_expect(packet, want);
    compare_number("MASK_HIT", masks + n_masks,
                   read_counter(XDP_COUNTER_MASK_HIT));
    compare_number("CACHE_HIT", cached + n_cached,
                   read_counter(XDP_COUNTER_CACHE_HIT));
}

static void
run_from_port(const char *spec, uint32_t port, const char *want)
{
    struct dp_packet *packet = make_packet(spec);
    uint8_t out[MAX_FRAME];
    uint32_t verdict;
    size_t size;

    packet->md.in_port.odp_port = u32_to_odp(port);
    verdict = run_packet(packet, out, &size);
    expect_verdict(want, verdict, out, size);
    dp_packet_delete(packet);
}

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

#define SRC(LAST) M4 "ipv4(src=10.1.2." #LAST ")"
#define TCP4_SRC(LAST) ETH "eth_type(0x0800),ipv4(src=10.1.2." #LAST          \
    ",dst=10.4.5.6,proto=6,tos=0x24,ttl=64,frag=no)" TCP

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

/* 60 masks: each packet finds its flow, and no other. */
static void
test_many_masks(void **state OVS_UNUSED)
{
    if (!begins("many-masks", NULL)) {
        return;
    }
    reset();
    for (uint32_t i = 1; i <= 60; i++) {
        char *flow = xasprintf(M4 "ipv4(src=10.1.2.%u/255.255.255.%u,"
                               "proto=6,ttl=%u),tcp() => %s",
                               i, i | 0x40, i, i == 60 ? "9" : "");
        add_flow(flow);
        free(flow);
    }
    for (uint32_t i = 1; i <= 60; i++) {
        char *ttl = xasprintf("ttl=%u", i);
        char *src = xasprintf("src=10.1.2.%u", i);
        char *s = replace(TCP4, "ttl=64", ttl);
        char *packet = replace(s, "src=10.1.2.3", src);
        struct xdp_flow_stats stats;

        run_and_expect(packet, i == 60 ? "9" : "drop:ACTION");
        flow_table_get_stats(ft, row_flows[i - 1].idx, &stats);
        compare_number("packets of the flow", 1, stats.packets);
        clear_counters();
        free(ttl);
        free(src);
        free(s);
        free(packet);
    }
    run_and_expect(TCP4, "miss");
    free_row_flows();
}

static void
test_modify_flow(void **state OVS_UNUSED)
{
    if (!begins("modify-flow", NULL)) {
        return;
    }
    struct xdp_op op = { .type = XDP_OP_OUTPUT, .arg = OUT_PORT };

    reset();
    add_flow(M4 "ipv4() => ");
    run_and_expect(TCP4, "drop:ACTION");
    reset();
    add_flow(M4 "ipv4() => 9");
    run_and_expect(TCP4, "9");
    assert_int_equal(flow_table_modify(ft, row_flows[1].idx, &op, 1), 0);
    run_and_expect(TCP4, "9");
    op = (struct xdp_op) { .type = XDP_OP_USERSPACE, .arg = 4 };
    assert_int_equal(flow_table_modify(ft, row_flows[1].idx, &op, 1), 0);
    run_and_expect(TCP4, "up:4");
    assert_int_equal(flow_table_modify(ft, row_flows[1].idx, NULL, 0), 0);
    run_and_expect(TCP4, "drop:ACTION");
    free_row_flows();
}

static void
test_no_userspace(void **state OVS_UNUSED)
{
    if (!begins("no-userspace", NULL)) {
        return;
    }
    reset();
    config->upcalls_enabled = 0;
    run_and_expect(TCP4, "drop:NO_USERSPACE");
    reset();
    config->upcalls_enabled = 0;
    add_flow(M4 "ipv4() => userspace(pid=0),9");
    run_and_expect(TCP4, "drop:NO_USERSPACE");
    reset();
    config->upcalls_enabled = 0;
    add_flow(M4 "ipv4() => 9");
    run_and_expect(TCP4, "9");
    free_row_flows();
}

static long long int
now_jiffies(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;     /* HZ <= 1000. */
}

static void
test_rate_limit(void **state OVS_UNUSED)
{
    enum { BURST = 5, N = 500 };

    if (!begins("rate-limit", NULL)) {
        return;
    }
    struct dp_packet *packet = make_packet(TCP4);
    uint64_t n_limited, n_up, n_refilled;
    uint8_t out[MAX_FRAME];
    size_t size;

    reset();
    config->upcall_rate = 1;
    config->upcall_burst = BURST;

    long long int start = now_jiffies();

    for (int i = 0; i < N; i++) {
        run_packet(packet, out, &size);
    }
    n_refilled = now_jiffies() - start + 2;
    n_limited = read_drops(XDP_DROP_RATE_LIMIT);
    n_up = read_counter(XDP_COUNTER_UPCALL);
    compare_number("sum of upcalls and RATE_LIMIT", N, n_limited + n_up);
    compare_number("upcalls are at least the burst", 1, n_up >= BURST);
    compare_number("upcalls are at most the burst and the refill", 1,
                   n_up <= BURST + n_refilled);

    /* The other ports have buckets of their own, and full ones. */
    packet->md.in_port.odp_port = u32_to_odp(2);
    assert_int_equal(run_packet(packet, out, &size), XDP_REDIRECT);

    /* No more than the burst is saved up. */
    usleep(100 * 1000);
    packet->md.in_port.odp_port = u32_to_odp(1);
    start = now_jiffies();
    n_up = read_counter(XDP_COUNTER_UPCALL);
    for (int i = 0; i < N; i++) {
        run_packet(packet, out, &size);
    }
    n_refilled = now_jiffies() - start + 2;
    n_up = read_counter(XDP_COUNTER_UPCALL) - n_up;
    compare_number("upcalls after a pause are at least the burst", 1,
                   n_up >= BURST);
    compare_number("upcalls after a pause are at most burst and refill", 1,
                   n_up <= BURST + n_refilled);
    dp_packet_delete(packet);
}

static void
test_missing_stage(void **state OVS_UNUSED)
{
    static const uint32_t stages[] = {
        XDP_STAGE_ACTIONS, XDP_STAGE_RECIRC,
    };

    if (!begins("missing-stage", NULL)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
        reset();
        add_flow(M4 "ipv4() => recirc(1)");
        set_stage(stages[i], NULL);
        run_and_expect(TCP4, "drop:TAIL_CALL");
        set_stages();
    }
    free_row_flows();
}

static void
test_missing_trap(void **state OVS_UNUSED)
{
    uint32_t device = live_skip_reason ? 1 : live_ifindex(TRAP), zero = 0;

    if (!begins("missing-trap", NULL)) {
        return;
    }
    reset();
    bpf_map_delete_elem(map_fd("xdp_trap"), &zero);
    run_and_expect(TCP4, "drop:UPCALL");
    map_fill("xdp_trap", 0, &device);
    compare_number("UPCALL", 0, read_counter(XDP_COUNTER_UPCALL));
}

/* The packet conforms 'n' times, and then does not. */
static void
expect_policed(const char *packet, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        run_and_expect(packet, "9");
    }
    run_and_expect(packet, "drop:POLICED");
    compare_number("RX", n + 1, read_counter(XDP_COUNTER_RX));
    compare_number("HIT", n, read_counter(XDP_COUNTER_HIT));
    clear_counters();
}

/* The rates are so low that the time which the test takes does not matter. */
static void
test_police(void **state OVS_UNUSED)
{
    const uint64_t second = UINT64_C(1000000000), per_byte = second * 1024;
    struct xdp_policer *p = &policers[1];

    if (!begins("police", NULL)) {
        return;
    }
    reset();
    config->n_policers = 1;
    add_flow(M4 "ipv4() => 9");
    add_flow(MVLAN("vid=0/0x0,pcp=0/0x0") " => 9");
    add_flow("in_port(2),eth(),eth_type(0x0800),ipv4() => 9");

    /* The first packet is due at once, and more as the burst allows. */
    p->packets = (struct xdp_rate) { 10 * second, 25 * second, 0 };
    expect_policed(UDP4, 3);
    p->packets = (struct xdp_rate) { 10 * second, 0, 0 };
    expect_policed(UDP4, 1);
    p->packets = (struct xdp_rate) { 0, 0, 0 };

    /* UDP4 has 61 bytes, VLAN has 65 with its tag. */
    p->bytes = (struct xdp_rate) { per_byte, 0, 0 };
    expect_policed(UDP4, 1);
    p->bytes = (struct xdp_rate) { per_byte / 10, 63 * second / 10, 0 };
    expect_policed(UDP4, 2);
    p->bytes = (struct xdp_rate) { per_byte, 63 * second, 0 };
    expect_policed(VLAN, 1);

    /* Both: the lower one counts. */
    p->bytes = (struct xdp_rate) { per_byte / 1000, 10 * second, 0 };
    p->packets = (struct xdp_rate) { 10 * second, 15 * second, 0 };
    expect_policed(UDP4, 2);

    /* No other port, and nothing without policers. */
    for (int i = 0; i < 5; i++) {
        run_and_expect("in_port(2),eth(src=02:00:00:00:00:01,"
                       "dst=02:00:00:00:00:02)," IP4(6) TCP, "9");
    }
    config->n_policers = 0;
    run_and_expect(UDP4, "9");
    free_row_flows();
}

/* XDP cannot copy a frame that does not fit into one page: userspace sends
 * it. */
static void
test_long_copies(void **state OVS_UNUSED)
{
    if (!begins("copies-of-9000", live_skip_reason)) {
        return;
    }
    reset();
    add_copies_flow(M4 "ipv4() => 5,set(ipv4(ttl=1)),6", NULL);
    run_and_expect(UDP4 "; pay 8958", "up:0");
    free_row_flows();
}

/* The hash is the same for a connection, differs between connections and
 * bases, and is what the next round matches on. */
static void
test_hash(void **state OVS_UNUSED)
{
    static const char *const packets[] = {
        TCP4, TCP4 "; pay 99", TCP4B, UDP4, TCP6, UDP6, ICMP4, ARP,
    };
    uint32_t hashes[ARRAY_SIZE(packets)], other;
    uint8_t out[MAX_FRAME];
    const struct xdp_upcall_hdr *hdr = (const void *) out;
    size_t size;

    if (!begins("hash", NULL)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
        struct dp_packet *packet = make_packet(packets[i]);

        reset();
        add_row_flow("exact => hash(7),recirc(1)", packet);
        run_packet(packet, out, &size);
        hashes[i] = hdr->dp_hash;
        compare_number("recirc_id", 1, hdr->recirc_id);
        compare_number("hash is 0", 0, !hashes[i]);

        reset();
        add_row_flow("exact => hash(8),recirc(1)", packet);
        run_packet(packet, out, &size);
        other = hdr->dp_hash;
        compare_number("hashes of two bases are the same", 0,
                       other == hashes[i]);

        char *match = xasprintf("in_port(1),recirc_id(1),dp_hash(%"PRIu32
                                "/0xff),eth(),eth_type(0x%04x)%s => 9",
                                other & 0xff,
                                ((const uint8_t *) out)[sizeof *hdr + 12] << 8
                                | out[sizeof *hdr + 13],
                                packets[i] == packets[7] ? ",arp()"
                                : out[sizeof *hdr + 12] == 8 ? ",ipv4()"
                                : ",ipv6()");
        add_flow(match);
        free(match);
        assert_int_equal(run_packet(packet, out, &size), XDP_REDIRECT);
        compare_number("packets after the hash", 1,
                       read_counter(XDP_COUNTER_FORWARDED));
        dp_packet_delete(packet);
        free_row_flows();
    }
    compare_number("hashes of a connection are the same", 1,
                   hashes[0] == hashes[1]);
    for (size_t i = 2; i < ARRAY_SIZE(packets); i++) {
        compare_number("hashes of two connections are the same", 0,
                       hashes[i] == hashes[0]);
    }
}

/* The UDP checksum turns out as 0: which has to be written as 0xffff. */
static void
test_udp_zero(void **state)
{
    const struct edit_row *row = *state;

    if (!begins(row->name, row->skip)) {
        return;
    }
    struct dp_packet *packet = make_packet(row->packet);
    size_t size = dp_packet_size(packet);
    struct ofpbuf actions;
    struct flow flow;
    uint32_t sum = 0;
    uint8_t *csum;

    /* What is to be in the last word, for the checksum after the actions to be
     * 0: what the checksum would be if there were 0. */
    parse_actions(row->actions, &actions);
    flow_extract(packet, &flow);
    execute(packet, actions.data);
    flow_extract(packet, &flow);
    memset((uint8_t *) dp_packet_data(packet) + size - 2, 0, 2);
    assert_non_null(l4_csum(packet, &flow, &sum));

    char *s = xasprintf("%s; at %"PRIuSIZE" %04"PRIx32"; csum", row->packet,
                        size - 2, ~sum & 0xffff);
    char *flow_s = xasprintf("exact => %s,%d", row->actions, OUT_PORT);
    const char *flows[] = { flow_s, NULL };

    check_packet(s, flows, "9", NULL);

    /* See that the row is what it says. */
    dp_packet_delete(packet);
    packet = make_packet(s);
    flow_extract(packet, &flow);
    execute(packet, actions.data);
    csum = (uint8_t *) dp_packet_l4(packet) + 6;
    compare_number("checksum", 0xffff, csum[0] << 8 | csum[1]);
    free(flow_s);
    free(s);
    ofpbuf_uninit(&actions);
    dp_packet_delete(packet);
}

/* The hash of the flow table, after its description in ovs-xdp-abi.h. */
static uint64_t
table_hash(uint32_t idx)
{
    const struct xdp_flow *flow = &maps.flows[idx];
    const struct xdp_mask *mask = &maps.masks[flow->mask_id];
    uint64_t h = XDP_HASH_SEED ^ flow->mask_id;

    for (uint32_t w = 0; w < XDP_KEY_WORDS; w++) {
        if (mask->bits[w]) {
            h ^= (w < XDP_HOT_WORDS ? flow->key[w]
                  : maps.flows_wide[idx].key[w - XDP_HOT_WORDS]);
            h = (h << 29 | h >> 35) * XDP_HASH_MULT;
        }
    }
    return h ^ h >> 32;
}

/* The same, without a hint of an earlier packet. */
static void
run_without_hints(const char *spec, const char *want)
{
    clear_hints();
    run_and_expect(spec, want);
}

/* A flow is found in each slot of both of its buckets, and only there; and
 * what has its tag there, but another key or mask, is not taken for it. */
static void
check_buckets(const char *spec, const char *match)
{
    char *flow_spec = xasprintf("%s => 9", match);

    reset();
    add_flow(flow_spec);
    free(flow_spec);

    uint32_t idx = row_flows[0].idx;
    struct xdp_flow *flow = &maps.flows[idx];
    uint64_t h = table_hash(idx);
    struct xdp_bucket *both[] = {
        &maps.buckets[h & XDP_BUCKET_MASK],
        &maps.buckets[h >> 20 & XDP_BUCKET_MASK],
        &maps.buckets[(h + 1) & XDP_BUCKET_MASK],   /* Not its own. */
    };
    __u64 slot = h >> 32 << 32 | idx;

    for (int i = 0; i < XDP_BUCKET_SLOTS; i++) {
        compare_number("other slots", 0, both[0]->slots[i] != slot
                       && both[0]->slots[i]);
        both[0]->slots[i] = 0;
    }
    for (size_t b = 0; b < ARRAY_SIZE(both); b++) {
        for (int i = 0; i < XDP_BUCKET_SLOTS; i++) {
            both[b]->slots[i] = slot;
            run_without_hints(spec, b < 2 ? "9" : "miss");
            both[b]->slots[i] ^= 1ULL << 32;        /* Another tag. */
            run_without_hints(spec, "miss");
            both[b]->slots[i] = 0;
        }
    }
    both[0]->slots[5] = slot;
    for (int w = 0; w < XDP_KEY_WORDS; w++) {
        __u64 *word = (w < XDP_HOT_WORDS ? &flow->key[w]
                       : &maps.flows_wide[idx].key[w - XDP_HOT_WORDS]);
        bool compared = w < XDP_HOT_WORDS || maps.masks[flow->mask_id].wide;

        *word ^= 1ULL << (w * 2);
        run_without_hints(spec, compared ? "miss" : "9");
        *word ^= 1ULL << (w * 2);
    }
    flow->mask_id++;
    run_without_hints(spec, "miss");
    flow->mask_id--;
    run_without_hints(spec, "9");
    free_row_flows();
}

static void
test_buckets(void **state OVS_UNUSED)
{
    if (begins("buckets", NULL)) {
        check_buckets(TCP4, M4 "ipv4(src=10.1.2.3,dst=10.4.5.6)");
        check_buckets(NS, M6 "ipv6(src=2001:db8::1:2:3:4,proto=58),"
                      "icmpv6(type=135,code=0),nd(target=2001:db8::9)");
    }
}

#define FROM(PORT) "in_port(" #PORT "),eth(),eth_type(0x0800),"

/* The masks of a port's flows are tried for its packets alone. */
static void
test_port_masks(void **state OVS_UNUSED)
{
    if (!begins("port-masks", NULL)) {
        return;
    }
    reset();
    add_flow(FROM(2) "ipv4(tos=1) => ");
    add_flow(FROM(2) "ipv4(ttl=1) => ");
    add_flow(FROM(2) "ipv4(src=10.1.2.3) => ");
    add_flow(FROM(3) "ipv4(src=10.1.2.3) => ");
    expect_masks(TCP4, "miss", 0, 0);
    add_flow(FROM(1) "ipv4(src=10.1.2.3) => 9");
    compare_number("masks", 3, flow_table_n_masks(ft));
    expect_masks(TCP4, "9", 1, 0);
    expect_masks(TCP4, "9", 1, 1);
    run_from_port(TCP4, 2, "drop:ACTION");
    run_from_port(TCP4, 3, "drop:ACTION:ACTION");
    run_from_port(TCP4, 2, "drop:ACTION:ACTION:ACTION");
    clear_counters();
    run_from_port(TCP4, 0, "miss");
    expect_masks(TCP4, "9", 1, 1);

    /* One flow of a mask goes: the other ports' stay. */
    assert_int_equal(flow_table_delete(ft, row_flows[2].idx, NULL), 0);
    pass_grace_periods();
    run_from_port(TCP4, 2, "miss");
    expect_masks(TCP4, "9", 1, 1);
    run_from_port(TCP4, 3, "drop:ACTION");
    clear_counters();
    assert_int_equal(flow_table_delete(ft, row_flows[4].idx, NULL), 0);
    pass_grace_periods();
    expect_masks(TCP4, "miss", 0, 0);
    free_row_flows();
}

/* Adds a flow that matches 'bits' of the port. */
static uint32_t
add_port_bits(const char *spec, uint32_t bits)
{
    struct xdp_op op = { .type = XDP_OP_OUTPUT, .arg = OUT_PORT };
    struct xdp_flow_key key, mask;
    struct flow_wildcards wc;
    struct flow flow;
    uint32_t idx;

    parse_flow(spec, &flow, &wc);
    wc.masks.dl_type = OVS_BE16_MAX;
    wc.masks.recirc_id = UINT32_MAX;
    assert_int_equal(flow_to_xdp_key(&flow, &wc.masks, &key, &mask), 0);
    mask.in_port = bits;
    assert_int_equal(flow_table_insert(ft, &key, &mask, &op, 1, &idx), 0);
    return idx;
}

/* Flows that do not match all of the port. */
static void
test_any_port(void **state OVS_UNUSED)
{
    uint32_t idx;

    if (!begins("any-port", NULL)) {
        return;
    }
    reset();
    add_flow(FROM(1) "ipv4(src=10.1.2.4) => ");
    idx = add_port_bits(FROM(3) "ipv4(src=10.1.2.3)", 0);
    expect_masks(TCP4, "9", 2, 0);
    expect_masks(TCP4, "9", 1, 1);
    expect_masks(TCP6, "miss", 2, 0);
    expect_masks(TCP4_SRC(4), "drop:ACTION", 1, 0);
    clear_counters();
    for (uint32_t port = 0; port < 4; port++) {
        run_from_port(TCP4, port, "9");
        run_from_port(TCP4, port, "9");
    }
    /* Ports without flows of their own have the same hints. */
    compare_number("CACHE_HIT", 7, read_counter(XDP_COUNTER_CACHE_HIT));
    run_from_port(TCP4, XDP_MAX_PORTS - 1, "9");

    /* A flow of the port is found before one of any. */
    add_flow(FROM(2) "ipv4(dst=10.4.5.6) => ");
    clear_hints();
    clear_counters();
    run_from_port(TCP4, 2, "drop:ACTION");
    compare_number("MASK_HIT", 1, read_counter(XDP_COUNTER_MASK_HIT));
    clear_counters();

    assert_int_equal(flow_table_delete(ft, idx, NULL), 0);
    pass_grace_periods();
    expect_masks(TCP4, "miss", 1, 0);
    add_port_bits(FROM(3) "ipv4(src=10.1.2.3)", UINT32_MAX - 1);
    expect_masks(TCP4, "miss", 2, 0);
    run_from_port(TCP4, 3, "9");
    run_from_port(TCP4, 3, "9");
    run_from_port(TCP4_SRC(5), 3, "miss");
    run_from_port(TCP4, 0, "miss");
    free_row_flows();
}

static void
test_no_in_port(void **state OVS_UNUSED)
{
    if (!begins("no-in-port", NULL)) {
        return;
    }
    reset();
    add_flow(FROM(0) "ipv4() => 9");
    add_flow(FROM(1) "ipv4() => 9");
    run_from_port(TCP4, UINT32_MAX, "drop:NO_IN_PORT");
    compare_number("RX", 0, read_counter(XDP_COUNTER_RX));
    clear_counters();
    run_from_port(TCP4, 0, "9");
    run_and_expect(TCP4, "9");
    compare_number("RX", 2, read_counter(XDP_COUNTER_RX));
    free_row_flows();
}

/* Devices on both sides of the limit of the array, and one far above it. */
static void
test_high_ifindex(void **state OVS_UNUSED)
{
    static const uint32_t pairs[][2] = {
        { XDP_MAX_IFINDEX - 1, XDP_MAX_IFINDEX }, { 0x7fff7001, 0x41388 },
    };

    if (!begins("high-ifindex", live_skip_reason)) {
        return;
    }
    struct dp_packet *packet = make_packet(TCP4);
    uint8_t out[MAX_FRAME];
    uint32_t verdict;
    size_t size;

    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        reset();
        add_flow(FROM(1) "ipv4() => 9");
        add_flow(FROM(2) "ipv4() => ");
        if (!live_make_devices(pairs[i][0], pairs[i][1])) {
            row_fail("no devices with these indexes");
        }
        for (int j = 0; j < 2; j++) {
            uint32_t ifindex = pairs[i][j];

            set_in_port(ifindex % XDP_MAX_IFINDEX, 3);
            clear_counters();
            verdict = run_packet_from(packet, ifindex, out, &size);
            expect_verdict("9", verdict, out, size);
            packet->md.in_port.odp_port = u32_to_odp(UINT32_MAX);
            verdict = run_packet_from(packet, ifindex, out, &size);
            expect_verdict("drop:NO_IN_PORT", verdict, out, size);
            if (ifindex >= XDP_MAX_IFINDEX) {
                bpf_map_delete_elem(map_fd("xdp_ifindexes_high"), &ifindex);
            }
            clear_counters();
            packet->md.in_port.odp_port = u32_to_odp(2);
            verdict = run_packet_from(packet, ifindex, out, &size);
            expect_verdict("drop:ACTION", verdict, out, size);
            if (ifindex >= XDP_MAX_IFINDEX) {
                bpf_map_delete_elem(map_fd("xdp_ifindexes_high"), &ifindex);
            }
            set_in_port(ifindex % XDP_MAX_IFINDEX, UINT32_MAX);
            packet->md.in_port.odp_port = u32_to_odp(1);
        }
        live_remove_devices();
        free_row_flows();
    }
    dp_packet_delete(packet);
}

/* Packets that leave nothing of theirs to the next one's key. */
static const char *const residue_packets[] = {
    TCP4, UDP4, ICMP4, IGMP4, FRAG2_4, TCP6, NS, NA, UDP6 HOP, FRAG2_6, ARP,
    RARP, VLAN, QINQ, MPLS, MPLS "; ins 14 0006400000065000", LLC, OTHER,
    ETH TAG(0x8100, 7, 0, IP6(6) TCP),
    /* ND where Open vSwitch looks for it, too. */
    ETH IP4(58) "; more 32; at 34 870000000000000020010db8000000000000000000000bad"
                "0101020000000bad; csum",
    "skb_mark(4),skb_priority(5)," TCP4,
    "recirc_id(1),skb_mark(4),skb_priority(5),dp_hash(6)," NS,
    TCP4 "; cut 33", TCP6 "; cut 53", TCP4 "; cut 40", NS "; cut 80",
    NS "; more 32; at 86 050100000000000005010000000000000501000000000000;"
       " at 110 0201020000000009",
};

static void
test_residue(void **state)
{
    const char *const *spec = *state;

    if (!begins_with("residue", NULL, *spec)) {
        return;
    }
    struct dp_packet *packet = make_packet(*spec);

    for (size_t i = 0; i < ARRAY_SIZE(residue_packets); i++) {
        struct dp_packet *before = make_packet(residue_packets[i]);
        uint8_t out[MAX_FRAME];
        uint32_t verdict;
        size_t size;

        if (can_run(before)) {
            reset();
            add_row_flow("exact => 9", packet);
            run_packet(before, out, &size);
            clear_counters();
            verdict = run_packet(packet, out, &size);
            if (spec != &residue_packets[ARRAY_SIZE(residue_packets) - 1]) {
                expect_verdict("9", verdict, out, size);
                compare_bytes("frame", dp_packet_data(packet),
                              dp_packet_size(packet), out, size);
            }
            free_row_flows();
        }
        dp_packet_delete(before);
    }
    dp_packet_delete(packet);
}

/* Frames of which only the first bytes are where BPF can read them, of any
 * number: with fewer than 'headers', userspace looks at the frame. */
struct split_row {
    const char *packet;
    size_t headers;             /* 0: all of it. */
};

static const struct split_row split_rows[] = {
    { TCP4 "; pay 200", 54 }, { UDP4, 42 }, { SCTP4, 46 }, { ICMP4, 42 },
    { IGMP4 "; more 100", 34 }, { FRAG1_4, 42 }, { FRAG2_4, 34 },
    { TCP6 "; pay 200", 74 }, { UDP6, 62 }, { SCTP6, 66 }, { ICMP6, 62 },
    { NS, 86 }, { NA, 86 }, { FRAG1_6, 70 }, { FRAG2_6, 62 },
    { TCP6 HOP DST RH0 AH, 146 }, { ARP, 42 }, { RARP "; pad 60", 42 },
    { VLAN, 46 }, { QINQ, 50 }, { MPLS, 0 }, { MPLS "; pad 60", 42 },
    { MPLS "; ins 14 0006400000065000; pad 60", 42 }, { LLC, 42 },
    { TCP4 "; ins 12 0043aaaa03000000", 62 }, { OTHER, 42 },
    { OTHER "; cut 14", 0 }, { QINQ "; ins 12 81000005", 50 },
    { UDP4 "; opt 44280d01000000000000000000000000"
      "000000000000000000000000000000000000000000000000; csum", 82 },
    { NS "; more 24; at 86 05010000000000000501000000000000;"
      " at 102 0201020000000009", 110 },
    { TCP4 "; at 16 0200", 34 }, { TCP4 "; at 16 0010", 34 },
    { TCP4 "; at 46 40", 54 }, { TCP4 "; at 46 f0", 54 },
    { TCP6 "; at 18 0200", 54 }, { UDP4 "; cut 40", 34 },
    { UDP6 "; cut 50", 14 }, { UDP4 "; cut 33", 14 }, { NS "; cut 80", 54 },
    { ARP "; cut 40", 0 }, { MPLS "; cut 17", 0 }, { VLAN "; cut 17", 0 },
    { VLAN "; cut 36", 18 }, { UDP4 "; pay 300; pad 9000", 42 },
    { ARP "; pad 9000", 42 }, { UDP6 "; pay 300; pad 9000", 62 },
};

static void
test_split(void **state)
{
    const struct split_row *row = *state;

    if (!begins("split", NULL)) {
        return;
    }
    struct dp_packet *packet = make_packet(row->packet);
    size_t total = dp_packet_size(packet);
    size_t headers = row->headers ? row->headers : total;

    for (size_t linear = ETH_HEADER_LEN; linear <= MIN(total, 300);
         linear++) {
        struct dp_packet *result = dp_packet_clone(packet);
        bool deep = linear < headers;
        uint8_t out[MAX_FRAME];
        struct outcome o;
        uint32_t verdict;
        size_t size;

        reset();
        add_row_flow("exact => 9", packet);
        verdict = run_split(packet, linear, out, &size);
        model(result, deep ? MODEL_DEEP : MODEL_ALL, UINT32_MAX, &o);
        expect_verdict(deep ? "miss" : "9", verdict, out, size);
        expect_frame(&o, result, out, size);
        expect_counters(&o);
        expect_stats();
        free_row_flows();
        dp_packet_delete(result);
    }
    dp_packet_delete(packet);
}

/* With a limit of one tag, the second is an EtherType. */
static void
test_vlan_limit(void **state OVS_UNUSED)
{
    static const char *const packets[] = {
        TCP4, VLAN, QINQ, QINQ "; ins 12 81000005",
    };

    if (!begins("vlan-limit", NULL)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
        struct dp_packet *packet = make_packet(packets[i]);
        uint8_t out[MAX_FRAME];
        uint32_t verdict;
        size_t size;

        flow_limit_vlans(1);
        reset();
        config->vlan_limit = 1;
        add_row_flow("exact => 9", packet);
        verdict = run_packet(packet, out, &size);
        expect_verdict("9", verdict, out, size);
        flow_limit_vlans(FLOW_MAX_VLAN_HEADERS);
        free_row_flows();
        dp_packet_delete(packet);
    }
}

/* A port that takes no XDP frames: the frame goes up its own device, with a
 * note for the TC program there. */
static void
test_hand_over(void **state OVS_UNUSED)
{
    if (!begins("hand-over", NULL)) {
        return;
    }
    struct dp_packet *packet = make_packet("skb_mark(4)," TCP4);
    uint8_t out[MAX_FRAME];
    struct handover h;
    size_t size;

    reset();
    add_row_flow("exact => set(skb_priority(5)),10", packet);
    compare_number("verdict", XDP_PASS, run_packet(packet, out, &size));
    memset(&h, 0, sizeof h);
    h.magic = HANDOVER_MAGIC;
    h.port = STACK_PORT;
    h.flow = row_flows[0].idx;
    h.in_port_depth = 1 << 16;
    h.skb_mark = 4;
    h.priority = 5;
    compare_bytes("metadata", &h, sizeof h, out, MIN(size, sizeof h));
    compare_bytes("frame", dp_packet_data(packet), dp_packet_size(packet),
                  out + sizeof h, size - sizeof h);
    compare_number("FORWARDED", 1, read_counter(XDP_COUNTER_FORWARDED));
    free_row_flows();
    dp_packet_delete(packet);
}

/* Copies. */

static const uint32_t live_ports[] = { LIVE_IN_PORT, LIVE_PORTS, TRAP };

/* Compares one of the copies with what a port got. */
static void
expect_copy(const struct sent *sent, struct dp_packet *got)
{
    const uint8_t *frame = got ? dp_packet_data(got) : NULL;
    size_t size = got ? dp_packet_size(got) : 0;

    if (!got) {
        row_fail("nothing was sent to port %d", (int) sent->port);
    }
    if (sent->port == TRAP) {
        struct xdp_upcall_hdr hdr = sent->hdr;

        if (!((struct xdp_upcall_hdr *) dp_packet_data(got))->len) {
            size = normalize_upcall(dp_packet_data(got), size); /* From TC. */
        }
        compare_bytes("upcall header", &hdr, sizeof hdr, frame,
                      MIN(size, sizeof hdr));
        frame += sizeof hdr;
        size -= sizeof hdr;
    }
    compare_bytes("frame", dp_packet_data(sent->packet),
                  dp_packet_size(sent->packet), frame, size);
    dp_packet_delete(got);
}

/* Compares what ports got, counters and statistics. */
static void
expect_live(struct outcome *o)
{
    for (size_t i = 0; i < o->n_sent; i++) {
        expect_copy(&o->sent[i], live_receive(o->sent[i].port, true));
        dp_packet_delete(o->sent[i].packet);
    }
    for (size_t i = 0; i < ARRAY_SIZE(live_ports); i++) {
        if (live_receive(live_ports[i], false)) {
            row_fail("one more frame was sent to port %d",
                     (int) live_ports[i]);
        }
    }
    for (uint32_t i = 0; i < XDP_N_DROP_REASONS; i++) {
        compare_number(drop_names[i], 0, read_drops(i));
    }
    expect_counters(o);
    expect_stats();
    free_row_flows();
}

/* Copies of one frame, which reach devices. */
static void
test_live(void **state)
{
    const struct live_row *row = *state;

    const char *why = live_skip_reason;

    if (!why && hook == HOOK_XDP && row->clones) {
        why = live_why_no_copies();
    }
    if (!begins(row->name, why)) {
        return;
    }
    struct dp_packet *packet = make_packet(row->packet), *result;
    char *flow = xasprintf("exact => %s", row->actions);
    uint8_t out[MAX_FRAME];
    struct outcome o;
    size_t size;

    reset();
    live_drain();
    add_copies_flow(flow, packet);
    result = dp_packet_clone(packet);
    model(result, MODEL_ALL, UINT32_MAX, &o);
    if (o.has_frame) {
        o.sent[o.n_sent++] = (struct sent) {
            .port = o.hdr.magic ? TRAP : (uint32_t) atoi(o.verdict),
            .hdr = o.hdr,
            .packet = dp_packet_clone(result),
        };
    }
    config->trap_ifindex = live_ifindex(TRAP);
    if (hook == HOOK_XDP) {
        live_run_xdp(packet);
    } else if (run_packet(packet, out, &size) == XDP_REDIRECT) {
        /* BPF_PROG_RUN does not send what is redirected. */
        struct sent *last = &o.sent[--o.n_sent];

        compare_bytes("last frame", dp_packet_data(last->packet),
                      dp_packet_size(last->packet),
                      out + (last->port == TRAP ? sizeof o.hdr : 0),
                      size - (last->port == TRAP ? sizeof o.hdr : 0));
        dp_packet_delete(last->packet);
    }
    expect_live(&o);
    free(flow);
    dp_packet_delete(packet);
    dp_packet_delete(result);
}

/* A packet comes in through a device and the stack, is edited by TC and sent;
 * as it is, and with a checksum that is still to be filled in. */
static void
test_edit_live(void **state)
{
    const struct edit_row *row = *state;

    if (!begins(row->name, row->skip ? row->skip : live_skip_reason)) {
        return;
    }
    char *flow = xasprintf("exact => %s,%d", row->actions, LIVE_PORT);

    if (strstr(row->name, "-shortest")) {
        print_message("skipped: the kernel redirects no empty frame\n");
        free(flow);
        skip();
    }
    for (int partial = 0; partial < 2; partial++) {
        struct dp_packet *packet = make_packet(row->packet);
        struct outcome o;

        reset();
        live_drain();
        add_row_flow(flow, packet);
        if (!partial || can_be_partial(packet)) {
            struct dp_packet *result = dp_packet_clone(packet);

            model(result, MODEL_ALL, UINT32_MAX, &o);
            if (row->expect) {
                dp_packet_delete(result);
                result = make_packet(row->expect);
            }
            o.sent[o.n_sent++] = (struct sent) {
                .port = LIVE_PORT, .packet = result,
            };
            live_send(packet, partial, 0);
            expect_live(&o);
        }
        dp_packet_delete(packet);
        free_row_flows();
    }
    free(flow);
}

/* On TC, headers in the first 256 bytes are found, wherever they are; what is
 * behind is userspace's. */
struct split_live_row {
    const char *name;
    const char *packet;
    bool deep;
};

static const struct split_live_row split_live_rows[] = {
    { "split-ipv4", UDP4 "; pay 5000" },
    { "split-ipv4-padded", UDP4 "; pay 100; pad 5000" },
    { "split-ipv6", TCP6 HOP "; pay 5000" },
    { "split-nd", NS "; pad 5000" },
    { "split-vlan", QINQ "; pay 5000" },
    { "split-arp", ARP "; pad 5000" },
    { "split-other", OTHER "; pad 5000" },
    { "split-headers-254", UDP6 "; ext 60 0017" ZEROS_190 "; pay 5000" },
    { "split-headers-262", UDP6 "; ext 60 0018" ZEROS_190 ZEROS_8
      "; pay 5000", true },
    { "split-extension-254", UDP6 "; ext 60 0017" ZEROS_190
      "; ext 0 0000010400000000; pay 5000", true },
    { "split-headers-574", TCP6 "; ext 0 003f" ZEROS_510 "; pay 5000", true },
};

static void
test_split_live(void **state)
{
    const struct split_live_row *row = *state;

    if (!begins(row->name, live_skip_reason)) {
        return;
    }
    char *flow = xasprintf("exact => %d", LIVE_PORT);

    for (size_t linear = ETH_HEADER_LEN; linear < 255; linear += 15) {
        struct dp_packet *packet = make_packet(row->packet);
        struct dp_packet *result = dp_packet_clone(packet);
        struct outcome o;

        reset();
        live_drain();
        config->trap_ifindex = live_ifindex(TRAP);
        add_row_flow(flow, packet);
        model(result, row->deep ? MODEL_DEEP : MODEL_ALL, UINT32_MAX, &o);
        o.sent[o.n_sent++] = (struct sent) {
            .port = row->deep ? TRAP : LIVE_PORT, .hdr = o.hdr,
            .packet = result,
        };
        live_send(packet, false, linear);
        expect_live(&o);
        dp_packet_delete(packet);
    }
    free(flow);
}

/* What does not come from a port. */
static void
test_inject(void **state)
{
    const struct inject_row *row = *state;

    if (!begins(row->name, NULL)) {
        return;
    }
    struct dp_packet *packet = make_packet(TCP4);
    uint8_t out[MAX_FRAME];
    struct outcome o;
    uint32_t verdict;
    size_t size;

    reset();
    add_flow("in_port(3),recirc_id(7),eth(),eth_type(0x0800),ipv4() "
             "=> 9");
    if (row->frame_size <= 0) {
        size = sizeof row->hdr + row->frame_size;
        verdict = run_program(prog_fd("inject"), &row->hdr, size, out, &size);
    } else {
        verdict = run_inject(&row->hdr, dp_packet_data(packet),
                             MIN(row->frame_size, dp_packet_size(packet)),
                             out, &size);
    }
    expect_verdict(row->want, verdict, out, size);
    if (!strcmp(row->want, "9")) {
        compare_bytes("frame", dp_packet_data(packet), dp_packet_size(packet),
                      out, size);
    } else if (!strcmp(row->want, "miss")) {
        memset(&o, 0, sizeof o);
        packet->md.in_port.odp_port = u32_to_odp(row->hdr.port);
        packet->md.recirc_id = row->hdr.recirc_id;
        packet->md.pkt_mark = row->hdr.skb_mark;
        packet->md.skb_priority = row->hdr.priority;
        packet->md.dp_hash = row->hdr.dp_hash;
        model_upcall(&o, packet, XDP_UPCALL_MISS, NULL, 0, row->hdr.depth);
        expect_frame(&o, packet, out, size);
    }
    compare_number("INJECT", row->n_inject,
                   read_counter(XDP_COUNTER_INJECT));
    compare_number("RX", 0, read_counter(XDP_COUNTER_RX));
    free_row_flows();
    dp_packet_delete(packet);
}

static void
expect_trap_rx(const char *text, int verdict, int n_drops)
{
    struct dp_packet *packet = make_packet(text);
    uint8_t out[MAX_FRAME];
    size_t size;

    reset();
    compare_number("verdict", verdict,
                   run_program(prog_fd("trap_rx"), dp_packet_data(packet),
                               dp_packet_size(packet), out, &size));
    compare_number("NO_USERSPACE", n_drops,
                   read_drops(XDP_DROP_NO_USERSPACE));
    compare_bytes("frame", dp_packet_data(packet), dp_packet_size(packet),
                  out, size);
    dp_packet_delete(packet);
}

/* The far side of the trap, without a socket and with one: frames that do not fit
 * into one of its buffers go to the stack, unchanged. */
static void
test_trap_rx(void **state OVS_UNUSED)
{
    const char *small = TCP4, *large = TCP4 "; pay 9000";
    int xsks_fd = map_fd("xdp_xsks");
    uint32_t queue = 0;
    int fd;

    if (!begins("trap-rx", NULL)) {
        return;
    }
    expect_trap_rx(small, XDP_DROP, 1);
    expect_trap_rx(large, XDP_DROP, 1);

    fd = socket(AF_XDP, SOCK_RAW, 0);
    assert_true(fd >= 0);
    assert_int_equal(bpf_map_update_elem(xsks_fd, &queue, &fd, BPF_ANY), 0);
    expect_trap_rx(small, XDP_REDIRECT, 0);
    expect_trap_rx(large, XDP_PASS, 0);
    assert_int_equal(bpf_map_delete_elem(xsks_fd, &queue), 0);
    close(fd);
}

/* All tests. */

/* A test at one hook. */
struct test {
    CMUnitTestFunction function;
    const void *state;
    enum hook hook;
};

static struct CMUnitTest tests[2048];
static size_t n_tests;

static void
run_at_hook(void **state)
{
    const struct test *test = *state;
    void *test_state = CONST_CAST(void *, test->state);

    hook = test->hook;
    test->function(&test_state);
}

static void
add_test_at(enum hook at, const char *name, CMUnitTestFunction function,
            const void *state)
{
    static const char *const prefixes[] = {
        "", "tc:", "tc-beside:", "tc-live:",
    };
    struct test *test = xmalloc(sizeof *test);
    char *full_name = xasprintf("%s%s", prefixes[at], name);

    assert_true(n_tests < ARRAY_SIZE(tests));
    for (size_t i = 0; i < n_tests; i++) {
        assert_string_not_equal(tests[i].name, full_name);
    }
    *test = (struct test) { function, state, at };
    tests[n_tests++] = (struct CMUnitTest) {
        .name = full_name, .test_func = run_at_hook, .initial_state = test,
    };
}

/* For XDP and for TC. */
static void
add_test(const char *name, CMUnitTestFunction function, const void *state)
{
    add_test_at(HOOK_XDP, name, function, state);
    add_test_at(HOOK_TC, name, function, state);
}

/* The same, and with the tag that the packet begins with beside it. */
static void
add_row(const char *name, CMUnitTestFunction function, const void *row,
        const char *spec)
{
    struct dp_packet *packet = make_packet(spec);

    add_test(name, function, row);
    if (has_vlan(packet)) {
        add_test_at(HOOK_TC_BESIDE, name, function, row);
    }
    dp_packet_delete(packet);
}

#define ADD_ROWS(ROWS, FUNCTION)                                        \
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {                     \
        add_row((ROWS)[i].name, FUNCTION, &(ROWS)[i], (ROWS)[i].packet); \
    }

int
main(int argc, char *argv[])
{
    struct truncated_row truncated[61];

    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    random_set_seed(1);
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    ADD_ROWS(match_rows, test_match);
    ADD_ROWS(key_rows, test_key);
    for (size_t i = 0; i < ARRAY_SIZE(truncated); i++) {
        snprintf(truncated[i].name, sizeof truncated[i].name,
                 "truncated-%"PRIuSIZE, i);
        truncated[i].len = i;
        for (hook = HOOK_XDP; hook <= HOOK_TC_BESIDE; hook++) {
            if (hook == HOOK_XDP || i >= ETH_HEADER_LEN) {
                add_test_at(hook, truncated[i].name, test_truncated,
                            &truncated[i]);
            }
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(truncated_bases); i++) {
        char name[16];

        snprintf(name, sizeof name, "mask-shape-%"PRIuSIZE, i);
        add_row(name, test_mask_shape, truncated_bases[i], truncated_bases[i]);
    }
    ADD_ROWS(edit_rows, test_edit);
    ADD_ROWS(rows, test_row);
    ADD_ROWS(udp_zero_rows, test_udp_zero);
    ADD_ROWS(live_rows, test_live);
    for (size_t i = 0; i < ARRAY_SIZE(edit_rows); i++) {
        add_test_at(HOOK_TC_LIVE, edit_rows[i].name, test_edit_live,
                    &edit_rows[i]);
    }
    add_test("hash", test_hash, NULL);
    add_test("hints", test_hints, NULL);
    add_test("hint-of-changed-flow", test_hint_changed, NULL);
    add_test("hint-of-deleted-flow", test_hint_deleted, NULL);
    add_test("hint-forged", test_hint_forged, NULL);
    add_test("hint-set-full", test_hint_full, NULL);
    add_test("hint-same-for-two-flows", test_hint_same, NULL);
    add_test("hint-before-wide-mask", test_hint_widened, NULL);
    add_test("hint-on-another-cpu", test_hint_cpus, NULL);
    add_test("port-masks", test_port_masks, NULL);
    add_test("any-port", test_any_port, NULL);
    add_test("no-in-port", test_no_in_port, NULL);
    add_test("high-ifindex", test_high_ifindex, NULL);
    add_test("many-masks", test_many_masks, NULL);
    add_test("modify-flow", test_modify_flow, NULL);
    add_test("no-userspace", test_no_userspace, NULL);
    add_test("rate-limit", test_rate_limit, NULL);
    add_row("police", test_police, NULL, VLAN);
    add_test("missing-stage", test_missing_stage, NULL);
    add_test("buckets", test_buckets, NULL);
    add_row("vlan-limit", test_vlan_limit, NULL, VLAN);

    for (size_t i = 0; i < ARRAY_SIZE(residue_packets); i++) {
        char name[16];

        snprintf(name, sizeof name, "residue-%"PRIuSIZE, i);
        add_row(name, test_residue, &residue_packets[i], residue_packets[i]);
    }

    /* What only XDP has. */
    for (size_t i = 0; i < ARRAY_SIZE(inject_rows); i++) {
        add_test_at(HOOK_XDP, inject_rows[i].name, test_inject,
                    &inject_rows[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(split_rows); i++) {
        char name[16];

        snprintf(name, sizeof name, "split-%"PRIuSIZE, i);
        add_test_at(HOOK_XDP, name, test_split, &split_rows[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(split_live_rows); i++) {
        add_test_at(HOOK_TC_LIVE, split_live_rows[i].name, test_split_live,
                    &split_live_rows[i]);
    }
    add_test_at(HOOK_XDP, "copies-of-9000", test_long_copies, NULL);
    add_test_at(HOOK_XDP, "missing-trap", test_missing_trap, NULL);
    add_test_at(HOOK_XDP, "hand-over", test_hand_over, NULL);
    add_test_at(HOOK_XDP, "trap-rx", test_trap_rx, NULL);

    live_skip_reason = live_unshare();
    skip_reason = set_up();
    if (!live_skip_reason && !skip_reason) {
        live_skip_reason = live_set_up();
    }
    return _cmocka_run_group_tests("bpf-rows", tests, n_tests, NULL, NULL);
}
