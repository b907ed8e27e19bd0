/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * What the datapath does to network devices, by rtnetlink (libnl) and ethtool.
 * All return 0 or a positive errno; only offloads and IPv6 that cannot be
 * turned off, and the like, are logged, as callers go on without. */
#ifndef RTNL_H
#define RTNL_H 1

#include <stdbool.h>

#include "openvswitch/types.h"

/* Makes a veth pair with 'n_queues' queues on each end.  EEXIST if one of the
 * names is taken. */
int rtnl_veth_create(const char *name, const char *peer, unsigned n_queues);
int rtnl_link_delete_by_name(const char *name);
int rtnl_set_up(const char *name);
int rtnl_set_mtu(const char *name, unsigned int mtu);
/* Keeps neighbour discovery of IPv4 off 'name'. */
int rtnl_set_noarp(const char *name);
/* True if 'name' is a veth whose other end is 'peer'. */
bool rtnl_is_veth_pair(const char *name, const char *peer);
/* Turns off what a NIC does to received frames before XDP sees them: taking VLAN
 * tags out (a tagged frame would look untagged) and merging frames. */
int rtnl_set_rx_offloads_for_xdp(const char *name);
/* Turns transmit checksums, segmentation and VLAN offload off, GRO on: frames
 * of 'name' then reach an XDP program on its peer whole. */
int rtnl_set_offloads_for_xdp(const char *name);
/* Attaching an XDP program to a veth turns GRO on. */
int rtnl_set_gro(const char *name, bool on);
/* Keeps the kernel from sending IPv6 frames of its own on 'name'. */
void rtnl_disable_ipv6(const char *name);
/* The kind of virtual device ("veth", "tun", ...) that 'name' is; empty if it is
 * none. */
void rtnl_link_kind(const char *name, char kind[16]);
unsigned int rtnl_n_rx_queues(const char *name);

/* A veth and its other end, the peer, in another network namespace. */
struct rtnl_veth_peer {
    bool up;
    bool qdisc;                 /* Frames that it sends may be queued. */
    bool filter;                /* A TC filter, in clsact, on egress. */
    bool promiscuous;
    bool offloads_off;          /* No transmit checksums, no TSO, or frames to
                                 * segment are not to be of full length. */
    int nsid;                   /* Of the peer's namespace, as seen from ours. */
    int peer_ifindex;           /* In that namespace. */
    bool peer_up;
    bool peer_xdp;              /* It has an XDP program. */
    unsigned int peer_mtu;
    struct eth_addr peer_mac;
};

/* EOPNOTSUPP: it is no veth; EXDEV: the peer is in the same namespace. */
int rtnl_get_veth_peer(int ifindex, struct rtnl_veth_peer *);

#endif /* rtnl.h */
