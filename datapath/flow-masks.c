/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Masks, and the list of them that each port has.  BPF programs read both
 * while this file writes them; see the top of flow-table.c. */

#include <config.h>
#include "flow-masks.h"

#include <stdlib.h>
#include <string.h>

#include "bitmap.h"
#include "deferred.h"
#include "flow-table-private.h"
#include "flow-table.h"
#include "hash.h"
#include "openvswitch/hmap.h"
#include "util.h"

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

void
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

bool
flow_mask_is_valid(const struct xdp_mask *mask)
{
    struct xdp_mask copy = *mask;

    flow_mask_build(&copy);
    return copy.n_words && !memcmp(&copy, mask, sizeof copy);
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

uint32_t
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

void
flow_masks_unref(struct flow_masks *fm, uint32_t id)
{
    struct link *l = &fm->link_ids[id];

    if (!--l->n_flows && !l->idle_queued) {
        l->idle_queued = true;
        defer(fm->deferred, DEFERRED_IDLE_LINK, id);
    }
}

void
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

/* Adoption. */

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

uint32_t
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

void
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

void
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

/* Creation. */

struct flow_masks *
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

void
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

size_t
flow_masks_count(const struct flow_masks *fm)
{
    return hmap_count(&fm->masks);
}
