/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The parts of "traffic", the load generator: a sub-command in a file. */
#ifndef TRAFFIC_H
#define TRAFFIC_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sub-commands: take their own arguments, return an exit status. */
int udp_main(int argc, char *argv[]);       /* udp.c */
int rr_main(int argc, char *argv[]);        /* sockets.c */
int crr_main(int argc, char *argv[]);
int forward_main(int argc, char *argv[]);   /* forward.c */

/* util.c */
void fatal(int error, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));
void enter_netns(const char *name);
void pin_to_cpu(int cpu);
uint64_t now_ns(void);
void sleep_until(uint64_t ns);
double busy_seconds(void);
unsigned int ifindex_of(const char *device);
void mac_of(const char *device, uint8_t mac[6]);
size_t parse_cpus(const char *list, int cpus[], size_t max);
uint64_t percentile(const uint64_t hist[], size_t n, double share);

#endif /* traffic.h */
