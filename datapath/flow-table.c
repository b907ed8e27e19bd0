/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The megaflow table.  BPF programs read the maps while this file writes them,
 * so what a reader can reach is complete before the 64-bit store that makes it
 * reachable, and is not reused before every program that might still look at
 * it has ended: programs run in softirq context with bottom halves disabled for
 * microseconds, and GRACE_MSEC is far above that. */

#include <config.h>
#include "flow-table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "openvswitch/list.h"
#include "openvswitch/util.h"
#include "ovs-thread.h"
#include "timeval.h"
#include "util.h"

#define GRACE_MSEC 20

/* A stack of free numbers. */
struct id_stack {
    uint32_t *ids;
    size_t n;
};

/* Numbers (flow indexes or op ranges) that wait for the end of their grace
 * period. */
struct deferred {
    struct ovs_list node;
    long long int when;         /* time_msec() after which they are free. */
    uint32_t flow;              /* Flow index; 0: only an op range. */
    uint32_t ops_off;
    uint32_t n_ops;             /* 0: no op range. */
};

/* The pool of ops is made of blocks; a range lies within one of them. */
#define OPS_BLOCK 32
#define N_OPS_BLOCKS (XDP_MAX_OPS / OPS_BLOCK)
BUILD_ASSERT_DECL(OPS_BLOCK >= XDP_FLOW_MAX_OPS);
BUILD_ASSERT_DECL(XDP_MAX_OPS % OPS_BLOCK == 0);

struct ops_block {
    struct ovs_list node;       /* In 'ops_fit', by its longest free run. */
    uint32_t free;              /* One bit for each op. */
};

struct mask_ref {
    uint32_t n_flows;           /* Flows that use the mask. */
    uint32_t pos;               /* In mask_list. */
};

struct flow_table {
    struct ovs_mutex mutex;
    struct flow_table_maps maps;

    struct id_stack free_flows OVS_GUARDED;
    struct id_stack free_masks OVS_GUARDED;
    struct ops_block *ops_blocks OVS_GUARDED;
    struct ovs_list ops_fit[OPS_BLOCK + 1] OVS_GUARDED;
    uint64_t ops_fits OVS_GUARDED;          /* Bits: 'ops_fit' not empty. */

    struct mask_ref *mask_refs OVS_GUARDED;
    uint32_t n_masks OVS_GUARDED;
    struct ovs_list deferred OVS_GUARDED;   /* Of struct deferred, by 'when'. */
    size_t n_flows OVS_GUARDED;
    uint8_t *live OVS_GUARDED;              /* By flow index: 1 if in use. */
};

static void
id_push(struct id_stack *stack, uint32_t id)
{
    if (!(stack->n & (stack->n - 1)) || !stack->ids) {
        size_t size = stack->n ? stack->n * 2 : 1;

        stack->ids = xrealloc(stack->ids, size * sizeof *stack->ids);
    }
    stack->ids[stack->n++] = id;
}

/* Hash and comparison, as in include/ovs-xdp-abi.h. */

static __u64
rotl64(__u64 x, int n)
{
    return x << n | x >> (64 - n);
}

static __u64
masked_key_hash(const __u64 *words, const struct xdp_mask *mask,
                uint32_t mask_id)
{
    __u64 h = XDP_HASH_SEED ^ mask_id;

    for (uint32_t i = 0; i < mask->n_words; i++) {
        h = rotl64(h ^ (words[mask->words[i]] & mask->bits[i]), 29)
            * XDP_HASH_MULT;
    }
    return h ^ h >> 32;
}

static void
mask_build(const struct xdp_flow_key *key, struct xdp_mask *mask)
{
    __u64 words[XDP_KEY_WORDS];

    memcpy(words, key, sizeof words);
    memset(mask, 0, sizeof *mask);
    for (uint32_t i = 0; i < XDP_KEY_WORDS; i++) {
        if (words[i]) {
            mask->words[mask->n_words] = i;
            mask->bits[mask->n_words++] = words[i];
        }
    }
}

