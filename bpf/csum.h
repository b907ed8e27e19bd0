/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Incremental Internet checksums (RFC 1624, equation 3).  All values are as in
 * memory; one's complement sums do not depend on byte order as long as all the
 * words do the same. */
#ifndef CSUM_H
#define CSUM_H 1

#include <linux/types.h>

static __always_inline __u16
csum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The checksum 'check' after 32 bits at an even offset changed from 'from' to
 * 'to'; or 16 bits, zero-extended. */
static __always_inline __u16
csum_replace(__u16 check, __u32 from, __u32 to)
{
	__u32 sum = (__u16)~check;

	sum += (__u16)~from + (__u16)~(from >> 16);
	sum += (to & 0xffff) + (to >> 16);
	return ~csum_fold(sum);
}

#endif /* csum.h */
