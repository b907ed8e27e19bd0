/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * What traffic.bpf.c and the programs that load it share. */
#ifndef TRAFFIC_ABI_H
#define TRAFFIC_ABI_H 1

#include <linux/types.h>

#define TRAFFIC_MAGIC 0x68636e62u       /* "bnch": behind the stamp. */
#define TRAFFIC_FRAME 60                /* 64 bytes on a wire, with the FCS. */
#define TRAFFIC_PORTS 1024              /* Devices that a forwarder can have. */

/* Histogram of latencies: 16 steps to each power of two of nanoseconds. */
#define TRAFFIC_HIST_STEPS 16
#define TRAFFIC_HIST (64 * TRAFFIC_HIST_STEPS)

static inline __attribute__((always_inline)) __u32
traffic_hist_step(__u64 ns)
{
    __u32 log = 0, i;

    if (ns < TRAFFIC_HIST_STEPS) {
        return ns;
    }
    for (i = 32; i; i >>= 1) {
        if (ns >> (log + i)) {
            log += i;
        }
    }
    return (log - 3) * TRAFFIC_HIST_STEPS
           + (ns >> (log - 4) & (TRAFFIC_HIST_STEPS - 1));
}

/* The middle of what step 'step' stands for. */
static inline double
traffic_hist_ns(__u32 step)
{
    __u32 log = step / TRAFFIC_HIST_STEPS + 3;

    if (step < TRAFFIC_HIST_STEPS) {
        return step;
    }
    return (double) (1ull << (log - 4))
           * (TRAFFIC_HIST_STEPS + step % TRAFFIC_HIST_STEPS + 0.5);
}

/* Which 5-tuples the generator sends.  It numbers them 0...flows-1; number i
 * is
 *
 *     nw_src = src + i / 1024          nw_dst = dst + (i % n_dst) * dst_step
 *     tp_src = 1024 + i % 1024         tp_dst = 2000 + i % n_dport
 *
 * and the packet after number i is number (i + stride) % flows, on each CPU
 * from a place of its own.  A stride that has no factor in common with 'flows'
 * visits all; a large one gives no help to caches. */
struct traffic_config {
    __u8 eth_dst[6];
    __u8 eth_src[6];
    __u32 flows;
    __u32 stride;
    __u32 src;                          /* Host byte order, as all here. */
    __u32 dst;
    __u32 n_dst;
    __u32 dst_step;
    __u32 n_dport;
    __u32 stamp;                        /* 1: measure latencies. */
    __u64 gap;                          /* Nanoseconds between packets of one
                                         * CPU; 0: as fast as it goes. */
};

/* Of the generator, for each CPU. */
struct traffic_gen {
    __u64 next;                         /* Number of the next 5-tuple. */
    __u64 due;                          /* When it may be sent. */
    __u64 sent;
    __u64 limit;                        /* Packets to send; 0: no limit. */
};

#endif /* traffic-abi.h */
