/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The masks of megaflows, in the maps "xdp_masks", "xdp_mask_links" and
 * "xdp_port_masks" (see include/ovs-xdp-abi.h): each mask has an id, and each
 * port a list of the masks of its flows.  A place in a list is a link, which
 * counts the port's flows with the mask; a mask lasts as long as its links.
 *
 * The caller serializes all functions; flow-table.c does by its mutex.  Mask
 * ids, links and ports are indexes of these maps; no mask id or link in use is
 * 0.  The port of flows that are in no port's list is XDP_ANY_PORT. */
#ifndef FLOW_MASKS_H
#define FLOW_MASKS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ovs-xdp-abi.h"

struct deferred;
struct deferred_queue;
struct flow_masks;
struct flow_table_maps;

/* Fills in the rest of a mask that has its 'bits'. */
void flow_mask_build(struct xdp_mask *);
/* True if a mask that an earlier process wrote is as flow_mask_build() makes
 * it, and not empty. */
bool flow_mask_is_valid(const struct xdp_mask *);

/* Makes masks and lists in 'maps' (copied; the memory stays the caller's).
 * What is removed waits in '*deferred', which the caller keeps for longer, for
 * flow_masks_release().  With 'adopt', the maps may have masks and lists, and
 * what they have can be adopted as below; else they must be all zeros. */
struct flow_masks *flow_masks_create(const struct flow_table_maps *maps,
                                     struct deferred_queue *deferred,
                                     bool adopt);
/* Frees it, but not what is in the maps; ignores NULL. */
void flow_masks_destroy(struct flow_masks *);

/* Returns the link of 'port' and 'mask', with one flow more, for
 * flow_masks_unref(), and sets '*mask_idp' to the mask's id.  If they have no
 * link, BPF programs find the new one from now on.  0, with '*mask_idp'
 * untouched: all mask ids or all links are taken. */
uint32_t flow_masks_ref(struct flow_masks *, uint32_t port,
                        const struct xdp_mask *mask, uint32_t *mask_idp);
/* Counts one flow less.  A link without flows goes a grace period later, if it
 * has none then, and its mask with its last link. */
void flow_masks_unref(struct flow_masks *, uint32_t link);
/* Frees a link or mask whose grace period is over. */
void flow_masks_release(struct flow_masks *, const struct deferred *);
/* Masks with an id, except those that wait for it to be free again. */
size_t flow_masks_count(const struct flow_masks *);

/* Adoption: first flow_masks_adopt() for each flow, then flow_masks_publish(),
 * and after a grace period flow_masks_end_adoption().  No other function may
 * be called before. */

/* Returns a link of 'port' and 'mask_id', with one flow more.  The mask must
 * be valid, and have one of the ids that are not 0.  0: there is an equal mask
 * with another id, or all links are taken. */
uint32_t flow_masks_adopt(struct flow_masks *, uint32_t port,
                          uint32_t mask_id);
/* Replaces each port's list by one of its links, at once for readers. */
void flow_masks_publish(struct flow_masks *);
/* Removes masks without flows, and frees the links of the lists that were
 * replaced. */
void flow_masks_end_adoption(struct flow_masks *);

#endif /* flow-masks.h */
