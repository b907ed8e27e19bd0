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

/* Ingress of the trap's near side and of ports in XDP mode: what the XDP program
 * there passed on. */
SEC("tc")
int deliver(struct __sk_buff *ctx)
{
	struct handover *p = (void *)(long)ctx->data_meta;
	struct xdp_cpu *c = cpu_get();
	struct xdp_config *config = config_get();
	struct xdp_flow *flow;
	struct handover h;

	if (!c || (void *)(p + 1) > (void *)(long)ctx->data ||
	    p->magic != HANDOVER_MAGIC)
		return drop(XDP_DROP_HANDOVER);
	h = *p;
	c->key.in_port = h.in_port_depth >> 16;
	c->key.recirc_id = h.recirc_id;
	c->key.skb_mark = h.skb_mark;
	c->key.priority = h.priority;
	c->key.dp_hash = h.dp_hash;
	c->depth = h.in_port_depth & 0xffff;
	c->flow = h.flow;
	if (h.port != HANDOVER_ACTIONS)
		return ctx_output(ctx, c, h.port);
	flow = bpf_map_lookup_elem(&xdp_flows, &h.flow);
	if (!flow || !config || parse(ctx, c, config->vlan_limit))
		return drop(XDP_DROP_INTERNAL);
	c->ops = *(volatile __u64 *)&flow->ops;
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
