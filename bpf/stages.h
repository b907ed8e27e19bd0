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

/* Fills in the key's headers; as parse_frame().  A global function: the verifier
 * checks it apart from what follows. */
int __noinline
parse(ctx_t *ctx)
{
	struct xdp_config *config = config_get();
	struct xdp_cpu *c = cpu_get();

	if (!c || !config)
		return PARSE_DEEP;
	key_clear_headers(&c->key);
	ctx_prepare(ctx, &c->key);
	return parse_frame(ctx, (void *)(long)ctx->data,
			   (void *)(long)ctx->data_end, ctx_len(ctx),
			   config->vlan_limit, &c->key, &c->offsets);
}

/* Looks the frame up, with the metadata that is in the key. */
static __always_inline int
process(ctx_t *ctx, struct xdp_cpu *c)
{
	struct xdp_config *config = config_get();
	__u32 idx = 0;
	struct xdp_flow *flow = NULL;
	int parsed;

	if (!config)
		return drop(XDP_DROP_INTERNAL);
	parsed = parse(ctx);
	if (parsed == PARSE_SHORT)
		return drop(XDP_DROP_TRUNCATED);
	if (parsed != PARSE_DEEP) {
		idx = flow_lookup(c, config);
		flow = idx ? bpf_map_lookup_elem(&xdp_flows, &idx) : NULL;
	}
	if (!flow)
		return upcall(ctx, c, config, XDP_UPCALL_MISS, 0);
	c->flow = idx;
	c->ops = *(volatile __u64 *)&flow->ops;
	flow_count(c, idx, ctx_wire_len(ctx));
	bpf_tail_call(ctx, &CTX_STAGES, XDP_STAGE_ACTIONS);
	return drop(XDP_DROP_TAIL_CALL);
}

static __always_inline int
ingress(ctx_t *ctx)
{
	struct xdp_config *config = config_get();
	struct xdp_cpu *c = cpu_get();

	if (!c || !config)
		return drop(XDP_DROP_INTERNAL);
	count(c, XDP_COUNTER_RX);
	if (config->n_policers && !police(c->key.in_port, ctx_wire_len(ctx)))
		return drop(XDP_DROP_POLICED);
	c->key.recirc_id = 0;
	ctx_metadata(ctx, &c->key);
	c->key.dp_hash = 0;
	c->depth = 0;
	return process(ctx, c);
}

static __always_inline int
recirc(ctx_t *ctx)
{
	struct xdp_cpu *c = cpu_get();

	return c ? process(ctx, c) : drop(XDP_DROP_INTERNAL);
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
