/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The pipeline for ports in TC mode, and the TC side of the trap and of ports in
 * XDP mode.  The loader puts "stage_<name>" into
 * tc_stages[XDP_STAGE_<NAME>]. */
#include "stages.h"
#include "handover.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* What is attached to a port. */
SEC("tc")
int port_ingress(struct __sk_buff *ctx)
{
	return ingress(ctx, ctx->ifindex);
}

SEC("tc")
int stage_recirc(struct __sk_buff *ctx)
{
	return recirc(ctx);
}

SEC("tc")
int stage_actions(struct __sk_buff *ctx)
{
	return actions(ctx);
}

/* Takes up a frame that generic XDP handed over, see handover.h. */
static __always_inline int
deliver_generic(struct __sk_buff *ctx, struct xdp_cpu *c)
{
	__u32 len = c->handover_len;

	c->handover_len = 0;
	if (!len)
		return -1;
	/* The kernel may have moved a tag out of the frame since. */
	if (len == ctx->len || (ctx->vlan_present && len == ctx->len + 4))
		return 0;
	return len != ctx->len + ETH_HLEN ||
	       bpf_skb_change_head(ctx, ETH_HLEN, 0) ||
	       bpf_skb_store_bytes(ctx, 0, c->handover_mac, ETH_HLEN, 0);
}

/* Ingress of the trap's near side and of ports in XDP mode: what the XDP program
 * there passed on. */
SEC("tc")
int deliver(struct __sk_buff *ctx)
{
	struct handover *p = (void *)(long)ctx->data_meta;
	struct xdp_cpu *c = cpu_get();
	struct xdp_config *config = config_get();
	__u32 port;
	__u64 ops;

	if (!c)
		return drop(XDP_DROP_HANDOVER);
	if ((void *)(p + 1) <= (void *)(long)ctx->data) {
		if (p->magic != HANDOVER_MAGIC)
			return drop(XDP_DROP_HANDOVER);
		port = p->port;
		c->key.in_port = p->in_port_depth >> 16;
		c->key.recirc_id = p->recirc_id;
		c->key.skb_mark = p->skb_mark;
		c->key.priority = p->priority;
		c->key.dp_hash = p->dp_hash;
		c->depth = p->in_port_depth & 0xffff;
		c->flow = p->flow;
	} else {
		port = c->handover_port;
		if (deliver_generic(ctx, c))
			return drop(XDP_DROP_HANDOVER);
	}
	if (port != HANDOVER_ACTIONS)
		return ctx_output(ctx, c, port);
	if (!config || parse(ctx, c, config->vlan_limit))
		return drop(XDP_DROP_INTERNAL);
	/* By now the index may be another flow's. */
	ops = flow_check_global(&c->key, c->flow, 0);
	if (!ops)
		return drop(XDP_DROP_HANDOVER);
	c->ops = ops & ~(__u64)OPS_FOUND;
	bpf_tail_call(ctx, &tc_stages, XDP_STAGE_ACTIONS);
	return drop(XDP_DROP_TAIL_CALL);
}

/* Egress of the trap's near side: upcalls from TC get their header.  Whatever is
 * unfinished about the frame is finished behind this: the device has no
 * offloads, so that the kernel segments it and fills in checksums. */
SEC("tc")
int trap_push(struct __sk_buff *ctx)
{
	struct xdp_upcall_hdr hdr, *p;
	int i;

	ctx_load_upcall(ctx, &hdr);
	if (hdr.reason < XDP_UPCALL_MISS || hdr.reason > XDP_UPCALL_COPY)
		return drop(XDP_DROP_UPCALL);
	/* To take the tag beside the frame is to move the next one out there. */
	for (i = 0; i < XDP_UPCALL_VLANS; i++) {
		if (!ctx->vlan_present)
			break;
		hdr.vlans[i].tpid = ctx->vlan_proto;
		hdr.vlans[i].tci = bpf_htons(ctx->vlan_tci);
		if (bpf_skb_vlan_pop(ctx))
			return drop(XDP_DROP_UPCALL);
	}
	if (ctx->vlan_present)
		return drop(XDP_DROP_UPCALL);	/* Too many tags. */
	if (bpf_skb_change_head(ctx, sizeof hdr, 0))
		return drop(XDP_DROP_HEADROOM);
	p = FRAME_AT(ctx, 0, 0, sizeof *p);
	if (!p)
		return drop(XDP_DROP_INTERNAL);
	*p = hdr;
	return TC_ACT_OK;
}
