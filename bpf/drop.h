/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The one place where a frame is dropped. */
#ifndef DROP_H
#define DROP_H 1

#include "maps.h"

static __always_inline int
drop(enum xdp_drop_reason reason)
{
	struct xdp_cpu *c = cpu_get();

	if (c && reason < XDP_N_DROP_REASONS)
		c->counters.drops[reason]++;
	return CTX_DROP;
}

#endif /* drop.h */
