/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Rows whose frames reach devices: copies, edits, and headers that are not all
 * in the first bytes. */

#include <config.h>
#undef NDEBUG
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "dp-packet.h"
#include "rows-dp.h"
#include "rows-live.h"
#include "rows-model.h"
#include "rows-packet.h"
#include "rows-test.h"
#include "rows-words.h"
#include "util.h"

struct live_row {
    const char *name;
    const char *packet;
    const char *actions;
    bool clones;                /* XDP clones the frame. */
};

/* To several ports: port 11 takes no XDP frames. */
static const struct live_row live_rows[] = {
    { "live-one", TCP4, "5" },
    { "live-edited", VLAN, "set(ipv4(ttl=1)),pop_vlan,5" },
    { "live-userspace", UDP6, "set(ipv6(hlimit=1)),userspace(pid=0)" },
    { "live-stack", TCP4, "11" },
    { "live-stack-edited", UDP6, "set(ipv6(hlimit=7)),11" },
    { "live-stack-vlan", QINQ, "pop_vlan,11" },
    { "live-stack-pushed", UDP4, "push_vlan(vid=7,pcp=1),11" },
    { "copies-two", TCP4, "5,6", true },
    { "copies-three", UDP4, "5,6,7", true },
    { "copies-shortest", OTHER "; cut 14", "5,6", true },
    { "copies-1514", UDP4 "; pay 1472", "5,6", true },
    { "copies-edited-between", TCP4, "5,set(ipv4(src=1.2.3.4)),6,"
      "set(tcp(dst=81)),push_vlan(vid=9,pcp=1),7", true },
    { "copies-edited-before", UDP6, "set(ipv6(dst=2001:db8::99,hlimit=2)),5,6"
      ",set(udp(dst=1)),7", true },
    { "copies-edited-behind", TCP4, "5,6,set(ipv4(ttl=1))", true },
    { "copies-push-pop", TCP4, "push_vlan(vid=5,pcp=0),5,pop_vlan,6", true },
    { "copies-vlan", VLAN, "5,pop_vlan,6,push_vlan(vid=1,pcp=1),7", true },
    { "copies-qinq", QINQ, "5,pop_vlan,6,pop_vlan,7", true },
    { "copies-push-on-qinq", QINQ, "push_vlan(vid=1,pcp=0),5,6", true },
    { "copies-mac", ARP, "set(eth(src=02:11:22:33:44:55)),5,"
      "set(eth(dst=02:66:77:88:99:aa)),6", true },
    { "copies-userspace-first", TCP4, "userspace(pid=0),5", true },
    { "copies-userspace-last", UDP4, "5,userspace(pid=0)", true },
    { "copies-userspace-between", TCP4, "5,set(ipv4(ttl=3)),userspace(pid=0),"
      "push_vlan(vid=4,pcp=0),6", true },
    { "copies-userspace-vlan", VLAN, "5,userspace(pid=0),pop_vlan,6", true },
    { "copies-userspace-pushed", TCP4,
      "push_vlan(vid=4,pcp=0),5,userspace(pid=0)", true },
    { "copies-userspace-metadata", TCP4, "set(skb_mark(5)),"
      "set(skb_priority(6)),userspace(pid=0),5", true },
    { "copies-stack", TCP4, "5,11" },
    { "copies-stack-first", UDP4, "11,set(ipv4(ttl=9)),5" },
    { "copies-stack-vlan", VLAN, "pop_vlan,11,push_vlan(vid=3,pcp=0),5" },
    { "copies-stack-userspace", TCP4, "11,set(ipv4(ttl=9)),userspace(pid=0)" },
};

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
void
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

void
add_live_tests(void)
{
    ADD_ROWS(live_rows, test_live);
    for (size_t i = 0; i < ARRAY_SIZE(split_live_rows); i++) {
        add_test_at(HOOK_TC_LIVE, split_live_rows[i].name, test_split_live,
                    &split_live_rows[i]);
    }
    add_test_at(HOOK_XDP, "copies-of-9000", test_long_copies, NULL);
}
