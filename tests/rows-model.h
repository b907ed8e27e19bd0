/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Flows of rows, and a model of the datapath made from Open vSwitch's own
 * functions: flow_extract(), flow_equal_except(), odp_execute_actions().
 *
 * A flow is "MATCH => ACTIONS" in the syntax of "ovs-appctl dpctl/dump-flows";
 * the match "exact" is all that Open vSwitch sees in the packet.  Without
 * actions, a flow drops. */
#ifndef ROWS_MODEL_H
#define ROWS_MODEL_H 1

#include "openvswitch/ofpbuf.h"
#include "ovs-xdp-abi.h"
#include "rows-packet.h"

#define MAX_ROW_FLOWS 64

struct row_flow {
    struct flow flow;
    struct flow_wildcards wc;
    struct ofpbuf actions;
    bool copies;                    /* BPF sends several copies. */
    uint32_t idx;
    struct xdp_flow_stats stats;    /* Expected; 'used' is not known. */
};
extern struct row_flow row_flows[MAX_ROW_FLOWS];
extern size_t n_row_flows;

/* One of the copies that a flow sends. */
struct sent {
    uint32_t port;                  /* TRAP: to userspace, with 'hdr'. */
    struct xdp_upcall_hdr hdr;
    struct dp_packet *packet;
};
#define TRAP UINT32_MAX

/* What has to come out, or what came out. */
struct outcome {
    char verdict[32];               /* As struct row's 'want', or "copies". */
    struct sent sent[8];
    size_t n_sent;
    bool has_frame;
    bool any_hash;                  /* 'hdr.dp_hash' is not known. */
    struct xdp_upcall_hdr hdr;      /* Of an upcall. */
    uint64_t counters[XDP_N_COUNTERS];
};

/* Parses actions; "hash(BASIS)", which Open vSwitch prints but does not parse,
 * may come first. */
void parse_actions(const char *s, struct ofpbuf *actions);
/* Adds a flow to the table; 'packet' is for the match "exact".  BPF sends
 * copies only in flows of add_copies_flow(). */
void add_copies_flow(const char *spec, struct dp_packet *packet);
void add_row_flow(const char *spec, struct dp_packet *packet);
void free_row_flows(void);

/* Does what an action does to a frame. */
void execute(struct dp_packet *, const struct nlattr *);

enum model_how {
    MODEL_ALL,
    MODEL_MATCH,                /* What the actions do is not known. */
    MODEL_DEEP,                 /* Userspace has to parse it. */
};

/* Forwards '*packet' as Open vSwitch would.  Userspace goes on at action
 * 'up_at', if not before. */
void model(struct dp_packet *, enum model_how, uint32_t up_at,
           struct outcome *);
void model_upcall(struct outcome *, const struct dp_packet *, uint32_t reason,
                  const struct row_flow *, uint32_t next_action,
                  uint32_t depth);

#endif /* rows-model.h */
