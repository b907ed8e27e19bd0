/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Frames on their way to userspace: a header is pushed in front and the frame
 * redirected to the trap. */
#ifndef UPCALL_BPF_H
#define UPCALL_BPF_H 1

#ifdef OVS_XDP_TC
#include "ctx-tc.h"
#else
#include "ctx-xdp.h"
#endif

/* Takes a token of 'port'; 0 if it has none left. */
static __always_inline int
upcall_take_token(const struct xdp_config *config, __u32 port)
{
	struct xdp_bucket_rl *rl;
	__u64 now, tokens;

	if (!config->upcall_rate)
		return 1;
	rl = bpf_map_lookup_elem(&xdp_buckets_rl, &port);
	if (!rl)
		return 1;
	now = bpf_jiffies64();
	tokens = rl->tokens;
	if (now != rl->stamp) {
		tokens += (now - rl->stamp) * config->upcall_rate;
		if (tokens > config->upcall_burst)
			tokens = config->upcall_burst;
		rl->stamp = now;
	}
	if (!tokens) {
		rl->tokens = 0;
		return 0;
	}
	rl->tokens = tokens - 1;
	return 1;
}

/* Fills in the header of an upcall; 0, or FAIL() if none may go up now. */
static __always_inline int
upcall_prepare(ctx_t *ctx, const struct xdp_cpu *c,
	       const struct xdp_config *config, __u32 reason, __u32 next_action,
	       struct xdp_upcall_hdr *hdr)
{
	if (!config->upcalls_enabled)
		return FAIL(NO_USERSPACE);
	if (!upcall_take_token(config, c->key.in_port))
		return FAIL(RATE_LIMIT);
	__builtin_memset(hdr, 0, sizeof *hdr);
	hdr->magic = XDP_UPCALL_MAGIC;
	hdr->reason = reason;
	hdr->in_port = c->key.in_port;
	hdr->recirc_id = c->key.recirc_id;
	hdr->skb_mark = c->key.skb_mark;
	hdr->priority = c->key.priority;
	hdr->dp_hash = c->key.dp_hash;
	hdr->len = ctx_len(ctx);
	hdr->flow = reason == XDP_UPCALL_MISS ? 0 : c->flow;
	hdr->next_action = next_action;
	hdr->depth = c->depth;
	return 0;
}

/* Sends the frame to userspace. */
static __always_inline int
upcall(ctx_t *ctx, struct xdp_cpu *c, const struct xdp_config *config,
       __u32 reason, __u32 next_action)
{
	struct xdp_upcall_hdr hdr;
	int err = upcall_prepare(ctx, c, config, reason, next_action, &hdr);
	int verdict;

	if (err)
		return drop(err - 1);
	verdict = ctx_upcall(ctx, config, &hdr);
	if (verdict != CTX_DROP)
		count(c, XDP_COUNTER_UPCALL);
	return verdict;
}

#endif /* upcall.h */
