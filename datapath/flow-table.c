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
#include "deferred.h"
#include "hash.h"
#include "openvswitch/hmap.h"
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

/* A stack of free numbers. */
struct id_stack {
    uint32_t *ids;              /* Room for all. */
    size_t n;
};

/* A mask id.  Its mask, in 'maps.masks', has no words when the id is free. */
struct mask {
    struct hmap_node node;      /* In 'masks', by mask_hash(); if in use. */
    uint32_t n_links;           /* Ports that have flows with the mask. */
};

/* A link of a port's list of masks.  Half of 1...XDP_MASK_LINKS-1 at most are
 * in use, so that adoption can always make lists anew beside the old ones. */
#define MAX_LINKS ((XDP_MASK_LINKS - 1) / 2)

struct link {
    struct hmap_node node;      /* In 'links', by link_hash(); if in use. */
    uint32_t n_flows;           /* The port's flows with the mask. */
    uint32_t mask_id;
    uint32_t port;              /* Or XDP_ANY_PORT. */
    uint32_t prev;              /* The link before, or 0. */
    bool idle_queued;           /* There is a DEFERRED_IDLE_LINK of it. */
};

struct port {
    uint32_t n_links;
    uint32_t n_removed;         /* Links, since 'bits' was set anew. */
};

struct flow_masks {
    struct flow_table_maps maps;            /* As the flow table's. */
    struct deferred_queue *deferred;        /* The flow table's. */

    struct id_stack free_masks;
    struct mask *mask_ids;                  /* By mask id. */
    struct hmap masks;                      /* Of struct mask. */
    struct id_stack free_links;
    struct link *link_ids;                  /* By number. */
    struct hmap links;                      /* Of struct link. */
    struct port *ports;                     /* By port, and XDP_ANY_PORT. */
    unsigned long *old_links;               /* During adoption. */
};

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

static void
id_push(struct id_stack *stack, uint32_t id)
{
    stack->ids[stack->n++] = id;
}

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

