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

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf-rows.h"
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
#include "rows-test.h"
#include "rows-words.h"
#include "util.h"

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

static void
test_row(void **state)
{
    const struct row *row = *state;

    if (begins_with(row->name, row->skip, row->packet)) {
        check_packet(row->packet, row->flows, row->want, row->expect);
    }
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

static void
add_row_tests(void)
{
    static struct truncated_row truncated[61];

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
    for (size_t i = 0; i < ARRAY_SIZE(edit_rows); i++) {
        add_test_at(HOOK_TC_LIVE, edit_rows[i].name, test_edit_live,
                    &edit_rows[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(residue_packets); i++) {
        char name[16];

        snprintf(name, sizeof name, "residue-%"PRIuSIZE, i);
        add_row(name, test_residue, &residue_packets[i], residue_packets[i]);
    }
}

int
main(int argc, char *argv[])
{
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    random_set_seed(1);
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    add_row_tests();
    add_live_tests();
    add_hint_tests();
    add_lookup_tests();
    add_setting_tests();
    add_xdp_tests();

    live_skip_reason = live_unshare();
    skip_reason = set_up();
    if (!live_skip_reason && !skip_reason) {
        live_skip_reason = live_set_up();
    }
    return run_all_tests("bpf-rows");
}
