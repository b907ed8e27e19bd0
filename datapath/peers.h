/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * What is behind ports.  A frame for a port whose device is a veth with its
 * other end (the peer) in another network namespace reaches that end sooner by
 * bpf_redirect_peer() than through the port's device, which would queue it once
 * more.  The device then sees nothing of the frame.  So that nobody misses it,
 * TC programs do so only while
 *
 * - the peer is up, has no XDP program, and the frame is for its MAC address,
 *   not longer than its MTU, and has one VLAN tag at most;
 * - the device has no qdisc and no TC program or filter on egress, transmits
 *   with checksum offload and TSO, and is not promiscuous, as it is while
 *   somebody captures on it.
 *
 * netlink tells of changes, in the peer's namespace as well, but for those of tcx
 * programs, which are looked for each second.  Statistics of such frames are the
 * peer's, and those that BPF counts for the port.
 *
 * Functions are not thread-safe: ports.c calls them under its mutex. */
#ifndef PEERS_H
#define PEERS_H 1

#include <stdbool.h>
#include <stdint.h>

struct xdp_dp;
struct xdp_peers;

/* 0 or a positive errno, logged. */
int xdp_peers_create(struct xdp_dp *, struct xdp_peers **);
/* Leaves the map as it is.  Accepts NULL. */
void xdp_peers_close(struct xdp_peers *);

/* Looks at what is behind the port's device now.  ifindex 0: the port is no
 * more, and its counters start anew. */
void xdp_peers_set(struct xdp_peers *, uint32_t port_no, int ifindex);
/* Looks again behind ports of whose devices netlink had something to tell; at
 * some of them at a time. */
void xdp_peers_run(struct xdp_peers *);
/* Wakes up the poll loop when there is something for xdp_peers_run(). */
void xdp_peers_wait(struct xdp_peers *);

/* Takes out one of the ports whose obstacle is not what it was; false if there is
 * none. */
bool xdp_peers_next_changed(struct xdp_peers *, uint32_t *port_no);
/* NULL if frames go straight to the peer; else why they do not. */
const char *xdp_peers_get_obstacle(const struct xdp_peers *, uint32_t port_no);
/* Frames, and their bytes as the device would count them, that went straight to
 * the peer. */
void xdp_peers_get_tx(const struct xdp_peers *, uint32_t port_no,
                      uint64_t *packets, uint64_t *bytes);

#endif /* peers.h */
