/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Stages of the TC pipeline, run on one frame; see stages-cut.h. */
#define OVS_XDP_TC
#include "stages-cut.h"

char _license[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 group_hdr_size = 0;	/* Copies are sent one by one. */

SEC("tc")
int empty(struct __sk_buff *ctx)
{
	return TC_ACT_SHOT;
}

SEC("tc")
int cut_ingress(struct __sk_buff *ctx)
{
	return ingress(ctx, ctx->ifindex);
}

SEC("tc")
int run(struct __sk_buff *ctx)
{
	int verdict;

	forget_hints();
	/* BPF_PROG_RUN has the tag in the frame, the kernel beside it.  Once. */
	if (state.tpid && !ctx->vlan_present &&
	    (bpf_skb_vlan_pop(ctx) ||
	     bpf_skb_vlan_push(ctx, bpf_htons(state.tpid), state.tci)))
		state.wrong++;
	ctx->mark = 0;
	ctx->priority = 0;
	verdict = run_target(ctx);
	check(verdict, ctx->len + (ctx->vlan_present ? 4 : 0));
	return verdict;
}
