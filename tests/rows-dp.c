/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The datapath of rows; see rows-dp.h. */

#include <config.h>
#undef NDEBUG
#include "rows-dp.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/pkt_cls.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "odp-execute.h"
#include "openvswitch/dynamic-string.h"
#include "pipeline.skel.h"
#include "rows-tc.skel.h"
#include "tc.skel.h"
#include "rows-packet.h"
#include "util.h"

#define MAX_TC_FRAME 3000       /* Of BPF_PROG_RUN. */
#define LOOPBACK 1              /* Its device, unless told. */

/* The datapath. */

static struct pipeline_bpf *pipeline;
static struct tc_bpf *tc;           /* NULL: cannot be loaded. */
static struct rows_tc_bpf *runner;  /* What runs TC programs. */
enum hook hook;
static size_t n_cpus;               /* Possible ones. */
struct xdp_config *config;
static struct xdp_flow_stats *all_stats;
struct xdp_port *port_table;
struct xdp_policer *policers;
struct flow_table_maps maps;
uint32_t *hints;
static char *cpus;
struct flow_table *ft;

int
map_fd(const char *name)
{
    return bpf_object__find_map_fd_by_name(pipeline->obj, name);
}

int
prog_fd(const char *name)
{
    return bpf_program__fd(bpf_object__find_program_by_name(pipeline->obj,
                                                            name));
}

int
tc_prog_fd(const char *name)
{
    return bpf_program__fd(bpf_object__find_program_by_name(tc->obj, name));
}

void
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

uint64_t
read_cpu_counter(size_t cpu, enum xdp_counter counter)
{
    uint64_t *n = (uint64_t *) cpu_counters(cpu)->n;

    /* As userspace does it. */
    return (n[counter]
            + (counter == XDP_COUNTER_HIT || counter == XDP_COUNTER_MASK_HIT
               ? n[XDP_COUNTER_CACHE_HIT] : 0));
}

uint64_t
read_counter(enum xdp_counter counter)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n_cpus; i++) {
        sum += read_cpu_counter(i, counter);
    }
    return sum;
}

uint64_t
read_cpu_packets(size_t cpu, uint32_t flow)
{
    return all_stats[cpu * XDP_MAX_FLOWS + flow].packets;
}

uint64_t
read_drops(enum xdp_drop_reason reason)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n_cpus; i++) {
        sum += cpu_counters(i)->drops[reason];
    }
    return sum;
}

void
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

void
set_stage(uint32_t stage, const char *name)
{
    bool xdp = hook == HOOK_XDP;
    const struct bpf_object *object = xdp ? pipeline->obj : tc->obj;
    int stages = bpf_object__find_map_fd_by_name(object, xdp ? "xdp_stages"
                                                 : "tc_stages");

    if (name) {
        int fd = bpf_program__fd(bpf_object__find_program_by_name(object,
                                                                  name));

        assert_int_equal(bpf_map_update_elem(stages, &stage, &fd, BPF_ANY), 0);
    } else {
        bpf_map_delete_elem(stages, &stage);
    }
}

void
set_stages(void)
{
    set_stage(XDP_STAGE_RECIRC, "stage_recirc");
    set_stage(XDP_STAGE_ACTIONS, "stage_actions");
}

/* Makes 'object' use the maps of 'from' that have the names of its own. */
static void
reuse_maps(struct bpf_object *object, const struct bpf_object *from)
{
    struct bpf_map *map;

    bpf_object__for_each_map(map, object) {
        int fd = bpf_object__find_map_fd_by_name(from, bpf_map__name(map));

        if (!bpf_map__is_internal(map) && fd >= 0) {
            bpf_map__reuse_fd(map, fd);
        }
    }
}

/* Places in "targets" of the program that runs the others. */
enum { TARGET_INGRESS, TARGET_RECIRC, TARGET_TRAP_PUSH };

static void
set_target(uint32_t target, const struct bpf_program *program)
{
    int fd = bpf_program__fd(program);

    assert_int_equal(bpf_map_update_elem(bpf_map__fd(runner->maps.targets),
                                         &target, &fd, BPF_ANY), 0);
}

