/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Compiled actions: the ops after which a frame is elsewhere.  Those that only
 * edit it are in edit.h. */
#ifndef ACTIONS_H
#define ACTIONS_H 1

#ifdef OVS_XDP_TC
#include "copy.h"
#else
#include "group.h"
#endif

static __always_inline int
act_output(ctx_t *ctx, struct xdp_cpu *c, __u32 port)
{
	int verdict = ctx_output(ctx, c, port);

	if (verdict != CTX_DROP)
		count(c, XDP_COUNTER_FORWARDED);
	return verdict;
}

static __always_inline int
act_recirc(ctx_t *ctx, struct xdp_cpu *c, __u32 recirc_id)
{
	if (++c->depth > XDP_MAX_RECIRC)
		return drop(XDP_DROP_RECIRC_LIMIT);
	c->key.recirc_id = recirc_id;
	count(c, XDP_COUNTER_RECIRC);
	bpf_tail_call(ctx, &CTX_STAGES, XDP_STAGE_RECIRC);
	return drop(XDP_DROP_TAIL_CALL);
}

/* Runs the ops of the flow at hand. */
static __always_inline int
act_run(ctx_t *ctx, struct xdp_cpu *c, const struct xdp_config *config)
{
	__u32 ofs = c->ops >> 32;
	__u32 n = c->ops;
	__u32 i;
	int copied = 0, err;

	if (n & XDP_OPS_OUTPUT)
		return act_output(ctx, c, n & (XDP_OPS_OUTPUT - 1));
	for (i = 0; i < XDP_FLOW_MAX_OPS; i++) {
		__u32 pos = ofs + i;
		struct xdp_op *op;

		if (i >= n)
			break;
		op = bpf_map_lookup_elem(&xdp_ops, &pos);
		if (!op)
			return drop(XDP_DROP_INTERNAL);
		switch (op->type) {
		case XDP_OP_END:
			return drop(XDP_DROP_ACTION);
		case XDP_OP_OUTPUT:
			return act_output(ctx, c, op->arg);
		case XDP_OP_RECIRC:
			return act_recirc(ctx, c, op->arg);
		case XDP_OP_USERSPACE:
			return upcall(ctx, c, config, XDP_UPCALL_ACTION, op->arg);
		case XDP_OP_GROUP:
		case XDP_OP_OUTPUT_COPY:
		case XDP_OP_USERSPACE_COPY:
#ifdef OVS_XDP_TC
			copied = 1;
			err = copy_send(ctx, c, config, op);
			break;
#else
			return group_send(ctx, c, config, op);
#endif
		default:
			err = edit_run(ctx, c, op);
			break;
		}
		if (err)
			return drop(err - 1);
	}
	return copied ? CTX_DROP : drop(XDP_DROP_ACTION);
}

#endif /* actions.h */
