/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * What each stage of the pipeline costs: the datapath's own programs, or their
 * first stages alone (stages-cut.h), run by BPF_PROG_RUN on one frame, with a
 * datapath and megaflows made as the daemon makes them.  A stage is the
 * difference between two runs.  A run counts only if each of its packets got
 * the verdict, and all of them moved the datapath's counters, as its table
 * entry says.
 *
 * Prints lines of fields with tabs between them; utilities/bench/stages makes
 * tables of them.  Under utilities/isolate. */
#include <config.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bpf-util.h"
#include "dp-xdp.h"
#include "flow-table.h"
#include "groups.h"
#include "odp-util.h"
#include "ports.h"
#include "rows-packet.h"
#include "rtnl.h"
#include "stages-abi.h"
#include "stages-tc.skel.h"
#include "stages-xdp.skel.h"
#include "util.h"
#include "openvswitch/vlog.h"
#include "xdp-dp-private.h"

/* ---- Packets ------------------------------------------------------------ */

#define SRC "02:00:00:00:00:01"
#define DST "02:00:00:00:00:02"
#define ETH "in_port(1),eth(src=" SRC ",dst=" DST "),"
#define IP4 "ipv4(src=10.1.2.3,dst=10.4.5.6,proto=17"
#define IP6 "ipv6(src=2001:db8::1:2:3:4,dst=2001:db8::5:6:7:8,proto=6"
#define TAG "eth_type(0x8100),vlan(vid=100,pcp=3),encap("

static const struct kind {
    const char *name;
    const char *packet;         /* As rows-packet.h. */
    const char *type;           /* What each megaflow matches, ... */
    const char *tuple;          /* ... and one for its 5-tuple. */
    const char *set_address;
} kinds[] = {
    { "IPv4 UDP",
      ETH "eth_type(0x0800)," IP4 ",ttl=64,frag=no),udp(src=1000,dst=53); "
      "pay 18",
      "eth_type(0x0800),ipv4(frag=no)",
      "eth_type(0x0800)," IP4 ",frag=no),udp(src=1000,dst=53)",
      "set(ipv4(src=10.9.9.9))" },
    { "IPv6 TCP",
      ETH "eth_type(0x86dd)," IP6 ",hlimit=64,frag=no),tcp(src=1000,dst=80),"
      "tcp_flags(0x10); pay 0",
      "eth_type(0x86dd),ipv6(frag=no)",
      "eth_type(0x86dd)," IP6 ",frag=no),tcp(src=1000,dst=80)",
      "set(ipv6(src=2001:db8::9))" },
    { "VLAN, IPv4 UDP",
      ETH TAG "eth_type(0x0800)," IP4
      ",ttl=64,frag=no),udp(src=1000,dst=53)); pay 18",
      TAG "eth_type(0x0800),ipv4(frag=no))",
      TAG "eth_type(0x0800)," IP4 ",frag=no),udp(src=1000,dst=53))",
      "set(ipv4(src=10.9.9.9))" },
};
#define N_KINDS ARRAY_SIZE(kinds)

/* ---- Stages ------------------------------------------------------------- */

enum program {
    ENTER = STAGES_CUT_ENTER,   /* The pipeline, cut off. */
    PARSE = STAGES_CUT_PARSE,
    LOOKUP = STAGES_CUT_LOOKUP,
    EMPTY,
    WHOLE,                      /* The datapath's own. */
    N_PROGRAMS
};

enum megaflow {
    NOTHING,                    /* Only other packets' megaflow is there. */
    PORT,                       /* What all have: the port and the type. */
    TUPLE,
    MACS,                       /* As a MAC table has it. */
};

#define N_OUTPUTS 4             /* Ports 2, 3, 4, 5. */
#define N_MASKS 32
#define ADDRESS "address"       /* Stands for the kind's 'set_address'. */

struct stage {
    const char *name;
    const char *title;
    const char *than;           /* Stage without what this one adds. */
    enum program program;
    enum megaflow match;
    size_t masks;               /* Tried, as there is no hint; 0: by a hint. */
    const char *actions;
    int outputs;
};