static struct xdp_bucket *
candidate_bucket(const struct flow_table *ft, __u64 hash, int i)
{
    return &ft->maps.buckets[(i ? hash >> 20 : hash) & XDP_BUCKET_MASK];
}

/* The slot of the flow with 'words' under 'mask_id'; NULL if there is none. */
static __u64 *
find_slot(const struct flow_table *ft, const __u64 *words,
          uint32_t mask_id, __u64 hash)
{
    for (int b = 0; b < 2; b++) {
        struct xdp_bucket *bucket = candidate_bucket(ft, hash, b);

        for (int i = 0; i < XDP_BUCKET_SLOTS; i++) {
            __u64 slot = bucket->slots[i];
            const struct xdp_flow *flow = &ft->maps.flows[(uint32_t) slot];

            if (slot && slot >> 32 == hash >> 32 && flow->mask_id == mask_id
                && !memcmp(flow->key, words, sizeof flow->key)) {
                return &bucket->slots[i];
            }
        }
    }
    return NULL;
}

/* A free slot in the emptier of both buckets; NULL if there is none. */
static __u64 *
find_free_slot(const struct flow_table *ft, __u64 hash)
{
    __u64 *slots[2] = { NULL, NULL };
    int n_free[2] = { 0, 0 };

    for (int b = 0; b < 2; b++) {
        struct xdp_bucket *bucket = candidate_bucket(ft, hash, b);

        for (int i = 0; i < XDP_BUCKET_SLOTS; i++) {
            if (!bucket->slots[i]) {
                n_free[b]++;
                slots[b] = slots[b] ? slots[b] : &bucket->slots[i];
            }
        }
    }
    return slots[n_free[1] > n_free[0]];
}

static void
store64(__u64 *p, __u64 value)
{
    __atomic_store_n(p, value, __ATOMIC_RELEASE);
}

static void
store32(uint32_t *p, uint32_t value)
{
    __atomic_store_n(p, value, __ATOMIC_RELEASE);
}

/* Masks. */

/* The id of 'mask', which gets one when it has none; 0 if all are taken. */
static uint32_t
mask_ref(struct flow_table *ft, const struct xdp_mask *mask)
    OVS_REQUIRES(ft->mutex)
{
    uint32_t id;

    for (uint32_t i = 0; i < ft->n_masks; i++) {
        id = ft->maps.mask_list[i];
        if (!memcmp(&ft->maps.masks[id], mask, sizeof *mask)) {
            ft->mask_refs[id].n_flows++;
            return id;
        }
    }
    if (!ft->free_masks.n) {
        return 0;
    }
    id = ft->free_masks.ids[--ft->free_masks.n];
    ft->maps.masks[id] = *mask;
    ft->mask_refs[id] = (struct mask_ref) { .n_flows = 1, .pos = ft->n_masks };
    store64(&ft->maps.mask_list[ft->n_masks], id);
    store32(&ft->maps.config->n_masks, ++ft->n_masks);
    return id;
}

/* The last mask is written over the one that goes before the list shrinks: for
 * a moment it is there twice, never missing. */
static void
mask_unref(struct flow_table *ft, uint32_t id)
    OVS_REQUIRES(ft->mutex)
{
    struct mask_ref *ref = &ft->mask_refs[id];

    if (--ref->n_flows) {
        return;
    }
    uint32_t last = ft->maps.mask_list[ft->n_masks - 1];

    store64(&ft->maps.mask_list[ref->pos], last);
    ft->mask_refs[last].pos = ref->pos;
    store32(&ft->maps.config->n_masks, --ft->n_masks);
    id_push(&ft->free_masks, id);
}

/* Ops. */

/* Bits of the ops [off, off + n) in their block. */
static uint32_t
ops_bits(uint32_t off, uint32_t n)
{
    return ((UINT64_C(1) << n) - 1) << off % OPS_BLOCK;
}

