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

#include "deferred.h"
#include "flow-masks.h"
#include "flow-table-private.h"
#include "openvswitch/util.h"
#include "openvswitch/vlog.h"
#include "ops-pool.h"
#include "ovs-thread.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xdp_flow_table);

/* What is done at most under one hold of the mutex: before an insertion, and
 * else. */
#define RECLAIM_SOME 16
#define CHUNK 1024

struct flow_table {
    struct ovs_mutex mutex;
    struct flow_table_maps maps;

    struct id_stack free_flows OVS_GUARDED;
    struct flow_masks *masks OVS_GUARDED;
    struct ops_pool *ops OVS_GUARDED;
    struct deferred_queue *deferred OVS_GUARDED;
    size_t n_flows OVS_GUARDED;
    uint32_t *flow_links OVS_GUARDED;       /* By flow index: link; 0: free. */
};

/* Hash and comparison, as in include/ovs-xdp-abi.h.  'words' is a masked
 * key. */

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
        h = rotl64(h ^ words[mask->words[i]], 29) * XDP_HASH_MULT;
    }
    return h ^ h >> 32;
}

/* The list that flows with this key are in.  The port is the first half of a
 * key's first word. */
static uint32_t
key_port(const __u64 *words, const struct xdp_mask *mask)
{
    uint32_t bits, port;

    BUILD_ASSERT_DECL(!offsetof(struct xdp_flow_key, in_port));
    memcpy(&bits, &mask->bits[0], sizeof bits);
    memcpy(&port, &words[0], sizeof port);
    return (bits == UINT32_MAX && port < XDP_MAX_PORTS
            ? port : XDP_ANY_PORT);
}

static void
read_key(const struct flow_table *ft, uint32_t idx,
         __u64 words[XDP_KEY_WORDS])
{
    memcpy(words, ft->maps.flows[idx].key, sizeof ft->maps.flows[idx].key);
    memcpy(words + XDP_HOT_WORDS, ft->maps.flows_wide[idx].key,
           sizeof ft->maps.flows_wide[idx].key);
}

static void
write_key(const struct flow_table *ft, uint32_t idx,
          const __u64 words[XDP_KEY_WORDS])
{
    memcpy(ft->maps.flows[idx].key, words, sizeof ft->maps.flows[idx].key);
    memcpy(ft->maps.flows_wide[idx].key, words + XDP_HOT_WORDS,
           sizeof ft->maps.flows_wide[idx].key);
}