static const struct stage stages[] = {
    { "empty", "the run itself, with a program that drops", "", EMPTY,
      PORT, 0, "2", 0 },
    { "enter", "device to port, counters, an empty key", "empty",
      ENTER, PORT, 0, "2", 0 },
    { "parse", "parse", "enter", PARSE, PORT, 0, "2", 0 },
    { "hint", "look up by a hint, match on port and type; count", "parse",
      LOOKUP, PORT, 0, "2", 0 },
    { "hint-tuple", "the same, match on the 5-tuple", "parse",
      LOOKUP, TUPLE, 0, "2", 0 },
    { "masks-1", "look up without a hint, 1 mask (port, type, MACs); "
      "count",
      "parse", LOOKUP, MACS, 1, "2", 0 },
    { "masks-32", "31 more masks", "masks-1", LOOKUP, MACS,
      N_MASKS, "2", 0 },
    { "output", "one output", "hint", WHOLE, PORT, 0, "2", 1 },
    { "all", "all of these: parse, hint, one output", "empty", WHOLE, PORT, 0,
      "2", 1 },
    { "drop", "ACTIONS stage: no action, drop", "hint", WHOLE, PORT, 0, "",
      0 },
    { "mark", "ACTIONS stage: set the mark", "output", WHOLE, PORT, 0,
      "set(skb_mark(0)),2", 1 },
    { "set-mac", "ACTIONS stage: set both MACs", "output", WHOLE, PORT, 0,
      "set(eth(src=" SRC ",dst=" DST ")),2", 1 },
    { "set-ip", "ACTIONS stage: set the source address", "output", WHOLE,
      PORT, 0, ADDRESS ",2", 1 },
    { "vlan", "ACTIONS stage: push a tag, pop it", "output", WHOLE, PORT, 0,
      "push_vlan(vid=5,pcp=0),pop_vlan,2", 1 },
    { "copies-2", "ACTIONS stage: two outputs", "output", WHOLE, PORT, 0,
      "2,3", 2 },
    { "copies-4", "two outputs more", "copies-2", WHOLE, PORT, 0,
      "2,3,4,5", 4 },
    { "recirc", "RECIRC stage: parse and look up again", "output", WHOLE,
      PORT, 0, "recirc(1)", 1 },
    { "nothing", "look up without a hint, 1 mask, no megaflow", "parse",
      LOOKUP, NOTHING, 1, "2", 0 },
    { "miss", "upcall: header, to the trap", "nothing", WHOLE, NOTHING, 1, "2",
      0 },
};
#define N_STAGES ARRAY_SIZE(stages)

/* A port of its own for each stage and kind: so they have megaflows and masks
 * of their own. */
static uint32_t
in_port(size_t stage, size_t kind)
{
    return 100 + stage * N_KINDS + kind;
}

/* ---- The datapath ------------------------------------------------------- */

static struct xdp_dp *dp;
static uint32_t in_ifindex;

static void
add_port(uint32_t port)
{
    char name[IFNAMSIZ], peer[IFNAMSIZ];
    const char *const names[] = { name, peer };
    int error;

    snprintf(name, sizeof name, "stage%d", (int) port);
    snprintf(peer, sizeof peer, "far%d", (int) port);
    error = rtnl_veth_create(name, peer, 1);
    for (size_t i = 0; i < ARRAY_SIZE(names) && !error; i++) {
        rtnl_disable_ipv6(names[i]);
        error = rtnl_set_noarp(names[i]);
        error = error ? error : rtnl_set_up(names[i]);
    }
    error = error ? error : xdp_ports_add(xdp_dp_ports(dp), name, name,
                                          "system", XDP_PORT_NATIVE, &port);
    if (error) {
        ovs_fatal(error, "port %s", name);
    }
}

