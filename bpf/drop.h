/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The one place where a frame is dropped. */
#ifndef DROP_H
#define DROP_H 1

#include "maps.h"

static __always_inline int
drop(__u32 reason)
{
	__u64 *n = bpf_map_lookup_elem(&xdp_drops, &reason);

	if (n)
		(*n)++;
	return XDP_DROP;
}

#endif /* drop.h */
