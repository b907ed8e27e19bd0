/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * What is attached to the ingress of a port in TC mode; see root.bpf.c. */
#include "drop.h"

char _license[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 port_no = 0;	/* The port's number. */

SEC("tc")
int root_tc(struct __sk_buff *ctx)
{
	struct xdp_cpu *c = cpu_get();

	if (!c)
		return drop(XDP_DROP_INTERNAL);
	c->key.in_port = port_no;
	bpf_tail_call(ctx, &tc_stages, XDP_STAGE_INGRESS);
	return drop(XDP_DROP_TAIL_CALL);
}
