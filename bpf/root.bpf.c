/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * What is attached to a port: notes the port's number and goes on to the
 * pipeline.  Loaded once for each port; stages change without touching it. */
#include "maps.h"
#include "drop.h"

char _license[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 port_no = 0;	/* The port's number. */

SEC("xdp.frags")
int root(struct xdp_md *ctx)
{
	struct xdp_cpu *c = cpu_get();

	if (!c)
		return drop(XDP_DROP_INTERNAL);
	c->key.in_port = port_no;
	bpf_tail_call(ctx, &xdp_stages, XDP_STAGE_INGRESS);
	return drop(XDP_DROP_TAIL_CALL);
}
