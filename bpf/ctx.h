/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The pipeline's stages are written once, against a ctx_t, and built twice: for
 * XDP, and with OVS_XDP_TC for TC.  What differs is in ctx-xdp.h and ctx-tc.h,
 * which define the same functions. */
#ifndef CTX_H
#define CTX_H 1

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#ifdef OVS_XDP_TC
#include <linux/pkt_cls.h>
typedef struct __sk_buff ctx_t;
#define CTX_DROP TC_ACT_SHOT
#define CTX_STAGES tc_stages
#else
typedef struct xdp_md ctx_t;
#define CTX_DROP XDP_DROP
#define CTX_STAGES xdp_stages
#endif

/* Pointer to 'N' bytes at offset 'OFS' of the frame; NULL if they cannot be
 * read or if 'OFS' is above 'MAX' (a power of two less one). */
#define FRAME_AT(CTX, OFS, MAX, N) ({					\
	__u32 ofs_ = (OFS);						\
	void *p_ = (void *)(long)(CTX)->data + (ofs_ & (MAX));		\
	ofs_ <= (MAX) && p_ + (N) <= (void *)(long)(CTX)->data_end	\
		? p_ : NULL; })

#define MAX_L3_OFS 127
#define MAX_L4_OFS 1023

/* A function that returns a drop reason returns this; 0 is success. */
#define FAIL(REASON) (XDP_DROP_##REASON + 1)

#endif /* ctx.h */
