/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * What the stages do with a frame, for TC: as ctx-xdp.h.  Frames may be
 * segmented (GSO) and have a checksum that is still to be filled in and a VLAN
 * tag beside them; the kernel's helpers keep that state right. */
#ifndef CTX_TC_H
#define CTX_TC_H 1

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stddef.h>
#include "drop.h"

#define CTX_PULL 256		/* Headers are looked for in that many bytes. */

static __always_inline __u32
ctx_len(ctx_t *ctx)
{
	return ctx->len;
}

static __always_inline __u32
ctx_known_len(ctx_t *ctx)
{
	return ctx->len;
}

/* What is counted: with the tag beside the frame, as openvswitch.ko does it. */
static __always_inline __u32
ctx_wire_len(ctx_t *ctx, __u32 len)
{
	return len + (ctx->vlan_present ? 4 : 0);
}

static __always_inline void
ctx_metadata(ctx_t *ctx, struct xdp_flow_key *key)
{
	key->skb_mark = ctx->mark;
	key->priority = ctx->priority;
}

/* True if the frame is TCP or UDP, without a tag or extension headers, and its
 * headers can be read already.  So it is with what a local TCP sends: only headers
 * are in the linear part, and pulling a part of the payload there, too, would have
 * the kernel copy the head, as a clone of the frame waits for its
 * acknowledgement. */
static __always_inline int
ctx_headers_linear(ctx_t *ctx, __u32 linear)
{
	__u8 *p = FRAME_AT(ctx, 0, 0, 54);
	__u32 l4, proto;

	if (!p)
		return 0;
	switch (*(__be16 *)(p + 12)) {
	case bpf_htons(ETH_P_IP):
		l4 = ETH_HLEN + (p[14] & 15) * 4;
		proto = p[23];
		break;
	case bpf_htons(ETH_P_IPV6):
		l4 = ETH_HLEN + 40;
		proto = p[20];
		break;
	default:
		return 0;
	}
	switch (proto) {
	case IPPROTO_TCP:
		return l4 + sizeof(struct tcphdr) <= linear;
	case IPPROTO_UDP:
		return l4 + sizeof(struct udphdr) <= linear;
	default:
		return 0;
	}
}

static __always_inline void
ctx_prepare(ctx_t *ctx, struct xdp_flow_key *key)
{
	__u32 len = ctx->len < CTX_PULL ? ctx->len : CTX_PULL;
	__u32 linear = ctx->data_end - ctx->data;

	/* If this fails, the headers behind are PARSE_DEEP: userspace has a look. */
	if (linear < len && !ctx_headers_linear(ctx, linear))
		bpf_skb_pull_data(ctx, len);
	if (ctx->vlan_present) {
		key->vlan_tpid = ctx->vlan_proto;
		key->vlan_tci = bpf_htons(ctx->vlan_tci | 0x1000);
	}
}

static __always_inline int
ctx_frame_has_vlan(ctx_t *ctx)
{
	__be16 *type = FRAME_AT(ctx, 12, 15, 6);

	return type && (*type == bpf_htons(ETH_P_8021Q) ||
			*type == bpf_htons(ETH_P_8021AD));
}

static __always_inline int
ctx_has_vlan(ctx_t *ctx)
{
	return ctx->vlan_present || ctx_frame_has_vlan(ctx);
}

/* The kernel moves tags into the frame and out of it. */
static __always_inline void
ctx_moved(ctx_t *ctx, struct xdp_cpu *c, __u32 old_len)
{
	if (c->offsets.l3)
		c->offsets.l3 += ctx->len - old_len;
	if (c->offsets.l4)
		c->offsets.l4 += ctx->len - old_len;
}

static __always_inline int
ctx_push_vlan(ctx_t *ctx, struct xdp_cpu *c, __be16 tpid, __be16 tci)
{
	__u32 len = ctx->len;

	if (bpf_skb_vlan_push(ctx, tpid, bpf_ntohs(tci)))
		return FAIL(HEADROOM);
	ctx_moved(ctx, c, len);
	return 0;
}

static __always_inline int
ctx_pop_vlan(ctx_t *ctx, struct xdp_cpu *c)
{
	__u32 len = ctx->len;

	if (!ctx_has_vlan(ctx))
		return 0;	/* As openvswitch.ko: nothing to pop. */
	if (bpf_skb_vlan_pop(ctx))
		return FAIL(INTERNAL);
	ctx_moved(ctx, c, len);
	return 0;
}

static __always_inline void
ctx_ipv4_csum(ctx_t *ctx, const struct xdp_cpu *c, __u32 from, __u32 to)
{
	bpf_l3_csum_replace(ctx, c->offsets.l3 + 10, from, to, 4);
}

/* The kernel may have summed up the whole frame. */
static __always_inline void
ctx_changed(ctx_t *ctx, __u32 from, __u32 to)
{
	bpf_csum_update(ctx, bpf_csum_diff(&from, 4, &to, 4, 0));
}

