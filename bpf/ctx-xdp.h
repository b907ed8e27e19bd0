/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * What the stages do with a frame, for XDP. */
#ifndef CTX_XDP_H
#define CTX_XDP_H 1

#include <linux/if_ether.h>
#include <linux/in.h>
#include "csum.h"
#include "drop.h"
#include "handover.h"

/* Longer frames cannot be cloned with their headroom in one page. */
#define MAX_CLONE_LEN 3400

static __always_inline __u32
ctx_len(ctx_t *ctx)
{
	return bpf_xdp_get_buff_len(ctx);
}

/* What is known of the length without a call. */
static __always_inline __u32
ctx_known_len(ctx_t *ctx)
{
	return ctx->data_end - ctx->data;
}

/* What is counted: the frame with all its tags. */
static __always_inline __u32
ctx_wire_len(ctx_t *ctx, __u32 len)
{
	return len;
}

/* The metadata that a frame comes with. */
static __always_inline void
ctx_metadata(ctx_t *ctx, struct xdp_flow_key *key)
{
	key->skb_mark = 0;
	key->priority = 0;
}

/* Makes headers readable; a VLAN tag beside the frame goes to the key. */
static __always_inline void
ctx_prepare(ctx_t *ctx, struct xdp_flow_key *key)
{
}

static __always_inline int
ctx_has_vlan(ctx_t *ctx)
{
	__be16 *type = FRAME_AT(ctx, 12, 15, 6);

	return type && (*type == bpf_htons(ETH_P_8021Q) ||
			*type == bpf_htons(ETH_P_8021AD));
}

/* Pushes a tag; 'tci' without the CFI bit of Open vSwitch. */
static __always_inline int
ctx_push_vlan(ctx_t *ctx, struct xdp_cpu *c, __be16 tpid, __be16 tci)
{
	__u8 *p;

	if (bpf_xdp_adjust_head(ctx, -4))
		return FAIL(HEADROOM);
	p = FRAME_AT(ctx, 0, 0, 18);
	if (!p)
		return FAIL(INTERNAL);
	__builtin_memmove(p, p + 4, 12);
	*(__be16 *)(p + 12) = tpid;
	*(__be16 *)(p + 14) = tci;
	if (c->offsets.l3)
		c->offsets.l3 += 4;
	if (c->offsets.l4)
		c->offsets.l4 += 4;
	return 0;
}

static __always_inline int
ctx_pop_vlan(ctx_t *ctx, struct xdp_cpu *c)
{
	__u32 *p = FRAME_AT(ctx, 0, 0, 18);
	__u32 mac0, mac1, mac2;

	if (!p || !ctx_has_vlan(ctx))
		return 0;	/* As openvswitch.ko: nothing to pop. */
	mac0 = p[0];
	mac1 = p[1];
	mac2 = p[2];
	p[1] = mac0;
	p[2] = mac1;
	p[3] = mac2;
	if (bpf_xdp_adjust_head(ctx, 4))
		return FAIL(INTERNAL);
	if (c->offsets.l3)
		c->offsets.l3 -= 4;
	if (c->offsets.l4)
		c->offsets.l4 -= 4;
	return 0;
}

/* After 'from' became 'to' in the IPv4 header (16-bit words: zero-extended). */
static __always_inline void
ctx_ipv4_csum(ctx_t *ctx, const struct xdp_cpu *c, __u32 from, __u32 to)
{
	__u16 *check = FRAME_AT(ctx, c->offsets.l3 + 10, MAX_L3_OFS, 2);

	if (check)
		*check = csum_replace(*check, from, to);
}

/* After 'from' became 'to' in what the L4 checksum covers: the pseudo-header if
 * 'pseudo', else the L4 header. */