static void
ops_block_insert(struct flow_table *ft, struct ops_block *block)
    OVS_REQUIRES(ft->mutex)
{
    int run = 0;

    for (uint32_t bits = block->free; bits; bits &= bits << 1) {
        run++;
    }
    ovs_list_push_front(&ft->ops_fit[run], &block->node);
    ft->ops_fits |= UINT64_C(1) << run;
}

/* Turns ops from free to used, or back. */
static void
ops_flip(struct flow_table *ft, uint32_t off, uint32_t n)
    OVS_REQUIRES(ft->mutex)
{
    struct ops_block *block = &ft->ops_blocks[off / OPS_BLOCK];

    ovs_list_remove(&block->node);
    block->free ^= ops_bits(off, n);
    ops_block_insert(ft, block);
}

static void
ops_init(struct flow_table *ft)
    OVS_REQUIRES(ft->mutex)
{
    ft->ops_blocks = xmalloc(N_OPS_BLOCKS * sizeof *ft->ops_blocks);
    for (size_t i = 0; i < ARRAY_SIZE(ft->ops_fit); i++) {
        ovs_list_init(&ft->ops_fit[i]);
    }
    for (int i = N_OPS_BLOCKS - 1; i >= 0; i--) {
        ft->ops_blocks[i].free = UINT32_MAX;
        ops_block_insert(ft, &ft->ops_blocks[i]);
    }
}

/* Takes 'n' ops in a row from the block that they fit into best. */
static int
ops_alloc(struct flow_table *ft, uint32_t n, uint32_t *offp)
    OVS_REQUIRES(ft->mutex)
{
    uint64_t fits;

    *offp = 0;
    if (!n) {
        return 0;
    }
    while ((fits = ft->ops_fits >> n << n)) {
        int run = raw_ctz(fits);

        if (ovs_list_is_empty(&ft->ops_fit[run])) {
            ft->ops_fits &= ~(UINT64_C(1) << run);
            continue;
        }

        struct ops_block *block = CONTAINER_OF(ft->ops_fit[run].next,
                                               struct ops_block, node);
        uint32_t starts = block->free;

        for (uint32_t i = 1; i < n; i++) {
            starts &= starts >> 1;
        }
        *offp = (block - ft->ops_blocks) * OPS_BLOCK + raw_ctz(starts);
        ops_flip(ft, *offp, n);
        return 0;
    }
    return ENOSPC;
}

static void
defer(struct flow_table *ft, uint32_t flow, __u64 ops)
    OVS_REQUIRES(ft->mutex)
{
    struct deferred *d = xmalloc(sizeof *d);

    d->when = time_msec() + GRACE_MSEC;
    d->flow = flow;
    d->ops_off = ops >> 32;
    d->n_ops = ops;
    ovs_list_push_back(&ft->deferred, &d->node);
}

static void
reclaim(struct flow_table *ft, bool all)
    OVS_REQUIRES(ft->mutex)
{
    long long int now = time_msec();
    struct deferred *d;

    LIST_FOR_EACH_SAFE (d, node, &ft->deferred) {
        if (!all && d->when > now) {
            break;
        }
        if (d->n_ops) {
            ops_flip(ft, d->ops_off, d->n_ops);
        }
        if (d->flow) {
            ft->maps.clear_stats(ft->maps.aux, d->flow);
            id_push(&ft->free_flows, d->flow);
        }
        ovs_list_remove(&d->node);
        free(d);
    }
}

/* Creation and adoption. */

static void
adopt_flow(struct flow_table *ft, uint32_t idx)
    OVS_REQUIRES(ft->mutex)
{
    const struct xdp_flow *flow = &ft->maps.flows[idx];

    ft->live[idx] = 1;
    ft->n_flows++;
    ft->mask_refs[flow->mask_id].n_flows++;
    if ((uint32_t) flow->ops) {
        ops_flip(ft, flow->ops >> 32, flow->ops);
    }
}

/* True if the flow's ops are a range of one block, known, and no other
 * flow's. */
