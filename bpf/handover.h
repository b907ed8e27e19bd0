/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Frames on their way from XDP to ports that only the network stack reaches: the
 * XDP program leaves a struct handover in front of the frame (at most 32 bytes
 * fit there) and passes it; the TC program of the same device takes it up.
 *
 * Not so in generic XDP.  Since Linux 6.9 it copies frames with little headroom,
 * and forgets how long the link-layer header of the copy is (skb_pp_cow_data()
 * does not set mac_len): TC sees the frame from its network header on, and what
 * is in front of the Ethernet header is out of reach.  But there TC runs right
 * behind XDP, frame by frame, so all that XDP knew is still in this CPU's struct
 * xdp_cpu. */
#ifndef HANDOVER_H
#define HANDOVER_H 1

#include <linux/types.h>

struct handover {
	__u32 magic;		/* HANDOVER_MAGIC. */
	__u32 port;		/* Output port, or HANDOVER_ACTIONS. */
	__u32 flow;		/* Whose actions TC runs. */
	__u32 in_port_depth;	/* in_port << 16 | depth. */
	__u32 recirc_id;
	__u32 skb_mark;
	__u32 priority;
	__u32 dp_hash;
};
#define HANDOVER_MAGIC 0x6f78484fu
#define HANDOVER_ACTIONS 0xffffffffu

#endif /* handover.h */
