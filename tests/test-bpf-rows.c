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
 * A packet is written as a flow in the syntax of "ovs-appctl dpctl/dump-flows"
 * and changes to it, each behind a ';':
 *
 *     pay N           N bytes behind the headers of TCP, UDP or an echo
 *     ext T HEX       an IPv6 extension header of type T, first byte ignored
 *     opt HEX         IPv4 options
 *     more N          N more bytes in the IP packet
 *     ins OFS HEX     bytes inserted
 *     at OFS HEX      bytes overwritten
 *     csum            IPv4 header and L4 checksums made right
 *     cut N, pad N    shortened or lengthened to N bytes
 *
 * A flow is "MATCH => ACTIONS", both in that syntax; the match "exact" is all
 * that Open vSwitch sees in the packet.  Without actions, a flow drops.
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
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bpf-rows.h"
#include "bpf/handover.h"
#include "dp-packet.h"
#include "dp-xdp.h"
#include "flow-table.h"
#include "flow.h"
#include "netlink.h"
#include "odp-execute.h"
#include "odp-util.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "pipeline.skel.h"
#include "random.h"
#include "root.skel.h"
#include "util.h"

#define MAX_FRAME 65536
#define DEFAULT_PAYLOAD 19      /* Odd, for the checksums. */
#define OUT_PORT 9              /* The only ports that exist: this one, */
#define STACK_PORT 10           /* ... and one that takes no XDP frames. */
#define N_IN_PORTS 4            /* Ports that have a root program. */

/* The datapath. */

static struct pipeline_bpf *pipeline;
static struct root_bpf *roots[N_IN_PORTS];
static size_t n_cpus;               /* Possible ones. */
static struct xdp_config *config;
static struct xdp_flow_stats *all_stats;
static struct xdp_port *port_table;
static struct flow_table_maps maps;
static char *cpus;
static struct flow_table *ft;
static const char *skip_reason;     /* Why no row can run. */

static int
map_fd(const char *name)
{
    return bpf_object__find_map_fd_by_name(pipeline->obj, name);
}

static int
prog_fd(const char *name)
{
    return bpf_program__fd(bpf_object__find_program_by_name(pipeline->obj,
                                                            name));
}

/* Sets element 'key' of 'map'. */
static void
map_fill(const char *map, uint32_t key, const void *value)
{
    assert_int_equal(bpf_map_update_elem(map_fd(map), &key, value, BPF_ANY),
                     0);
}

static int
read_stats(void *aux OVS_UNUSED, uint32_t flow, struct xdp_flow_stats *sum)
{
    memset(sum, 0, sizeof *sum);
    for (size_t i = flow; i < n_cpus * XDP_MAX_FLOWS; i += XDP_MAX_FLOWS) {
        sum->packets += all_stats[i].packets;
        sum->bytes += all_stats[i].bytes;
        sum->used = MAX(sum->used, all_stats[i].used);
        sum->tcp_flags |= all_stats[i].tcp_flags;
    }
    return 0;
}

static int
clear_stats(void *aux OVS_UNUSED, uint32_t flow)
{
    for (size_t i = flow; i < n_cpus * XDP_MAX_FLOWS; i += XDP_MAX_FLOWS) {
        memset(&all_stats[i], 0, sizeof all_stats[i]);
    }
    return 0;
}

static struct xdp_counters *
cpu_counters(size_t cpu)
{
    size_t size = bpf_map__value_size(pipeline->maps.xdp_cpus);

    return (void *) (cpus + cpu * size);
}

static uint64_t
read_counter(enum xdp_counter counter)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n_cpus; i++) {
        sum += cpu_counters(i)->n[counter];
    }
    return sum;
}

static uint64_t
read_drops(enum xdp_drop_reason reason)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n_cpus; i++) {
        sum += cpu_counters(i)->drops[reason];
    }
    return sum;
}

static void
clear_counters(void)
{
    for (size_t i = 0; i < n_cpus; i++) {
        memset(cpu_counters(i), 0, sizeof(struct xdp_counters));
    }
}