static __always_inline void
ctx_l4_csum(ctx_t *ctx, const struct xdp_cpu *c, __u32 from, __u32 to,
	    int pseudo)
{
	__u32 l4 = c->offsets.l4;
	__u16 *check;

	if (!l4)
		return;
	switch (c->key.nw_proto) {
	case IPPROTO_TCP:
		check = FRAME_AT(ctx, l4 + 16, MAX_L4_OFS, 2);
		break;
	case IPPROTO_UDP:
		check = FRAME_AT(ctx, l4 + 6, MAX_L4_OFS, 2);
		if (check && !*check)
			return;		/* Not in use. */
		break;
	case IPPROTO_ICMPV6:
		check = FRAME_AT(ctx, l4 + 2, MAX_L4_OFS, 2);
		break;
	default:
		return;
	}
	if (!check)
		return;
	*check = csum_replace(*check, from, to);
	if (!*check && c->key.nw_proto == IPPROTO_UDP)
		*check = 0xffff;
}

/* After 'from' became 'to' in a part of the frame that no checksum covers. */
static __always_inline void
ctx_changed(ctx_t *ctx, __u32 from, __u32 to)
{
}

/* Leaves the frame to the TC program of the device that it came from. */
static __always_inline int
ctx_hand_over(ctx_t *ctx, struct xdp_cpu *c, __u32 port)
{
	__u32 port_no = c->key.in_port;
	struct xdp_port *in = bpf_map_lookup_elem(&xdp_port_table, &port_no);
	struct handover *h;
	__u8 *mac;

	if (in && in->flags & XDP_PORT_F_GENERIC &&
	    in->ifindex == ctx->ingress_ifindex) {
		mac = FRAME_AT(ctx, 0, 0, sizeof c->handover_mac);
		if (!mac)
			return drop(XDP_DROP_INTERNAL);
		__builtin_memcpy(c->handover_mac, mac, sizeof c->handover_mac);
		c->handover_port = port;
		c->handover_len = ctx_len(ctx);
		return XDP_PASS;
	}
	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof *h))
		return drop(XDP_DROP_METADATA);
	h = (void *)(long)ctx->data_meta;
	if ((void *)(h + 1) > (void *)(long)ctx->data)
		return drop(XDP_DROP_INTERNAL);
	h->magic = HANDOVER_MAGIC;
	h->port = port;
	h->flow = c->flow;
	h->in_port_depth = c->key.in_port << 16 | c->depth;
	h->recirc_id = c->key.recirc_id;
	h->skb_mark = c->key.skb_mark;
	h->priority = c->key.priority;
	h->dp_hash = c->key.dp_hash;
	return XDP_PASS;
}

/* Sends the frame to 'port'. */
static __always_inline int
ctx_output(ctx_t *ctx, struct xdp_cpu *c, __u32 port)
{
	struct xdp_port *p;

	/* Ports that take no XDP frames are not in the map. */
	if (bpf_redirect_map(&xdp_ports, port, 0) == XDP_REDIRECT)
		return XDP_REDIRECT;
	p = bpf_map_lookup_elem(&xdp_port_table, &port);
	if (!p || !(p->flags & XDP_PORT_F_STACK))
		return drop(XDP_DROP_NO_PORT);
	return ctx_hand_over(ctx, c, port);
}

/* Pushes 'hdr' in front of the frame. */
static __always_inline int
ctx_push_upcall(ctx_t *ctx, const struct xdp_upcall_hdr *hdr)
{
	struct xdp_upcall_hdr *p;

	if (bpf_xdp_adjust_head(ctx, -(int)sizeof *p))
		return FAIL(HEADROOM);
	p = (void *)(long)ctx->data;
	if ((void *)(p + 1) > (void *)(long)ctx->data_end)
		return FAIL(INTERNAL);
	*p = *hdr;
	return 0;
}

/* Sends the frame to userspace, with 'hdr'. */
static __always_inline int
ctx_upcall(ctx_t *ctx, const struct xdp_config *config,
	   const struct xdp_upcall_hdr *hdr)
{
	int err = ctx_push_upcall(ctx, hdr);

	if (err)
		return drop(err - 1);
	if (bpf_redirect_map(&xdp_trap, 0, 0) != XDP_REDIRECT)
		return drop(XDP_DROP_UPCALL);
	return XDP_REDIRECT;
}

#endif /* ctx-xdp.h */