/* Fills in the rest of a mask that has its bits. */
static void
flow_mask_build(struct xdp_mask *mask)
{
    mask->n_words = 0;
    mask->wide = 0;
    memset(mask->words, 0, sizeof mask->words);
    for (uint32_t i = 0; i < XDP_KEY_WORDS; i++) {
        if (mask->bits[i]) {
            mask->words[mask->n_words++] = i;
            mask->wide |= i >= XDP_HOT_WORDS;
        }
    }
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

/* Masks.
 *
 * BPF readers walk the links of a port's list while this file changes it: a
 * new link is first, one that is removed still leads on, and it is used again
 * only after a grace period.
 *
 * A mask whose last flow of a port goes stays for a while, as the next may
 * soon come. */

static uint32_t
mask_hash(const struct xdp_mask *mask)
{
    return hash_words64((const uint64_t *) mask->bits, XDP_KEY_WORDS, 0);
}

static struct mask *
mask_find(const struct flow_masks *fm, const struct xdp_mask *mask,
          uint32_t hash)
{
    struct mask *m;

    HMAP_FOR_EACH_WITH_HASH (m, node, hash, &fm->masks) {
        const struct xdp_mask *other = &fm->maps.masks[m - fm->mask_ids];

        if (!memcmp(other->bits, mask->bits, sizeof mask->bits)) {
            return m;
        }
    }
    return NULL;
}

static uint32_t
link_hash(uint32_t port, uint32_t mask_id)
{
    return hash_2words(port, mask_id);
}

static struct link *
link_find(const struct flow_masks *fm, uint32_t port, uint32_t mask_id)
{
    struct link *l;

    HMAP_FOR_EACH_WITH_HASH (l, node, link_hash(port, mask_id), &fm->links) {
        if (l->port == port && l->mask_id == mask_id) {
            return l;
        }
    }
    return NULL;
}

static uint32_t
link_next(const struct flow_masks *fm, uint32_t id)
{
    return fm->maps.mask_links[id] >> 32;
}

static void
link_write(struct flow_masks *fm, uint32_t id, uint32_t next)
{
    store64(&fm->maps.mask_links[id],
            (__u64) next << 32 | fm->link_ids[id].mask_id);
}

static void
bits_store(struct xdp_port_masks *pm, const struct xdp_port_masks *new)
{
    for (int i = 0; i < XDP_HINT_WORDS; i++) {
        store64(&pm->bits[i], new->bits[i]);
    }
    store32(&pm->wide, new->wide);
}

static void
bits_add(struct xdp_port_masks *pm, const struct xdp_mask *mask)
{
    for (uint32_t i = 0; i < XDP_HINT_WORDS; i++) {
        if (mask->bits[i] & ~pm->bits[i]) {
            store64(&pm->bits[i], pm->bits[i] | mask->bits[i]);
        }
    }
    if (mask->wide && !pm->wide) {
        store32(&pm->wide, 1);
    }
}

/* Counts a mask of the port that is gone, and sets the port's bits anew once
 * as many are gone as are there. */
static void
bits_reduce(struct flow_masks *fm, uint32_t port)
{
    struct xdp_port_masks *pm = &fm->maps.port_masks[port];
    struct port *p = &fm->ports[port];
    struct xdp_port_masks new = { .head = 0 };

    if (++p->n_removed < p->n_links) {
        return;
    }
    p->n_removed = 0;
    for (uint32_t id = pm->head; id; id = link_next(fm, id)) {
        bits_add(&new, &fm->maps.masks[fm->link_ids[id].mask_id]);
    }
    bits_store(pm, &new);
}

static bool
links_are_full(const struct flow_masks *fm)
{
    return !fm->free_links.n || hmap_count(&fm->links) >= MAX_LINKS;
}

/* A link of 'port' and 'mask_id', without flows, that is in no list yet; 0 if
 * all are taken. */
static uint32_t
link_alloc(struct flow_masks *fm, uint32_t port, uint32_t mask_id)
{
    struct link *l;
    uint32_t id;

    if (links_are_full(fm)) {
        return 0;
    }
    id = fm->free_links.ids[--fm->free_links.n];
    l = &fm->link_ids[id];
    l->mask_id = mask_id;
    l->port = port;
    l->n_flows = 0;
    l->prev = 0;
    hmap_insert(&fm->links, &l->node, link_hash(port, mask_id));
    fm->mask_ids[mask_id].n_links++;
    return id;
}

/* Puts the link in front of its port's list. */
static void
link_publish(struct flow_masks *fm, uint32_t id)
{
    struct link *l = &fm->link_ids[id];
    struct xdp_port_masks *pm = &fm->maps.port_masks[l->port];

    link_write(fm, id, pm->head);
    if (pm->head) {
        fm->link_ids[pm->head].prev = id;
    }
    bits_add(pm, &fm->maps.masks[l->mask_id]);
    fm->ports[l->port].n_links++;
    store32(&pm->head, id);
}

/* Removes a mask that no port has.  It keeps its words for a grace period: a
 * program may be comparing a flow that was deleted just now. */
static void
mask_remove(struct flow_masks *fm, uint32_t id)
{
    hmap_remove(&fm->masks, &fm->mask_ids[id].node);
    defer(fm->deferred, DEFERRED_MASK, id);
}

/* Removes a link that has no flow. */
static void
link_remove(struct flow_masks *fm, uint32_t id)
{
    struct link *l = &fm->link_ids[id];
    uint32_t next = link_next(fm, id);

    hmap_remove(&fm->links, &l->node);
    if (l->prev) {
        link_write(fm, l->prev, next);
    } else {
        store32(&fm->maps.port_masks[l->port].head, next);
    }
    if (next) {
        fm->link_ids[next].prev = l->prev;
    }
    fm->ports[l->port].n_links--;
    bits_reduce(fm, l->port);
    defer(fm->deferred, DEFERRED_LINK, id);
    if (!--fm->mask_ids[l->mask_id].n_links) {
        mask_remove(fm, l->mask_id);
    }
}

/* The id of 'mask', which gets one, for a link, when it has none; 0 if all ids
 * or links are taken. */
static uint32_t
mask_get(struct flow_masks *fm, const struct xdp_mask *mask)
{
    uint32_t hash = mask_hash(mask);
    struct mask *m = mask_find(fm, mask, hash);
    uint32_t id;

    if (m) {
        return m - fm->mask_ids;
    }
    if (!fm->free_masks.n || links_are_full(fm)) {
        return 0;
    }
    id = fm->free_masks.ids[--fm->free_masks.n];
    memcpy(fm->maps.masks[id].words, mask->words, sizeof mask->words);
    memcpy(fm->maps.masks[id].bits, mask->bits, sizeof mask->bits);
    fm->maps.masks[id].wide = mask->wide;
    store32(&fm->maps.masks[id].n_words, mask->n_words);
    fm->mask_ids[id].n_links = 0;
    hmap_insert(&fm->masks, &fm->mask_ids[id].node, hash);
    return id;
}

/* The link of 'port' and 'mask', with one flow more; 0 if there is no room. */
static uint32_t
flow_masks_ref(struct flow_masks *fm, uint32_t port,
               const struct xdp_mask *mask, uint32_t *mask_idp)
{
    uint32_t mask_id = mask_get(fm, mask);
    struct link *l;
    uint32_t id;

    if (!mask_id) {
        return 0;
    }
    l = link_find(fm, port, mask_id);
    if (!l) {
        id = link_alloc(fm, port, mask_id);
        if (!id) {
            return 0;
        }
        link_publish(fm, id);
        l = &fm->link_ids[id];
    }
    l->n_flows++;
    *mask_idp = mask_id;
    return l - fm->link_ids;
}

static void
flow_masks_unref(struct flow_masks *fm, uint32_t id)
{
    struct link *l = &fm->link_ids[id];

    if (!--l->n_flows && !l->idle_queued) {
        l->idle_queued = true;
        defer(fm->deferred, DEFERRED_IDLE_LINK, id);
    }
}

static void
flow_masks_release(struct flow_masks *fm, const struct deferred *d)
{
    switch (d->type) {
    case DEFERRED_IDLE_LINK:
        fm->link_ids[d->id].idle_queued = false;
        if (!fm->link_ids[d->id].n_flows) {
            link_remove(fm, d->id);
        }
        break;
    case DEFERRED_LINK:
        id_push(&fm->free_links, d->id);
        break;
    case DEFERRED_MASK:
        store32(&fm->maps.masks[d->id].n_words, 0);
        id_push(&fm->free_masks, d->id);
        break;
    case DEFERRED_FLOW:
    case DEFERRED_OPS:
        OVS_NOT_REACHED();
    }
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

static bool
flow_mask_is_valid(const struct xdp_mask *mask)
{
    struct xdp_mask copy = *mask;

    flow_mask_build(&copy);
    return copy.n_words && !memcmp(&copy, mask, sizeof copy);
}

/* Takes the mask 'id' over.  False if there is an equal one already. */
static bool
mask_adopt(struct flow_masks *fm, uint32_t id)
{
    const struct xdp_mask *mask = &fm->maps.masks[id];
    uint32_t hash = mask_hash(mask);
    const struct mask *m = mask_find(fm, mask, hash);

    if (m) {
        return m == &fm->mask_ids[id];
    }
    hmap_insert(&fm->masks, &fm->mask_ids[id].node, hash);
    return true;
}

static uint32_t
flow_masks_adopt(struct flow_masks *fm, uint32_t port, uint32_t mask_id)
{
    struct link *l;
    uint32_t id;

    if (!mask_adopt(fm, mask_id)) {
        return 0;
    }
    l = link_find(fm, port, mask_id);
    id = l ? l - fm->link_ids : link_alloc(fm, port, mask_id);
    if (!id) {
        struct mask *m = &fm->mask_ids[mask_id];

        if (!m->n_links) {
            hmap_remove(&fm->masks, &m->node);
        }
        return 0;
    }
    fm->link_ids[id].n_flows++;
    return id;
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

/* Marks the links that are in the lists that are there. */
static unsigned long *
find_old_links(const struct flow_masks *fm)
{
    unsigned long *old = bitmap_allocate(XDP_MASK_LINKS);

    for (uint32_t port = 0; port <= XDP_ANY_PORT; port++) {
        uint32_t id = fm->maps.port_masks[port].head;

        while (id && id < XDP_MASK_LINKS && !bitmap_is_set(old, id)) {
            bitmap_set1(old, id);
            id = link_next(fm, id);
        }
    }
    return old;
}

/* Replaces each port's list by one of its links, at once for readers. */
static void
flow_masks_publish(struct flow_masks *fm)
{
    struct xdp_port_masks *lists = xcalloc(XDP_ANY_PORT + 1, sizeof *lists);
    struct link *l;

    HMAP_FOR_EACH (l, node, &fm->links) {
        struct xdp_port_masks *list = &lists[l->port];
        uint32_t id = l - fm->link_ids;

        link_write(fm, id, list->head);
        if (list->head) {
            fm->link_ids[list->head].prev = id;
        }
        list->head = id;
        bits_add(list, &fm->maps.masks[l->mask_id]);
        fm->ports[l->port].n_links++;
    }
    for (uint32_t port = 0; port <= XDP_ANY_PORT; port++) {
        struct xdp_port_masks *pm = &fm->maps.port_masks[port];

        bits_store(pm, &lists[port]);
        store32(&pm->head, lists[port].head);
    }
    free(lists);
}

static void
push_free_masks(struct flow_masks *fm)
{
    for (uint32_t i = XDP_MAX_MASKS - 1; i > 0; i--) {
        if (!fm->mask_ids[i].n_links) {
            id_push(&fm->free_masks, i);
        }
    }
}

static void
flow_masks_end_adoption(struct flow_masks *fm)
{
    size_t id;

    for (id = 0; id < XDP_MAX_MASKS; id++) {
        if (!fm->mask_ids[id].n_links) {
            store32(&fm->maps.masks[id].n_words, 0);
        }
    }
    BITMAP_FOR_EACH_1 (id, XDP_MASK_LINKS, fm->old_links) {
        id_push(&fm->free_links, id);
    }
    bitmap_free(fm->old_links);
    fm->old_links = NULL;
    push_free_masks(fm);
}

static struct flow_masks *
flow_masks_create(const struct flow_table_maps *maps,
                  struct deferred_queue *deferred, bool adopt)
{
    struct flow_masks *fm = xzalloc(sizeof *fm);

    fm->maps = *maps;
    fm->deferred = deferred;
    fm->free_masks.ids = xmalloc(XDP_MAX_MASKS * sizeof(uint32_t));
    fm->mask_ids = xcalloc(XDP_MAX_MASKS, sizeof *fm->mask_ids);
    hmap_init(&fm->masks);
    fm->free_links.ids = xmalloc(XDP_MASK_LINKS * sizeof(uint32_t));
    fm->link_ids = xcalloc(XDP_MASK_LINKS, sizeof *fm->link_ids);
    hmap_init(&fm->links);
    fm->ports = xcalloc(XDP_ANY_PORT + 1, sizeof *fm->ports);

    if (adopt) {
        fm->old_links = find_old_links(fm);
    } else {
        push_free_masks(fm);
    }
    for (uint32_t id = XDP_MASK_LINKS - 1; id > 0; id--) {
        if (!adopt || !bitmap_is_set(fm->old_links, id)) {
            id_push(&fm->free_links, id);
        }
    }
    return fm;
}

static void
flow_masks_destroy(struct flow_masks *fm)
{
    if (!fm) {
        return;
    }
    free(fm->free_masks.ids);
    free(fm->mask_ids);
    hmap_destroy(&fm->masks);
    free(fm->free_links.ids);
    free(fm->link_ids);
    hmap_destroy(&fm->links);
    free(fm->ports);
    bitmap_free(fm->old_links);
    free(fm);
}

/* Masks with an id, except those that wait for it to be free again. */
static size_t
flow_masks_count(const struct flow_masks *fm)
{
    return hmap_count(&fm->masks);
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
