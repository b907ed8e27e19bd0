/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Rows about the look-up in the flow table: masks, buckets, ports' lists; and
 * the hash that actions compute. */

#include <config.h>
#undef NDEBUG
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <inttypes.h>
#include <linux/bpf.h>
#include <stdlib.h>

#include "dp-packet.h"
#include "dp-xdp.h"
#include "flow-table.h"
#include "rows-dp.h"
#include "rows-model.h"
#include "rows-packet.h"
#include "rows-test.h"
#include "rows-words.h"
#include "util.h"

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

void
add_lookup_tests(void)
{
    add_test("port-masks", test_port_masks, NULL);
    add_test("any-port", test_any_port, NULL);
    add_test("many-masks", test_many_masks, NULL);
    add_test("modify-flow", test_modify_flow, NULL);
    add_test("buckets", test_buckets, NULL);
    add_test("hash", test_hash, NULL);
}