/* Adds the megaflow "recirc_id(ID),in_port(PORT),MATCH". */
static void
add_flow(uint32_t recirc_id, uint32_t port, const char *match,
         const char *actions_s)
{
    char *s = xasprintf("recirc_id(%"PRIu32"),in_port(%"PRIu32"),%s",
                        recirc_id, port, match);
    struct xdp_op ops[XDP_FLOW_MAX_OPS];
    struct xdp_flow_key key, mask;
    struct flow_wildcards wc;
    struct ofpbuf actions;
    uint32_t idx, group;
    struct flow flow;
    size_t n_ops;
    int error;

    ofpbuf_init(&actions, 64);
    parse_flow(s, &flow, &wc);
    error = (*actions_s && odp_actions_from_string(actions_s, NULL, &actions)
             ? EINVAL : flow_to_xdp_key(&flow, &wc.masks, &key, &mask));
    error = error ? error : compile_actions(actions.data, actions.size, true,
                                            ops, &n_ops);
    error = error ? error : xdp_groups_ref(xdp_dp_groups(dp), ops, n_ops,
                                           &group);
    error = error ? error : flow_table_insert(xdp_dp_flow_table(dp), &key,
                                              &mask, ops, n_ops, &idx);
    if (error) {
        ovs_fatal(error, "cannot add \"%s\" => \"%s\"", s, actions_s);
    }
    ofpbuf_uninit(&actions);
    free(s);
}

/* Adds 'n' megaflows with as many masks which the packet does not match. */
static void
add_others(uint32_t port, const struct kind *kind, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t mask = UINT64_C(0xffffffffffff) << (n - i);
        struct eth_addr ea, em;
        char *match;

        eth_addr_from_uint64(UINT64_C(0x0affffffffff) & mask, &ea);
        eth_addr_from_uint64(mask & UINT64_C(0xffffffffffff), &em);
        match = xasprintf("eth(src=" ETH_ADDR_FMT "/" ETH_ADDR_FMT
                          ",dst=" DST "),%s", ETH_ADDR_ARGS(ea),
                          ETH_ADDR_ARGS(em), kind->type);
        add_flow(0, port, match, "2");
        free(match);
    }
}

static void
add_flows(const struct stage *stage, const struct kind *kind, uint32_t port)
{
    const char *set = strstr(stage->actions, ADDRESS);
    char *actions = (set ? xasprintf("%s%s", kind->set_address,
                                     set + strlen(ADDRESS))
                     : xstrdup(stage->actions));
    char *match = xasprintf("eth(%s),%s", stage->match == MACS
                            ? "src=" SRC ",dst=" DST : "",
                            stage->match == TUPLE ? kind->tuple : kind->type);

    /* The list of masks begins with the last. */
    if (stage->match != NOTHING) {
        add_flow(0, port, match, actions);
        if (!strncmp(actions, "recirc", 6)) {
            add_flow(1, port, match, "2");
        }
    }
    if (stage->masks) {
        add_others(port, kind, stage->masks - (stage->match != NOTHING));
    }
    free(actions);
    free(match);
}

static void
make_datapath(bool with_flows)
{
    int error = xdp_dp_open("stages", true, &dp);

    if (error) {
        ovs_fatal(error, "cannot open a datapath");
    }
    xdp_dp_set_upcalls(dp, true);
    for (uint32_t port = 1; port <= 1 + N_OUTPUTS; port++) {
        add_port(port);
    }
    in_ifindex = if_nametoindex("stage1");
    for (size_t i = 0; i < N_STAGES && with_flows; i++) {
        for (size_t j = 0; j < N_KINDS; j++) {
            row_name = kinds[j].name;
            add_flows(&stages[i], &kinds[j], in_port(i, j));
        }
    }
}

/* ---- Programs ----------------------------------------------------------- */

/* XDP or TC. */
struct hook {
    const char *name;
    uint32_t drop, redirect;    /* Its verdicts. */
    int programs[N_PROGRAMS];
    int run_fd, target_fd;
    struct stages_state *state;
    void *skels[STAGES_N_CUTS]; /* Theirs; the process's end frees them. */
    uint32_t group_hdr_size;    /* 0: copies are sent one by one. */
};

/* Loads the object of 'HOOK' ("xdp" or "tc") for each place to cut it off; the
 * last one is used for the rest, too. */
