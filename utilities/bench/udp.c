/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The packet generator: BPF_PROG_RUN with live frames, so that frames enter the
 * veth as if they came from a driver, without a socket or an skb, for every
 * datapath alike.  They are counted by an XDP program at the far end. */
#include <config.h>

#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "traffic-abi.h"
#include "traffic.skel.h"

#define MAX_CPUS 256

struct udp_options {
    char *from_netns, *from_dev;
    char *to_netns, *to_devs;
    uint32_t flows, stride, n_dst, n_dport, src;
    uint64_t first, count;
    double rate, warm, seconds;
    uint32_t batch;
    bool latency, broadcast;
    int cpus[MAX_CPUS];
    size_t n_cpus;
};

struct generator {
    pthread_t thread;
    const struct udp_options *options;
    struct traffic_bpf *skel;
    int cpu;
    clockid_t clock;                    /* CPU time of the thread. */
    atomic_bool ready;
    atomic_bool done;
};

static atomic_bool stopping;

static void
on_signal(int number)
{
    (void) number;
}

static uint64_t
percpu_sum(struct bpf_map *map, uint32_t key, size_t size, size_t ofs)
{
    int n_cpus = libbpf_num_possible_cpus();
    char *values = calloc(n_cpus, size);
    uint64_t sum = 0;

    if (bpf_map_lookup_elem(bpf_map__fd(map), &key, values)) {
        fatal(errno, "map %s", bpf_map__name(map));
    }
    for (int i = 0; i < n_cpus; i++) {
        sum += *(uint64_t *) (values + i * size + ofs);
    }
    free(values);
    return sum;
}

static uint64_t
sent_so_far(struct traffic_bpf *skel)
{
    return percpu_sum(skel->maps.gen_state, 0, sizeof(struct traffic_gen),
                      offsetof(struct traffic_gen, sent));
}

static uint64_t
received_so_far(struct traffic_bpf *skel)
{
    return percpu_sum(skel->maps.received, 0, sizeof(uint64_t), 0);
}

/* ---- Generator ------------------------------------------------------------ */

static void *
generator_run(void *aux)
{
    struct generator *g = aux;
    char frame[TRAFFIC_FRAME] = "";
    struct xdp_md ctx = { .data_end = sizeof frame };
    LIBBPF_OPTS(bpf_test_run_opts, opts,
                .data_in = frame, .data_size_in = sizeof frame,
                .ctx_in = &ctx, .ctx_size_in = sizeof ctx,
                .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
                .batch_size = g->options->batch,
                .repeat = 1 << 30);

    enter_netns(g->options->from_netns);
    pin_to_cpu(g->cpu);
    ctx.ingress_ifindex = ifindex_of(g->options->from_dev);
    pthread_getcpuclockid(pthread_self(), &g->clock);
    g->ready = true;
    while (!stopping) {
        int error = -bpf_prog_test_run_opts(
            bpf_program__fd(g->skel->progs.generate), &opts);

        if (error && error != EINTR) {
            fatal(error, "cannot send live frames from %s (is GRO on?)",
                  g->options->from_dev);
        }
    }
    g->done = true;
    return NULL;
}

static void
generators_start(struct generator g[], struct traffic_bpf *skel,
                 const struct udp_options *o)
{
    size_t n_cpus = libbpf_num_possible_cpus();
    struct traffic_gen *states = calloc(n_cpus, sizeof *states);
    uint32_t zero = 0;

    for (size_t i = 0; i < n_cpus; i++) {
        states[i].limit = o->count;
    }
    for (size_t i = 0; i < o->n_cpus; i++) {
        states[o->cpus[i]].next = (o->first + (uint64_t) o->flows * i
                                              / o->n_cpus) % o->flows;
    }
    if (bpf_map_update_elem(bpf_map__fd(skel->maps.gen_state), &zero, states,
                            0)) {
        fatal(errno, "generator's state");
    }
    free(states);
    for (size_t i = 0; i < o->n_cpus; i++) {
        g[i] = (struct generator) { .options = o, .skel = skel,
                                    .cpu = o->cpus[i] };
        pthread_create(&g[i].thread, NULL, generator_run, &g[i]);
    }
}

/* Seconds of CPU time that the generators used. */
static double
generators_cpu(struct generator g[], size_t n)
{
    double seconds = 0;

    for (size_t i = 0; i < n; i++) {
        struct timespec ts;

        while (!g[i].ready) {
            usleep(1000);
        }
        clock_gettime(g[i].clock, &ts);
        seconds += ts.tv_sec + ts.tv_nsec / 1e9;
    }
    return seconds;
}

/* A signal ends BPF_PROG_RUN, if it comes while that runs: goes on until the
 * thread has seen it. */
static void
generators_stop(struct generator g[], size_t n)
{
    stopping = true;
    for (size_t i = 0; i < n; i++) {
        while (!g[i].done) {
            pthread_kill(g[i].thread, SIGUSR1);
            usleep(1000);
        }
        pthread_join(g[i].thread, NULL);
    }
}

