/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * A datapath: the pinned maps, programs and links under
 * /sys/fs/bpf/ovs-xdp/<name>/, the trap veth, and the counters.  The flow
 * table (flow-table.h) and the ports (ports.h) hang off it.
 *
 * All functions return 0 or a positive errno and log the reason once. */
#ifndef XDP_DP_H
#define XDP_DP_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ovs-xdp-abi.h"

struct xdp_dp;

/* Opens the datapath 'name': adopts its pins if they are there, are of this
 * ABI version and have the fingerprint of our BPF objects' map definitions;
 * else removes them (if 'create') and makes new ones.  Without pins and
 * without 'create': ENODEV.  One struct for one name in a process; the caller
 * serializes.  bpffs that is not mounted is mounted in a private place or
 * refused with a message that says what to do (ENOENT).  A lock file/flock or
 * abstract socket refuses a second process (EBUSY).  Adoption replaces the
 * pipeline's programs through the PROG_ARRAY, without a gap. */
int xdp_dp_open(const char *name, bool create, struct xdp_dp **dpp);
/* Closes descriptors; pins, links and forwarding stay. */
void xdp_dp_close(struct xdp_dp *);
/* Detaches every port and removes every pin and the trap, then closes. */
int xdp_dp_destroy(struct xdp_dp *);
/* Lets misses come up. */
void xdp_dp_set_upcalls(struct xdp_dp *, bool enable);
/* Number of VLAN tags (1 or 2) that are part of a key: Open vSwitch's
 * flow_vlan_limit. */
void xdp_dp_set_vlan_limit(struct xdp_dp *, unsigned int limit);
/* True if xdp_dp_open() found pins and adopted them. */
bool xdp_dp_adopted(const struct xdp_dp *);

/* The far side of the trap veth: its ifindex and number of rx queues; and the
 * XSKMAP that takes queue -> socket. */
int xdp_dp_trap_far_ifindex(const struct xdp_dp *);
unsigned int xdp_dp_trap_n_queues(const struct xdp_dp *);
int xdp_dp_xsks_map_fd(const struct xdp_dp *);

/* Sums over all CPUs. 'drops' has XDP_N_DROP_REASONS elements, 'counters'
 * XDP_N_COUNTERS. */
void xdp_dp_get_drops(const struct xdp_dp *, uint64_t *drops);
void xdp_dp_get_counters(const struct xdp_dp *, uint64_t *counters);

/* Names of datapaths pinned on this bpffs, for enumeration: calls 'cb' with
 * each. */
int xdp_dp_for_each(void (*cb)(const char *name, void *aux), void *aux);

struct flow_table;
struct xdp_groups;
struct xdp_ports;
struct flow_table *xdp_dp_flow_table(const struct xdp_dp *);
struct xdp_ports *xdp_dp_ports(const struct xdp_dp *);
struct xdp_groups *xdp_dp_groups(const struct xdp_dp *);

#endif /* xdp-dp.h */
