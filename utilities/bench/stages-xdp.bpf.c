/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Stages of the XDP pipeline, run on one frame; see stages-cut.h. */
#include "stages-cut.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* In front of a frame for a group. */
const volatile __u32 group_hdr_size = sizeof(struct group_hdr);

SEC("xdp.frags")
int empty(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("xdp.frags")
int cut_ingress(struct xdp_md *ctx)
{
	return ingress(ctx, ctx->ingress_ifindex);
}

SEC("xdp.frags")
int run(struct xdp_md *ctx)
{
	int verdict;
	__u32 len;
	void *p;

	forget_hints();
	verdict = run_target(ctx);
	len = ctx->data_end - ctx->data;
	check(verdict, len);
	/* Also if there is nothing to undo. */
	if (bpf_xdp_adjust_head(ctx, (int)(len - state.len)))
		state.wrong++;
	p = FRAME_AT(ctx, 0, 0, STAGES_HEADER);
	if (p)
		__builtin_memcpy(p, state.header, STAGES_HEADER);
	return verdict;
}
