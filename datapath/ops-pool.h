/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The ops of flows, in the map "xdp_ops": which of them are in use, and how a
 * flow refers to its own ('ops' of struct xdp_flow in include/ovs-xdp-abi.h,
 * here 'encoded').  A single output needs no place in the map.
 *
 * The caller serializes all functions; flow-table.c does by its mutex.  A BPF
 * program may read ops that a flow has had until a grace period is over, so
 * the caller releases them only then. */
#ifndef OPS_POOL_H
#define OPS_POOL_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ovs-xdp-abi.h"

struct ops_pool;

/* Makes a pool of all XDP_MAX_OPS 'ops', which stay the caller's; none of them
 * is in use. */
struct ops_pool *ops_pool_create(struct xdp_op *ops);
/* Frees it, but not the ops; ignores NULL. */
void ops_pool_destroy(struct ops_pool *);

/* Copies 'n' 'ops', at most XDP_FLOW_MAX_OPS, where a flow refers to them by
 * '*encoded', for ops_pool_release().  'n' may be 0, and 'ops' then NULL.
 * ENOSPC, with '*encoded' untouched: no 'n' ops in a row are free. */
int ops_pool_encode(struct ops_pool *, const struct xdp_op *ops, uint32_t n,
                    __u64 *encoded);
/* Copies the ops to 'ops', and returns how many they are. */
uint32_t ops_pool_decode(const struct ops_pool *, __u64 encoded,
                         struct xdp_op ops[XDP_FLOW_MAX_OPS]);
/* How many ops of the map these are: 0 for a single output. */
uint32_t ops_pool_n(__u64 encoded);
/* Frees the ops. */
void ops_pool_release(struct ops_pool *, __u64 encoded);

/* True if 'encoded', which an earlier process wrote, is a single output to a
 * port, or a range of free ops, all of them known, such as ops_pool_encode()
 * gives. */
bool ops_pool_can_adopt(const struct ops_pool *, __u64 encoded);
/* Takes such ops out of the pool, for ops_pool_release(). */
void ops_pool_adopt(struct ops_pool *, __u64 encoded);

#endif /* ops-pool.h */
