/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Frames on their way to userspace: a header is pushed in front and the frame
 * redirected to the trap. */
#ifndef UPCALL_BPF_H
#define UPCALL_BPF_H 1

#include "drop.h"

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

static __always_inline int
upcall(struct xdp_md *ctx, const struct xdp_scratch *s,
       const struct xdp_config *config, __u32 reason, __u32 next_action)
{
	__u32 len = bpf_xdp_get_buff_len(ctx);
	struct xdp_upcall_hdr *hdr;

	if (!config->upcalls_enabled)
		return drop(XDP_DROP_NO_USERSPACE);
	if (!upcall_take_token(config, s->key.in_port))
		return drop(XDP_DROP_RATE_LIMIT);
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof *hdr))
		return drop(XDP_DROP_HEADROOM);
	hdr = (void *)(long)ctx->data;
	if ((void *)(hdr + 1) > (void *)(long)ctx->data_end)
		return drop(XDP_DROP_INTERNAL);
	__builtin_memset(hdr, 0, sizeof *hdr);
	hdr->magic = XDP_UPCALL_MAGIC;
	hdr->reason = reason;
	hdr->in_port = s->key.in_port;
	hdr->recirc_id = s->key.recirc_id;
	hdr->skb_mark = s->key.skb_mark;
	hdr->priority = s->key.priority;
	hdr->dp_hash = s->key.dp_hash;
	hdr->len = len;
	hdr->flow = reason == XDP_UPCALL_MISS ? 0 : s->flow;
	hdr->next_action = next_action;
	hdr->depth = s->depth;
	if (bpf_redirect_map(&xdp_trap, 0, 0) != XDP_REDIRECT)
		return drop(XDP_DROP_UPCALL);
	count(XDP_COUNTER_UPCALL);
	return XDP_REDIRECT;
}

#endif /* upcall.h */