#define LOAD(HOOK, H)                                                         \
    for (uint32_t cut_ = 0; cut_ < STAGES_N_CUTS; cut_++) {                   \
        struct stages_##HOOK##_bpf *skel = stages_##HOOK##_bpf__open();       \
                                                                              \
        if (!skel) {                                                          \
            ovs_fatal(errno, "cannot open the cut programs");                \
        }                                                                     \
        (H)->skels[cut_] = skel;                                              \
        skel->rodata->cut = cut_;                                             \
        if (bpf_util_reuse_maps(skel->obj, xdp_dp_pin_dir(dp))                \
            || stages_##HOOK##_bpf__load(skel)) {                             \
            ovs_fatal(errno, "cannot load the cut programs");                \
        }                                                                     \
        (H)->programs[cut_] = bpf_program__fd(skel->progs.cut_ingress);       \
        (H)->programs[EMPTY] = bpf_program__fd(skel->progs.empty);            \
        (H)->run_fd = bpf_program__fd(skel->progs.run);                       \
        (H)->target_fd = bpf_map__fd(skel->maps.target);                      \
        (H)->state = &skel->bss->state;                                       \
        (H)->group_hdr_size = skel->rodata->group_hdr_size;                   \
    }

static void
load_hooks(struct hook hooks[2])
{
    hooks[0] = (struct hook) {
        .name = "XDP", .drop = XDP_DROP, .redirect = XDP_REDIRECT,
    };
    LOAD(xdp, &hooks[0]);
    hooks[0].programs[WHOLE] = xdp_dp_port_program_fd(dp, false);
    hooks[1] = (struct hook) {
        .name = "TC", .drop = TC_ACT_SHOT, .redirect = TC_ACT_REDIRECT,
    };
    LOAD(tc, &hooks[1]);
    hooks[1].programs[WHOLE] = xdp_dp_port_program_fd(dp, true);
}

/* ---- Running ------------------------------------------------------------ */

#define HINT_SETS 16384         /* As bpf/maps.h. */
#define HINT_WAYS 16

/* What a stage does to the counters with each packet, ... */
struct counts {
    uint64_t n[XDP_N_COUNTERS];
    uint64_t drops[XDP_N_DROP_REASONS];
};

/* ... one run. */
struct run {
    const struct hook *hook;
    const struct stage *stage;
    const struct kind *kind;
    uint32_t in_port;
    struct dp_packet *packet;
    uint32_t hint_set;
};

static void
expect(const struct run *run, struct counts *c)
{
    const struct stage *s = run->stage;
    bool whole = s->program == WHOLE;

    memset(c, 0, sizeof *c);
    if (s->program == EMPTY) {
        return;
    }
    c->n[XDP_COUNTER_RX] = 1;
    if (s->program < LOOKUP) {
        return;
    }
    if (s->match == NOTHING) {
        c->n[XDP_COUNTER_MISS] = 1;
        c->n[XDP_COUNTER_UPCALL] = whole;
        c->n[XDP_COUNTER_MASK_HIT] = s->masks;
        return;
    }
    c->n[XDP_COUNTER_RECIRC] = !strncmp(s->actions, "recirc", 6);
    c->n[XDP_COUNTER_HIT] = 1 + c->n[XDP_COUNTER_RECIRC];
    c->n[XDP_COUNTER_CACHE_HIT] = s->masks ? 0 : c->n[XDP_COUNTER_HIT];
    c->n[XDP_COUNTER_MASK_HIT] = s->masks ? s->masks : c->n[XDP_COUNTER_HIT];
    /* A frame for a group is counted on each of its devices. */
    if (whole && !(s->outputs > 1 && run->hook->group_hdr_size)) {
        c->n[XDP_COUNTER_FORWARDED] = s->outputs;
    }
    c->drops[XDP_DROP_ACTION] = whole && !s->outputs;
}

static void
read_counts(struct counts *c)
{
    xdp_dp_get_counters(dp, c->n);
    xdp_dp_get_drops(dp, c->drops);
}

/* Ends the program with what is wrong about the run. */
static void OVS_NO_RETURN OVS_PRINTF_FORMAT(2, 3)
refuse(const struct run *run, const char *format, ...)
{
    va_list args;
    char *s;

    va_start(args, format);
    s = xvasprintf(format, args);
    va_end(args);
    ovs_fatal(0, "%s, %s, stage \"%s\": %s", run->hook->name, run->kind->name,
              run->stage->name, s);
}

