/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Bare forwarders: what a switch cannot be faster than. */
#include <config.h>

#include "traffic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "traffic-abi.h"
#include "traffic.skel.h"

static void
map_set(struct bpf_map *map, uint32_t key, uint32_t value)
{
    int error = -bpf_map_update_elem(bpf_map__fd(map), &key, &value, 0);

    if (error) {
        fatal(error, "map %s", bpf_map__name(map));
    }
}

static void
attach_tc(struct bpf_program *prog, unsigned int ifindex)
{
    DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
                        .attach_point = BPF_TC_INGRESS);
    DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = bpf_program__fd(prog));
    int error = -bpf_tc_hook_create(&hook);

    if (error && error != EEXIST) {
        fatal(error, "clsact");
    }
    error = -bpf_tc_attach(&hook, &opts);
    if (error) {
        fatal(error, "TC program");
    }
}

static void
attach_xdp(struct bpf_program *prog, unsigned int ifindex)
{
    if (!bpf_program__attach_xdp(prog, ifindex)) {
        fatal(errno, "XDP program %s", bpf_program__name(prog));
    }
}

static void
forward_by_xdp(struct traffic_bpf *skel, const unsigned int ifindex[], int n)
{
    if (n == 2) {
        map_set(skel->maps.forward_to, ifindex[0], ifindex[1]);
        map_set(skel->maps.forward_to, ifindex[1], ifindex[0]);
        attach_xdp(skel->progs.forward_xdp, ifindex[0]);
        attach_xdp(skel->progs.forward_xdp, ifindex[1]);
        return;
    }
    for (int i = 1; i < n; i++) {
        map_set(skel->maps.flood_to, i, ifindex[i]);
    }
    attach_xdp(skel->progs.flood_xdp, ifindex[0]);
}

static void
forward_by_tc(struct traffic_bpf *skel, const unsigned int ifindex[], int n)
{
    if (n == 2) {
        map_set(skel->maps.forward_to_tc, ifindex[0], ifindex[1]);
        map_set(skel->maps.forward_to_tc, ifindex[1], ifindex[0]);
        attach_tc(skel->progs.forward_tc, ifindex[0]);
        attach_tc(skel->progs.forward_tc, ifindex[1]);
        return;
    }
    for (int i = 1; i < n; i++) {
        map_set(skel->maps.forward_to_tc, i - 1, ifindex[i]);
    }
    attach_tc(skel->progs.flood_tc, ifindex[0]);
}

int
forward_main(int argc, char *argv[])
{
    unsigned int ifindex[18];
    struct traffic_bpf *skel;
    int n = argc - 3;

    if (n < 2 || n > 17
        || (strcmp(argv[1], "xdp") && strcmp(argv[1], "tc"))) {
        fatal(0, "forward: bad arguments (see --help)");
    }
    enter_netns(argv[2]);
    for (int i = 0; i < n; i++) {
        ifindex[i] = ifindex_of(argv[3 + i]);
        if (ifindex[i] >= TRAFFIC_PORTS) {
            fatal(0, "%s: interface index too large", argv[3 + i]);
        }
    }
    skel = traffic_bpf__open_and_load();
    if (!skel) {
        fatal(errno, "cannot load the BPF programs");
    }
    (!strcmp(argv[1], "xdp") ? forward_by_xdp : forward_by_tc)(skel, ifindex,
                                                               n);
    puts("ready 1");
    fflush(stdout);
    for (;;) {
        pause();
    }
}