static bool
ops_can_adopt(const struct flow_table *ft, __u64 ops)
    OVS_REQUIRES(ft->mutex)
{
    uint32_t off = ops >> 32, n = ops;

    if (!n) {
        return true;
    }
    if (n > XDP_FLOW_MAX_OPS || off >= XDP_MAX_OPS
        || off % OPS_BLOCK + n > OPS_BLOCK
        || ops_bits(off, n) & ~ft->ops_blocks[off / OPS_BLOCK].free) {
        return false;
    }
    for (uint32_t i = off; i < off + n; i++) {
        if (ft->maps.ops[i].type >= XDP_OP_N) {
            return false;
        }
    }
    return true;
}

static void
adopt(struct flow_table *ft)
    OVS_REQUIRES(ft->mutex)
{
    for (uint32_t b = 0; b < XDP_BUCKETS; b++) {
        for (int i = 0; i < XDP_BUCKET_SLOTS; i++) {
            uint32_t idx = ft->maps.buckets[b].slots[i];
            const struct xdp_flow *flow = &ft->maps.flows[idx];

            if (!idx) {
                continue;
            }
            if (idx >= XDP_MAX_FLOWS || ft->live[idx] || !flow->mask_id
                || flow->mask_id >= XDP_MAX_MASKS
                || !ops_can_adopt(ft, flow->ops)) {
                store64(&ft->maps.buckets[b].slots[i], 0);
                continue;
            }
            adopt_flow(ft, idx);
        }
    }
    /* Masks without a flow go; the list is rewritten in its order. */
    for (uint32_t i = 0; i < MIN(ft->maps.config->n_masks, XDP_MAX_MASKS);
         i++) {
        uint32_t id = ft->maps.mask_list[i];

        if (id && id < XDP_MAX_MASKS && ft->mask_refs[id].n_flows
            && (!ft->n_masks || ft->mask_refs[id].pos != UINT32_MAX)) {
            ft->mask_refs[id].pos = ft->n_masks;
            store64(&ft->maps.mask_list[ft->n_masks++], id);
        }
    }
    store32(&ft->maps.config->n_masks, ft->n_masks);
}

int
flow_table_create(const struct flow_table_maps *maps, bool adopt_flows,
                  struct flow_table **ftp)
{
    struct flow_table *ft = xzalloc(sizeof *ft);

    ovs_mutex_init(&ft->mutex);
    ft->maps = *maps;
    ft->mask_refs = xcalloc(XDP_MAX_MASKS, sizeof *ft->mask_refs);
    ft->live = xzalloc(XDP_MAX_FLOWS);
    ovs_list_init(&ft->deferred);

    ovs_mutex_lock(&ft->mutex);
    ops_init(ft);
    if (adopt_flows) {
        adopt(ft);
    } else {
        maps->config->n_masks = 0;
        memset(maps->buckets, 0, XDP_BUCKETS * sizeof *maps->buckets);
    }
    for (uint32_t i = XDP_MAX_FLOWS - 1; i > 0; i--) {
        if (!ft->live[i]) {
            id_push(&ft->free_flows, i);
        }
    }
    for (uint32_t i = XDP_MAX_MASKS - 1; i > 0; i--) {
        if (!ft->mask_refs[i].n_flows) {
            id_push(&ft->free_masks, i);
        }
    }
    ovs_mutex_unlock(&ft->mutex);
    *ftp = ft;
    return 0;
}

void
flow_table_destroy(struct flow_table *ft)
{
    if (!ft) {
        return;
    }
    ovs_mutex_lock(&ft->mutex);
    reclaim(ft, true);
    ovs_mutex_unlock(&ft->mutex);
    free(ft->ops_blocks);
    free(ft->free_flows.ids);
    free(ft->free_masks.ids);
    free(ft->mask_refs);
    free(ft->live);
    ovs_mutex_destroy(&ft->mutex);
    free(ft);
}

/* Flows. */

