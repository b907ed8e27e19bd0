/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Entry points of ports, of the pipeline's stages and of both sides of the trap.  The
 * loader puts "stage_<name>" into xdp_stages[XDP_STAGE_<NAME>]. */
#include "stages.h"

char _license[] SEC("license") = "Dual BSD/GPL";

#define MAX_LINEAR 3500		/* Longer frames go to the AF_PACKET socket. */

/* Never called: describes in BTF, for datapath/fingerprint.c, what programs leave
 * for each other in front of frames. */
int layouts(struct handover *handover, struct group_hdr *group)
{
	return !handover || !group;
}

/* What is attached to a port. */
SEC("xdp.frags")
int port_ingress(struct xdp_md *ctx)
{
	return ingress(ctx, ctx->ingress_ifindex);
}

SEC("xdp.frags")
int stage_recirc(struct xdp_md *ctx)
{
	return recirc(ctx);
}

SEC("xdp.frags")
int stage_actions(struct xdp_md *ctx)
{
	return actions(ctx);
}

/* On each device of a group; see group.h. */
SEC("xdp.frags/devmap")
int group_egress(struct xdp_md *ctx)
{
	struct xdp_config *config = config_get();
	struct xdp_cpu *c = cpu_get();

	if (!c || !config)
		return drop(XDP_DROP_INTERNAL);
	return group_run(ctx, c, config);
}

/* Far side of the trap: upcalls to their AF_XDP socket.  What does not fit into
 * one of its frames is left to the AF_PACKET socket.  Both go with a daemon that
 * is killed, which leaves "upcalls_enabled" set. */
SEC("xdp.frags")
int trap_rx(struct xdp_md *ctx)
{
	__u32 linear = ctx->data_end - ctx->data;
	__u32 queue = ctx->rx_queue_index;

	if (!bpf_map_lookup_elem(&xdp_xsks, &queue))
		return drop(XDP_DROP_NO_USERSPACE);
	if (linear > MAX_LINEAR || bpf_xdp_get_buff_len(ctx) != linear)
		return XDP_PASS;
	return bpf_redirect_map(&xdp_xsks, queue, XDP_PASS);
}

/* Near side of the trap: what userspace sends. */
SEC("xdp.frags")
int inject(struct xdp_md *ctx)
{
	struct xdp_inject_hdr *p = FRAME_AT(ctx, 0, 0, sizeof *p);
	struct xdp_cpu *c = cpu_get();
	struct xdp_inject_hdr hdr;

	if (!c || !p || p->magic != XDP_INJECT_MAGIC)
		return drop(XDP_DROP_BAD_INJECT);
	hdr = *p;
	if ((hdr.mode != XDP_INJECT_OUTPUT && hdr.mode != XDP_INJECT_PIPELINE) ||
	    bpf_xdp_adjust_head(ctx, sizeof hdr))
		return drop(XDP_DROP_BAD_INJECT);
	if (hdr.depth > XDP_MAX_RECIRC)
		return drop(XDP_DROP_RECIRC_LIMIT);
	count(c, XDP_COUNTER_INJECT);
	c->key.in_port = hdr.port;
	c->key.recirc_id = hdr.recirc_id;
	c->key.skb_mark = hdr.skb_mark;
	c->key.priority = hdr.priority;
	c->key.dp_hash = hdr.dp_hash;
	c->depth = hdr.depth;
	c->flow = 0;
	if (hdr.mode == XDP_INJECT_OUTPUT)
		return ctx_output(ctx, c, hdr.port);
	bpf_tail_call(ctx, &xdp_stages, XDP_STAGE_RECIRC);
	return drop(XDP_DROP_TAIL_CALL);
}
