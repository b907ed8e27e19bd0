/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Rows about what only XDP has: the inject program, the far side of the trap,
 * frames in fragments, and the hand-over to the stack. */

#include <config.h>
#undef NDEBUG
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf/handover.h"
#include "dp-packet.h"
#include "rows-dp.h"
#include "rows-live.h"
#include "rows-model.h"
#include "rows-packet.h"
#include "rows-test.h"
#include "rows-words.h"
#include "util.h"

/* Frames at the inject program. */
struct inject_row {
    const char *name;
    const char *want;
    struct xdp_inject_hdr hdr;
    int frame_size;             /* Of TCP4; 0 or less: so many less than the
                                 * header's. */
    uint64_t n_inject;
};

#define HDR(MODE, ...) { .magic = XDP_INJECT_MAGIC,                          \
                         .mode = XDP_INJECT_##MODE, __VA_ARGS__ }

static const struct inject_row inject_rows[] = {
    { "inject-output", "9", HDR(OUTPUT, .port = 9), 1000, 1 },
    { "inject-output-too-deep", "drop:RECIRC_LIMIT",
      HDR(OUTPUT, .port = 9, .depth = 9), 1000, 0 },
    { "inject-output-no-port", "drop:NO_PORT", HDR(OUTPUT, .port = 8), 1000,
      1 },
    { "inject-output-port-too-high", "drop:NO_PORT",
      HDR(OUTPUT, .port = 70000), 1000, 1 },
    { "inject-pipeline", "9", HDR(PIPELINE, .port = 3, .recirc_id = 7), 1000,
      1 },
    { "inject-pipeline-miss", "miss", HDR(PIPELINE, .port = 77,
      .recirc_id = 2, .skb_mark = 3, .priority = 4, .dp_hash = 5, .depth = 6),
      1000, 1 },
    { "inject-pipeline-port-too-high", "miss",
      HDR(PIPELINE, .port = 70000), 1000, 1 },
    { "inject-pipeline-deepest", "9",
      HDR(PIPELINE, .port = 3, .recirc_id = 7, .depth = 8), 1000, 1 },
    { "inject-pipeline-too-deep", "drop:RECIRC_LIMIT",
      HDR(PIPELINE, .port = 3, .recirc_id = 7, .depth = 9), 1000, 0 },
    { "inject-bad-magic", "drop:BAD_INJECT",
      { .magic = XDP_UPCALL_MAGIC, .mode = XDP_INJECT_OUTPUT, .port = 9 },
      1000, 0 },
    { "inject-mode-0", "drop:BAD_INJECT",
      { .magic = XDP_INJECT_MAGIC, .port = 9 }, 1000, 0 },
    { "inject-mode-3", "drop:BAD_INJECT",
      { .magic = XDP_INJECT_MAGIC, .mode = 3, .port = 9 }, 1000, 0 },
    { "inject-no-frame", "drop:BAD_INJECT", HDR(OUTPUT, .port = 9), 0, 0 },
    { "inject-short-frame", "drop:BAD_INJECT", HDR(OUTPUT, .port = 9), 13, 0 },
    { "inject-short-header", "drop:BAD_INJECT", HDR(OUTPUT, .port = 9), -1,
      0 },
    { "inject-shortest-header", "drop:BAD_INJECT", HDR(OUTPUT, .port = 9),
      14 - 64, 0 },
};

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

void
add_xdp_tests(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(inject_rows); i++) {
        add_test_at(HOOK_XDP, inject_rows[i].name, test_inject,
                    &inject_rows[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(split_rows); i++) {
        char name[16];

        snprintf(name, sizeof name, "split-%"PRIuSIZE, i);
        add_test_at(HOOK_XDP, name, test_split, &split_rows[i]);
    }
    add_test_at(HOOK_XDP, "missing-trap", test_missing_trap, NULL);
    add_test_at(HOOK_XDP, "hand-over", test_hand_over, NULL);
    add_test_at(HOOK_XDP, "trap-rx", test_trap_rx, NULL);
}
