/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Compiled actions.  Each op finds its header anew from the offsets in scratch,
 * so that the verifier sees each case alone.  The functions return 0, or a drop
 * reason + 1. */
#ifndef ACTIONS_H
#define ACTIONS_H 1

#include <bpf/bpf_endian.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/in.h>
#include "csum.h"
#include "drop.h"
#include "lookup.h"
#include "upcall.h"

#define ACT_FAIL(REASON) (XDP_DROP_##REASON + 1)
#define MAX_L3_OFS 127
#define MAX_L4_OFS 1023

/* Pointer to 'n' bytes at offset 'ofs' (at most 'max', a power of two less
 * one) of the frame; NULL if they cannot be read. */
#define FRAME_AT(CTX, OFS, MAX, N) ({					\
	void *p_ = (void *)(long)(CTX)->data + ((OFS) & (MAX));		\
	p_ + (N) <= (void *)(long)(CTX)->data_end ? p_ : NULL; })

static __always_inline struct iphdr *
ipv4_at(struct xdp_md *ctx, const struct xdp_scratch *s)
{
	if (s->key.eth_type != bpf_htons(ETH_P_IP) || !s->offsets.l3)
		return NULL;
	return FRAME_AT(ctx, s->offsets.l3, MAX_L3_OFS, sizeof(struct iphdr));
}

static __always_inline struct ipv6hdr *
ipv6_at(struct xdp_md *ctx, const struct xdp_scratch *s)
{
	if (s->key.eth_type != bpf_htons(ETH_P_IPV6) || !s->offsets.l3)
		return NULL;
	return FRAME_AT(ctx, s->offsets.l3, MAX_L3_OFS, sizeof(struct ipv6hdr));
}

/* The checksum field of the L4 header; NULL if there is none that covers
 * addresses, or that is in use. */
static __always_inline __u16 *
l4_check_at(struct xdp_md *ctx, const struct xdp_scratch *s)
{
	__u16 *check;

	if (!s->offsets.l4)
		return NULL;
	switch (s->key.nw_proto) {
	case IPPROTO_TCP:
		return FRAME_AT(ctx, s->offsets.l4 + 16, MAX_L4_OFS, 2);
	case IPPROTO_UDP:
		check = FRAME_AT(ctx, s->offsets.l4 + 6, MAX_L4_OFS, 2);
		return check && *check ? check : NULL;
	case IPPROTO_ICMPV6:
		return FRAME_AT(ctx, s->offsets.l4 + 2, MAX_L4_OFS, 2);
	default:
		return NULL;
	}
}