static bool
key_equal(const struct flow_table *ft, uint32_t idx,
          const __u64 words[XDP_KEY_WORDS])
{
    return !memcmp(ft->maps.flows[idx].key, words,
                   sizeof ft->maps.flows[idx].key)
           && !memcmp(ft->maps.flows_wide[idx].key, words + XDP_HOT_WORDS,
                      sizeof ft->maps.flows_wide[idx].key);
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
                && key_equal(ft, slot, words)) {
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

static void
release(struct flow_table *ft, const struct deferred *d)
    OVS_REQUIRES(ft->mutex)
{
    switch (d->type) {
    case DEFERRED_FLOW:
        ops_pool_release(ft->ops, ft->maps.flows[d->id].ops);
        id_push(&ft->free_flows, d->id);
        break;
    case DEFERRED_OPS:
        ops_pool_release(ft->ops, d->id);
        break;
    case DEFERRED_IDLE_LINK:
    case DEFERRED_LINK:
    case DEFERRED_MASK:
        flow_masks_release(ft->masks, d);
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

    while (max--) {
        struct deferred d;

        if (!deferred_queue_pop(ft->deferred, now, &d)) {
            return false;
        }
        release(ft, &d);
    }
    return true;
}

/* Creation and adoption. */

/* Takes over the flow that 'slot' refers to.  False if its key is not found
 * there first (the bucket, the hash, the key or its mask is wrong, or it is
 * there twice), or if its mask or ops are damaged or another flow's. */
static bool
flow_adopt(struct flow_table *ft, __u64 *slot)
    OVS_REQUIRES(ft->mutex)
{
    uint32_t idx = *slot;
    const struct xdp_flow *flow = &ft->maps.flows[idx];
    __u64 key[XDP_KEY_WORDS];
    const struct xdp_mask *mask;
    uint32_t link;
    __u64 hash;

    if (!flow->mask_id || flow->mask_id >= XDP_MAX_MASKS) {
        return false;
    }
    mask = &ft->maps.masks[flow->mask_id];
    if (!flow_mask_is_valid(mask)) {
        return false;
    }
    read_key(ft, idx, key);
    for (uint32_t i = 0; i < XDP_KEY_WORDS; i++) {
        key[i] &= mask->bits[i];
    }
    hash = masked_key_hash(key, mask, flow->mask_id);
    if (find_slot(ft, key, flow->mask_id, hash) != slot
        || !ops_pool_can_adopt(ft->ops, flow->ops)) {
        return false;
    }
    link = flow_masks_adopt(ft->masks, key_port(key, mask), flow->mask_id);
    if (!link) {
        return false;
    }
    ft->flow_links[idx] = link;
    ft->n_flows++;
    ops_pool_adopt(ft->ops, flow->ops);
    return true;
}

/* The process that wrote the table may have ended between any two stores:
 * masks without flows, a flow whose mask is in no list, ranges of ops and
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
    flow_masks_publish(ft->masks);
    for (size_t id = 0; id < XDP_MAX_FLOWS; id++) {
        if (!ft->flow_links[id] && ft->maps.flows[id].mask_id) {
            store32(&ft->maps.flows[id].mask_id, 0);
        }
    }
    if (n_removed) {
        VLOG_WARN("removed %"PRIuSIZE" damaged entries from the flow table",
                  n_removed);
    }
    /* Programs may still read what has just become free. */
    xnanosleep_no_quiesce(GRACE_MSEC * 1000000);
    flow_masks_end_adoption(ft->masks);
}

int
flow_table_create(const struct flow_table_maps *maps, bool adopt_flows,
                  struct flow_table **ftp)
{
    struct flow_table *ft = xzalloc(sizeof *ft);

    ovs_mutex_init(&ft->mutex);
    ft->maps = *maps;
    ft->free_flows.ids = xmalloc(XDP_MAX_FLOWS * sizeof(uint32_t));
    ft->flow_links = xcalloc(XDP_MAX_FLOWS, sizeof *ft->flow_links);
    ft->ops = ops_pool_create(ft->maps.ops);
    ft->deferred = deferred_queue_create();
    ft->masks = flow_masks_create(maps, ft->deferred, adopt_flows);

    ovs_mutex_lock(&ft->mutex);
    if (adopt_flows) {
        adopt(ft);
    }
    for (uint32_t i = XDP_MAX_FLOWS - 1; i > 0; i--) {
        if (!ft->flow_links[i]) {
            id_push(&ft->free_flows, i);
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
    ops_pool_destroy(ft->ops);
    free(ft->free_flows.ids);
    flow_masks_destroy(ft->masks);
    deferred_queue_destroy(ft->deferred);
    free(ft->flow_links);
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
    uint32_t link, mask_id, idx;
    struct xdp_flow *flow;
    __u64 hash, *slot, encoded;
    int error = ENOSPC;

    reclaim(ft, RECLAIM_SOME);
    link = flow_masks_ref(ft->masks, key_port(words, mask), mask, &mask_id);
    if (!link) {
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
    error = ops_pool_encode(ft->ops, ops, n_ops, &encoded);
    if (error) {
        goto error;
    }
    error = flow_alloc(ft, &idx);
    if (error) {
        ops_pool_release(ft->ops, encoded);
        goto error;
    }

    flow = &ft->maps.flows[idx];
    flow->ops = encoded;
    write_key(ft, idx, words);
    store32(&flow->mask_id, mask_id);
    store64(slot, hash >> 32 << 32 | idx);
    ft->flow_links[idx] = link;
    ft->n_flows++;
    *flowp = idx;
    return 0;

error:
    flow_masks_unref(ft->masks, link);
    return error;
}

int
flow_table_insert(struct flow_table *ft, const struct xdp_flow_key *key,
                  const struct xdp_flow_key *mask_,
                  const struct xdp_op *ops, size_t n_ops, uint32_t *flowp)
{
    __u64 words[XDP_KEY_WORDS];
    struct xdp_mask mask;
    int error;

    if (n_ops > XDP_FLOW_MAX_OPS) {
        return E2BIG;
    }
    memcpy(mask.bits, mask_, sizeof mask.bits);
    flow_mask_build(&mask);
    if (!mask.n_words) {
        return EINVAL;
    }
    memcpy(words, key, sizeof words);
    for (int i = 0; i < XDP_KEY_WORDS; i++) {
        words[i] &= mask.bits[i];
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
    __u64 encoded;
    int error;

    if (n_ops > XDP_FLOW_MAX_OPS) {
        return E2BIG;
    }
    ovs_mutex_lock(&ft->mutex);
    if (idx >= XDP_MAX_FLOWS || !ft->flow_links[idx]) {
        error = ENOENT;
    } else {
        reclaim(ft, RECLAIM_SOME);
        error = ops_pool_encode(ft->ops, ops, n_ops, &encoded);
    }
    if (!error) {
        struct xdp_flow *flow = &ft->maps.flows[idx];
        __u64 old = flow->ops;

        store64(&flow->ops, encoded);
        if (ops_pool_n(old)) {
            defer(ft->deferred, DEFERRED_OPS, old);
        }
    }
    ovs_mutex_unlock(&ft->mutex);
    return error;
}

static int
delete__(struct flow_table *ft, uint32_t idx)
    OVS_REQUIRES(ft->mutex)
{
    struct xdp_flow *flow = &ft->maps.flows[idx];
    __u64 words[XDP_KEY_WORDS];
    __u64 hash, *slot;

    if (!idx || idx >= XDP_MAX_FLOWS || !ft->flow_links[idx]) {
        return ENOENT;
    }
    read_key(ft, idx, words);
    hash = masked_key_hash(words, &ft->maps.masks[flow->mask_id],
                           flow->mask_id);
    slot = find_slot(ft, words, flow->mask_id, hash);
    if (slot) {
        store64(slot, 0);
    }
    store32(&flow->mask_id, 0);
    flow_masks_unref(ft->masks, ft->flow_links[idx]);
    ft->flow_links[idx] = 0;
    ft->n_flows--;
    defer(ft->deferred, DEFERRED_FLOW, idx);
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
            if (ft->flow_links[idx]) {
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
    n = flow_masks_count(ft->masks);
    ovs_mutex_unlock(&ft->mutex);
    return n;
}

void
flow_table_for_each(struct flow_table *ft, flow_table_cb *cb, void *aux)
{
    for (uint32_t idx = 1; idx < XDP_MAX_FLOWS; idx++) {
        const struct xdp_flow *flow = &ft->maps.flows[idx];
        struct xdp_op ops[XDP_FLOW_MAX_OPS];
        __u64 words[XDP_KEY_WORDS];
        struct xdp_flow_key key, mask;
        uint32_t n_ops = 0;
        bool live;

        ovs_mutex_lock(&ft->mutex);
        live = ft->flow_links[idx] != 0;
        if (live) {
            const struct xdp_mask *m = &ft->maps.masks[flow->mask_id];

            read_key(ft, idx, words);
            memcpy(&key, words, sizeof key);
            memcpy(&mask, m->bits, sizeof mask);
            n_ops = ops_pool_decode(ft->ops, flow->ops, ops);
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