/* The TC side, and what runs it. */
static void
load_tc(void)
{
    tc = tc_bpf__open();
    assert_non_null(tc);
    reuse_maps(tc->obj, pipeline->obj);
    assert_int_equal(tc_bpf__load(tc), 0);
    runner = rows_tc_bpf__open();
    assert_non_null(runner);
    reuse_maps(runner->obj, pipeline->obj);
    reuse_maps(runner->obj, tc->obj);
    assert_int_equal(rows_tc_bpf__load(runner), 0);
    set_target(TARGET_INGRESS, tc->progs.port_ingress);
    set_target(TARGET_RECIRC, tc->progs.stage_recirc);
    set_target(TARGET_TRAP_PUSH, tc->progs.trap_push);
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
        pipeline->maps.xdp_stats, pipeline->maps.xdp_cpus,
    };

    n_cpus = libbpf_num_possible_cpus();
    for (size_t i = 0; i < ARRAY_SIZE(per_cpu); i++) {
        bpf_map__set_max_entries(per_cpu[i],
                                 n_cpus * bpf_map__max_entries(per_cpu[i]));
    }
    /* The hints are BPF's alone, but for rows. */
    bpf_map__set_map_flags(pipeline->maps.xdp_hints, BPF_F_MMAPABLE);
    return !pipeline_bpf__load(pipeline);
}

const char *
set_up(void)
{
    uint32_t loopback = LOOPBACK;

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
    config = map_memory("xdp_config");
    all_stats = map_memory("xdp_stats");
    cpus = map_memory("xdp_cpus");
    policers = map_memory("xdp_policers");
    port_table = map_memory("xdp_port_table");
    maps = (struct flow_table_maps) {
        .config = config,
        .buckets = map_memory("xdp_buckets"),
        .flows = map_memory("xdp_flows"),
        .flows_wide = map_memory("xdp_flows_wide"),
        .masks = map_memory("xdp_masks"),
        .mask_links = map_memory("xdp_mask_links"),
        .port_masks = map_memory("xdp_port_masks"),
        .ops = map_memory("xdp_ops"),
        .read_stats = read_stats,
        .clear_stats = clear_stats,
    };
    hints = map_memory("xdp_hints");
    load_tc();
    for (hook = HOOK_XDP; hook <= HOOK_TC; hook++) {
        set_stages();
    }
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

void
pass_grace_periods(void)
{
    for (int i = 0; i < 3; i++) {
        clock_msec += 1000;
        flow_table_run(ft);
    }
}

void
clear_hints(void)
{
    memset(hints, 0, N_HINTS * sizeof *hints);
}

void
reset(void)
{
    static const uint64_t no_tokens[2];

    flow_table_flush(ft);
    pass_grace_periods();
    clear_counters();
    for (uint32_t i = 0; i < 4; i++) {
        map_fill("xdp_buckets_rl", i, no_tokens);
    }
    clear_hints();
    config->upcalls_enabled = 1;
    config->upcall_rate = 0;
    config->trap_ifindex = 1;
    config->n_policers = 0;
    memset(policers, 0, XDP_MAX_PORTS * sizeof *policers);
    config->vlan_limit = FLOW_MAX_VLAN_HEADERS;
}

/* Running. */

void
set_in_port(uint32_t ifindex, uint32_t port)
{
    uint32_t value = port + 1;

    map_fill(ifindex < XDP_MAX_IFINDEX ? "xdp_ifindexes"
             : "xdp_ifindexes_high", ifindex, &value);
}

uint32_t
run_program(int fd, const void *frame, size_t size, uint8_t out[MAX_FRAME],
            size_t *out_size)
{
    return run_program_on(fd, 0, 0, frame, size, out, out_size);
}

uint32_t
run_program_on(int fd, uint32_t ifindex, size_t linear, const void *frame,
               size_t size, uint8_t out[MAX_FRAME], size_t *out_size)
{
    struct xdp_md md = {
        .data_end = linear ? linear : size, .ingress_ifindex = ifindex,
    };
    LIBBPF_OPTS(bpf_test_run_opts, opts,
                .data_in = frame, .data_size_in = size,
                .data_out = out, .data_size_out = MAX_FRAME, .repeat = 1);

    if (ifindex || linear) {
        opts.ctx_in = &md;
        opts.ctx_size_in = sizeof md;
    }
    if (bpf_prog_test_run_opts(fd, &opts)) {
        row_fail("BPF_PROG_RUN with %"PRIuSIZE" bytes: %s", size,
                 ovs_strerror(errno));
    }
    *out_size = opts.data_size_out;
    return opts.retval;
}

uint32_t
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

bool
needs_inject(const struct pkt_metadata *md)
{
    return (md->recirc_id || md->dp_hash
            || (hook == HOOK_XDP && (md->pkt_mark || md->skb_priority)));
}

static uint32_t
run_xdp(const struct dp_packet *packet, uint32_t ifindex, size_t linear,
        uint8_t out[MAX_FRAME], size_t *out_size)
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
    set_in_port(ifindex ? ifindex : LOOPBACK, in_port);
    return run_program_on(prog_fd("port_ingress"), ifindex, linear,
                          dp_packet_data(packet), dp_packet_size(packet),
                          out, out_size);
}

