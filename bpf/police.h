/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Ingress policing; see struct xdp_policer. */
#ifndef POLICE_H
#define POLICE_H 1

#include "maps.h"

#define POLICE_TRIES 4		/* Against other CPUs. */

/* True if a frame that takes 'ns' of the rate conforms to it. */
static __always_inline int
police_rate(struct xdp_rate *rate, __u64 now, __u64 ns)
{
	int i;

	for (i = 0; i < POLICE_TRIES; i++) {
		__u64 old = *(volatile __u64 *)&rate->due;
		__u64 due = old + rate->burst < now ? now - rate->burst : old;

		if (due > now)
			return 0;
		if (__sync_val_compare_and_swap(&rate->due, old, due + ns) == old)
			break;
	}
	return 1;
}

/* True if a frame of 'len' bytes from 'port' may come in. */
static __always_inline int
police(__u32 port, __u32 len)
{
	struct xdp_policer *p = bpf_map_lookup_elem(&xdp_policers, &port);
	__u64 now;

	if (!p || (!p->bytes.cost && !p->packets.cost))
		return 1;
	now = bpf_ktime_get_ns();
	if (p->packets.cost && !police_rate(&p->packets, now, p->packets.cost))
		return 0;
	return !p->bytes.cost ||
	       police_rate(&p->bytes, now, len * p->bytes.cost >> 10);
}

#endif /* police.h */
