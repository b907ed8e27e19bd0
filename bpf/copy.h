/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Copies of a frame, for TC: each leaves as the frame is at that point. */
#ifndef COPY_H
#define COPY_H 1

#include "edit.h"
#include "upcall.h"

static __always_inline int
copy_output(ctx_t *ctx, struct xdp_cpu *c, __u32 port)
{
	struct xdp_port *p = bpf_map_lookup_elem(&xdp_port_table, &port);

	if (p && p->ifindex) {
		ctx_set_metadata(ctx, c);
		if (!bpf_clone_redirect(ctx, p->ifindex, 0)) {
			count(c, XDP_COUNTER_FORWARDED);
			return 0;
		}
	}
	drop(XDP_DROP_NO_PORT);		/* The copy; the frame goes on. */
	return 0;
}

static __always_inline int
copy_upcall(ctx_t *ctx, struct xdp_cpu *c, const struct xdp_config *config,
	    __u32 next_action)
{
	struct xdp_upcall_hdr hdr;
	int err = upcall_prepare(ctx, c, config, XDP_UPCALL_COPY, next_action,
				 &hdr);

	if (!err) {
		ctx_store_upcall(ctx, &hdr);
		if (bpf_clone_redirect(ctx, config->trap_ifindex, 0))
			err = FAIL(UPCALL);
		else
			count(c, XDP_COUNTER_UPCALL);
		ctx->cb[0] = 0;
	}
	if (err)
		drop(err - 1);
	return 0;
}

/* Runs one of the ops of a list with copies. */
static __always_inline int
copy_send(ctx_t *ctx, struct xdp_cpu *c, const struct xdp_config *config,
	  const struct xdp_op *op)
{
	switch (op->type) {
	case XDP_OP_OUTPUT_COPY:
		return copy_output(ctx, c, op->arg);
	case XDP_OP_USERSPACE_COPY:
		return copy_upcall(ctx, c, config, op->arg);
	default:
		return 0;		/* XDP_OP_GROUP: TC needs none. */
	}
}

#endif /* copy.h */
