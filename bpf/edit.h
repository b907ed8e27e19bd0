/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Compiled actions that edit the frame.  Each op finds its header anew from the offsets in scratch,
 * so that the verifier sees each case alone.  The functions that edit return 0
 * or FAIL(). */
#ifndef EDIT_H
#define EDIT_H 1

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/in.h>
#include "lookup.h"
#include "upcall.h"

static __always_inline struct iphdr *
ipv4_at(ctx_t *ctx, const struct xdp_cpu *c)
{
	if (c->key.eth_type != bpf_htons(ETH_P_IP) || !c->offsets.l3)
		return NULL;
	return FRAME_AT(ctx, c->offsets.l3, MAX_L3_OFS, sizeof(struct iphdr));
}

static __always_inline struct ipv6hdr *
ipv6_at(ctx_t *ctx, const struct xdp_cpu *c)
{
	if (c->key.eth_type != bpf_htons(ETH_P_IPV6) || !c->offsets.l3)
		return NULL;
	return FRAME_AT(ctx, c->offsets.l3, MAX_L3_OFS, sizeof(struct ipv6hdr));
}

static __always_inline __u32
masked32(__u32 old, const struct xdp_op *op)
{
	__u32 value = *(const __u32 *)&op->data[0];
	__u32 mask = *(const __u32 *)&op->data[4];

	return (old & ~mask) | (value & mask);
}

static __always_inline __u16
masked16(__u16 old, const struct xdp_op *op)
{
	__u16 value = *(const __u16 *)&op->data[0];
	__u16 mask = *(const __u16 *)&op->data[2];

	return (old & ~mask) | (value & mask);
}

/* XDP_OP_SET_ETH_*: op->arg selects whole bytes. */
static __noinline int
edit_set_eth(ctx_t *ctx, const struct xdp_op *op)
{
	__u8 *mac = FRAME_AT(ctx, op->type == XDP_OP_SET_ETH_SRC ? 6 : 0, 7, 6);
	int i;

	if (!mac)
		return FAIL(MALFORMED);
	for (i = 0; i < 6; i++)
		if (op->arg & 1u << i)
			mac[i] = op->data[i];
	return 0;
}

static __noinline int
edit_push_vlan(ctx_t *ctx, struct xdp_cpu *c, const struct xdp_op *op)
{
	return ctx_push_vlan(ctx, c, *(const __be16 *)&op->data[0],
			     *(const __be16 *)&op->data[2] & bpf_htons(~0x1000));
}

static __noinline int
edit_pop_vlan(ctx_t *ctx, struct xdp_cpu *c)
{
	return ctx_pop_vlan(ctx, c);
}

static __noinline int
edit_set_ipv4_addr(ctx_t *ctx, struct xdp_cpu *c,
		  const struct xdp_op *op)
{
	struct iphdr *ip = ipv4_at(ctx, c);
	__u32 from, to;

	if (!ip)
		return FAIL(MALFORMED);
	from = op->type == XDP_OP_SET_IPV4_SRC ? ip->saddr : ip->daddr;
	to = masked32(from, op);
	if (from == to)
		return 0;
	if (op->type == XDP_OP_SET_IPV4_SRC)
		ip->saddr = to;
	else
		ip->daddr = to;
	ctx_ipv4_csum(ctx, c, from, to);
	ctx_l4_csum(ctx, c, from, to, 1);
	return 0;
}

static __noinline int
edit_set_ipv4_tos_ttl(ctx_t *ctx, struct xdp_cpu *c,
		     const struct xdp_op *op)
{
	struct iphdr *ip = ipv4_at(ctx, c);
	__u16 *word, from, to;
	__u8 *byte;

	if (!ip)
		return FAIL(MALFORMED);
	if (op->type == XDP_OP_SET_IPV4_TOS) {
		word = (__u16 *)ip;		/* Version, IHL, TOS. */
		byte = &ip->tos;
	} else {
		word = (__u16 *)&ip->ttl;	/* TTL, protocol. */
		byte = &ip->ttl;
	}
	from = *word;
	*byte = (*byte & ~op->data[1]) | (op->data[0] & op->data[1]);
	to = *word;
	ctx_ipv4_csum(ctx, c, from, to);
	return 0;
}

static __noinline int
edit_set_ipv6_addr(ctx_t *ctx, struct xdp_cpu *c,
		  const struct xdp_op *op)
{
	__u32 ofs = c->offsets.l3 + (op->type == XDP_OP_SET_IPV6_SRC ? 8 : 24) +
		    (op->arg & 3) * 4;
	__u32 *word, from, to;

	word = ipv6_at(ctx, c) ? FRAME_AT(ctx, ofs, 255, 4) : NULL;
	if (!word)
		return FAIL(MALFORMED);
	from = *word;
	to = masked32(from, op);
	*word = to;
	if (op->type == XDP_OP_SET_IPV6_SRC || !c->offsets.routing)
		ctx_l4_csum(ctx, c, from, to, 1);
	else
		ctx_changed(ctx, from, to);
	return 0;
}