static void
compare(const struct run *run, uint64_t n, const struct counts *before)
{
    static const char *const names[] = {
#define NAME(NAME, TEXT) #NAME,
        XDP_COUNTERS(NAME)
        XDP_DROP_REASONS(NAME)
#undef NAME
    };
    const struct stages_state *state = run->hook->state;
    struct counts after, want;
    const uint64_t *a = after.n, *b = before->n, *w = want.n;

    if (state->wrong) {
        refuse(run, "%"PRIu64" of %"PRIu64" packets took another path; the "
               "last one had verdict %"PRIu32" and length %"PRIu32", expected "
               "%"PRIu32" and %"PRIu32, (uint64_t) state->wrong, n,
               state->got_verdict, state->got_len, state->verdict,
               state->out_len);
    }
    BUILD_ASSERT_DECL(sizeof after == ARRAY_SIZE(names) * sizeof *a);
    read_counts(&after);
    expect(run, &want);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (a[i] - b[i] != w[i] * n) {
            refuse(run, "%"PRIu64" packets counted as %s %"PRIu64" times, "
                   "expected %"PRIu64, n, names[i], a[i] - b[i], w[i] * n);
        }
    }
}

static void
fill_map(int fd, uint32_t key, uint32_t value)
{
    if (bpf_map_update_elem(fd, &key, &value, BPF_ANY)) {
        ovs_fatal(errno, "cannot set a map's element");
    }
}

/* What stages-*.bpf.c have to know. */
static void
prepare(const struct run *run)
{
    const uint8_t *frame = dp_packet_data(run->packet);
    const struct hook *hook = run->hook;
    const struct stage *s = run->stage;
    struct stages_state *state = hook->state;
    bool sent = s->program == WHOLE && (s->outputs || s->match == NOTHING);

    memset(state, 0, sizeof *state);
    memcpy(state->header, frame, sizeof state->header);
    state->hint_set = run->hint_set;
    state->len = state->out_len = dp_packet_size(run->packet);
    if (frame[12] == 0x81) {
        state->tpid = frame[12] << 8 | frame[13];
        state->tci = frame[14] << 8 | frame[15];
    }
    state->verdict = sent ? hook->redirect : hook->drop;
    if (hook->group_hdr_size && s->program == WHOLE) {
        state->out_len += (s->match == NOTHING ? sizeof(struct xdp_upcall_hdr)
                           : s->outputs > 1 ? hook->group_hdr_size : 0);
    }
    fill_map(hook->target_fd, 0, hook->programs[s->program]);
    fill_map(xdp_dp_map_fd(dp, "xdp_ifindexes"), in_ifindex, run->in_port + 1);
}

static uint64_t
cpu_time_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

/* Runs the stage on 'n' packets; nanoseconds for each.  With 'check', all of
 * them must have gone the stage's way. */
static double
run_stage(const struct run *run, uint64_t n, bool check)
{
    struct xdp_md md = {
        .data_end = dp_packet_size(run->packet), .ingress_ifindex = in_ifindex,
    };
    struct __sk_buff skb = { .ifindex = in_ifindex };
    bool xdp = run->hook->group_hdr_size != 0;
    LIBBPF_OPTS(bpf_test_run_opts, opts,
                .data_in = dp_packet_data(run->packet),
                .data_size_in = dp_packet_size(run->packet),
                .ctx_in = xdp ? (void *) &md : &skb,
                .ctx_size_in = xdp ? sizeof md : sizeof skb, .repeat = n);
    struct counts before;
    uint64_t start;

    prepare(run);
    read_counts(&before);
    start = cpu_time_ns();
    if (bpf_prog_test_run_opts(run->hook->run_fd, &opts)) {
        refuse(run, "BPF_PROG_RUN: %s", ovs_strerror(errno));
    }
    start = cpu_time_ns() - start;
    if (check) {
        compare(run, n, &before);
    }
    return start / (double) n;
}

/* The first set of hints, from 'set' on, that is in use, or that is not. */
static uint32_t
find_hint_set(uint32_t set, bool in_use)
{
    static const uint32_t none[HINT_WAYS];
    int fd = xdp_dp_map_fd(dp, "xdp_hints");

    for (; set < HINT_SETS; set++) {
        uint32_t hints[HINT_WAYS];

        if (bpf_map_lookup_elem(fd, &set, hints)) {
            ovs_fatal(errno, "cannot read the hints");
        }
        if (in_use == (memcmp(hints, none, sizeof none) != 0)) {
            break;
        }
    }
    return set;
}