/* ---- Receiving side ------------------------------------------------------- */

/* Sends some frames from device 'dev' to 'eth_dst', so that learning switches
 * know where 'dev' is. */
static void
be_learned(const char *dev, const uint8_t eth_dst[6])
{
    struct sockaddr_ll to = { .sll_family = AF_PACKET,
                              .sll_ifindex = ifindex_of(dev) };
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    uint8_t frame[TRAFFIC_FRAME] = "";

    memcpy(frame, eth_dst, 6);
    mac_of(dev, frame + 6);
    frame[12] = 0x88;       /* Local experimental EtherType. */
    frame[13] = 0xb5;
    for (int i = 0; i < 8; i++) {
        if (sendto(fd, frame, sizeof frame, 0, (struct sockaddr *) &to,
                   sizeof to) < 0) {
            fatal(errno, "sending from %s", dev);
        }
        usleep(2000);
    }
    close(fd);
}

static void
sinks_attach(struct traffic_bpf *skel, const struct udp_options *o,
             const uint8_t eth_src[6])
{
    char *devs = strdup(o->to_devs);
    char *save = NULL;

    for (char *dev = strtok_r(devs, ",", &save); dev;
         dev = strtok_r(NULL, ",", &save)) {
        if (!bpf_program__attach_xdp(skel->progs.sink, ifindex_of(dev))) {
            fatal(errno, "sink on %s", dev);
        }
    }
    strcpy(devs, o->to_devs);
    usleep(20000);
    be_learned(strtok_r(devs, ",", &save), eth_src);
    free(devs);
}

static void
print_latencies(struct traffic_bpf *skel)
{
    uint64_t hist[TRAFFIC_HIST];

    for (uint32_t i = 0; i < TRAFFIC_HIST; i++) {
        hist[i] = percpu_sum(skel->maps.latency, i, sizeof(uint64_t), 0);
    }
    printf("p50_us %.2f\np99_us %.2f\n",
           traffic_hist_ns(percentile(hist, TRAFFIC_HIST, 0.5)) / 1000,
           traffic_hist_ns(percentile(hist, TRAFFIC_HIST, 0.99)) / 1000);
}

/* ---- Measurement ---------------------------------------------------------- */

/* Waits until everything was sent and what is received does not grow. */
static void
wait_until_through(struct traffic_bpf *skel, uint64_t wanted, double seconds)
{
    uint64_t end = now_ns() + seconds * 1e9;
    uint64_t before = 0;
    int same = 0;

    while (now_ns() < end && same < 5) {
        uint64_t n = received_so_far(skel);

        same = sent_so_far(skel) >= wanted && n == before ? same + 1 : 0;
        before = n;
        usleep(20000);
    }
}

static void
measure(struct traffic_bpf *skel, const struct udp_options *o)
{
    struct generator *g = calloc(o->n_cpus, sizeof *g);
    uint64_t t0, t1, sent, received;
    double busy, used;

    generators_start(g, skel, o);
    t0 = now_ns() + o->warm * 1e9;
    sleep_until(t0);
    t0 = now_ns();
    sent = sent_so_far(skel);
    received = received_so_far(skel);
    busy = busy_seconds();
    used = generators_cpu(g, o->n_cpus);
    if (o->count) {
        wait_until_through(skel, o->count * o->n_cpus, o->seconds);
    } else {
        sleep_until(t0 + o->seconds * 1e9);
    }
    received = received_so_far(skel) - received;
    sent = sent_so_far(skel) - sent;
    t1 = now_ns();
    busy = busy_seconds() - busy;
    used = generators_cpu(g, o->n_cpus) - used;
    generators_stop(g, o->n_cpus);
    free(g);

    /* "share": of its CPUs' time, what the generator had; less than 1 means that
     * something else ran there. */
    printf("seconds %.3f\nsent %llu\nreceived %llu\npps %.0f\nbusy_cpus %.2f\n"
           "share %.3f\n",
           (t1 - t0) / 1e9, (unsigned long long) sent,
           (unsigned long long) received, received * 1e9 / (t1 - t0),
           busy * 1e9 / (t1 - t0), used * 1e9 / (t1 - t0) / o->n_cpus);
    if (o->latency) {
        print_latencies(skel);
    }
}

/* ---- Arguments ------------------------------------------------------------ */

enum { OPT_FROM, OPT_TO, OPT_FLOWS, OPT_STRIDE, OPT_N_DST, OPT_N_DPORT,
       OPT_SRC, OPT_RATE, OPT_CPUS, OPT_BATCH, OPT_FIRST, OPT_WARM, OPT_TIME,
       OPT_COUNT, OPT_LATENCY, OPT_BROADCAST };