static void *
map_memory(const char *name)
{
    struct bpf_map *map = bpf_object__find_map_by_name(pipeline->obj, name);
    size_t size = (size_t) ROUND_UP(bpf_map__value_size(map), 8)
                  * bpf_map__max_entries(map);
    void *base = mmap(NULL, ROUND_UP(size, sysconf(_SC_PAGESIZE)),
                      PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

    assert_true(base != MAP_FAILED);
    return base;
}

static void
set_stage(uint32_t stage, const char *name)
{
    int fd = name ? prog_fd(name) : -1;
    int stages = map_fd("xdp_stages");

    if (name) {
        assert_int_equal(bpf_map_update_elem(stages, &stage, &fd, BPF_ANY), 0);
    } else {
        bpf_map_delete_elem(stages, &stage);
    }
}

static void
set_stages(void)
{
    set_stage(XDP_STAGE_INGRESS, "stage_ingress");
    set_stage(XDP_STAGE_RECIRC, "stage_recirc");
    set_stage(XDP_STAGE_ACTIONS, "stage_actions");
}

/* The root program of port 'port_no', with the pipeline's maps. */
static bool
load_root(uint32_t port_no)
{
    struct root_bpf *root = root_bpf__open();
    struct bpf_map *map;

    if (!root) {
        return false;
    }
    root->rodata->port_no = port_no;
    bpf_object__for_each_map(map, root->obj) {
        int fd = map_fd(bpf_map__name(map));

        if (!bpf_map__is_internal(map) && fd >= 0) {
            bpf_map__reuse_fd(map, fd);
        }
    }
    roots[port_no] = root;
    return !root_bpf__load(root);
}

/* As datapath/xdp-dp.c does it. */
static bool
load_pipeline(void)
{
    pipeline = pipeline_bpf__open();
    if (!pipeline) {
        return false;
    }
    struct bpf_map *per_cpu[] = {
        pipeline->maps.xdp_stats, pipeline->maps.xdp_hints,
        pipeline->maps.xdp_cpus,
    };

    n_cpus = libbpf_num_possible_cpus();
    for (size_t i = 0; i < ARRAY_SIZE(per_cpu); i++) {
        bpf_map__set_max_entries(per_cpu[i],
                                 n_cpus * bpf_map__max_entries(per_cpu[i]));
    }
    return !pipeline_bpf__load(pipeline);
}

static const char *
set_up(void)
{
    uint32_t loopback = 1;
    cpu_set_t set;

    odp_execute_init();
    if (geteuid()) {
        return "needs root";
    }
    libbpf_set_print(NULL);
    if (!load_pipeline()) {
        if (errno == EPERM || errno == ENOSYS) {
            return "the kernel refuses BPF programs";
        }
        ovs_fatal(errno, "the pipeline cannot be loaded");
    }
    /* The hints are per CPU. */
    CPU_ZERO(&set);
    CPU_SET(sched_getcpu(), &set);
    sched_setaffinity(0, sizeof set, &set);

    config = map_memory("xdp_config");
    all_stats = map_memory("xdp_stats");
    cpus = map_memory("xdp_cpus");
    port_table = map_memory("xdp_port_table");
    maps = (struct flow_table_maps) {
        .config = config,
        .buckets = map_memory("xdp_buckets"),
        .flows = map_memory("xdp_flows"),
        .masks = map_memory("xdp_masks"),
        .mask_list = map_memory("xdp_mask_list"),
        .ops = map_memory("xdp_ops"),
        .read_stats = read_stats,
        .clear_stats = clear_stats,
    };
    for (uint32_t i = 0; i < N_IN_PORTS; i++) {
        assert_true(load_root(i));
    }
    set_stages();
    map_fill("xdp_ports", OUT_PORT, &loopback);
    map_fill("xdp_trap", 0, &loopback);
    port_table[OUT_PORT].ifindex = loopback;
    port_table[STACK_PORT] = (struct xdp_port) {
        .ifindex = loopback, .flags = XDP_PORT_F_STACK,
    };
    assert_int_equal(flow_table_create(&maps, false, &ft), 0);
    return NULL;
}

/* The clock of the flow table, which the linker puts in place of Open
 * vSwitch's: grace periods pass at once, as no program runs meanwhile. */
static long long int clock_msec = 1000000;

long long int __wrap_time_msec(void);

long long int
__wrap_time_msec(void)
{
    return clock_msec;
}

/* Lets the flow table forget what was removed: first flows, then their masks,
 * then the masks' places. */
static void
pass_grace_periods(void)
{
    for (int i = 0; i < 3; i++) {
        clock_msec += 1000;
        flow_table_run(ft);
    }
}

/* No flows, no counts, default settings. */
static void
reset(void)
{
    static const uint64_t no_tokens[2];
    uint32_t n = bpf_map__max_entries(pipeline->maps.xdp_hints), n_done = n;
    uint32_t *keys = xcalloc(n, sizeof *keys);
    uint64_t *zeros = xcalloc(n, sizeof *zeros);

    flow_table_flush(ft);
    pass_grace_periods();
    clear_counters();
    for (uint32_t i = 0; i < N_IN_PORTS; i++) {
        map_fill("xdp_buckets_rl", i, no_tokens);
    }
    for (uint32_t i = 0; i < n; i++) {
        keys[i] = i;
    }
    assert_int_equal(bpf_map_update_batch(map_fd("xdp_hints"), keys, zeros,
                                          &n_done, NULL), 0);
    free(keys);
    free(zeros);
    config->upcalls_enabled = 1;
    config->upcall_rate = 0;
    config->vlan_limit = FLOW_MAX_VLAN_HEADERS;
}

/* Failing. */

static const char *row_name;

static void OVS_PRINTF_FORMAT(1, 2) OVS_NO_RETURN
row_fail(const char *format, ...)
{
    va_list args;
    char *s;

    va_start(args, format);
    s = xvasprintf(format, args);
    va_end(args);
    print_error("%s: %s\n", row_name, s);
    free(s);
    fail();
    abort();
}

static void
print_hex(const char *what, size_t ofs, const uint8_t *data, size_t size)
{
    char line[3 * 16 + 1] = "";

    for (size_t i = 0; i < 16 && ofs + i < size; i++) {
        snprintf(line + 3 * i, 4, " %02x", data[ofs + i]);
    }
    print_error("  %04"PRIxSIZE" %-8s%s\n", ofs, what, line);
}

/* Fails with the lines of 16 bytes that differ. */
static void
compare_bytes(const char *what, const void *expected_, size_t expected_size,
              const void *got_, size_t got_size)
{
    const uint8_t *expected = expected_, *got = got_;
    size_t both = MIN(expected_size, got_size);
    int n = 0;

    if (expected_size == got_size && !memcmp(expected, got, both)) {
        return;
    }
    print_error("%s: %s of %"PRIuSIZE" bytes, expected %"PRIuSIZE":\n",
                row_name, what, got_size, expected_size);
    for (size_t i = 0; i < MAX(expected_size, got_size) && n < 16; i += 16) {
        if (i + 16 > both || memcmp(expected + i, got + i, 16)) {
            print_hex("expected", i, expected, expected_size);
            print_hex("got", i, got, got_size);
            n++;
        }
    }
    row_fail("%s differs", what);
}

static void
compare_number(const char *what, uint64_t expected, uint64_t got)
{
    if (expected != got) {
        row_fail("%s is %"PRIu64", expected %"PRIu64, what, got, expected);
    }
}

/* Packets. */

/* One's complement sum of big-endian words, from scratch. */
static uint32_t
sum_bytes(uint32_t sum, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sum += i & 1 ? p[i] : p[i] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

/* The destination in an IPv6 header or, if there are segments left, in its
 * routing header (RFC 8200, section 8.1). */
static const uint8_t *
last_destination(const uint8_t *l3, const uint8_t *l4)
{
    const uint8_t *p = l3 + 40;
    uint8_t proto = l3[6];

    while (p < l4) {
        size_t n = proto == 44 ? 8 : proto == 51 ? (p[1] + 2) * 4
                   : (p[1] + 1) * 8;

        if (proto == 43 && p[3]) {
            return p + n - 16;
        }
        proto = p[0];
        p += n;
    }
    return l3 + 24;
}

/* Where the checksum of the L4 header of the parsed '*packet' is, with the sum
 * of what it covers but itself; NULL if it has none that covers all of it. */
static uint8_t *
l4_csum(struct dp_packet *packet, const struct flow *flow, uint32_t *sum)
{
    uint8_t *l3 = dp_packet_l3(packet), *l4 = dp_packet_l4(packet);
    bool v6 = flow->dl_type == htons(ETH_TYPE_IPV6);
    uint8_t proto = flow->nw_proto;
    size_t ofs, len, min;

    if (!l3 || !l4 || flow->nw_frag) {
        return NULL;
    }
    ofs = (proto == IPPROTO_TCP ? 16 : proto == IPPROTO_UDP ? 6
           : proto == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) ? 2 : 0);
    min = proto == IPPROTO_TCP ? TCP_HEADER_LEN : 8;
    len = (v6 ? 40 + (l3[4] << 8 | l3[5]) : l3[2] << 8 | l3[3]) - (l4 - l3);
    if (!ofs || len < min) {
        return NULL;
    }
    *sum = proto == IPPROTO_ICMP ? 0 : proto + len;
    if (v6) {
        *sum = sum_bytes(*sum, l3 + 8, 16);
        *sum = sum_bytes(*sum, last_destination(l3, l4), 16);
    } else if (proto != IPPROTO_ICMP) {
        *sum = sum_bytes(*sum, l3 + 12, 8);
    }
    *sum = sum_bytes(*sum, l4, ofs);
    *sum = sum_bytes(*sum, l4 + ofs + 2, len - ofs - 2);
    return l4 + ofs;
}

/* The IPv4 header of the parsed '*packet'; NULL if it has none. */
static uint8_t *
ipv4_header(struct dp_packet *packet, const struct flow *flow)
{
    return (flow->dl_type == htons(ETH_TYPE_IP) && dp_packet_l4(packet)
            ? dp_packet_l3(packet) : NULL);
}

static void
fix_csums(struct dp_packet *packet)
{
    struct flow flow;
    uint8_t *ip, *csum;
    uint32_t sum;

    flow_extract(packet, &flow);
    ip = ipv4_header(packet, &flow);
    if (ip) {
        ip[10] = ip[11] = 0;
        sum = ~sum_bytes(0, ip, (ip[0] & 15) * 4);
        ip[10] = sum >> 8;
        ip[11] = sum;
    }
    csum = l4_csum(packet, &flow, &sum);
    if (csum) {
        sum = ~sum & 0xffff;
        sum = !sum && flow.nw_proto == IPPROTO_UDP ? 0xffff : sum;
        csum[0] = sum >> 8;
        csum[1] = sum;
    }
}

/* True if the checksums of '*packet', where there are any, are right. */
static bool
csums_ok(struct dp_packet *packet)
{
    struct flow flow;
    uint8_t *ip, *csum;
    uint32_t sum;

    flow_extract(packet, &flow);
    ip = ipv4_header(packet, &flow);
    if (ip && sum_bytes(0, ip, (ip[0] & 15) * 4) != 0xffff) {
        return false;
    }
    csum = l4_csum(packet, &flow, &sum);
    if (!csum || (flow.nw_proto == IPPROTO_UDP && !csum[0] && !csum[1])) {
        return !csum || flow.dl_type == htons(ETH_TYPE_IP);
    }
    return sum_bytes(sum, csum, 2) == 0xffff;
}

static void
insert(struct dp_packet *packet, size_t ofs, const void *data, size_t n)
{
    size_t tail = dp_packet_size(packet) - ofs;
    uint8_t *p;

    dp_packet_put_zeros(packet, n);
    p = (uint8_t *) dp_packet_data(packet) + ofs;
    memmove(p + n, p, tail);
    memcpy(p, data, n);
}

/* Adds 'n' to the 16-bit length at 'ofs'. */
static void
add_length(struct dp_packet *packet, size_t ofs, int n)
{
    uint8_t *p = (uint8_t *) dp_packet_data(packet) + ofs;

    n += p[0] << 8 | p[1];
    p[0] = n >> 8;
    p[1] = n;
}

/* Where the headers are while a packet is being changed. */
struct edit {
    size_t l3, l4;
    size_t next;            /* Of the next-header byte for "ext". */
};

static void
change_packet(struct dp_packet *packet, struct edit *e, const char *change)
{
    uint8_t *data = dp_packet_data(packet);
    struct ofpbuf hex;
    int n = 0, pos = 0;
    char op[8];

    assert_int_equal(sscanf(change, " %7s%n", op, &pos), 1);
    change += pos;
    if (strcmp(op, "opt") && sscanf(change, " %i%n", &n, &pos) == 1) {
        change += pos;
    }
    ofpbuf_init(&hex, 64);
    if (*ofpbuf_put_hex(&hex, change, NULL)) {
        row_fail("bad change of a packet \"%s\"", change);
    }

    uint8_t *bytes = hex.data;
    size_t len = hex.size;
    bool v6 = e->l3 && data[e->l3] >> 4 == 6;

    if (!strcmp(op, "ext")) {
        bytes[0] = data[e->next];
        data[e->next] = n;
        insert(packet, e->l4, bytes, len);
        e->next = e->l4;
        e->l4 += len;
        add_length(packet, e->l3 + 4, len);
    } else if (!strcmp(op, "opt")) {
        insert(packet, e->l4, bytes, len);
        e->l4 += len;
        ((uint8_t *) dp_packet_data(packet))[e->l3] += len / 4;
        add_length(packet, e->l3 + 2, len);
    } else if (!strcmp(op, "more")) {
        memset(dp_packet_put_uninit(packet, n), 0x5a, n);
        add_length(packet, e->l3 + (v6 ? 4 : 2), n);
    } else if (!strcmp(op, "ins")) {
        insert(packet, n, bytes, len);
    } else if (!strcmp(op, "at")) {
        assert_true(n + len <= dp_packet_size(packet));
        memcpy(data + n, bytes, len);
    } else if (!strcmp(op, "csum")) {
        fix_csums(packet);
    } else if (!strcmp(op, "cut")) {
        assert_true(n <= (int) dp_packet_size(packet));
        dp_packet_set_size(packet, n);
    } else if (!strcmp(op, "pad")) {
        n -= dp_packet_size(packet);
        memset(dp_packet_put_uninit(packet, n), 0xee, n);
    } else {
        assert_string_equal(op, "pay");     /* Done by make_packet(). */
    }
    ofpbuf_uninit(&hex);
}

/* Parses a flow; 'mask' may be NULL for a packet's. */
static void
parse_flow(const char *s, struct flow *flow, struct flow_wildcards *wc)
{
    struct ofpbuf key, mask;
    char *error = NULL;

    ofpbuf_init(&key, 512);
    ofpbuf_init(&mask, 512);
    if (odp_flow_from_string(s, NULL, &key, wc ? &mask : NULL, &error)) {
        row_fail("%s (in \"%s\")", error, s);
    }
    if (odp_flow_key_to_flow(key.data, key.size, flow, &error)
        > (wc ? ODP_FIT_PERFECT : ODP_FIT_TOO_LITTLE)
        || (wc && odp_flow_key_to_mask(mask.data, mask.size, wc, flow,
                                       &error))) {
        row_fail("%s (in \"%s\")", error ? error : "bad flow", s);
    }
    ofpbuf_uninit(&key);
    ofpbuf_uninit(&mask);
}

static struct dp_packet *
make_packet(const char *spec)
{
    struct dp_packet *packet = dp_packet_new(MAX_FRAME);
    uint8_t payload[MAX_FRAME];
    size_t n = DEFAULT_PAYLOAD;
    struct edit e = { 0 };
    struct flow flow;
    char *s = xstrdup(spec), *save = NULL, *change;
    const char *pay = strstr(spec, "; pay ");

    if (pay) {
        n = atoi(pay + 6);
    }
    for (size_t i = 0; i < n; i++) {
        payload[i] = i * 7 + (i >> 8) + 1;
    }
    parse_flow(strtok_r(s, ";", &save), &flow, NULL);
    dp_packet_reserve(packet, 512);
    flow_compose(packet, &flow, payload, n);
    e.l3 = packet->l3_ofs == UINT16_MAX ? 0 : packet->l3_ofs;
    e.l4 = packet->l4_ofs == UINT16_MAX ? 0 : packet->l4_ofs;
    e.next = e.l3 + 6;
    while ((change = strtok_r(NULL, ";", &save))) {
        change_packet(packet, &e, change);
    }
    free(s);
    pkt_metadata_from_flow(&packet->md, &flow);
    return packet;
}

/* Flows, and the model. */

#define MAX_ROW_FLOWS 64

struct row_flow {
    struct flow flow;
    struct flow_wildcards wc;
    struct ofpbuf actions;
    uint32_t idx;
    struct xdp_flow_stats stats;    /* Expected; 'used' is not known. */
};

/* What has to come out, or what came out. */
struct outcome {
    char verdict[32];               /* As struct row's 'want'. */
    bool has_frame;
    bool any_hash;                  /* 'hdr.dp_hash' is not known. */
    struct xdp_upcall_hdr hdr;      /* Of an upcall. */
    uint64_t counters[XDP_N_COUNTERS];
};

static struct row_flow row_flows[MAX_ROW_FLOWS];
static size_t n_row_flows;

/* "hash(BASIS)", which Open vSwitch prints but does not parse, may come
 * first. */
static void
parse_actions(const char *s, struct ofpbuf *actions)
{
    struct ovs_action_hash hash = { .hash_alg = OVS_HASH_ALG_L4 };
    int n = 0;

    ofpbuf_init(actions, 64);
    if (sscanf(s, " hash(%"SCNi32")%n", (int32_t *) &hash.hash_basis, &n) == 1
        && n) {
        nl_msg_put_unspec(actions, OVS_ACTION_ATTR_HASH, &hash, sizeof hash);
        s += n + (s[n] == ',');
    }
    s += strspn(s, " ");
    if (*s && odp_actions_from_string(s, NULL, actions)) {
        row_fail("bad actions \"%s\"", s);
    }
}

static void
add_row_flow(const char *spec, struct dp_packet *packet)
{
    struct row_flow *rf = &row_flows[n_row_flows++];
    const char *arrow = strstr(spec, "=>");
    char *match = xmemdup0(spec, arrow - spec);
    struct xdp_flow_key key, mask;
    struct xdp_op ops[XDP_FLOW_MAX_OPS];
    size_t n_ops;
    int error;

    assert_true(n_row_flows <= MAX_ROW_FLOWS);
    memset(rf, 0, sizeof *rf);
    if (!strncmp(match, "exact", 5)) {
        flow_extract(packet, &rf->flow);
        memset(&rf->wc, 0xff, sizeof rf->wc);
        if (rf->flow.nw_proto == IPPROTO_ICMPV6) {
            /* Of ND, not in a datapath's key. */
            rf->wc.masks.tcp_flags = rf->wc.masks.igmp_group_ip4 = 0;
        }
    } else {
        parse_flow(match, &rf->flow, &rf->wc);
    }
    parse_actions(arrow + 2, &rf->actions);
    /* A datapath's flows always match these. */
    rf->wc.masks.in_port.odp_port = ODPP_NONE;
    rf->wc.masks.recirc_id = UINT32_MAX;
    rf->wc.masks.dl_type = OVS_BE16_MAX;
    free(match);

    error = flow_to_xdp_key(&rf->flow, &rf->wc.masks, &key, &mask);
    error = error ? error : compile_actions(rf->actions.data, rf->actions.size,
                                            false, ops, &n_ops);
    error = error ? error : flow_table_insert(ft, &key, &mask, ops, n_ops,
                                              &rf->idx);
    if (error) {
        row_fail("cannot add \"%s\" (%s)", spec, ovs_strerror(error));
    }
}

static void
free_row_flows(void)
{
    while (n_row_flows) {
        ofpbuf_uninit(&row_flows[--n_row_flows].actions);
    }
}

/* Does what an action does to a frame. */
static void
execute(struct dp_packet *packet, const struct nlattr *a)
{
    struct dp_packet_batch batch;

    dp_packet_batch_init_packet(&batch, packet);
    odp_execute_actions(NULL, &batch, false, a, NLA_ALIGN(a->nla_len), NULL);
}

static void
model_upcall(struct outcome *o, const struct dp_packet *packet,
             uint32_t reason, const struct row_flow *rf, uint32_t next_action,
             uint32_t depth)
{
    o->has_frame = true;
    o->counters[XDP_COUNTER_UPCALL]++;
    o->hdr = (struct xdp_upcall_hdr) {
        .magic = XDP_UPCALL_MAGIC,
        .reason = reason,
        .in_port = odp_to_u32(packet->md.in_port.odp_port),
        .recirc_id = packet->md.recirc_id,
        .skb_mark = packet->md.pkt_mark,
        .priority = packet->md.skb_priority,
        .dp_hash = packet->md.dp_hash,
        .len = dp_packet_size(packet),
        .flow = rf ? rf->idx : 0,
        .next_action = next_action,
        .depth = depth,
    };
}

/* Runs the flow's actions.  Returns true if the packet is recirculated.
 * Userspace goes on at action 'up_at', if not before. */
static bool
model_actions(struct outcome *o, struct dp_packet *packet,
              const struct row_flow *rf, uint32_t up_at, uint32_t *depth)
{
    const struct nlattr *a;
    unsigned int left;
    uint32_t i = 0;

    NL_ATTR_FOR_EACH (a, left, rf->actions.data, rf->actions.size) {
        int type = nl_attr_type(a);

        if (i == up_at || type == OVS_ACTION_ATTR_USERSPACE) {
            snprintf(o->verdict, sizeof o->verdict, "up:%"PRIu32, i);
            model_upcall(o, packet, XDP_UPCALL_ACTION, rf, i, *depth);
            return false;
        } else if (type == OVS_ACTION_ATTR_OUTPUT) {
            if (nl_attr_get_u32(a) == OUT_PORT) {
                snprintf(o->verdict, sizeof o->verdict, "%d", OUT_PORT);
                o->counters[XDP_COUNTER_FORWARDED]++;
                o->has_frame = true;
            } else {
                strcpy(o->verdict, "drop:NO_PORT");
            }
            return false;
        } else if (type == OVS_ACTION_ATTR_RECIRC) {
            if (++*depth > XDP_MAX_RECIRC) {
                strcpy(o->verdict, "drop:RECIRC_LIMIT");
                return false;
            }
            o->counters[XDP_COUNTER_RECIRC]++;
            packet->md.recirc_id = nl_attr_get_u32(a);
            return true;
        }
        if (type == OVS_ACTION_ATTR_DROP) {
            break;
        }
        o->any_hash |= type == OVS_ACTION_ATTR_HASH;
        execute(packet, a);
        i++;
    }
    strcpy(o->verdict, "drop:ACTION");
    return false;
}

enum model_how {
    MODEL_ALL,
    MODEL_MATCH,                /* What the actions do is not known. */
    MODEL_DEEP,                 /* Userspace has to parse it. */
};

/* Forwards '*packet' as Open vSwitch would. */
static void
model(struct dp_packet *packet, bool injected, enum model_how how,
      uint32_t up_at, struct outcome *o)
{
    uint32_t depth = 0;

    memset(o, 0, sizeof *o);
    o->counters[injected ? XDP_COUNTER_INJECT : XDP_COUNTER_RX] = 1;
    if (how == MODEL_DEEP) {
        strcpy(o->verdict, "deep");
        model_upcall(o, packet, XDP_UPCALL_MISS, NULL, 0, depth);
        return;
    }
    for (;;) {
        struct row_flow *rf = NULL;
        struct flow flow;

        flow_extract(packet, &flow);
        for (size_t i = 0; i < n_row_flows && !rf; i++) {
            if (flow_equal_except(&flow, &row_flows[i].flow,
                                  &row_flows[i].wc)) {
                rf = &row_flows[i];
            }
        }
        if (!rf) {
            o->counters[XDP_COUNTER_MISS]++;
            strcpy(o->verdict, "miss");
            model_upcall(o, packet, XDP_UPCALL_MISS, NULL, 0, depth);
            return;
        }
        o->counters[XDP_COUNTER_HIT]++;
        rf->stats.packets++;
        rf->stats.bytes += dp_packet_size(packet);
        if (is_ip_any(&flow) && flow.nw_proto == IPPROTO_TCP) {
            rf->stats.tcp_flags |= ntohs(flow.tcp_flags);
        }
        if (how == MODEL_MATCH
            || !model_actions(o, packet, rf, up_at, &depth)) {
            return;
        }
    }
}

/* Running. */

/* Runs program 'fd' on a frame; returns its verdict. */
static uint32_t
run_program(int fd, const void *frame, size_t size, uint8_t out[MAX_FRAME],
            size_t *out_size)
{
    LIBBPF_OPTS(bpf_test_run_opts, opts,
                .data_in = frame, .data_size_in = size,
                .data_out = out, .data_size_out = MAX_FRAME, .repeat = 1);

    if (bpf_prog_test_run_opts(fd, &opts)) {
        row_fail("BPF_PROG_RUN with %"PRIuSIZE" bytes: %s", size,
                 ovs_strerror(errno));
    }
    *out_size = opts.data_size_out;
    return opts.retval;
}

static uint32_t
run_inject(const struct xdp_inject_hdr *hdr, const void *frame, size_t size,
           uint8_t out[MAX_FRAME], size_t *out_size)
{
    uint8_t *buf = xmalloc(sizeof *hdr + size);
    uint32_t verdict;

    memcpy(buf, hdr, sizeof *hdr);
    memcpy(buf + sizeof *hdr, frame, size);
    verdict = run_program(prog_fd("inject"), buf, sizeof *hdr + size, out,
                          out_size);
    free(buf);
    return verdict;
}

/* The metadata that only a packet from userspace has. */
static bool
needs_inject(const struct pkt_metadata *md)
{
    return md->recirc_id || md->pkt_mark || md->skb_priority || md->dp_hash;
}

static uint32_t
run_packet(const struct dp_packet *packet, uint8_t out[MAX_FRAME],
           size_t *out_size)
{
    const struct pkt_metadata *md = &packet->md;
    uint32_t in_port = odp_to_u32(md->in_port.odp_port);

    if (needs_inject(md)) {
        struct xdp_inject_hdr hdr = {
            .magic = XDP_INJECT_MAGIC,
            .mode = XDP_INJECT_PIPELINE,
            .port = in_port,
            .recirc_id = md->recirc_id,
            .skb_mark = md->pkt_mark,
            .priority = md->skb_priority,
            .dp_hash = md->dp_hash,
        };

        return run_inject(&hdr, dp_packet_data(packet), dp_packet_size(packet),
                          out, out_size);
    }
    assert_true(in_port < N_IN_PORTS);
    return run_program(bpf_program__fd(roots[in_port]->progs.root),
                       dp_packet_data(packet), dp_packet_size(packet),
                       out, out_size);
}

static const char *const drop_names[] = {
#define DROP_NAME(NAME, TEXT) #NAME,
    XDP_DROP_REASONS(DROP_NAME)
};
static const char *const counter_names[] = {
#define COUNTER_NAME(NAME, TEXT) #NAME,
    XDP_COUNTERS(COUNTER_NAME)
};

/* The verdict in words: "drop:" and the reasons, which must be one. */
static char *
describe(uint32_t verdict, const uint8_t *out, size_t size)
{
    const struct xdp_upcall_hdr *hdr = (const void *) out;
    bool up = size >= sizeof *hdr && hdr->magic == XDP_UPCALL_MAGIC;
    struct ds s = DS_EMPTY_INITIALIZER;

    if (verdict == XDP_REDIRECT && !up) {
        ds_put_format(&s, "%d", OUT_PORT);
    } else if (verdict == XDP_REDIRECT && hdr->reason == XDP_UPCALL_MISS) {
        ds_put_cstr(&s, "miss");
    } else if (verdict == XDP_REDIRECT) {
        ds_put_format(&s, "up:%"PRIu32, hdr->next_action);
    } else if (verdict == XDP_DROP) {
        ds_put_cstr(&s, "drop");
    } else {
        ds_put_format(&s, "verdict %"PRIu32, verdict);
    }
    for (uint32_t i = 0; i < XDP_N_DROP_REASONS; i++) {
        for (uint64_t n = read_drops(i); n; n--) {
            ds_put_format(&s, ":%s", drop_names[i]);
        }
    }
    return ds_steal_cstr(&s);
}

static void
expect_verdict(const char *want, uint32_t verdict, const uint8_t *out,
               size_t size)
{
    char *got = describe(verdict, out, size);

    if (strcmp(want, got)) {
        row_fail("verdict is \"%s\", expected \"%s\"", got, want);
    }
    free(got);
}

static void
expect_counters(const struct outcome *o)
{
    for (uint32_t i = 0; i < XDP_N_COUNTERS; i++) {
        if (i != XDP_COUNTER_MASK_HIT && i != XDP_COUNTER_CACHE_HIT) {
            compare_number(counter_names[i], o->counters[i],
                           read_counter(i));
        }
    }
}

static void
expect_stats(void)
{
    for (size_t i = 0; i < n_row_flows; i++) {
        const struct xdp_flow_stats *e = &row_flows[i].stats;
        struct xdp_flow_stats s;

        assert_int_equal(flow_table_get_stats(ft, row_flows[i].idx, &s), 0);
        compare_number("packets of a flow", e->packets, s.packets);
        compare_number("bytes of a flow", e->bytes, s.bytes);
        compare_number("tcp_flags of a flow", e->tcp_flags, s.tcp_flags);
        compare_number("\"used\" of a flow", e->packets != 0, s.used != 0);
    }
}

static void
expect_frame(const struct outcome *o, const struct dp_packet *packet,
             uint8_t *out, size_t size)
{
    if (o->hdr.magic) {
        struct xdp_upcall_hdr *hdr = (void *) out;

        if (o->any_hash && size >= sizeof *hdr && hdr->dp_hash) {
            hdr->dp_hash = o->hdr.dp_hash;
        }
        compare_bytes("upcall header", &o->hdr, sizeof o->hdr, out,
                      MIN(size, sizeof o->hdr));
        out += sizeof o->hdr;
        size -= sizeof o->hdr;
    }
    compare_bytes("frame", dp_packet_data(packet), dp_packet_size(packet),
                  out, size);
}

/* Runs one packet over the flows and compares all that comes out.  'want' may
 * begin with '~': a drop in place of what the model does; or '!': the same,
 * and Open vSwitch's functions cannot even run the actions of the first flow.
 * "deep" is a packet that goes up without a lookup.  'expect', if nonnull, is
 * the packet that leaves. */
static void
check_packet(const char *spec, const char *const *flows, const char *want,
             const char *expect)
{
    struct dp_packet *packet = make_packet(spec), *result;
    bool literal = want[0] == '!' || want[0] == '~';
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
    model(result, needs_inject(&packet->md),
          (want[0] == '!' ? MODEL_MATCH
           : !strcmp(want, "deep") ? MODEL_DEEP : MODEL_ALL), up_at, &o);
    if (literal) {
        ovs_strlcpy(o.verdict, ++want, sizeof o.verdict);
        o.has_frame = false;
        o.counters[XDP_COUNTER_FORWARDED] = 0;
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

    verdict = run_packet(packet, out, &out_size);
    expect_verdict(!strcmp(want, "deep") ? "miss" : want, verdict, out,
                   out_size);
    if (o.has_frame) {
        expect_frame(&o, result, out, out_size);
    }
    expect_counters(&o);
    expect_stats();
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

static void
test_row(void **state)
{
    const struct row *row = *state;

    if (begins(row->name, row->skip)) {
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

    if (begins(row->name, row->skip)) {
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

    if (begins(row->name, row->skip)) {
        check_packet(row->packet, flows, "9", NULL);
    }
}

/* The packet is edited and sent. */
static void
test_edit(void **state)
{
    const struct edit_row *row = *state;

    if (begins(row->name, row->skip)) {
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

            check_packet(s, flows, "9", NULL);
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
        uint32_t verdict = run_packet(packet, out, &size);
        expect_verdict(inside ? "miss" : "9", verdict, out, size);
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
test_hints(void **state OVS_UNUSED)
{
    if (!begins("hints", NULL)) {
        return;
    }
    reset();
    add_flow(M4 "ipv4(tos=1) => 9");
    add_flow(M4 "ipv4(ttl=1) => 9");
    add_flow(M4 "ipv4(src=10.1.2.3) => 9");
    expect_masks(TCP4, "9", 3, 0);
    expect_masks(TCP4, "9", 1, 1);
    expect_masks(TCP6, "miss", 3, 0);
    expect_masks(TCP6, "miss", 3, 0);   /* A miss leaves no hint. */

    /* A hint to a mask without the flow: the walk finds the other flow. */
    uint32_t idx = row_flows[2].idx;

    add_flow(M4 "ipv4(dst=10.4.5.6) => 9");
    assert_int_equal(flow_table_delete(ft, idx, NULL), 0);
    pass_grace_periods();
    expect_masks(TCP4, "9", 3, 0);
    expect_masks(TCP4, "9", 1, 1);
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

/* A missing stage, and a missing trap. */
static void
test_missing(void **state OVS_UNUSED)
{
    static const uint32_t stages[] = {
        XDP_STAGE_INGRESS, XDP_STAGE_ACTIONS, XDP_STAGE_RECIRC,
    };
    uint32_t loopback = 1, zero = 0;

    if (!begins("missing-stage-and-trap", NULL)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
        reset();
        add_flow(M4 "ipv4() => recirc(1)");
        set_stage(stages[i], NULL);
        run_and_expect(TCP4, "drop:TAIL_CALL");
        set_stages();
    }
    reset();
    bpf_map_delete_elem(map_fd("xdp_trap"), &zero);
    run_and_expect(TCP4, "drop:UPCALL");
    map_fill("xdp_trap", 0, &loopback);
    free_row_flows();
}

static void
test_failed_upcall(void **state OVS_UNUSED)
{
    uint32_t loopback = 1, zero = 0;

    if (!begins("failed-upcall-is-not-counted",
                "UPCALL counts upcalls that are dropped, too")) {
        return;
    }
    reset();
    bpf_map_delete_elem(map_fd("xdp_trap"), &zero);
    run_and_expect(TCP4, "drop:UPCALL");
    map_fill("xdp_trap", 0, &loopback);
    compare_number("UPCALL", 0, read_counter(XDP_COUNTER_UPCALL));
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
table_hash(const struct xdp_flow *flow, const struct xdp_mask *mask)
{
    uint64_t h = XDP_HASH_SEED ^ flow->mask_id;

    for (uint32_t i = 0; i < mask->n_words; i++) {
        h ^= flow->key[mask->words[i]] & mask->bits[i];
        h = (h << 29 | h >> 35) * XDP_HASH_MULT;
    }
    return h ^ h >> 32;
}

/* A flow is found in each slot of both of its buckets, and only there; and
 * what has its tag there, but another key or mask, is not taken for it. */
static void
test_buckets(void **state OVS_UNUSED)
{
    if (!begins("buckets", NULL)) {
        return;
    }
    reset();
    add_flow(M4 "ipv4(src=10.1.2.3,dst=10.4.5.6) => 9");

    struct xdp_flow *flow = &maps.flows[row_flows[0].idx];
    uint64_t h = table_hash(flow, &maps.masks[flow->mask_id]);
    struct xdp_bucket *both[] = {
        &maps.buckets[h & XDP_BUCKET_MASK],
        &maps.buckets[h >> 20 & XDP_BUCKET_MASK],
        &maps.buckets[(h + 1) & XDP_BUCKET_MASK],   /* Not its own. */
    };
    __u64 slot = h >> 32 << 32 | row_flows[0].idx;

    for (int i = 0; i < XDP_BUCKET_SLOTS; i++) {
        compare_number("other slots", 0, both[0]->slots[i] != slot
                       && both[0]->slots[i]);
        both[0]->slots[i] = 0;
    }
    for (size_t b = 0; b < ARRAY_SIZE(both); b++) {
        for (int i = 0; i < XDP_BUCKET_SLOTS; i++) {
            both[b]->slots[i] = slot;
            run_and_expect(TCP4, b < 2 ? "9" : "miss");
            both[b]->slots[i] ^= 1ULL << 32;        /* Another tag. */
            run_and_expect(TCP4, "miss");
            both[b]->slots[i] = 0;
        }
    }
    both[0]->slots[5] = slot;
    flow->key[6] ^= 1ULL << 63;
    run_and_expect(TCP4, "miss");
    flow->key[6] ^= 1ULL << 63;
    flow->mask_id++;
    run_and_expect(TCP4, "miss");
    flow->mask_id--;
    run_and_expect(TCP4, "9");
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
    flow_limit_vlans(1);
    for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
        struct dp_packet *packet = make_packet(packets[i]);
        uint8_t out[MAX_FRAME];
        uint32_t verdict;
        size_t size;

        reset();
        config->vlan_limit = 1;
        add_row_flow("exact => 9", packet);
        verdict = run_packet(packet, out, &size);
        expect_verdict("9", verdict, out, size);
        free_row_flows();
        dp_packet_delete(packet);
    }
    flow_limit_vlans(FLOW_MAX_VLAN_HEADERS);
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

/* The far side of the trap: without a socket, and for frames that do not fit
 * into one of its buffers, the frame goes to the stack, unchanged. */
static void
test_trap_rx(void **state OVS_UNUSED)
{
    static const char *const packets[] = { TCP4, TCP4 "; pay 9000" };

    if (!begins("trap-rx", NULL)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
        struct dp_packet *packet = make_packet(packets[i]);
        uint8_t out[MAX_FRAME];
        size_t size;

        reset();
        compare_number("verdict", XDP_PASS,
                       run_program(prog_fd("trap_rx"), dp_packet_data(packet),
                                   dp_packet_size(packet), out, &size));
        compare_bytes("frame", dp_packet_data(packet), dp_packet_size(packet),
                      out, size);
        dp_packet_delete(packet);
    }
}

/* All tests. */

static struct CMUnitTest tests[1024];
static size_t n_tests;

static void
add_test(const char *name, CMUnitTestFunction function, const void *state)
{
    assert_true(n_tests < ARRAY_SIZE(tests));
    for (size_t i = 0; i < n_tests; i++) {
        assert_string_not_equal(tests[i].name, name);
    }
    tests[n_tests++] = (struct CMUnitTest) {
        .name = name, .test_func = function,
        .initial_state = CONST_CAST(void *, state),
    };
}

#define ADD_TABLE(ROWS, FUNCTION)                               \
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {             \
        add_test((ROWS)[i].name, FUNCTION, &(ROWS)[i]);         \
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
    ADD_TABLE(match_rows, test_match);
    ADD_TABLE(key_rows, test_key);
    for (size_t i = 0; i < ARRAY_SIZE(truncated); i++) {
        snprintf(truncated[i].name, sizeof truncated[i].name,
                 "truncated-%"PRIuSIZE, i);
        truncated[i].len = i;
    }
    ADD_TABLE(truncated, test_truncated);
    for (size_t i = 0; i < ARRAY_SIZE(truncated_bases); i++) {
        add_test(xasprintf("mask-shape-%"PRIuSIZE, i), test_mask_shape,
                 truncated_bases[i]);
    }
    ADD_TABLE(edit_rows, test_edit);
    ADD_TABLE(rows, test_row);
    ADD_TABLE(inject_rows, test_inject);
    ADD_TABLE(udp_zero_rows, test_udp_zero);
    add_test("hash", test_hash, NULL);
    add_test("hints", test_hints, NULL);
    add_test("many-masks", test_many_masks, NULL);
    add_test("modify-flow", test_modify_flow, NULL);
    add_test("no-userspace", test_no_userspace, NULL);
    add_test("rate-limit", test_rate_limit, NULL);
    add_test("missing-stage-and-trap", test_missing, NULL);
    add_test("failed-upcall-is-not-counted", test_failed_upcall, NULL);
    add_test("buckets", test_buckets, NULL);
    add_test("vlan-limit", test_vlan_limit, NULL);
    add_test("hand-over", test_hand_over, NULL);
    add_test("trap-rx", test_trap_rx, NULL);

    skip_reason = set_up();
    return _cmocka_run_group_tests("bpf-rows", tests, n_tests, NULL, NULL);
}