static __noinline int
edit_set_ipv6_misc(ctx_t *ctx, struct xdp_cpu *c,
		  const struct xdp_op *op)
{
	struct ipv6hdr *ip6 = ipv6_at(ctx, c);
	__u32 *word, from, to;

	if (!ip6)
		return FAIL(MALFORMED);
	word = (__u32 *)ip6 + (op->type == XDP_OP_SET_IPV6_HLIMIT);
	from = *word;
	if (op->type == XDP_OP_SET_IPV6_HLIMIT) {
		ip6->hop_limit = (ip6->hop_limit & ~op->data[1]) |
				 (op->data[0] & op->data[1]);
	} else if (op->type == XDP_OP_SET_IPV6_TCLASS) {
		__u32 mask = bpf_htonl((__u32)op->data[1] << 20);
		__u32 value = bpf_htonl((__u32)op->data[0] << 20);

		*word = (from & ~mask) | (value & mask);
	} else {
		*word = masked32(from, op);
	}
	to = *word;
	ctx_changed(ctx, from, to);
	return 0;
}

static __noinline int
edit_set_tp(ctx_t *ctx, struct xdp_cpu *c, const struct xdp_op *op)
{
	__u16 *port, from, to;

	if (!c->offsets.l4 || (c->key.nw_proto != IPPROTO_TCP &&
			       c->key.nw_proto != IPPROTO_UDP))
		return FAIL(MALFORMED);
	port = FRAME_AT(ctx, c->offsets.l4 +
			(op->type == XDP_OP_SET_TP_DST ? 2 : 0), MAX_L4_OFS, 2);
	if (!port)
		return FAIL(MALFORMED);
	from = *port;
	to = masked16(from, op);
	*port = to;
	ctx_l4_csum(ctx, c, from, to, 0);
	return 0;
}

/* A hash of the 5-tuple (or the addresses) that the frame came with; never
 * 0. */
static __noinline __u32
flow_hash(const struct xdp_cpu *c, __u32 basis)
{
	const __u64 *w = (const __u64 *)&c->key;
	__u64 h = XDP_HASH_SEED ^ basis ^ c->key.nw_proto;

	_Static_assert(XDP_KEY_SEQ == 2, "key words by number");
	h = rotl64(h ^ w[4], 29) * XDP_HASH_MULT;
	h = rotl64(h ^ w[8], 29) * XDP_HASH_MULT;
	h = rotl64(h ^ w[9], 29) * XDP_HASH_MULT;
	h = rotl64(h ^ w[10], 29) * XDP_HASH_MULT;
	h = rotl64(h ^ w[11], 29) * XDP_HASH_MULT;
	h ^= (__u64)c->key.tp_src << 16 | c->key.tp_dst;
	h = rotl64(h, 29) * XDP_HASH_MULT;
	h ^= h >> 32;
	return (__u32)h ? (__u32)h : 1;
}

/* Ops that change the frame. */
static __always_inline int
edit_frame(ctx_t *ctx, struct xdp_cpu *c, const struct xdp_op *op)
{
	switch (op->type) {
	case XDP_OP_SET_ETH_DST:
	case XDP_OP_SET_ETH_SRC:
		return edit_set_eth(ctx, op);
	case XDP_OP_PUSH_VLAN:
		return edit_push_vlan(ctx, c, op);
	case XDP_OP_POP_VLAN:
		return edit_pop_vlan(ctx, c);
	case XDP_OP_SET_IPV4_SRC:
	case XDP_OP_SET_IPV4_DST:
		return edit_set_ipv4_addr(ctx, c, op);
	case XDP_OP_SET_IPV4_TOS:
	case XDP_OP_SET_IPV4_TTL:
		return edit_set_ipv4_tos_ttl(ctx, c, op);
	case XDP_OP_SET_IPV6_SRC:
	case XDP_OP_SET_IPV6_DST:
		return edit_set_ipv6_addr(ctx, c, op);
	case XDP_OP_SET_IPV6_TCLASS:
	case XDP_OP_SET_IPV6_HLIMIT:
	case XDP_OP_SET_IPV6_LABEL:
		return edit_set_ipv6_misc(ctx, c, op);
	case XDP_OP_SET_TP_SRC:
	case XDP_OP_SET_TP_DST:
		return edit_set_tp(ctx, c, op);
	default:
		return FAIL(INTERNAL);
	}
}

/* Ops that change metadata only. */
static __always_inline int
edit_set_metadata(struct xdp_cpu *c, const struct xdp_op *op)
{
	__u32 mask = *(const __u32 *)&op->data[0];

	if (op->type == XDP_OP_SET_MARK)
		c->key.skb_mark = (c->key.skb_mark & ~mask) | (op->arg & mask);
	else if (op->type == XDP_OP_SET_PRIORITY)
		c->key.priority = (c->key.priority & ~mask) | (op->arg & mask);
	else
		c->key.dp_hash = flow_hash(c, op->arg);
	return 0;
}

/* Runs an op that changes the frame or its metadata. */
static __always_inline int
edit_run(ctx_t *ctx, struct xdp_cpu *c, const struct xdp_op *op)
{
	switch (op->type) {
	case XDP_OP_SET_MARK:
	case XDP_OP_SET_PRIORITY:
	case XDP_OP_HASH:
		return edit_set_metadata(c, op);
	default:
		return edit_frame(ctx, c, op);
	}
}

#endif /* edit.h */
