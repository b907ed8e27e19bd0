/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * One frame to several devices.  XDP has no clone of a frame; but a redirection
 * to all devices of a map gives each of them a copy, and runs a program on each
 * copy as it leaves.  So the frame goes out as it came, behind a header that
 * says which flow it is, and on each device "group_egress" runs the flow's ops
 * up to the output to that device.  A frame that cannot be copied this way, and
 * one for ports that only the network stack reaches, goes to TC or to userspace
 * as a whole. */
#ifndef GROUP_H
#define GROUP_H 1

#include "edit.h"
#include "upcall.h"

/* In front of the frame, from the redirection to group_egress. */
struct group_hdr {
	__u64 ops;
	__u32 flow;
	__u32 in_port;
	__u32 recirc_id;
	__u32 skb_mark;
	__u32 priority;
	__u32 dp_hash;
	__u32 depth;
	struct xdp_offsets offsets;
	__be16 eth_type;
	__u8 nw_proto;
	__u8 reserved[3];
};

/* Sends the frame to the group of 'op', the first op of its flow. */
static __always_inline int
group_send(ctx_t *ctx, struct xdp_cpu *c, const struct xdp_config *config,
	   const struct xdp_op *op)
{
	__u32 len = ctx->data_end - ctx->data;
	__u32 id = op->arg;
	struct group_hdr *hdr;
	void *devices;

	if (op->type != XDP_OP_GROUP)
		return drop(XDP_DROP_INTERNAL);
	if (op->data[0] & XDP_GROUP_F_STACK)
		return ctx_hand_over(ctx, c, HANDOVER_ACTIONS);
	if (len > MAX_CLONE_LEN || ctx_len(ctx) != len)
		return upcall(ctx, c, config, XDP_UPCALL_ACTION, 0);
	devices = bpf_map_lookup_elem(&xdp_groups, &id);
	if (!devices)
		return drop(XDP_DROP_INTERNAL);
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof *hdr))
		return drop(XDP_DROP_HEADROOM);
	hdr = FRAME_AT(ctx, 0, 0, sizeof *hdr);
	if (!hdr)
		return drop(XDP_DROP_INTERNAL);
	__builtin_memset(hdr, 0, sizeof *hdr);
	hdr->ops = c->ops;
	hdr->flow = c->flow;
	hdr->in_port = c->key.in_port;
	hdr->recirc_id = c->key.recirc_id;
	hdr->skb_mark = c->key.skb_mark;
	hdr->priority = c->key.priority;
	hdr->dp_hash = c->key.dp_hash;
	hdr->depth = c->depth;
	hdr->offsets = c->offsets;
	hdr->eth_type = c->key.eth_type;
	hdr->nw_proto = c->key.nw_proto;
	if (bpf_redirect_map(devices, 0, BPF_F_BROADCAST) != XDP_REDIRECT)
		return drop(XDP_DROP_NO_PORT);
	return XDP_REDIRECT;
}

/* Takes the header off again. */
static __always_inline int
group_receive(ctx_t *ctx, struct xdp_cpu *c)
{
	struct group_hdr *hdr = FRAME_AT(ctx, 0, 0, sizeof *hdr);

	if (!hdr)
		return FAIL(INTERNAL);
	c->ops = hdr->ops;
	c->flow = hdr->flow;
	c->key.in_port = hdr->in_port;
	c->key.recirc_id = hdr->recirc_id;
	c->key.skb_mark = hdr->skb_mark;
	c->key.priority = hdr->priority;
	c->key.dp_hash = hdr->dp_hash;
	c->depth = hdr->depth;
	c->offsets = hdr->offsets;
	c->key.eth_type = hdr->eth_type;
	c->key.nw_proto = hdr->nw_proto;
	return bpf_xdp_adjust_head(ctx, sizeof *hdr) ? FAIL(INTERNAL) : 0;
}

static __always_inline int
group_is_for(ctx_t *ctx, const struct xdp_config *config,
	     const struct xdp_op *op)
{
	struct xdp_port *port;
	__u32 no = op->arg;

	switch (op->type) {
	case XDP_OP_OUTPUT:
	case XDP_OP_OUTPUT_COPY:
		port = bpf_map_lookup_elem(&xdp_port_table, &no);
		return port && port->ifindex == ctx->egress_ifindex;
	case XDP_OP_USERSPACE_COPY:
		return config->trap_ifindex == ctx->egress_ifindex;
	default:
		return 0;
	}
}

/* Prepares the copy for its device; XDP_PASS sends it. */
static __always_inline int
group_leave(ctx_t *ctx, struct xdp_cpu *c, const struct xdp_config *config,
	    const struct xdp_op *op)
{
	struct xdp_upcall_hdr hdr;
	int err;

	if (op->type != XDP_OP_USERSPACE_COPY) {
		count(c, XDP_COUNTER_FORWARDED);
		return XDP_PASS;
	}
	err = upcall_prepare(ctx, c, config, XDP_UPCALL_COPY, op->arg, &hdr);
	err = err ? err : ctx_push_upcall(ctx, &hdr);
	if (err)
		return drop(err - 1);
	count(c, XDP_COUNTER_UPCALL);
	return XDP_PASS;
}

/* On one device of the group: runs the ops up to this device's output. */
static __always_inline int
group_run(ctx_t *ctx, struct xdp_cpu *c, const struct xdp_config *config)
{
	__u32 ofs, n, i;
	int err = group_receive(ctx, c);

	ofs = c->ops >> 32;
	n = c->ops;
	for (i = 0; !err && i < XDP_FLOW_MAX_OPS && i < n; i++) {
		__u32 pos = ofs + i;
		struct xdp_op *op = bpf_map_lookup_elem(&xdp_ops, &pos);

		if (!op)
			return drop(XDP_DROP_INTERNAL);
		if (group_is_for(ctx, config, op))
			return group_leave(ctx, c, config, op);
		switch (op->type) {
		case XDP_OP_GROUP:
		case XDP_OP_OUTPUT_COPY:
		case XDP_OP_USERSPACE_COPY:
			break;
		case XDP_OP_OUTPUT:
			return drop(XDP_DROP_NO_PORT);
		default:
			err = edit_run(ctx, c, op);
			break;
		}
	}
	return drop(err ? err - 1 : XDP_DROP_ACTION);
}

#endif /* group.h */