/* Runs a TC program on a frame, whose outermost VLAN tag is to be beside it
 * with 'beside'.  The frame that comes out has all its tags in it; 'runner'
 * says whether one was beside it. */
static uint32_t
run_tc_program(uint32_t target, struct __sk_buff *ctx, bool beside,
               const uint8_t *frame, size_t size, uint8_t out[MAX_FRAME],
               size_t *out_size)
{
    LIBBPF_OPTS(bpf_test_run_opts, opts,
                .data_in = frame, .data_size_in = size,
                .data_out = out, .data_size_out = MAX_FRAME,
                .ctx_in = ctx, .ctx_size_in = sizeof *ctx,
                .ctx_out = ctx, .ctx_size_out = sizeof *ctx, .repeat = 1);

    runner->bss->target = target;
    runner->bss->tpid = beside ? frame[12] << 8 | frame[13] : 0;
    runner->bss->tci = beside ? frame[14] << 8 | frame[15] : 0;
    if (bpf_prog_test_run_opts(bpf_program__fd(runner->progs.run), &opts)) {
        row_fail("BPF_PROG_RUN with %"PRIuSIZE" bytes: %s", size,
                 ovs_strerror(errno));
    }
    *out_size = opts.data_size_out;
    if (runner->bss->tpid) {
        ovs_be16 tag[2] = { htons(runner->bss->tpid),
                            htons(runner->bss->tci) };

        memmove(out + 16, out + 12, *out_size - 12);
        memcpy(out + 12, tag, sizeof tag);
        *out_size += sizeof tag;
    }
    return opts.retval;
}

size_t
normalize_upcall(uint8_t *up, size_t size)
{
    struct xdp_upcall_hdr *hdr = (void *) up;

    compare_number("length in an upcall header", 0, hdr->len);
    for (int i = ARRAY_SIZE(hdr->vlans) - 1; i >= 0; i--) {
        if (hdr->vlans[i].tpid) {
            uint8_t *p = up + sizeof *hdr + 12;

            memmove(p + 4, p, size - sizeof *hdr - 12);
            memcpy(p, &hdr->vlans[i], 4);
            memset(&hdr->vlans[i], 0, 4);
            size += 4;
        }
    }
    hdr->len = size - sizeof *hdr;
    return size;
}

/* What becomes of a frame that the pipeline has sent to the trap. */
static uint32_t
run_trap_push(struct __sk_buff *ctx, uint8_t out[MAX_FRAME], size_t *out_size)
{
    uint8_t *frame = xmemdup(out, *out_size);

    ctx->wire_len = 0;          /* Not for input. */

    uint32_t verdict = run_tc_program(TARGET_TRAP_PUSH, ctx,
                                      runner->bss->tpid, frame, *out_size,
                                      out, out_size);

    free(frame);
    if (verdict != TC_ACT_OK) {
        return verdict;
    }
    compare_number("a tag beside an upcall", 0, runner->bss->tpid);
    *out_size = normalize_upcall(out, *out_size);
    return TC_ACT_REDIRECT;
}

