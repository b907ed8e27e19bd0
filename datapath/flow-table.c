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

#include "bitmap.h"
#include "hash.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/util.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xdp_flow_table);

#define GRACE_MSEC 20
/* What is done at most under one hold of the mutex: before an insertion, and
 * else. */
#define RECLAIM_SOME 16
#define CHUNK 1024

/* A stack of free numbers. */
struct id_stack {
    uint32_t *ids;              /* Room for all. */
    size_t n;
};

/* What waits for the end of a grace period. */
enum deferred_type {
    DEFERRED_FLOW,              /* A flow index and the flow's ops. */
    DEFERRED_OPS,               /* 'n_ops' ops from 'id' on. */
    DEFERRED_IDLE_MASK,         /* A mask id that had no flow, but may now. */
    DEFERRED_MASK,              /* A mask id and its place in the list. */
    DEFERRED_PLACE,             /* A place in the mask list. */
};

struct deferred {
    long long int when;         /* time_msec() at which it is over. */
    enum deferred_type type;
    uint32_t id;
    uint32_t n_ops;
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

#define NO_PLACE UINT32_MAX

/* A mask id.  Its mask, in 'maps.masks', has no words unless it is in use. */
struct mask {
    struct hmap_node node;      /* In 'masks', by mask_hash(); if in use. */
    uint32_t n_flows;           /* Flows that use the mask. */
    uint32_t place;             /* In mask_list. */
    bool idle_queued;           /* There is a DEFERRED_IDLE_MASK of it. */
};

struct flow_table {
    struct ovs_mutex mutex;
    struct flow_table_maps maps;

    struct id_stack free_flows OVS_GUARDED;
    struct id_stack free_masks OVS_GUARDED;
    struct ops_block *ops_blocks OVS_GUARDED;
    struct ovs_list ops_fit[OPS_BLOCK + 1] OVS_GUARDED;
    uint64_t ops_fits OVS_GUARDED;          /* Bits: 'ops_fit' not empty. */

    struct mask *mask_ids OVS_GUARDED;      /* By mask id. */
    struct hmap masks OVS_GUARDED;          /* Of struct mask. */
    uint32_t n_places OVS_GUARDED;          /* In mask_list. */
    unsigned long *holes OVS_GUARDED;       /* Bits: places that are free. */

