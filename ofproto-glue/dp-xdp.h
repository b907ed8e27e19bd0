/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * What the files of ofproto-glue/ share: the datapath as the dpif provider
 * sees it, its flow records, and the translations between Open vSwitch's
 * netlink attributes and the datapath's own forms. */
#ifndef DP_XDP_H
#define DP_XDP_H 1

#include "cmap.h"
#include "dpif.h"
#include "dpif-provider.h"
#include "fat-rwlock.h"
#include "openvswitch/flow.h"
#include "openvswitch/ofpbuf.h"
#include "ovs-atomic.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "ovs-xdp-abi.h"
#include "ports.h"
#include "upcall.h"

struct xdp_dp;

/* One megaflow.  Freed after an RCU grace period.  'actions' changes under
 * struct dp_xdp's flow_mutex. */
struct flow_record {
    struct cmap_node node;      /* In struct dp_xdp's 'flows', by ufid. */
    ovs_u128 ufid;
    /* In the BPF flow table.  0 if that cannot have it (a match on what is no
     * part of a frame's key): then the record is for the one packet flow whose
     * UFID it has, and userspace runs its actions. */
    uint32_t idx;
    /* The BPF table had no place for it: the match is there already, under the
     * UFID of another packet, or the table is full.  So ofproto, which takes it
     * that it was installed, finds it, but for dumps. */
    bool waiting;
    uint32_t group;             /* Of its ops; 0 if they need none. */
    struct nlattr *key;         /* Netlink key and mask, as they were put. */
    size_t key_len;
    struct nlattr *mask;
    size_t mask_len;
    OVSRCU_TYPE(struct flow_actions *) actions;
    /* Packets that userspace forwarded for this flow because they came up
     * before it was installed. */
    atomic_uint64_t n_packets;
    atomic_uint64_t n_bytes;
    atomic_llong used;
};

struct flow_actions {
    size_t len;
    struct nlattr nla[];
};

#define DP_N_MISS_MUTEXES 64

/* A datapath, shared by all dpifs of its name. */
struct dp_xdp {
    char *name;
    int ref_cnt;                /* Under 'dp_mutex' of dpif-xdp.c. */
    bool destroyed;
    struct xdp_dp *xdp;
    struct upcalls *upcalls;
    struct seq *port_seq;       /* Changes with each change of a port. */

    struct ovs_mutex flow_mutex;    /* Writers of the three below. */
    struct cmap flows;              /* Of struct flow_record, by ufid. */
    /* By flow index of the BPF table. */
    OVSRCU_TYPE(struct flow_record *) *records;

    /* By hash of a packet's own UFID; taken before any other lock. */
    struct ovs_mutex miss_mutexes[DP_N_MISS_MUTEXES];
    struct fat_rwlock upcall_rwlock;    /* Write-locked while disabled. */
    bool upcalls_disabled;              /* Main thread only. */
    upcall_callback *upcall_cb;
    void *upcall_aux;

    atomic_uint64_t n_exec_drops;   /* Actions that userspace cannot run. */
    atomic_uint64_t n_lost;         /* Upcalls without a flow or a result. */
};

struct dpif_xdp {
    struct dpif dpif;
    struct dp_xdp *dp;
    uint64_t last_port_seq;
};

static inline struct dpif_xdp *
dpif_xdp_cast(const struct dpif *dpif)
{
    return CONTAINER_OF(dpif, struct dpif_xdp, dpif);
}

static inline struct dp_xdp *
get_dp_xdp(const struct dpif *dpif)
{
    return dpif_xdp_cast(dpif)->dp;
}

extern const struct dpif_class dpif_xdp_class;

/* dpif-xdp.c: the datapath of that name, or the only one if 'name' is NULL;
 * NULL if there is none. */
struct dp_xdp *dp_xdp_find(const char *name);
/* The port 'name' of whichever datapath has it; false if none does. */
bool dp_xdp_get_port(const char *name, struct xdp_port_info *);
/* As xdp_ports_get_peer(), for that port; false if there is none. */
bool dp_xdp_get_port_peer(const char *name, struct xdp_port_peer *);
/* As xdp_ports_set_mode(), for that port; 0 if there is none. */
int dp_xdp_set_port_mode(const char *name, enum xdp_port_mode);
/* As xdp_ports_set_policing() and xdp_ports_set_qdisc(), likewise. */
int dp_xdp_set_port_policing(const char *name, uint64_t byte_rate,
                             uint64_t byte_burst, uint64_t packet_rate,
                             uint64_t packet_burst);