static __always_inline void
l4_check_replace4(struct xdp_md *ctx, const struct xdp_scratch *s,
		  __u32 from, __u32 to)
{
	__u16 *check = l4_check_at(ctx, s);

	if (!check)
		return;
	*check = csum_replace4(*check, from, to);
	if (!*check && s->key.nw_proto == IPPROTO_UDP)
		*check = 0xffff;
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
act_set_eth(struct xdp_md *ctx, const struct xdp_op *op)
{
	__u8 *mac = FRAME_AT(ctx, op->type == XDP_OP_SET_ETH_SRC ? 6 : 0, 7, 6);
	int i;

	if (!mac)
		return ACT_FAIL(MALFORMED);
	for (i = 0; i < 6; i++)
		if (op->arg & 1u << i)
			mac[i] = op->data[i];
	return 0;
}

static __noinline int
act_push_vlan(struct xdp_md *ctx, struct xdp_scratch *s, const struct xdp_op *op)
{
	__u8 *p;

	if (bpf_xdp_adjust_head(ctx, -4))
		return ACT_FAIL(HEADROOM);
	p = FRAME_AT(ctx, 0, 0, 18);
	if (!p)
		return ACT_FAIL(INTERNAL);
	__builtin_memmove(p, p + 4, 12);
	*(__u16 *)(p + 12) = *(const __u16 *)&op->data[0];
	*(__u16 *)(p + 14) = *(const __u16 *)&op->data[2] & bpf_htons(~0x1000);
	if (s->offsets.l3)
		s->offsets.l3 += 4;
	if (s->offsets.l4)
		s->offsets.l4 += 4;
	return 0;
}

static __always_inline int
has_vlan(const __u8 *eth)
{
	__u16 type = *(const __u16 *)(eth + 12);

	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

static __noinline int
act_pop_vlan(struct xdp_md *ctx, struct xdp_scratch *s)
{
	__u8 *p = FRAME_AT(ctx, 0, 0, 18);
	__u32 mac0, mac1, mac2;

	if (!p || !has_vlan(p))
		return 0;	/* As openvswitch.ko: nothing to pop. */
	mac0 = *(__u32 *)p;
	mac1 = *(__u32 *)(p + 4);
	mac2 = *(__u32 *)(p + 8);
	*(__u32 *)(p + 4) = mac0;
	*(__u32 *)(p + 8) = mac1;
	*(__u32 *)(p + 12) = mac2;
	if (bpf_xdp_adjust_head(ctx, 4))
		return ACT_FAIL(INTERNAL);
	if (s->offsets.l3)
		s->offsets.l3 -= 4;
	if (s->offsets.l4)
		s->offsets.l4 -= 4;
	return 0;
}

static __noinline int
act_set_vlan(struct xdp_md *ctx, const struct xdp_op *op)
{
	__u8 *p = FRAME_AT(ctx, 0, 0, 18);
	__u16 *tci;

	if (!p || !has_vlan(p))
		return ACT_FAIL(MALFORMED);
	tci = (__u16 *)(p + 14);
	*tci = masked16(*tci, op);
	return 0;
}

static __noinline int
act_set_ipv4_addr(struct xdp_md *ctx, struct xdp_scratch *s,
		  const struct xdp_op *op)
{
	struct iphdr *ip = ipv4_at(ctx, s);
	__u32 from, to;

	if (!ip)
		return ACT_FAIL(MALFORMED);
	from = op->type == XDP_OP_SET_IPV4_SRC ? ip->saddr : ip->daddr;
	to = masked32(from, op);
	if (from == to)
		return 0;
	ip->check = csum_replace4(ip->check, from, to);
	if (op->type == XDP_OP_SET_IPV4_SRC)
		ip->saddr = to;
	else
		ip->daddr = to;
	l4_check_replace4(ctx, s, from, to);
	return 0;
}

static __noinline int
act_set_ipv4_tos_ttl(struct xdp_md *ctx, struct xdp_scratch *s,
		     const struct xdp_op *op)
{
	struct iphdr *ip = ipv4_at(ctx, s);
	__u16 *word, from;
	__u8 *byte;

	if (!ip)
		return ACT_FAIL(MALFORMED);
	if (op->type == XDP_OP_SET_IPV4_TOS) {
		word = (__u16 *)ip;		/* Version, IHL, TOS. */
		byte = &ip->tos;
	} else {
		word = (__u16 *)&ip->ttl;	/* TTL, protocol. */
		byte = &ip->ttl;
	}
	from = *word;
	*byte = (*byte & ~op->data[1]) | (op->data[0] & op->data[1]);
	ip->check = csum_replace2(ip->check, from, *word);
	return 0;
}

static __noinline int
act_set_ipv6_addr(struct xdp_md *ctx, struct xdp_scratch *s,
		  const struct xdp_op *op)
{
	__u32 ofs = s->offsets.l3 + (op->type == XDP_OP_SET_IPV6_SRC ? 8 : 24) +
		    (op->arg & 3) * 4;
	__u32 *word, from, to;

	word = ipv6_at(ctx, s) ? FRAME_AT(ctx, ofs, 255, 4) : NULL;
	if (!word)
		return ACT_FAIL(MALFORMED);
	from = *word;
	to = masked32(from, op);
	*word = to;
	l4_check_replace4(ctx, s, from, to);
	return 0;
}

static __noinline int
act_set_ipv6_misc(struct xdp_md *ctx, struct xdp_scratch *s,
		  const struct xdp_op *op)
{
	struct ipv6hdr *ip6 = ipv6_at(ctx, s);
	__u32 *flow;

	if (!ip6)
		return ACT_FAIL(MALFORMED);
	flow = (__u32 *)ip6;
	if (op->type == XDP_OP_SET_IPV6_HLIMIT) {
		ip6->hop_limit = (ip6->hop_limit & ~op->data[1]) |
				 (op->data[0] & op->data[1]);
	} else if (op->type == XDP_OP_SET_IPV6_TCLASS) {
		__u32 mask = bpf_htonl((__u32)op->data[1] << 20);
		__u32 value = bpf_htonl((__u32)op->data[0] << 20);

		*flow = (*flow & ~mask) | (value & mask);
	} else {
		*flow = masked32(*flow, op);
	}
	return 0;
}

static __noinline int
act_set_tp(struct xdp_md *ctx, struct xdp_scratch *s, const struct xdp_op *op)
{
	__u16 *port, *check, from, to;

	if (!s->offsets.l4 || (s->key.nw_proto != IPPROTO_TCP &&
			       s->key.nw_proto != IPPROTO_UDP))
		return ACT_FAIL(MALFORMED);
	port = FRAME_AT(ctx, s->offsets.l4 +
			(op->type == XDP_OP_SET_TP_DST ? 2 : 0), MAX_L4_OFS, 2);
	if (!port)
		return ACT_FAIL(MALFORMED);
	from = *port;
	to = masked16(from, op);
	*port = to;
	check = l4_check_at(ctx, s);
	if (check) {
		*check = csum_replace2(*check, from, to);
		if (!*check && s->key.nw_proto == IPPROTO_UDP)
			*check = 0xffff;
	}
	return 0;
}

/* A hash of the 5-tuple (or the addresses), never 0. */
static __noinline __u32
flow_hash(const struct xdp_scratch *s, __u32 basis)
{
	const __u64 *w = (const __u64 *)&s->key;
	__u64 h = XDP_HASH_SEED ^ basis ^ s->key.nw_proto;

	h = rotl64(h ^ w[6], 29) * XDP_HASH_MULT;
	h = rotl64(h ^ w[8], 29) * XDP_HASH_MULT;
	h = rotl64(h ^ w[9], 29) * XDP_HASH_MULT;
	h = rotl64(h ^ w[10], 29) * XDP_HASH_MULT;
	h = rotl64(h ^ w[11], 29) * XDP_HASH_MULT;
	h ^= (__u64)s->key.tp_src << 16 | s->key.tp_dst;
	h = rotl64(h, 29) * XDP_HASH_MULT;
	h ^= h >> 32;
	return (__u32)h ? (__u32)h : 1;
}

/* Ops that change the frame. */
static __always_inline int
act_edit(struct xdp_md *ctx, struct xdp_scratch *s, const struct xdp_op *op)
{
	switch (op->type) {
	case XDP_OP_SET_ETH_DST:
	case XDP_OP_SET_ETH_SRC:
		return act_set_eth(ctx, op);
	case XDP_OP_PUSH_VLAN:
		return act_push_vlan(ctx, s, op);
	case XDP_OP_POP_VLAN:
		return act_pop_vlan(ctx, s);
	case XDP_OP_SET_VLAN:
		return act_set_vlan(ctx, op);
	case XDP_OP_SET_IPV4_SRC:
	case XDP_OP_SET_IPV4_DST:
		return act_set_ipv4_addr(ctx, s, op);
	case XDP_OP_SET_IPV4_TOS:
	case XDP_OP_SET_IPV4_TTL:
		return act_set_ipv4_tos_ttl(ctx, s, op);
	case XDP_OP_SET_IPV6_SRC:
	case XDP_OP_SET_IPV6_DST:
		return act_set_ipv6_addr(ctx, s, op);
	case XDP_OP_SET_IPV6_TCLASS:
	case XDP_OP_SET_IPV6_HLIMIT:
	case XDP_OP_SET_IPV6_LABEL:
		return act_set_ipv6_misc(ctx, s, op);
	case XDP_OP_SET_TP_SRC:
	case XDP_OP_SET_TP_DST:
		return act_set_tp(ctx, s, op);
	default:
		return ACT_FAIL(INTERNAL);
	}
}

/* Ops that change metadata only. */
static __always_inline int
act_set_metadata(struct xdp_scratch *s, const struct xdp_op *op)
{
	__u32 mask = *(const __u32 *)&op->data[0];

	if (op->type == XDP_OP_SET_MARK)
		s->key.skb_mark = (s->key.skb_mark & ~mask) | (op->arg & mask);
	else if (op->type == XDP_OP_SET_PRIORITY)
		s->key.priority = (s->key.priority & ~mask) | (op->arg & mask);
	else
		s->key.dp_hash = flow_hash(s, op->arg);
	return 0;
}

static __always_inline int
act_output(__u32 port)
{
	__u32 *ifindex = bpf_map_lookup_elem(&xdp_ports, &port);

	if (!ifindex || bpf_redirect_map(&xdp_ports, port, 0) != XDP_REDIRECT)
		return drop(XDP_DROP_NO_PORT);
	count(XDP_COUNTER_FORWARDED);
	return XDP_REDIRECT;
}

static __always_inline int
act_recirc(struct xdp_md *ctx, struct xdp_scratch *s, __u32 recirc_id)
{
	if (++s->depth > XDP_MAX_RECIRC)
		return drop(XDP_DROP_RECIRC_LIMIT);
	s->key.recirc_id = recirc_id;
	count(XDP_COUNTER_RECIRC);
	bpf_tail_call(ctx, &xdp_stages, XDP_STAGE_RECIRC);
	return drop(XDP_DROP_TAIL_CALL);
}

/* Runs the ops of the flow in scratch. */
static __always_inline int
act_run(struct xdp_md *ctx, struct xdp_scratch *s,
	const struct xdp_config *config)
{
	__u32 ofs = s->ops >> 32;
	__u32 n = s->ops;
	__u32 i;
	int err;

	for (i = 0; i < XDP_FLOW_MAX_OPS; i++) {
		__u32 pos = ofs + i;
		struct xdp_op *op;

		if (i >= n)
			break;
		op = bpf_map_lookup_elem(&xdp_ops, &pos);
		if (!op)
			return drop(XDP_DROP_INTERNAL);
		switch (op->type) {
		case XDP_OP_END:
			return drop(XDP_DROP_ACTION);
		case XDP_OP_OUTPUT:
			return act_output(op->arg);
		case XDP_OP_RECIRC:
			return act_recirc(ctx, s, op->arg);
		case XDP_OP_USERSPACE:
			return upcall(ctx, s, config, XDP_UPCALL_ACTION, op->arg);
		case XDP_OP_SET_MARK:
		case XDP_OP_SET_PRIORITY:
		case XDP_OP_HASH:
			err = act_set_metadata(s, op);
			break;
		default:
			err = act_edit(ctx, s, op);
			break;
		}
		if (err)
			return drop(err - 1);
	}
	return drop(XDP_DROP_ACTION);
}

#endif /* actions.h */
