/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * A flow table on plain memory in place of maps, for its tests.  What a packet
 * would find is told by a reader of our own, after the description in
 * ovs-xdp-abi.h.  Time passes when the test says so: the tests are linked with
 * --wrap=time_msec and --wrap=xnanosleep_no_quiesce.
 *
 * What is not as it must be fails the test. */
#ifndef MEMORY_TABLE_H
#define MEMORY_TABLE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "flow-table.h"

#define GRACE_MS 20             /* As flow-table.h promises. */
#define N_FLOWS (XDP_MAX_FLOWS - 1)
#define N_MASKS (XDP_MAX_MASKS - 1)

/* The maps, shared with child processes. */
struct table {
    struct flow_table_maps maps;
    struct flow_table *ft;
    struct xdp_flow_stats *stats;       /* By flow index. */
    int stats_error;                    /* What the callbacks return. */
};

struct table *table_new(void);
void table_free(struct table *);
/* As a new process would. */
void table_adopt(struct table *);

/* In milliseconds; 0: the real time. */
extern long long int now;
/* Lets time pass, and what has waited long enough be freed; ... */
void wait_msec(struct table *, int msec);
/* ... just long enough for all that waits now. */
void wait_grace(struct table *);
/* Adoption waits once.  This is called then, if nonnull: the test says what
 * must be true. */
extern void (*adopt_hook)(void);

/* The reader. */

/* The flow that a packet finds without a hint; 0 for a miss. */
uint32_t lookup(const struct table *, const struct xdp_flow_key *packet);
/* The same, for the packet make_key('key_n'). */
uint32_t lookup_n(const struct table *, uint32_t key_n);
/* Is it this flow that a packet finds with a hint to it? */
bool hint_hits(const struct table *, const struct xdp_flow_key *packet,
               uint32_t flow);

/* Steps of it.  The hash of a packet's key under a mask. */
uint64_t read_hash(const uint64_t *words, const struct xdp_mask *,
                   uint32_t mask_id);
/* The mask id of a flow, as it is now; 0 for none. */
uint32_t read_mask_id(const struct table *, uint32_t flow);
/* Does the packet belong to the flow, whose mask id has been read? */
bool read_flow(const struct table *, const struct xdp_flow_key *packet,
               uint32_t flow, uint32_t mask_id);
/* The first link of the port's list, or 0. */
uint32_t read_head(const struct table *, uint32_t port);
/* The mask id of '*link', which becomes the next one. */
uint32_t read_link(const struct table *, uint32_t *link);
/* Copies the actions of a flow with 'encoded' in struct xdp_flow; returns how
 * many they are. */
uint32_t read_ops(const struct table *, uint64_t encoded,
                  struct xdp_op ops[XDP_FLOW_MAX_OPS]);

/* What is in the maps.  A word of the flow's key. */
uint64_t *flow_word(const struct table *, uint32_t flow, uint32_t word);
/* The flow's ops in the pool. */
const struct xdp_op *flow_ops(const struct table *, uint32_t flow,
                              uint32_t *n_ops);
struct xdp_flow_key unpack_mask(const struct table *, uint32_t mask_id);
/* The link of the mask in the port's list; 0 if it is not there. */
uint32_t find_link(const struct table *, uint32_t port, uint32_t mask_id);

/* Keys and masks. */

void random_key(struct xdp_flow_key *);
/* Masks of different 'n' differ; so do keys of different 'n' under them.  They
 * are for several ports, for all, for some, and for one that no list is of. */
struct xdp_flow_key make_mask(uint32_t n);
struct xdp_flow_key make_key(uint32_t n);
/* The list that a flow is in. */
uint32_t list_of(const struct xdp_flow_key *key,
                 const struct xdp_flow_key *mask);

/* Insert a flow with 'n_ops' outputs, all of them to the key's 'nw_dst'.
 * Return what flow_table_insert() does. */
int insert_key(struct table *, const struct xdp_flow_key *key,
               const struct xdp_flow_key *mask, size_t n_ops, uint32_t *flow);
/* The same, of make_mask('mask_n') and make_key('key_n'); ... */
int insert(struct table *, uint32_t mask_n, uint32_t key_n, size_t n_ops,
           uint32_t *flow);
/* ... which there is room for; returns the flow. */
uint32_t must_insert(struct table *, uint32_t mask_n, uint32_t key_n,
                     size_t n_ops);
/* A flow of the port given, and of this one only. */
int insert_at(struct table *, uint32_t port, uint32_t mask_n, uint32_t key_n,
              uint32_t *flow);

/* Checks all of the table from outside. */

/* True of a table of flows by insert(): each is found, and in its port's list,
 * each slot is a flow's, no op is in two flows, and what is not in a slot has
 * no mask.  'tight', of a table after three grace periods without deletions
 * or right after adoption: there are no lists, masks and bits beside. */
void check_table__(struct table *, size_t n_flows, bool tight);
void check_table(struct table *, size_t n_flows);
/* The same, after three grace periods. */
void check_table_tight(struct table *, size_t n_flows);
/* The port's 'bits' are those of its flows' masks, and no others. */
bool bits_are_exact(const struct table *, uint32_t port);

/* 100000 changes of all kinds, of flows of 100 keys and 50 masks from 'base' on:
 * for threads and processes, which it ends if one fails. */
struct churn {
    struct table *t;
    uint32_t base;
};

void *churn(void *churn_);

#endif /* memory-table.h */