/* Where packets of the runs leave their hints.  Those that are to do without a
 * hint empty that set before each packet, the others one that is always
 * empty. */
static void
find_hint_sets(struct run *runs, size_t n_runs)
{
    static const uint32_t none[HINT_WAYS];

    for (size_t i = 0; i < n_runs; i++) {
        struct run *run = &runs[i];

        run->hint_set = HINT_SETS;
        if (run->stage->masks && run->stage->match != NOTHING) {
            run_stage(run, 1, false);
            run->hint_set = find_hint_set(0, true);
            bpf_map_update_elem(xdp_dp_map_fd(dp, "xdp_hints"), &run->hint_set,
                                none, BPF_ANY);
        }
    }
    for (size_t i = 0; i < n_runs; i++) {
        run_stage(&runs[i], 1, false);
    }

    uint32_t unused = find_hint_set(0, false);

    for (size_t i = 0; i < n_runs; i++) {
        if (runs[i].hint_set == HINT_SETS) {
            runs[i].hint_set = unused;
        }
    }
}

/* Stages of a hook and a kind of packet are next to each other. */
static size_t
make_runs(const struct hook *hooks, size_t n_hooks, struct run *runs)
{
    size_t n = 0;

    for (size_t i = 0; i < n_hooks; i++) {
        for (size_t j = 0; j < N_KINDS; j++) {
            struct dp_packet *packet;

            row_name = kinds[j].name;
            packet = make_packet(kinds[j].packet);

            for (size_t k = 0; k < N_STAGES; k++) {
                runs[n++] = (struct run) {
                    .hook = &hooks[i], .stage = &stages[k], .kind = &kinds[j],
                    .in_port = in_port(k, j), .packet = packet,
                };
            }
        }
    }
    find_hint_sets(runs, n);
    return n;
}

/* Stays on one CPU, the last that it may use: the first has most
 * interrupts. */
static void
pin_to_cpu(void)
{
    int cpu = CPU_SETSIZE - 1;
    cpu_set_t set;

    sched_getaffinity(0, sizeof set, &set);
    while (cpu && !CPU_ISSET(cpu, &set)) {
        cpu--;
    }
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set)) {
        ovs_fatal(errno, "cannot stay on a CPU");
    }
}

static void
measure(const struct hook *hooks, size_t n_hooks, int rounds, int repeat)
{
    struct run *runs = xcalloc(n_hooks * N_KINDS * N_STAGES, sizeof *runs);
    size_t n_runs = make_runs(hooks, n_hooks, runs);

    for (int round = 1; round <= rounds; round++) {
        for (size_t i = 0; i < n_runs; i++) {
            const struct run *r = &runs[i];

            run_stage(r, 1 + repeat / 10, false);   /* Into the caches. */
            printf("%s\t%s\t%s\t%s\t%s\t%d\t%.2f\n", r->hook->name,
                   r->kind->name, r->stage->name, r->stage->than,
                   r->stage->title, round, run_stage(r, repeat, true));
        }
        fflush(stdout);
    }
    for (size_t i = 0; i < n_runs; i += N_STAGES) {
        dp_packet_delete(runs[i].packet);
    }
    free(runs);
}

int
main(int argc, char *argv[])
{
    static const struct option options[] = {
        { "rounds", required_argument, NULL, 'r' },
        { "repeat", required_argument, NULL, 'n' },
        { "no-flows", no_argument, NULL, 'f' },
        { NULL, 0, NULL, 0 },
    };
    int rounds = 31, repeat = 60000, c;
    bool with_flows = true;
    static struct hook hooks[2];

    set_program_name("run-stages");
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'r') {
            rounds = atoi(optarg);
        } else if (c == 'n') {
            repeat = atoi(optarg);
        } else if (c == 'f') {
            with_flows = false;
        } else {
            fputs("usage: run-stages [--rounds N] [--repeat PACKETS] "
                  "[--no-flows]\n"
                  "--no-flows is for its test: there must be no figures.\n",
                  stderr);
            return 2;
        }
    }
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_WARN);
    pin_to_cpu();
    make_datapath(with_flows);
    load_hooks(hooks);
    measure(hooks, ARRAY_SIZE(hooks), rounds, repeat);
    return xdp_dp_destroy(dp);
}