    /* A ring, by 'when'; 'deferred_mask' is its size less one. */
    struct deferred *deferred OVS_GUARDED;
    size_t deferred_head, deferred_tail, deferred_mask OVS_GUARDED;
    size_t n_flows OVS_GUARDED;
    uint8_t *live OVS_GUARDED;              /* By flow index: 1 if in use. */
};

static void
id_push(struct id_stack *stack, uint32_t id)
{
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

/* Flow indexes. */

/* Takes a free index, without the statistics of the flow that had it last, in
 * this process or an earlier one. */
static int
flow_alloc(struct flow_table *ft, uint32_t *idx)
    OVS_REQUIRES(ft->mutex)
{
    int error;

    if (!ft->free_flows.n) {
        return ENOSPC;
    }
    *idx = ft->free_flows.ids[ft->free_flows.n - 1];
    error = ft->maps.clear_stats(ft->maps.aux, *idx);
    if (!error) {
        ft->free_flows.n--;
    }
    return error;
}

/* Deferral. */

static void
defer(struct flow_table *ft, enum deferred_type type, uint32_t id,
      uint32_t n_ops)
    OVS_REQUIRES(ft->mutex)
{
    if (ft->deferred_tail - ft->deferred_head > ft->deferred_mask) {
        size_t size = ft->deferred_mask + 1;
        struct deferred *ring = xmalloc(2 * size * sizeof *ring);

        for (size_t i = 0; i < size; i++) {
            ring[i] = ft->deferred[(ft->deferred_head + i) & (size - 1)];
        }
        free(ft->deferred);
        ft->deferred = ring;
        ft->deferred_head = 0;
        ft->deferred_tail = size;
        ft->deferred_mask = 2 * size - 1;
    }
    ft->deferred[ft->deferred_tail++ & ft->deferred_mask]
        = (struct deferred) { time_msec() + GRACE_MSEC, type, id, n_ops };
}

/* Masks.
 *
 * A BPF reader takes the length of the list once and walks the places from the
 * first on.  Hence a place gets another mask only a grace period after the
 * last that had it, and a mask that moves to a hole further ahead is in both
 * places for a grace period: a reader meets every mask that was there when it
 * started and still is when it ends.
 *
 * A mask whose last flow goes stays for a while, as the next may soon come. */

static uint32_t
mask_hash(const struct xdp_mask *mask)
{
    return hash_words64((const uint64_t *) mask->bits, mask->n_words,
                        hash_bytes(mask->words, mask->n_words, 0));
}

static struct mask *
mask_find(const struct flow_table *ft, const struct xdp_mask *mask,
          uint32_t hash)
    OVS_REQUIRES(ft->mutex)
{
    struct mask *m;

    HMAP_FOR_EACH_WITH_HASH (m, node, hash, &ft->masks) {
        const struct xdp_mask *other = &ft->maps.masks[m - ft->mask_ids];

        if (other->n_words == mask->n_words
            && !memcmp(other->words, mask->words, sizeof mask->words)
            && !memcmp(other->bits, mask->bits, sizeof mask->bits)) {
            return m;
        }
    }
    return NULL;
}

/* Puts the mask into a hole of the list or at its end; false if it is full. */
static bool
mask_list_add(struct flow_table *ft, uint32_t id)
    OVS_REQUIRES(ft->mutex)
{
    uint32_t place = bitmap_scan(ft->holes, true, 0, ft->n_places);

    if (place >= XDP_MAX_MASKS) {
        return false;
    }
    ft->mask_ids[id].place = place;
    store64(&ft->maps.mask_list[place], id);
    if (place < ft->n_places) {
        bitmap_set0(ft->holes, place);
    } else {
        store32(&ft->maps.config->n_masks, ++ft->n_places);
    }
    return true;
}

/* Cuts holes off the end of the list, then moves masks from there to the other
 * holes. */
static void
mask_list_compact(struct flow_table *ft)
    OVS_REQUIRES(ft->mutex)
{
    uint32_t from, to;

    while (ft->n_places && bitmap_is_set(ft->holes, ft->n_places - 1)) {
        bitmap_set0(ft->holes, --ft->n_places);
    }
    store32(&ft->maps.config->n_masks, ft->n_places);
    from = ft->n_places;
    to = bitmap_scan(ft->holes, true, 0, from);
    while (to < from) {
        uint32_t id = ft->maps.mask_list[--from];

        if (id && ft->mask_ids[id].place == from) {
            store64(&ft->maps.mask_list[to], id);
            ft->mask_ids[id].place = to;
            bitmap_set0(ft->holes, to);
            defer(ft, DEFERRED_PLACE, from, 0);
            to = bitmap_scan(ft->holes, true, to, from);
        }
    }
}

/* The id of 'mask', which gets one when it has none; 0 if all are taken. */
static uint32_t
mask_ref(struct flow_table *ft, const struct xdp_mask *mask)
    OVS_REQUIRES(ft->mutex)
{
    uint32_t hash = mask_hash(mask);
    struct mask *m = mask_find(ft, mask, hash);
    uint32_t id;

    if (m) {
        m->n_flows++;
        return m - ft->mask_ids;
    }
    if (!ft->free_masks.n) {
        return 0;
    }
    /* Until now it has no words for a reader that has the id as a hint. */
    id = ft->free_masks.ids[ft->free_masks.n - 1];
    memcpy(ft->maps.masks[id].words, mask->words, sizeof mask->words);
    memcpy(ft->maps.masks[id].bits, mask->bits, sizeof mask->bits);
    store32(&ft->maps.masks[id].n_words, mask->n_words);
    if (!mask_list_add(ft, id)) {
        store32(&ft->maps.masks[id].n_words, 0);
        return 0;
    }
    ft->free_masks.n--;
    ft->mask_ids[id].n_flows = 1;
    hmap_insert(&ft->masks, &ft->mask_ids[id].node, hash);
    return id;
}

static void
mask_unref(struct flow_table *ft, uint32_t id)
    OVS_REQUIRES(ft->mutex)
{
    struct mask *m = &ft->mask_ids[id];

    if (!--m->n_flows && !m->idle_queued) {
        m->idle_queued = true;
        defer(ft, DEFERRED_IDLE_MASK, id, 0);
    }
}

/* Removes a mask that has no flow. */
static void
mask_remove(struct flow_table *ft, uint32_t id)
    OVS_REQUIRES(ft->mutex)
{
    struct mask *m = &ft->mask_ids[id];

    hmap_remove(&ft->masks, &m->node);
    store64(&ft->maps.mask_list[m->place], 0);
    store32(&ft->maps.masks[id].n_words, 0);
    defer(ft, DEFERRED_MASK, id, 0);
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

/* Writes 'n_ops' ops; 'ops' may be null if there are none. */
static void
ops_write(struct flow_table *ft, uint32_t off, const struct xdp_op *ops,
          size_t n_ops)
{
    if (n_ops) {
        memcpy(&ft->maps.ops[off], ops, n_ops * sizeof *ops);
    }
}

static void
release(struct flow_table *ft, const struct deferred *d)
    OVS_REQUIRES(ft->mutex)
{
    switch (d->type) {
    case DEFERRED_FLOW: {
        __u64 ops = ft->maps.flows[d->id].ops;

        ops_flip(ft, ops >> 32, ops);
        id_push(&ft->free_flows, d->id);
        break;
    }
    case DEFERRED_OPS:
        ops_flip(ft, d->id, d->n_ops);
        break;
    case DEFERRED_IDLE_MASK:
        ft->mask_ids[d->id].idle_queued = false;
        if (!ft->mask_ids[d->id].n_flows) {
            mask_remove(ft, d->id);
        }
        break;
    case DEFERRED_MASK:
        id_push(&ft->free_masks, d->id);
        bitmap_set1(ft->holes, ft->mask_ids[d->id].place);
        break;
    case DEFERRED_PLACE:
        bitmap_set1(ft->holes, d->id);
        break;
    }
}

/* Releases at most 'max' of what has waited long enough; true if there is
 * more. */
static bool
reclaim(struct flow_table *ft, size_t max)
    OVS_REQUIRES(ft->mutex)
{
    long long int now = time_msec();
    bool places = false, more = true;

    while (max--) {
        struct deferred d
            = ft->deferred[ft->deferred_head & ft->deferred_mask];

        if (ft->deferred_head == ft->deferred_tail || d.when > now) {
            more = false;
            break;
        }
        ft->deferred_head++;
        places |= d.type == DEFERRED_MASK || d.type == DEFERRED_PLACE;
        release(ft, &d);
    }
    if (places) {
        mask_list_compact(ft);
    }
    return more;
}

/* Creation and adoption. */

/* True if the flow's ops are a range of one block, known, and no other
 * flow's. */
static bool
ops_can_adopt(const struct flow_table *ft, __u64 ops)
    OVS_REQUIRES(ft->mutex)
{
    uint32_t off = ops >> 32, n = ops;

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

static bool
mask_is_valid(const struct xdp_mask *mask)
{
    if (!mask->n_words || mask->n_words > XDP_KEY_WORDS) {
        return false;
    }
    for (uint32_t i = 0; i < XDP_KEY_WORDS; i++) {
        if (i >= mask->n_words
            ? mask->words[i] || mask->bits[i]
            : mask->words[i] >= XDP_KEY_WORDS || !mask->bits[i]
              || (i && mask->words[i] <= mask->words[i - 1])) {
            return false;
        }
    }
    return true;
}

/* Takes the mask 'id' over.  False if there is an equal one already. */
static bool
mask_adopt(struct flow_table *ft, uint32_t id)
    OVS_REQUIRES(ft->mutex)
{
    const struct xdp_mask *mask = &ft->maps.masks[id];
    uint32_t hash = mask_hash(mask);
    const struct mask *m = mask_find(ft, mask, hash);

    if (m) {
        return m == &ft->mask_ids[id];
    }
    hmap_insert(&ft->masks, &ft->mask_ids[id].node, hash);
    return true;
}

/* Takes over the flow that 'slot' refers to.  False if its key is not found
 * there first (the bucket, the hash, the key or its mask is wrong, or it is
 * there twice), or if its mask or ops are damaged or another flow's. */
static bool
flow_adopt(struct flow_table *ft, __u64 *slot)
    OVS_REQUIRES(ft->mutex)
{
    uint32_t idx = *slot;
    const struct xdp_flow *flow = &ft->maps.flows[idx];
    __u64 key[XDP_KEY_WORDS] = { 0 };
    const struct xdp_mask *mask;
    __u64 hash;

    if (!flow->mask_id || flow->mask_id >= XDP_MAX_MASKS) {
        return false;
    }
    mask = &ft->maps.masks[flow->mask_id];
    if (!mask_is_valid(mask)) {
        return false;
    }
    for (uint32_t i = 0; i < mask->n_words; i++) {
        key[mask->words[i]] = flow->key[mask->words[i]] & mask->bits[i];
    }
    hash = masked_key_hash(key, mask, flow->mask_id);
    if (find_slot(ft, key, flow->mask_id, hash) != slot
        || !ops_can_adopt(ft, flow->ops) || !mask_adopt(ft, flow->mask_id)) {
        return false;
    }
    ft->live[idx] = 1;
    ft->n_flows++;
    ft->mask_ids[flow->mask_id].n_flows++;
    ops_flip(ft, flow->ops >> 32, flow->ops);
    return true;
}

/* Leaves in the list each mask that has flows, once. */
static void
mask_list_adopt(struct flow_table *ft)
    OVS_REQUIRES(ft->mutex)
{
    ft->n_places = MIN(ft->maps.config->n_masks, XDP_MAX_MASKS);
    for (uint32_t place = 0; place < ft->n_places; place++) {
        __u64 id = ft->maps.mask_list[place];

        if (id < XDP_MAX_MASKS && ft->mask_ids[id].n_flows
            && ft->mask_ids[id].place == NO_PLACE) {
            ft->mask_ids[id].place = place;
        } else {
            store64(&ft->maps.mask_list[place], 0);
            bitmap_set1(ft->holes, place);
        }
    }
    for (uint32_t id = 0; id < XDP_MAX_MASKS; id++) {
        if (!ft->mask_ids[id].n_flows) {
            store32(&ft->maps.masks[id].n_words, 0);
        } else if (ft->mask_ids[id].place == NO_PLACE) {
            mask_list_add(ft, id);
        }
    }
    mask_list_compact(ft);
}

/* The process that wrote the table may have ended between any two stores:
 * masks without flows, a mask in two places of the list, ranges of ops and
 * flows that nothing refers to.  What should not be is removed as well. */
static void
adopt(struct flow_table *ft)
    OVS_REQUIRES(ft->mutex)
{
    size_t n_removed = 0;

    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t b = 0; b < XDP_BUCKETS; b++) {
            for (int i = 0; i < XDP_BUCKET_SLOTS; i++) {
                __u64 *slot = &ft->maps.buckets[b].slots[i];
                uint32_t idx = *slot;

                /* Indexes first: find_slot() relies on them. */
                if (*slot && (pass ? !flow_adopt(ft, slot)
                              : !idx || idx >= XDP_MAX_FLOWS)) {
                    store64(slot, 0);
                    n_removed++;
                }
            }
        }
    }
    mask_list_adopt(ft);
    if (n_removed) {
        VLOG_WARN("removed %"PRIuSIZE" damaged entries from the flow table",
                  n_removed);
    }
    /* Programs may still read what has just become free. */
    xnanosleep_no_quiesce(GRACE_MSEC * 1000000);
}

int
flow_table_create(const struct flow_table_maps *maps, bool adopt_flows,
                  struct flow_table **ftp)
{
    struct flow_table *ft = xzalloc(sizeof *ft);

    ovs_mutex_init(&ft->mutex);
    ft->maps = *maps;
    ft->free_flows.ids = xmalloc(XDP_MAX_FLOWS * sizeof(uint32_t));
    ft->free_masks.ids = xmalloc(XDP_MAX_MASKS * sizeof(uint32_t));
    ft->mask_ids = xcalloc(XDP_MAX_MASKS, sizeof *ft->mask_ids);
    for (uint32_t i = 0; i < XDP_MAX_MASKS; i++) {
        ft->mask_ids[i].place = NO_PLACE;
    }
    hmap_init(&ft->masks);
    ft->holes = bitmap_allocate(XDP_MAX_MASKS);
    ft->live = xzalloc(XDP_MAX_FLOWS);
    ft->deferred_mask = 1023;
    ft->deferred = xmalloc(1024 * sizeof *ft->deferred);

    ovs_mutex_lock(&ft->mutex);
    ops_init(ft);
    if (adopt_flows) {
        adopt(ft);
    }
    for (uint32_t i = XDP_MAX_FLOWS - 1; i > 0; i--) {
        if (!ft->live[i]) {
            id_push(&ft->free_flows, i);
        }
    }
    for (uint32_t i = XDP_MAX_MASKS - 1; i > 0; i--) {
        if (!ft->mask_ids[i].n_flows) {
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
    free(ft->ops_blocks);
    free(ft->free_flows.ids);
    free(ft->free_masks.ids);
    free(ft->mask_ids);
    hmap_destroy(&ft->masks);
    free(ft->holes);
    free(ft->deferred);
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

    reclaim(ft, RECLAIM_SOME);
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
    if (!slot) {
        goto error;
    }
    error = ops_alloc(ft, n_ops, &off);
    if (error) {
        goto error;
    }
    error = flow_alloc(ft, &idx);
    if (error) {
        ops_flip(ft, off, n_ops);
        goto error;
    }

    struct xdp_flow *flow = &ft->maps.flows[idx];

    ops_write(ft, off, ops, n_ops);
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
        reclaim(ft, RECLAIM_SOME);
        error = ops_alloc(ft, n_ops, &off);
    }
    if (!error) {
        struct xdp_flow *flow = &ft->maps.flows[idx];
        __u64 old = flow->ops;

        ops_write(ft, off, ops, n_ops);
        store64(&flow->ops, (__u64) off << 32 | n_ops);
        defer(ft, DEFERRED_OPS, old >> 32, old);
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
    defer(ft, DEFERRED_FLOW, idx, 0);
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
    for (uint32_t start = 0; start < XDP_MAX_FLOWS; start += CHUNK) {
        ovs_mutex_lock(&ft->mutex);
        for (uint32_t idx = start; idx < start + CHUNK; idx++) {
            if (ft->live[idx]) {
                delete__(ft, idx);
            }
        }
        ovs_mutex_unlock(&ft->mutex);
    }
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
    bool more;

    do {
        ovs_mutex_lock(&ft->mutex);
        more = reclaim(ft, CHUNK);
        ovs_mutex_unlock(&ft->mutex);
    } while (more);
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
    n = hmap_count(&ft->masks);
    ovs_mutex_unlock(&ft->mutex);
    return n;
}

void
flow_table_for_each(struct flow_table *ft, flow_table_cb *cb, void *aux)
{
    for (uint32_t idx = 1; idx < XDP_MAX_FLOWS; idx++) {
        const struct xdp_flow *flow = &ft->maps.flows[idx];
        struct xdp_op ops[XDP_FLOW_MAX_OPS];
        __u64 bits[XDP_KEY_WORDS] = { 0 };
        struct xdp_flow_key key, mask;
        uint32_t n_ops = 0;
        bool live;

        ovs_mutex_lock(&ft->mutex);
        live = ft->live[idx];
        if (live) {
            const struct xdp_mask *m = &ft->maps.masks[flow->mask_id];

            for (uint32_t i = 0; i < m->n_words; i++) {
                bits[m->words[i]] = m->bits[i];
            }
            memcpy(&key, flow->key, sizeof key);
            memcpy(&mask, bits, sizeof mask);
            n_ops = flow->ops;
            memcpy(ops, &ft->maps.ops[flow->ops >> 32], n_ops * sizeof *ops);
        }
        ovs_mutex_unlock(&ft->mutex);
        if (live) {
            cb(idx, &key, &mask, ops, n_ops, aux);
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
