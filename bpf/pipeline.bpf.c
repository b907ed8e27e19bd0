/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Entry points of the pipeline's stages and of both sides of the trap.  The
 * loader puts "stage_<name>" into xdp_stages[XDP_STAGE_<NAME>]. */
#include "maps.h"
#include "actions.h"

char _license[] SEC("license") = "Dual BSD/GPL";

#define MAX_LINEAR 3500		/* Longer frames go to the AF_PACKET socket. */

/* See parse.h. */
int __noinline
parse_ipv6_ext_global(struct xdp_md *ctx, __u32 ofs, __u32 left, __u32 proto)
{
	return parse_ipv6_ext((void *)(long)ctx->data,
			      (void *)(long)ctx->data_end, ofs, left, proto);
}

int __noinline
parse_nd_global(struct xdp_md *ctx, __u32 ofs, __u32 left)
{
	struct xdp_scratch *s = scratch_get();

	if (s)
		parse_nd((void *)(long)ctx->data, (void *)(long)ctx->data_end,
			 ofs, left, &s->key);
	return 0;
}

/* Empties the part of the key that the packet's headers fill. */
static __always_inline void
key_clear_headers(struct xdp_flow_key *key)
{
	__u64 *w = (__u64 *)key;
	int i;

	key->eth_type = 0;
	key->nw_proto = 0;
	key->nw_frag = 0;
	for (i = 3; i < XDP_KEY_WORDS; i++)
		w[i] = 0;
}

/* Looks the frame up with the metadata in scratch. */
static __always_inline int
process(struct xdp_md *ctx, struct xdp_scratch *s)
{
	__u32 len = bpf_xdp_get_buff_len(ctx);
	__u32 zero = 0, idx;
	struct xdp_config *config;
	struct xdp_flow *flow;

	config = bpf_map_lookup_elem(&xdp_config, &zero);
	if (!config)
		return drop(XDP_DROP_INTERNAL);
	key_clear_headers(&s->key);
	if (parse_frame(ctx, (void *)(long)ctx->data, (void *)(long)ctx->data_end,
			len, &s->key, &s->offsets))
		return drop(XDP_DROP_TRUNCATED);
	idx = flow_lookup(s, config);
	flow = idx ? bpf_map_lookup_elem(&xdp_flows, &idx) : NULL;
	if (!flow)
		return upcall(ctx, s, config, XDP_UPCALL_MISS, 0);
	s->flow = idx;
	s->ops = *(volatile __u64 *)&flow->ops;
	flow_count(s, idx, len);
	if (flow->flags & XDP_FLOW_F_USERSPACE)
		return upcall(ctx, s, config, XDP_UPCALL_ACTION, 0);
	bpf_tail_call(ctx, &xdp_stages, XDP_STAGE_ACTIONS);
	return drop(XDP_DROP_TAIL_CALL);
}

SEC("xdp.frags")
int stage_ingress(struct xdp_md *ctx)
{
	struct xdp_scratch *s = scratch_get();

	if (!s)
		return drop(XDP_DROP_INTERNAL);
	count(XDP_COUNTER_RX);
	s->key.recirc_id = 0;
	s->key.skb_mark = 0;
	s->key.priority = 0;
	s->key.dp_hash = 0;
	s->depth = 0;
	return process(ctx, s);
}

SEC("xdp.frags")
int stage_recirc(struct xdp_md *ctx)
{
	struct xdp_scratch *s = scratch_get();

	return s ? process(ctx, s) : drop(XDP_DROP_INTERNAL);
}

SEC("xdp.frags")
int stage_actions(struct xdp_md *ctx)
{
	struct xdp_scratch *s = scratch_get();
	__u32 zero = 0;
	struct xdp_config *config = bpf_map_lookup_elem(&xdp_config, &zero);

	if (!s || !config)
		return drop(XDP_DROP_INTERNAL);
	return act_run(ctx, s, config);
}

/* Far side of the trap: upcalls to their AF_XDP socket.  What does not fit into
 * one of its frames is left to the AF_PACKET socket. */
SEC("xdp.frags")
int trap_rx(struct xdp_md *ctx)
{
	__u32 linear = ctx->data_end - ctx->data;

	if (linear > MAX_LINEAR || bpf_xdp_get_buff_len(ctx) != linear)
		return XDP_PASS;
	return bpf_redirect_map(&xdp_xsks, ctx->rx_queue_index, XDP_PASS);
}

/* Near side of the trap: what userspace sends. */
SEC("xdp.frags")
int inject(struct xdp_md *ctx)
{
	struct xdp_inject_hdr *p = (void *)(long)ctx->data;
	struct xdp_scratch *s = scratch_get();
	struct xdp_inject_hdr hdr;

	if (!s || (void *)(p + 1) > (void *)(long)ctx->data_end ||
	    p->magic != XDP_INJECT_MAGIC)
		return drop(XDP_DROP_BAD_INJECT);
	hdr = *p;
	if (bpf_xdp_adjust_head(ctx, sizeof hdr))
		return drop(XDP_DROP_BAD_INJECT);
	count(XDP_COUNTER_INJECT);
	if (hdr.mode == XDP_INJECT_OUTPUT) {
		__u32 *ifindex = bpf_map_lookup_elem(&xdp_ports, &hdr.port);

		if (!ifindex ||
		    bpf_redirect_map(&xdp_ports, hdr.port, 0) != XDP_REDIRECT)
			return drop(XDP_DROP_NO_PORT);
		return XDP_REDIRECT;
	}
	if (hdr.mode != XDP_INJECT_PIPELINE)
		return drop(XDP_DROP_BAD_INJECT);
	s->key.in_port = hdr.port;
	s->key.recirc_id = hdr.recirc_id;
	s->key.skb_mark = hdr.skb_mark;
	s->key.priority = hdr.priority;
	s->key.dp_hash = hdr.dp_hash;
	s->depth = hdr.depth;
	if (s->depth > XDP_MAX_RECIRC)
		return drop(XDP_DROP_RECIRC_LIMIT);
	bpf_tail_call(ctx, &xdp_stages, XDP_STAGE_RECIRC);
	return drop(XDP_DROP_TAIL_CALL);
}
