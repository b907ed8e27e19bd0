/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The stages of the pipeline. */
#ifndef STAGES_H
#define STAGES_H 1

#include "actions.h"
#include "lookup.h"
#include "police.h"

/* See parse.h. */
int __noinline
parse_ipv6_ext_global(ctx_t *ctx, __u32 ofs, __u32 left, __u32 proto)
{
	return parse_ipv6_ext((void *)(long)ctx->data,
			      (void *)(long)ctx->data_end, ofs, left, proto);
}

int __noinline
parse_nd_global(ctx_t *ctx, __u32 ofs, __u32 left)
{
	struct xdp_cpu *c = cpu_get();

	return c ? parse_nd((void *)(long)ctx->data,
			    (void *)(long)ctx->data_end, ofs, left, &c->key)
		 : -1;
}

static __always_inline struct xdp_config *
config_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&xdp_config, &zero);
}

/* Empties the part of the key that the packet's headers fill.  Those that IPv4
 * packets do not have are empty unless another packet was there before. */
static __always_inline void
key_clear_headers(struct xdp_cpu *c)
{
	__u64 *w = (__u64 *)&c->key;
	int i;

	_Static_assert(XDP_KEY_SEQ == 2, "key words by number");
	*(volatile __u32 *)&c->key.eth_type = 0;	/* nw_proto, nw_frag. */
	w[3] = 0;
	w[4] = 0;
	w[5] = 0;
	w[7] = 0;
	if (c->wide) {
		for (i = 8; i < 16; i++)
			w[i] = 0;
		c->key.mpls_lse[0] = 0;
		c->key.mpls_lse[1] = 0;
		c->key.mpls_lse[2] = 0;
	}
}

/* Fills in the key's headers; as parse_frame(). */
static __always_inline int
parse_inline(ctx_t *ctx, struct xdp_cpu *c, __u32 vlan_limit)
{
	__u32 len;
	int result;

	key_clear_headers(c);
	ctx_prepare(ctx, &c->key);
	len = ctx_known_len(ctx);
	result = parse_frame(ctx, (void *)(long)ctx->data,
			     (void *)(long)ctx->data_end, &len, vlan_limit,
			     &c->key, &c->offsets);
	c->len = ctx_wire_len(ctx, len);
	/* Open vSwitch looks for ND in IPv4 packets, too. */
	c->wide = c->key.eth_type != bpf_htons(ETH_P_IP) ||
		  c->key.nw_proto == IPPROTO_ICMPV6;
	return result;
}

/* A global function: the verifier checks it apart from what follows. */
int __noinline
parse(ctx_t *ctx, struct xdp_cpu *c, __u32 vlan_limit)
{
	return c ? parse_inline(ctx, c, vlan_limit) : PARSE_DEEP;
}

/* Looks the frame up, with the metadata that is in the key. */
static __always_inline int
process(ctx_t *ctx, struct xdp_cpu *c, struct xdp_config *config, int parsed)
{
	__u32 idx = 0;
	__u64 ops = 0;

	if (parsed == PARSE_SHORT)
		return drop(XDP_DROP_TRUNCATED);
	if (parsed != PARSE_DEEP)
		ops = flow_lookup(c, &idx);
	if (!ops)
		return upcall(ctx, c, config, XDP_UPCALL_MISS, 0);
	flow_count(c, idx, c->len);
	c->flow = idx;
	if (ops & XDP_OPS_OUTPUT)
		return act_output(ctx, c, ops & (OPS_FOUND - 1));
	c->ops = ops & ~(__u64)OPS_FOUND;
	bpf_tail_call(ctx, &CTX_STAGES, XDP_STAGE_ACTIONS);
	return drop(XDP_DROP_TAIL_CALL);
}

/* A function of its own: as one of two maps at the same place, an array's lookup
 * would not be inlined. */
static __noinline __u32
port_of_high(__u32 ifindex)
{
	__u32 *port = bpf_map_lookup_elem(&xdp_ifindexes_high, &ifindex);

	return port ? *port : 0;
}

/* Port number + 1 of the device; 0 if it is none. */
static __always_inline __u32
port_of(__u32 ifindex)
{
	__u32 *port;

	if (ifindex >= XDP_MAX_IFINDEX)
		return port_of_high(ifindex);
	port = bpf_map_lookup_elem(&xdp_ifindexes, &ifindex);
	return port ? *port : 0;
}

/* A frame that came in on a device. */
static __always_inline int
ingress(ctx_t *ctx, __u32 ifindex)
{
	struct xdp_config *config = config_get();
	struct xdp_cpu *c = cpu_enter();
	__u32 port = port_of(ifindex);

	if (!c || !config)
		return drop(XDP_DROP_INTERNAL);
	if (!port)
		return drop(XDP_DROP_NO_IN_PORT);
	c->key.in_port = port - 1;
	count(c, XDP_COUNTER_RX);
	if (config->n_policers && !police(c->key.in_port,
					  ctx_wire_len(ctx, ctx_len(ctx))))
		return drop(XDP_DROP_POLICED);
	c->key.recirc_id = 0;
	ctx_metadata(ctx, &c->key);
	c->key.dp_hash = 0;
	c->depth = 0;
	return process(ctx, c, config,
		       parse_inline(ctx, c, config->vlan_limit));
}

static __always_inline int
recirc(ctx_t *ctx)
{
	struct xdp_config *config = config_get();
	struct xdp_cpu *c = cpu_enter();

	if (!c || !config)
		return drop(XDP_DROP_INTERNAL);
	return process(ctx, c, config, parse(ctx, c, config->vlan_limit));
}

static __always_inline int
actions(ctx_t *ctx)
{
	struct xdp_config *config = config_get();
	struct xdp_cpu *c = cpu_get();

	if (!c || !config)
		return drop(XDP_DROP_INTERNAL);
	return act_run(ctx, c, config);
}

#endif /* stages.h */
