/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Between BPF_PROG_RUN and the TC programs under test.  BPF_PROG_RUN cannot
 * give a frame a VLAN tag beside it, which is where the kernel has it by the
 * time that it runs a TC program, and does not tell of one; this does.  See
 * rows-dp.c. */
#define OVS_XDP_TC
#include "maps.h"

char _license[] SEC("license") = "Dual BSD/GPL";

__u32 target;			/* In: the program to run. */
/* In: the outermost tag of the frame, if it is to be beside it (TPID 0: no).
 * Out: the tag beside the frame.  As numbers. */
__u32 tpid, tci;
/* In: metadata for a program that does not set its own. */
struct xdp_flow_key metadata;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} targets SEC(".maps");

/* The program called returns to where this was called from. */
int __noinline
run_target(struct __sk_buff *ctx)
{
	int verdict = -1;

	bpf_tail_call(ctx, &targets, target);
	asm volatile("" : "+r"(verdict));
	return verdict;
}

SEC("tc")
int run(struct __sk_buff *ctx)
{
	struct xdp_cpu *c = cpu_get();
	int verdict;

	if (!c)
		return -2;
	c->key.in_port = metadata.in_port;
	c->key.recirc_id = metadata.recirc_id;
	c->key.skb_mark = metadata.skb_mark;
	c->key.priority = metadata.priority;
	c->key.dp_hash = metadata.dp_hash;
	c->depth = 0;
	c->flow = 0;
	if (tpid && (bpf_skb_vlan_pop(ctx) ||
		     bpf_skb_vlan_push(ctx, bpf_htons(tpid), tci)))
		return -2;
	verdict = run_target(ctx);
	tpid = ctx->vlan_present ? bpf_ntohs(ctx->vlan_proto) : 0;
	tci = ctx->vlan_tci;
	return verdict;
}