/* BPF_PROG_RUN does not take all frames for TC: net/bpf/test_run.c. */
bool
can_run(const struct dp_packet *packet)
{
    const uint8_t *p = dp_packet_data(packet);
    size_t size = dp_packet_size(packet);
    int type = p[12] << 8 | p[13];

    return (hook == HOOK_XDP
            || (size <= MAX_TC_FRAME
                && size >= (type == ETH_TYPE_IP ? 34
                            : type == ETH_TYPE_IPV6 ? 54 : 14)));
}

static bool
is_tag(const uint8_t *p)
{
    int type = p[0] << 8 | p[1];

    return type == ETH_TYPE_VLAN_8021Q || type == ETH_TYPE_VLAN_8021AD;
}

bool
has_vlan(const struct dp_packet *packet)
{
    const uint8_t *p = dp_packet_data(packet);
    size_t size = dp_packet_size(packet);

    /* The kernel drops a frame whose second tag is truncated. */
    return size >= 18 && is_tag(p + 12) && (size >= 22 || !is_tag(p + 16));
}

/* The metadata of the frame that came out of TC. */
static uint32_t out_mark, out_priority;

static uint32_t
run_tc(const struct dp_packet *packet, uint32_t ifindex,
       uint8_t out[MAX_FRAME], size_t *out_size)
{
    const struct pkt_metadata *md = &packet->md;
    uint32_t in_port = odp_to_u32(md->in_port.odp_port);
    struct __sk_buff ctx = {
        .mark = md->pkt_mark, .priority = md->skb_priority,
        .ifindex = ifindex,
    };
    uint32_t verdict;

    runner->bss->metadata = (struct xdp_flow_key) {
        .in_port = in_port, .recirc_id = md->recirc_id,
        .skb_mark = md->pkt_mark, .priority = md->skb_priority,
        .dp_hash = md->dp_hash,
    };
    set_in_port(ifindex ? ifindex : LOOPBACK, in_port);
    verdict = run_tc_program(needs_inject(md) ? TARGET_RECIRC
                             : TARGET_INGRESS, &ctx,
                             hook == HOOK_TC_BESIDE && has_vlan(packet),
                             dp_packet_data(packet),
                             dp_packet_size(packet), out, out_size);
    if (verdict == TC_ACT_REDIRECT && ctx.cb[0]) {
        verdict = run_trap_push(&ctx, out, out_size);
    }
    out_mark = ctx.mark;
    out_priority = ctx.priority;
    return (verdict == TC_ACT_REDIRECT ? XDP_REDIRECT
            : verdict == TC_ACT_SHOT ? XDP_DROP : 100 + verdict);
}

uint32_t
run_packet(const struct dp_packet *packet, uint8_t out[MAX_FRAME],
           size_t *out_size)
{
    return run_packet_from(packet, 0, out, out_size);
}

uint32_t
run_packet_from(const struct dp_packet *packet, uint32_t ifindex,
                uint8_t out[MAX_FRAME], size_t *out_size)
{
    return (hook == HOOK_XDP ? run_xdp(packet, ifindex, 0, out, out_size)
            : run_tc(packet, ifindex, out, out_size));
}

uint32_t
run_split(const struct dp_packet *packet, size_t linear,
          uint8_t out[MAX_FRAME], size_t *out_size)
{
    return run_xdp(packet, 0, linear, out, out_size);
}

const char *const drop_names[] = {
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

void
expect_verdict(const char *want, uint32_t verdict, const uint8_t *out,
               size_t size)
{
    char *got = describe(verdict, out, size);

    if (strcmp(want, got)) {
        row_fail("verdict is \"%s\", expected \"%s\"", got, want);
    }
    free(got);
}

void
expect_counters(const struct outcome *o)
{
    for (uint32_t i = 0; i < XDP_N_COUNTERS; i++) {
        if (i != XDP_COUNTER_MASK_HIT && i != XDP_COUNTER_CACHE_HIT) {
            compare_number(counter_names[i], o->counters[i],
                           read_counter(i));
        }
    }
}

void
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

void
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
    } else if (hook != HOOK_XDP) {
        compare_number("mark", packet->md.pkt_mark, out_mark);
        compare_number("priority", packet->md.skb_priority, out_priority);
    }
    compare_bytes("frame", dp_packet_data(packet), dp_packet_size(packet),
                  out, size);
}