static const struct option longopts[] = {
    { "from", required_argument, NULL, OPT_FROM },
    { "to", required_argument, NULL, OPT_TO },
    { "flows", required_argument, NULL, OPT_FLOWS },
    { "stride", required_argument, NULL, OPT_STRIDE },
    { "n-dst", required_argument, NULL, OPT_N_DST },
    { "n-dport", required_argument, NULL, OPT_N_DPORT },
    { "src", required_argument, NULL, OPT_SRC },
    { "rate", required_argument, NULL, OPT_RATE },
    { "cpus", required_argument, NULL, OPT_CPUS },
    { "batch", required_argument, NULL, OPT_BATCH },
    { "first", required_argument, NULL, OPT_FIRST },
    { "warm", required_argument, NULL, OPT_WARM },
    { "time", required_argument, NULL, OPT_TIME },
    { "count", required_argument, NULL, OPT_COUNT },
    { "latency", required_argument, NULL, OPT_LATENCY },
    { "broadcast", required_argument, NULL, OPT_BROADCAST },
    { NULL, 0, NULL, 0 },
};

/* Splits NETNS:REST, which it takes a copy of. */
static void
split_place(const char *text, char **netns, char **rest)
{
    char *colon;

    *netns = strdup(text);
    colon = strchr(*netns, ':');
    if (!colon) {
        fatal(0, "%s: not NETNS:DEVICE", text);
    }
    *colon = '\0';
    *rest = colon + 1;
}

static void
parse_options(int argc, char *argv[], struct udp_options *o)
{
    int option;

    while ((option = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
        switch (option) {
        case OPT_FROM: split_place(optarg, &o->from_netns, &o->from_dev); break;
        case OPT_TO: split_place(optarg, &o->to_netns, &o->to_devs); break;
        case OPT_FLOWS: o->flows = strtoul(optarg, NULL, 0); break;
        case OPT_STRIDE: o->stride = strtoul(optarg, NULL, 0); break;
        case OPT_N_DST: o->n_dst = strtoul(optarg, NULL, 0); break;
        case OPT_N_DPORT: o->n_dport = strtoul(optarg, NULL, 0); break;
        case OPT_SRC: o->src = ntohl(inet_addr(optarg)); break;
        case OPT_RATE: o->rate = strtod(optarg, NULL); break;
        case OPT_CPUS: o->n_cpus = parse_cpus(optarg, o->cpus, MAX_CPUS); break;
        case OPT_BATCH: o->batch = strtoul(optarg, NULL, 0); break;
        case OPT_FIRST: o->first = strtoull(optarg, NULL, 0); break;
        case OPT_WARM: o->warm = strtod(optarg, NULL); break;
        case OPT_TIME: o->seconds = strtod(optarg, NULL); break;
        case OPT_COUNT: o->count = strtoull(optarg, NULL, 0); break;
        case OPT_LATENCY: o->latency = atoi(optarg); break;
        case OPT_BROADCAST: o->broadcast = atoi(optarg); break;
        default: exit(2);
        }
    }
    if (!o->from_netns || !o->to_netns || !o->flows || !o->n_dst
        || !o->n_dport) {
        fatal(0, "udp: an option is missing or 0 (see --help)");
    }
}

static uint32_t
common_factor(uint32_t a, uint32_t b)
{
    return b ? common_factor(b, a % b) : a;
}

/* The next stride that visits every flow. */
static uint32_t
good_stride(uint32_t stride, uint32_t flows)
{
    for (stride %= flows; stride && common_factor(flows, stride) != 1; ) {
        stride++;
    }
    return stride ? stride : 1 % flows;
}

int
udp_main(int argc, char *argv[])
{
    struct udp_options o = {
        .flows = 1, .stride = 1, .n_dst = 1, .n_dport = 1, .src = 0x0a010000,
        .warm = 0.3, .seconds = 1, .batch = 64, .n_cpus = 1,
    };
    struct traffic_config *config;
    struct traffic_bpf *skel;

    parse_options(argc, argv, &o);
    sigaction(SIGUSR1, &(struct sigaction) { .sa_handler = on_signal }, NULL);
    skel = traffic_bpf__open();
    if (!skel) {
        fatal(errno, "cannot open the BPF programs");
    }
    config = (struct traffic_config *) &skel->rodata->config;
    config->flows = o.flows;
    config->stride = good_stride(o.stride, o.flows);
    config->src = o.src;
    config->dst = 0x0a400000;               /* 10.64.0.0. */
    config->n_dst = o.n_dst;
    config->dst_step = 512;
    config->n_dport = o.n_dport;
    config->stamp = o.latency;
    config->gap = o.rate ? 1e9 / o.rate : 0;
    enter_netns(o.from_netns);
    mac_of(o.from_dev, config->eth_src);
    enter_netns(o.to_netns);
    if (o.broadcast) {
        memset(config->eth_dst, 0xff, 6);
    } else {
        char *first = strndup(o.to_devs, strcspn(o.to_devs, ","));

        mac_of(first, config->eth_dst);
        free(first);
    }
    if (traffic_bpf__load(skel)) {
        fatal(errno, "cannot load the BPF programs");
    }
    sinks_attach(skel, &o, config->eth_src);
    measure(skel, &o);
    traffic_bpf__destroy(skel);
    return 0;
}