static int
insert__(struct flow_table *ft, const __u64 *words,
         const struct xdp_mask *mask, const struct xdp_op *ops, size_t n_ops,
         uint32_t *flowp)
    OVS_REQUIRES(ft->mutex)
{
    uint32_t mask_id, idx, off;
    __u64 hash, *slot;
    int error = ENOSPC;

    reclaim(ft, false);
    mask_id = mask_ref(ft, mask);
    if (!mask_id) {
        return ENOSPC;
    }
    hash = masked_key_hash(words, mask, mask_id);
    slot = find_slot(ft, words, mask_id, hash);
    if (slot) {
        *flowp = *slot;
        error = EEXIST;
        goto error;
    }
    slot = find_free_slot(ft, hash);
    if (!slot || !ft->free_flows.n) {
        goto error;
    }
    error = ops_alloc(ft, n_ops, &off);
    if (error) {
        goto error;
    }
    idx = ft->free_flows.ids[--ft->free_flows.n];

    struct xdp_flow *flow = &ft->maps.flows[idx];

    memcpy(&ft->maps.ops[off], ops, n_ops * sizeof *ops);
    flow->mask_id = mask_id;
    flow->ops = (__u64) off << 32 | n_ops;
    memcpy(flow->key, words, sizeof flow->key);
    store64(slot, hash >> 32 << 32 | idx);
    ft->live[idx] = 1;
    ft->n_flows++;
    *flowp = idx;
    return 0;

error:
    mask_unref(ft, mask_id);
    return error;
}

int
flow_table_insert(struct flow_table *ft, const struct xdp_flow_key *key,
                  const struct xdp_flow_key *mask_,
                  const struct xdp_op *ops, size_t n_ops, uint32_t *flowp)
{
    __u64 words[XDP_KEY_WORDS], bits[XDP_KEY_WORDS];
    struct xdp_mask mask;
    int error;

    if (n_ops > XDP_FLOW_MAX_OPS) {
        return E2BIG;
    }
    memcpy(words, key, sizeof words);
    memcpy(bits, mask_, sizeof bits);
    for (int i = 0; i < XDP_KEY_WORDS; i++) {
        words[i] &= bits[i];
    }
    mask_build(mask_, &mask);
    if (!mask.n_words) {
        return EINVAL;
    }

    ovs_mutex_lock(&ft->mutex);
    error = insert__(ft, words, &mask, ops, n_ops, flowp);
    ovs_mutex_unlock(&ft->mutex);
    return error;
}

int
flow_table_modify(struct flow_table *ft, uint32_t idx,
                  const struct xdp_op *ops, size_t n_ops)
{
    uint32_t off;
    int error;

    if (n_ops > XDP_FLOW_MAX_OPS) {
        return E2BIG;
    }
    ovs_mutex_lock(&ft->mutex);
    if (idx >= XDP_MAX_FLOWS || !ft->live[idx]) {
        error = ENOENT;
    } else {
        reclaim(ft, false);
        error = ops_alloc(ft, n_ops, &off);
    }
    if (!error) {
        struct xdp_flow *flow = &ft->maps.flows[idx];
        __u64 old = flow->ops;

        memcpy(&ft->maps.ops[off], ops, n_ops * sizeof *ops);
        store64(&flow->ops, (__u64) off << 32 | n_ops);
        defer(ft, 0, old);
    }
    ovs_mutex_unlock(&ft->mutex);
    return error;
}

static int
delete__(struct flow_table *ft, uint32_t idx)
    OVS_REQUIRES(ft->mutex)
{
    struct xdp_flow *flow = &ft->maps.flows[idx];
    __u64 hash, *slot;

    if (!idx || idx >= XDP_MAX_FLOWS || !ft->live[idx]) {
        return ENOENT;
    }
    hash = masked_key_hash(flow->key, &ft->maps.masks[flow->mask_id],
                           flow->mask_id);
    slot = find_slot(ft, flow->key, flow->mask_id, hash);
    if (slot) {
        store64(slot, 0);
    }
    ft->live[idx] = 0;
    ft->n_flows--;
    mask_unref(ft, flow->mask_id);
    defer(ft, idx, flow->ops);
    return 0;
}