int dp_xdp_set_port_qdisc(const char *name, bool qdisc);

/* flow-key.c.  'flow' and 'mask' to the datapath's key and mask.  EOPNOTSUPP if
 * they match on what the datapath does not have. */
int flow_to_xdp_key(const struct flow *flow, const struct flow *mask,
                    struct xdp_flow_key *key, struct xdp_flow_key *key_mask);
/* And back; what the datapath does not have is zero. */
void flow_from_xdp_key(const struct xdp_flow_key *key, struct flow *flow);

/* actions.c.  Netlink actions to ops; always fits, as a last XDP_OP_USERSPACE
 * leaves the rest to userspace.  Without 'copies', that is so from the first of
 * several outputs on; with them, the list may begin with XDP_OP_GROUP, for
 * which the caller needs a group (groups.h).  EOPNOTSUPP, with a log line, if
 * userspace cannot run the actions either. */
int compile_actions(const struct nlattr *actions, size_t len, bool copies,
                    struct xdp_op ops[XDP_FLOW_MAX_OPS], size_t *n_ops);
/* Ops back to netlink actions, for flows adopted from an earlier process; of a
 * flow that matches 'nw_proto'.  False if that is not possible: userspace has to
 * run some of them. */
bool decompile_actions(const struct xdp_op *ops, size_t n_ops,
                       uint8_t nw_proto, struct ofpbuf *actions);

/* dp-flows.c. */
void dp_flows_init(struct dp_xdp *);
void dp_flows_destroy(struct dp_xdp *);
/* Makes records of the flows that the BPF table was adopted with. */
void dp_flows_adopt(struct dp_xdp *);
struct flow_record *flow_record_by_ufid(const struct dp_xdp *,
                                        const ovs_u128 *ufid);
struct flow_record *flow_record_by_index(const struct dp_xdp *, uint32_t idx);
/* Installs the megaflow that an upcall about 'flow', with that UFID, resulted
 * in. */
void dp_flow_install(struct dp_xdp *, const struct flow *,
                     const struct flow_wildcards *, const ovs_u128 *ufid,
                     const struct nlattr *actions, size_t actions_len);
/* Tries again to install a flow that is waiting. */
void dp_flow_retry(struct dp_xdp *, const struct flow_record *);
int dpif_xdp_flow_flush(struct dpif *);
/* Compiles all flows' actions anew: some depend on the modes of ports. */
void dp_flows_recompile(struct dp_xdp *);
struct dpif_flow_dump *dpif_xdp_flow_dump_create(
    const struct dpif *, bool terse, struct dpif_flow_dump_types *);
int dpif_xdp_flow_dump_destroy(struct dpif_flow_dump *);
struct dpif_flow_dump_thread *dpif_xdp_flow_dump_thread_create(
    struct dpif_flow_dump *);
void dpif_xdp_flow_dump_thread_destroy(struct dpif_flow_dump_thread *);
int dpif_xdp_flow_dump_next(struct dpif_flow_dump_thread *,
                            struct dpif_flow *, int max_flows);
int dp_flow_put(struct dp_xdp *, struct dpif_flow_put *);
int dp_flow_del(struct dp_xdp *, struct dpif_flow_del *);
int dp_flow_get(struct dp_xdp *, struct dpif_flow_get *);

/* dp-upcall.c. */
void dp_upcall(const struct xdp_upcall_hdr *, struct dp_packet *, void *dp);
/* Runs 'actions' on '*packet', which stays the caller's if '!steal'. */
int dp_execute(struct dp_xdp *, struct dp_packet *packet, bool steal,
               const struct flow *flow, uint32_t depth,
               const struct nlattr *actions, size_t actions_len);

/* netdev-xdp.c. */
#define XDP_SYSTEM_TYPE "xdp-system"
#define XDP_INTERNAL_TYPE "xdp-internal"
void netdev_xdp_register(void);
/* options:xdp-mode of the device. */
enum xdp_port_mode netdev_xdp_get_mode(const struct netdev *);

/* appctl.c. */
void dpif_xdp_appctl_init(void);

#endif /* dp-xdp.h */
