/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * What stages-*.bpf.c and stages.c share. */
#ifndef STAGES_ABI_H
#define STAGES_ABI_H 1

#include <linux/types.h>

#define STAGES_HEADER 14

/* Where stages-cut.h cuts the pipeline off. */
enum stages_cut {
    STAGES_CUT_ENTER,       /* Port and counters are known, the key empty. */
    STAGES_CUT_PARSE,       /* The key is there. */
    STAGES_CUT_LOOKUP,      /* The flow is found, and its statistics kept. */
    STAGES_N_CUTS
};

/* Of the run at hand. */
struct stages_state {
    __u64 wrong;            /* Out: packets with another verdict or length. */
    __u32 hint_set;         /* In: is emptied before each packet. */
    __u32 len;              /* In: of the frame, with all its tags. */
    /* In: the tag, as numbers, that is to be beside it in TC; TPID 0: none. */
    __u32 tpid, tci;
    __u32 verdict;          /* In: that each packet has to get, ... */
    __u32 out_len;          /* ... and the length that it has to leave with. */
    __u32 got_verdict;      /* Out: of the last packet. */
    __u32 got_len;
    __u8 header[STAGES_HEADER]; /* In: the frame begins so. */
    __u8 reserved[2];
};

#endif /* stages-abi.h */