int
flow_table_delete(struct flow_table *ft, uint32_t idx,
                  struct xdp_flow_stats *stats)
{
    int error;

    ovs_mutex_lock(&ft->mutex);
    error = delete__(ft, idx);
    if (!error && stats) {
        error = ft->maps.read_stats(ft->maps.aux, idx, stats);
    }
    ovs_mutex_unlock(&ft->mutex);
    return error;
}

int
flow_table_flush(struct flow_table *ft)
{
    ovs_mutex_lock(&ft->mutex);
    for (uint32_t idx = 1; ft->n_flows && idx < XDP_MAX_FLOWS; idx++) {
        if (ft->live[idx]) {
            delete__(ft, idx);
        }
    }
    ovs_mutex_unlock(&ft->mutex);
    return 0;
}

int
flow_table_get_stats(const struct flow_table *ft, uint32_t idx,
                     struct xdp_flow_stats *stats)
{
    return ft->maps.read_stats(ft->maps.aux, idx, stats);
}

int
flow_table_zero_stats(struct flow_table *ft, uint32_t idx)
{
    return ft->maps.clear_stats(ft->maps.aux, idx);
}

void
flow_table_run(struct flow_table *ft)
{
    ovs_mutex_lock(&ft->mutex);
    reclaim(ft, false);
    ovs_mutex_unlock(&ft->mutex);
}

size_t
flow_table_count(const struct flow_table *ft_)
{
    struct flow_table *ft = CONST_CAST(struct flow_table *, ft_);
    size_t n;

    ovs_mutex_lock(&ft->mutex);
    n = ft->n_flows;
    ovs_mutex_unlock(&ft->mutex);
    return n;
}

size_t
flow_table_n_masks(const struct flow_table *ft_)
{
    struct flow_table *ft = CONST_CAST(struct flow_table *, ft_);
    size_t n;

    ovs_mutex_lock(&ft->mutex);
    n = ft->n_masks;
    ovs_mutex_unlock(&ft->mutex);
    return n;
}

void
flow_table_for_each(struct flow_table *ft, flow_table_cb *cb, void *aux)
{
    for (uint32_t idx = 1; idx < XDP_MAX_FLOWS; idx++) {
        const struct xdp_flow *flow = &ft->maps.flows[idx];
        struct xdp_flow_key key, mask;
        __u64 bits[XDP_KEY_WORDS] = { 0 };
        bool live;

        ovs_mutex_lock(&ft->mutex);
        live = ft->live[idx];
        if (live) {
            const struct xdp_mask *m = &ft->maps.masks[flow->mask_id];

            for (uint32_t i = 0; i < MIN(m->n_words, XDP_KEY_WORDS); i++) {
                bits[m->words[i] % XDP_KEY_WORDS] = m->bits[i];
            }
        }
        ovs_mutex_unlock(&ft->mutex);
        if (live) {
            memcpy(&key, flow->key, sizeof key);
            memcpy(&mask, bits, sizeof mask);
            cb(idx, &key, &mask, &ft->maps.ops[flow->ops >> 32],
               (uint32_t) flow->ops, aux);
        }
    }
}

/* The kernel's jiffies start at INITIAL_JIFFIES, five minutes before they wrap
 * around 32 bits, and run with the monotonic clock (include/linux/jiffies.h,
 * INITIAL_JIFFIES). */
long long int
flow_table_used_msec(const struct flow_table *ft, uint64_t used)
{
    const struct xdp_config *config = ft->maps.config;
    struct timespec now;
    __u64 jiffies_now;

    if (!used || !config->hz) {
        return 0;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    jiffies_now = (__u64) (uint32_t) (-300 * (int) config->hz)
                  + (__u64) now.tv_sec * config->hz
                  + (__u64) now.tv_nsec * config->hz / 1000000000;
    if (used > jiffies_now) {
        return time_msec();
    }
    return time_msec() - (jiffies_now - used) * 1000 / config->hz;
}
