/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Groups: the sets of devices that get copies of one frame (map "xdp_groups",
 * see XDP_OP_GROUP).  Flows with the same set share one.
 *
 * All functions may be called from any thread; NULL for the groups is a
 * datapath that is still being opened, and is ignored. */
#ifndef GROUPS_H
#define GROUPS_H 1

#include <stddef.h>
#include <stdint.h>
#include "ovs-xdp-abi.h"

struct xdp_groups;

/* Takes a reference to the group of the ports and of userspace to which the
 * 'n_ops' 'ops' send copies, and enters it into the first of them, which is
 * XDP_OP_GROUP.  Sets '*idp' to what xdp_groups_unref() takes: 0 if ops without
 * XDP_OP_GROUP need no group.  ENOSPC: there are XDP_MAX_GROUPS already. */
int xdp_groups_ref(struct xdp_groups *, struct xdp_op *ops, size_t n_ops,
                   uint32_t *idp);
/* Releases it; BPF may use it until a grace period is over. */
void xdp_groups_unref(struct xdp_groups *, uint32_t id);

/* Takes a reference to the group that ops which an earlier process installed
 * use.  ENOENT if its map is not there. */
int xdp_groups_adopt(struct xdp_groups *, const struct xdp_op *ops,
                     size_t n_ops, uint32_t *idp);

/* 'port_no' is another device now, or none: as "xdp_port_table" says. */
void xdp_groups_update_port(struct xdp_groups *, uint32_t port_no);

/* Frees groups whose grace period is over.  Call now and then. */
void xdp_groups_run(struct xdp_groups *);
size_t xdp_groups_count(struct xdp_groups *);

#endif /* groups.h */
