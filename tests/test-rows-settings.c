/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Rows about ports and settings of the datapath: devices, upcalls and their
 * rate, policers, stages, the limit of VLAN tags. */

#include <config.h>
#undef NDEBUG
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <time.h>
#include <unistd.h>

#include "dp-packet.h"
#include "rows-dp.h"
#include "rows-live.h"
#include "rows-model.h"
#include "rows-packet.h"
#include "rows-test.h"
#include "rows-words.h"
#include "util.h"

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

void
add_setting_tests(void)
{
    add_test("no-in-port", test_no_in_port, NULL);
    add_test("high-ifindex", test_high_ifindex, NULL);
    add_test("no-userspace", test_no_userspace, NULL);
    add_test("rate-limit", test_rate_limit, NULL);
    add_row("police", test_police, NULL, VLAN);
    add_test("missing-stage", test_missing_stage, NULL);
    add_row("vlan-limit", test_vlan_limit, NULL, VLAN);
}
