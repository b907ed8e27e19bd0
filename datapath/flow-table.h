/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The megaflow table in the maps xdp_buckets, xdp_flows, xdp_masks,
 * xdp_mask_list, xdp_ops and xdp_stats: allocation of flow indexes, mask ids
 * and op ranges, atomic publication to the BPF readers, statistics, grace
 * period.  See include/ovs-xdp-abi.h for the layout.
 *
 * Thread-safe: one internal mutex.  Errors are positive errno. */
#ifndef FLOW_TABLE_H
#define FLOW_TABLE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ovs-xdp-abi.h"

struct flow_table;

/* Maps of the table as mapped into this process, so that unit tests can pass
 * plain memory instead of maps.  'read_stats' sums the per-CPU statistics of
 * one flow, 'clear_stats' clears them; both return a positive errno. */
struct flow_table_maps {
    struct xdp_config *config;
    struct xdp_bucket *buckets;
    struct xdp_flow *flows;
    struct xdp_mask *masks;
    __u64 *mask_list;
    struct xdp_op *ops;
    int (*read_stats)(void *aux, uint32_t flow, struct xdp_flow_stats *sum);
    int (*clear_stats)(void *aux, uint32_t flow);
    void *aux;
};

/* Makes a table over 'maps' (copied; the memory stays the caller's).  With
 * 'adopt', flows that are already in the maps are taken over (see
 * flow_table_for_each()), and what an earlier process left half done or broken
 * is removed, which takes a grace period; else the maps must be all zeros. */
int flow_table_create(const struct flow_table_maps *maps, bool adopt,
                      struct flow_table **);
void flow_table_destroy(struct flow_table *);

/* Adds a megaflow.  '*key' is masked by the function.  ENOSPC: a table is full
 * (flows, masks, ops or both candidate buckets); EEXIST: this key under this
 * mask is there already ('*flowp' is then its index); E2BIG: more than
 * XDP_FLOW_MAX_OPS ops; EINVAL: an empty mask; else 'clear_stats' failed.
 * 'n_ops' may be 0 (drop). */
int flow_table_insert(struct flow_table *, const struct xdp_flow_key *key,
                      const struct xdp_flow_key *mask,
                      const struct xdp_op *ops, size_t n_ops,
                      uint32_t *flowp);
/* Replaces the actions of a flow, atomically for packets.  ENOENT, E2BIG,
 * ENOSPC. */
int flow_table_modify(struct flow_table *, uint32_t flow,
                      const struct xdp_op *ops, size_t n_ops);
/* Removes a flow; '*stats', if nonnull, gets its statistics (without packets
 * that are on their way through it).  The index is not used again before a
 * grace period (flow_table_run()).  ENOENT; else 'read_stats' failed, but the
 * flow is removed. */
int flow_table_delete(struct flow_table *, uint32_t flow,
                      struct xdp_flow_stats *stats);
/* Removes all flows, some at a time: insertions of others are not held up, and
 * may or may not survive. */
int flow_table_flush(struct flow_table *);

/* Statistics summed over CPUs; 'used' is in jiffies. */
int flow_table_get_stats(const struct flow_table *, uint32_t flow,
                         struct xdp_flow_stats *stats);
int flow_table_zero_stats(struct flow_table *, uint32_t flow);

/* Frees what was removed and has had its grace period: 20 ms, far above the
 * microseconds that a program runs.  Call now and then; cheap when idle. */
void flow_table_run(struct flow_table *);
size_t flow_table_count(const struct flow_table *);
/* Masks in the list of the BPF programs, also those that had flows until a
 * grace period ago. */
size_t flow_table_n_masks(const struct flow_table *);

/* Calls 'cb', without a lock held, for every flow in the table, also adopted
 * ones.  'key', 'mask' and 'ops' are copies that last as long as the call. */
typedef void flow_table_cb(uint32_t flow, const struct xdp_flow_key *key,
                           const struct xdp_flow_key *mask,
                           const struct xdp_op *ops, size_t n_ops, void *aux);
void flow_table_for_each(struct flow_table *, flow_table_cb *, void *aux);

/* 'xdp_flow_stats.used' (jiffies) as milliseconds of time_msec(); 0: never. */
long long int flow_table_used_msec(const struct flow_table *, uint64_t used);

#endif /* flow-table.h */