static __always_inline void
ctx_l4_csum(ctx_t *ctx, const struct xdp_cpu *c, __u32 from, __u32 to,
	    int pseudo)
{
	__u64 flags = 4 | (pseudo ? BPF_F_PSEUDO_HDR : 0);
	__u32 ofs = c->offsets.l4;

	if (!ofs)
		return;
	switch (c->key.nw_proto) {
	case IPPROTO_TCP:
		ofs += offsetof(struct tcphdr, check);
		break;
	case IPPROTO_UDP:
		ofs += offsetof(struct udphdr, check);
		flags |= BPF_F_MARK_MANGLED_0;
		break;
	case IPPROTO_ICMPV6:
		ofs += 2;
		break;
	default:
		return;
	}
	bpf_l4_csum_replace(ctx, ofs, from, to, flags);
	/* The helper takes it that an IP header's own checksum made up for the
	 * change of an address; IPv6 has none. */
	if (pseudo && c->key.eth_type == bpf_htons(ETH_P_IPV6))
		ctx_changed(ctx, from, to);
}

static __always_inline void
ctx_set_metadata(ctx_t *ctx, const struct xdp_cpu *c)
{
	ctx->mark = c->key.skb_mark;
	ctx->priority = c->key.priority;
}

/* Gives the frame to what is behind the port's device, without another queue in
 * between; 0 if it has to go through the device.  What a veth would do to it is
 * done here: the packet type, which the kernel does not look at again, is as for
 * the device that the frame came in by, and metadata stay in a namespace. */
static __always_inline int
ctx_output_peer(ctx_t *ctx, __u32 ifindex, __u32 port)
{
	struct xdp_peer *peer = bpf_map_lookup_elem(&xdp_peers, &port);
	__u8 *mac = FRAME_AT(ctx, 0, 0, 6);
	struct xdp_peer_tx *tx;

	if (!peer || !peer->max_len || !mac)
		return 0;
	if (*(__u32 *)mac != *(__u32 *)peer->mac ||
	    *(__u16 *)(mac + 4) != *(__u16 *)(peer->mac + 4))
		return 0;
	if (ctx->len > peer->max_len && !ctx->gso_size)
		return 0;
	/* Linux 6.1 takes the tag in the frame off with the Ethernet header. */
	if (ctx->vlan_present && ctx_frame_has_vlan(ctx))
		return 0;
	tx = bpf_map_lookup_elem(&xdp_peer_tx, &port);
	if (!tx || (ctx->pkt_type != PACKET_HOST &&
		    bpf_skb_change_type(ctx, PACKET_HOST)))
		return 0;
	tx->packets++;
	tx->bytes += ctx->len;
	ctx->mark = 0;
	ctx->priority = 0;
	return bpf_redirect_peer(ifindex, 0);
}

static __always_inline int
ctx_output(ctx_t *ctx, struct xdp_cpu *c, __u32 port)
{
	struct xdp_port *p = bpf_map_lookup_elem(&xdp_port_table, &port);
	int verdict;

	if (!p || !p->ifindex)
		return drop(XDP_DROP_NO_PORT);
	verdict = ctx_output_peer(ctx, p->ifindex, port);
	if (verdict)
		return verdict;
	ctx_set_metadata(ctx, c);
	return bpf_redirect(p->ifindex, 0);
}

/* The upcall's header, but for what trap_push() can see itself, on the way to the
 * trap: in the control block. */
static __always_inline void
ctx_store_upcall(ctx_t *ctx, const struct xdp_upcall_hdr *hdr)
{
	ctx->mark = hdr->skb_mark;
	ctx->cb[0] = hdr->reason | hdr->depth << 4 | hdr->next_action << 8 |
		     hdr->in_port << 16;
	ctx->cb[1] = hdr->recirc_id;
	ctx->cb[2] = hdr->dp_hash;
	ctx->cb[3] = hdr->flow;
	ctx->cb[4] = hdr->priority;
}

static __always_inline void
ctx_load_upcall(ctx_t *ctx, struct xdp_upcall_hdr *hdr)
{
	__u32 word = ctx->cb[0];

	__builtin_memset(hdr, 0, sizeof *hdr);
	hdr->magic = XDP_UPCALL_MAGIC;
	hdr->reason = word & 15;
	hdr->depth = word >> 4 & 15;
	hdr->next_action = word >> 8 & 0xff;
	hdr->in_port = word >> 16;
	hdr->recirc_id = ctx->cb[1];
	hdr->dp_hash = ctx->cb[2];
	hdr->flow = ctx->cb[3];
	hdr->priority = ctx->cb[4];
	hdr->skb_mark = ctx->mark;
}

static __always_inline int
ctx_upcall(ctx_t *ctx, const struct xdp_config *config,
	   const struct xdp_upcall_hdr *hdr)
{
	ctx_store_upcall(ctx, hdr);
	return bpf_redirect(config->trap_ifindex, 0);
}

#endif /* ctx-tc.h */
