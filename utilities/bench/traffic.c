/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The load generator of "make bench": chooses the sub-command. */
#include <config.h>

#include "traffic.h"

#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*main)(int argc, char *argv[]);
    const char *usage;
} commands[] = {
    { "udp", udp_main,
      "udp --from NETNS:DEV --to NETNS:DEV[,DEV...] [--option VALUE...]\n"
      "    Frames of 64 bytes from one device, counted at others.  Options:\n"
      "    flows, stride, n-dst, n-dport, src (first address); rate (packets\n"
      "    per second and CPU), cpus (list), batch, first, warm, time\n"
      "    (seconds), count (packets per CPU; 0: no limit), latency (1: yes),\n"
      "    eth-dst (broadcast)" },
    { "rr", rr_main,
      "rr --from NETNS --to NETNS:ADDRESS [--option VALUE...]\n"
      "    One UDP request at a time, answered at once.  Options: warm, time,\n"
      "    cpus (client,server)" },
    { "crr", crr_main,
      "crr --from NETNS --to NETNS:ADDRESS [--option VALUE...]\n"
      "    TCP: connect, request, answer, close.  Options: warm, time,\n"
      "    connections (at once)" },
    { "forward", forward_main,
      "forward xdp|tc NETNS DEV DEV...\n"
      "    A bare forwarder between two devices; with more, from the first to\n"
      "    all others.  Until it is killed." },
};

int
main(int argc, char *argv[])
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (argc > 1 && !strcmp(argv[1], commands[i].name)) {
            return commands[i].main(argc - 1, argv + 1);
        }
    }
    fputs("usage: traffic COMMAND ARG...\nResults are lines \"name value\".\n",
          stderr);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        fprintf(stderr, "%s\n", commands[i].usage);
    }
    return argc > 1 && !strcmp(argv[1], "--help") ? 0 : 2;
}
