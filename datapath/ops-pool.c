/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The pool of ops: which ranges of the map "xdp_ops" are in use. */

#include <config.h>
#include "ops-pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/list.h"
#include "openvswitch/util.h"
#include "util.h"

/* The pool of ops is made of blocks; a range lies within one of them. */
#define OPS_BLOCK 32
#define N_OPS_BLOCKS (XDP_MAX_OPS / OPS_BLOCK)
BUILD_ASSERT_DECL(OPS_BLOCK >= XDP_FLOW_MAX_OPS);
BUILD_ASSERT_DECL(XDP_MAX_OPS % OPS_BLOCK == 0);

struct ops_block {
    struct ovs_list node;       /* In 'fit', by its longest free run. */
    uint32_t free;              /* One bit for each op. */
};

struct ops_pool {
    struct xdp_op *ops;         /* The map. */
    struct ops_block *blocks;
    struct ovs_list fit[OPS_BLOCK + 1];
    uint64_t fits;              /* Bits: 'fit' not empty. */
};

/* Bits of the ops [off, off + n) in their block. */
static uint32_t
ops_bits(uint32_t off, uint32_t n)
{
    return ((UINT64_C(1) << n) - 1) << off % OPS_BLOCK;
}

static void
ops_block_insert(struct ops_pool *pool, struct ops_block *block)
{
    int run = 0;

    for (uint32_t bits = block->free; bits; bits &= bits << 1) {
        run++;
    }
    ovs_list_push_front(&pool->fit[run], &block->node);
    pool->fits |= UINT64_C(1) << run;
}

/* Turns ops from free to used, or back. */
static void
ops_flip(struct ops_pool *pool, uint32_t off, uint32_t n)
{
    if (n) {
        struct ops_block *block = &pool->blocks[off / OPS_BLOCK];

        ovs_list_remove(&block->node);
        block->free ^= ops_bits(off, n);
        ops_block_insert(pool, block);
    }
}

struct ops_pool *
ops_pool_create(struct xdp_op *ops)
{
    struct ops_pool *pool = xzalloc(sizeof *pool);

    pool->ops = ops;
    pool->blocks = xmalloc(N_OPS_BLOCKS * sizeof *pool->blocks);
    for (size_t i = 0; i < ARRAY_SIZE(pool->fit); i++) {
        ovs_list_init(&pool->fit[i]);
    }
    for (int i = N_OPS_BLOCKS - 1; i >= 0; i--) {
        pool->blocks[i].free = UINT32_MAX;
        ops_block_insert(pool, &pool->blocks[i]);
    }
    return pool;
}

void
ops_pool_destroy(struct ops_pool *pool)
{
    if (pool) {
        free(pool->blocks);
        free(pool);
    }
}

/* Takes 'n' ops in a row from the block that they fit into best. */
static int
ops_alloc(struct ops_pool *pool, uint32_t n, uint32_t *offp)
{
    uint64_t fits;

    *offp = 0;
    if (!n) {
        return 0;
    }
    while ((fits = pool->fits >> n << n)) {
        int run = raw_ctz(fits);

        if (ovs_list_is_empty(&pool->fit[run])) {
            pool->fits &= ~(UINT64_C(1) << run);
            continue;
        }

        struct ops_block *block = CONTAINER_OF(pool->fit[run].next,
                                               struct ops_block, node);
        uint32_t starts = block->free;

        for (uint32_t i = 1; i < n; i++) {
            starts &= starts >> 1;
        }
        *offp = (block - pool->blocks) * OPS_BLOCK + raw_ctz(starts);
        ops_flip(pool, *offp, n);
        return 0;
    }
    return ENOSPC;
}

static bool
ops_are_output(__u64 ops)
{
    return ops & XDP_OPS_OUTPUT;
}

uint32_t
ops_pool_n(__u64 ops)
{
    return ops_are_output(ops) ? 0 : (uint32_t) ops;
}

int
ops_pool_encode(struct ops_pool *pool, const struct xdp_op *ops, uint32_t n,
                __u64 *encoded)
{
    uint32_t off;
    int error;

    if (n == 1 && ops->type == XDP_OP_OUTPUT && ops->arg < XDP_MAX_PORTS) {
        *encoded = XDP_OPS_OUTPUT | ops->arg;
        return 0;
    }
    error = ops_alloc(pool, n, &off);
    if (!error) {
        if (n) {                        /* 'ops' may be null. */
            memcpy(&pool->ops[off], ops, n * sizeof *ops);
        }
        *encoded = (__u64) off << 32 | n;
    }
    return error;
}

uint32_t
ops_pool_decode(const struct ops_pool *pool, __u64 encoded,
                struct xdp_op ops[XDP_FLOW_MAX_OPS])
{
    if (ops_are_output(encoded)) {
        ops[0] = (struct xdp_op) { .type = XDP_OP_OUTPUT,
                                   .arg = encoded & (XDP_OPS_OUTPUT - 1) };
        return 1;
    }
    memcpy(ops, &pool->ops[encoded >> 32], ops_pool_n(encoded) * sizeof *ops);
    return ops_pool_n(encoded);
}

void
ops_pool_release(struct ops_pool *pool, __u64 encoded)
{
    ops_flip(pool, encoded >> 32, ops_pool_n(encoded));
}

bool
ops_pool_can_adopt(const struct ops_pool *pool, __u64 ops)
{
    uint32_t off = ops >> 32, n = ops;

    if (ops_are_output(ops)) {
        return ops < XDP_OPS_OUTPUT + XDP_MAX_PORTS;
    }
    if (n > XDP_FLOW_MAX_OPS || off >= XDP_MAX_OPS
        || off % OPS_BLOCK + n > OPS_BLOCK
        || ops_bits(off, n) & ~pool->blocks[off / OPS_BLOCK].free) {
        return false;
    }
    for (uint32_t i = off; i < off + n; i++) {
        if (pool->ops[i].type >= XDP_OP_N) {
            return false;
        }
    }
    return true;
}

void
ops_pool_adopt(struct ops_pool *pool, __u64 ops)
{
    ops_flip(pool, ops >> 32, ops_pool_n(ops));
}
