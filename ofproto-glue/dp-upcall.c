/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Packets that came up, and the userspace action path.  A miss is translated by
 * ofproto; its megaflow is installed before the packet leaves.  Actions that
 * BPF does not do are run by odp_execute_actions(); what has to be seen by the
 * pipeline again goes back down with its metadata. */

#include <config.h>
#include "dp-xdp.h"

#include <errno.h>
#include <string.h>

#include "coverage.h"
#include "dp-packet.h"
#include "flow.h"
#include "netlink.h"
#include "odp-execute.h"
#include "odp-util.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xdp_upcall);

COVERAGE_DEFINE(xdp_miss);
COVERAGE_DEFINE(xdp_action_upcall);
COVERAGE_DEFINE(xdp_upcall_lost);
COVERAGE_DEFINE(xdp_exec_drop);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

static void handle_miss(struct dp_xdp *, struct dp_packet *, uint32_t depth);

struct exec_ctx {
    struct dp_xdp *dp;
    const struct flow *flow;    /* As the packet was when it came up. */
    uint32_t depth;             /* Recirculations so far. */
    int error;                  /* First error of an action. */
};

static void
count(atomic_uint64_t *counter, uint64_t n)
{
    uint64_t orig;

    atomic_add_relaxed(counter, n, &orig);
}

static void
lost(struct dp_xdp *dp, struct dp_packet *packet)
{
    COVERAGE_INC(xdp_upcall_lost);
    count(&dp->n_lost, 1);
    dp_packet_delete(packet);
}

/* Sends 'packet' down. */
static void
send_down(struct exec_ctx *ctx, const struct dp_packet *packet,
          enum xdp_inject_mode mode, uint32_t port, uint32_t recirc_id)
{
    struct xdp_inject_hdr hdr = {
        .mode = mode,
        .port = port,
        .recirc_id = recirc_id,
        .skb_mark = packet->md.pkt_mark,
        .priority = packet->md.skb_priority,
        .dp_hash = packet->md.dp_hash,
        .depth = ctx->depth + (mode == XDP_INJECT_PIPELINE),
    };
    int error = (ctx->dp->upcalls
                 ? upcalls_send(ctx->dp->upcalls, &hdr, packet) : ENXIO);

    if (error && !ctx->error) {
        ctx->error = error;
    }
}

/* A packet without an Ethernet header has its flows here: BPF looks at frames
 * only. */
static void
recirculate(struct exec_ctx *ctx, const struct dp_packet *packet,
            uint32_t recirc_id)
{
    if (packet->packet_type == htonl(PT_ETH)) {
        send_down(ctx, packet, XDP_INJECT_PIPELINE,
                  odp_to_u32(packet->md.in_port.odp_port), recirc_id);
    } else if (ctx->depth >= XDP_MAX_RECIRC) {
        COVERAGE_INC(xdp_upcall_lost);
        count(&ctx->dp->n_lost, 1);
    } else {
        struct dp_packet *clone = dp_packet_clone(packet);

        clone->md.recirc_id = recirc_id;
        handle_miss(ctx->dp, clone, ctx->depth + 1);
    }
}

/* Hands 'packet' to ofproto (controller, sFlow, slow path, ...) and runs the
 * actions that it answers with. */
static void
execute_userspace(struct exec_ctx *ctx, struct dp_packet *packet,
                  const struct nlattr *a)
{
    const struct nlattr *userdata
        = nl_attr_find_nested(a, OVS_USERSPACE_ATTR_USERDATA);
    struct dp_xdp *dp = ctx->dp;
    struct ofpbuf actions;
    struct flow flow;
    ovs_u128 ufid;
    int error = ENODEV;

    ofpbuf_init(&actions, 0);
    flow_extract(packet, &flow);
    odp_flow_key_hash(&flow, sizeof flow, &ufid);
    if (!fat_rwlock_tryrdlock(&dp->upcall_rwlock)) {
        if (dp->upcall_cb) {
            error = dp->upcall_cb(packet, &flow, &ufid, PMD_ID_NULL,
                                  DPIF_UC_ACTION, userdata, &actions, NULL,
                                  NULL, dp->upcall_aux);
        }
        fat_rwlock_unlock(&dp->upcall_rwlock);
    }
    if (!error || error == ENOSPC) {
        dp_execute(dp, packet, false, &flow, ctx->depth, actions.data,
                   actions.size);
    } else {
        count(&dp->n_lost, 1);
    }
    ofpbuf_uninit(&actions);
}

static void
execute_cb(void *ctx_, struct dp_packet_batch *batch, const struct nlattr *a,
           bool should_steal)
{
    struct exec_ctx *ctx = ctx_;
    struct dp_packet *packet;

    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        uint32_t cutlen = dp_packet_get_cutlen(packet);
        struct dp_packet *p = packet;
        bool is_output = (nl_attr_type(a) == OVS_ACTION_ATTR_OUTPUT
                          || nl_attr_type(a) == OVS_ACTION_ATTR_USERSPACE);

        if (cutlen && is_output) {
            p = dp_packet_clone(packet);
            dp_packet_set_size(p, dp_packet_size(p) - cutlen);
            dp_packet_reset_cutlen(p);
            dp_packet_reset_cutlen(packet);
        }
        switch (nl_attr_type(a)) {
        case OVS_ACTION_ATTR_OUTPUT:
            send_down(ctx, p, XDP_INJECT_OUTPUT, nl_attr_get_u32(a), 0);
            break;
        case OVS_ACTION_ATTR_RECIRC:
            recirculate(ctx, p, nl_attr_get_u32(a));
            break;
        case OVS_ACTION_ATTR_USERSPACE:
            execute_userspace(ctx, p, a);
            break;
        default:
            COVERAGE_INC(xdp_exec_drop);
            count(&ctx->dp->n_exec_drops, 1);
            VLOG_WARN_RL(&rl, "action %d cannot be executed: packet dropped",
                         nl_attr_type(a));
            ctx->error = EOPNOTSUPP;
            break;
        }
        if (p != packet) {
            dp_packet_delete(p);
        }
    }
    dp_packet_delete_batch(batch, should_steal);
}

int
dp_execute(struct dp_xdp *dp, struct dp_packet *packet, bool steal,
           const struct flow *flow, uint32_t depth,
           const struct nlattr *actions, size_t actions_len)
{
    struct exec_ctx ctx = { .dp = dp, .flow = flow, .depth = depth };
    struct dp_packet_batch batch;

    dp_packet_batch_init_packet(&batch, packet);
    odp_execute_actions(&ctx, &batch, steal, actions, actions_len,
                        execute_cb);
    return ctx.error;
}

/* Packets that came up. */

static void
set_metadata(struct dp_packet *packet, const struct xdp_upcall_hdr *hdr)
{
    pkt_metadata_init(&packet->md, u32_to_odp(hdr->in_port));
    packet->md.recirc_id = hdr->recirc_id;
    packet->md.pkt_mark = hdr->skb_mark;
    packet->md.skb_priority = hdr->priority;
    packet->md.dp_hash = hdr->dp_hash;
}

/* Counts a packet that BPF did not see with the flow. */
static void
credit(const struct flow_record *r_, const struct dp_packet *packet)
{
    struct flow_record *r = CONST_CAST(struct flow_record *, r_);

    count(&r->n_packets, 1);
    count(&r->n_bytes, dp_packet_size(packet));
    atomic_store_relaxed(&r->used, time_msec());
}

/* Takes the read lock.  While ofproto has upcalls disabled (at start and when
 * it changes its threads), packets wait in the rings; a thread that waits for
 * them holds up nobody's RCU grace period. */
static void
wait_for_upcalls(struct dp_xdp *dp)
    OVS_NO_THREAD_SAFETY_ANALYSIS
{
    if (fat_rwlock_tryrdlock(&dp->upcall_rwlock)) {
        ovsrcu_quiesce_start();
        fat_rwlock_rdlock(&dp->upcall_rwlock);
        ovsrcu_quiesce_end();
    }
}

/* Asks ofproto, which counts the packet, and installs the megaflow.  Fills in
 * the actions of this packet; false if there are none. */
static bool
translate(struct dp_xdp *dp, const struct dp_packet *packet,
          const struct flow *flow, ovs_u128 *ufid, struct ofpbuf *actions)
{
    struct ofpbuf put_actions;
    struct flow_wildcards wc;
    int error = ENODEV;

    ofpbuf_init(&put_actions, 0);
    wait_for_upcalls(dp);
    if (dp->upcall_cb) {
        error = dp->upcall_cb(packet, flow, ufid, PMD_ID_NULL, DPIF_UC_MISS,
                              NULL, actions, &wc, &put_actions,
                              dp->upcall_aux);
    }
    fat_rwlock_unlock(&dp->upcall_rwlock);

    if (!error) {
        const struct ofpbuf *put = put_actions.size ? &put_actions : actions;

        dp_flow_install(dp, flow, &wc, ufid, put->data, put->size);
    }
    ofpbuf_uninit(&put_actions);
    return !error || error == ENOSPC;
}

static void
hash_packet_flow(const struct flow *flow, ovs_u128 *ufid)
{
    struct odp_flow_key_parms parms = {
        .flow = flow,
        .support = { .max_vlan_headers = 2, .max_mpls_depth = 3,
                     .recirc = true },
    };
    struct ofpbuf key;

    ofpbuf_init(&key, 512);
    odp_flow_key_from_flow(&parms, &key);
    odp_flow_key_hash(key.data, key.size, ufid);
    ofpbuf_uninit(&key);
}

/* Takes 'packet', for which BPF has no megaflow.  Packets of one flow that come
 * up together are translated once: the others find its record. */
static void
handle_miss(struct dp_xdp *dp, struct dp_packet *packet, uint32_t depth)
{
    const struct flow_actions *known = NULL;
    const struct flow_record *r;
    struct ofpbuf actions;
    struct flow flow;
    ovs_u128 ufid;
    bool ok = true;

    COVERAGE_INC(xdp_miss);
    flow_extract(packet, &flow);
    hash_packet_flow(&flow, &ufid);
    ofpbuf_init(&actions, 256);

    struct ovs_mutex *mutex
        = &dp->miss_mutexes[ufid.u32[0] % DP_N_MISS_MUTEXES];

    ovs_mutex_lock(mutex);
    r = flow_record_by_ufid(dp, &ufid);
    if (r) {
        if (r->waiting) {
            dp_flow_retry(dp, r);
        }
        credit(r, packet);
        known = ovsrcu_get(struct flow_actions *, &r->actions);
    } else {
        ok = translate(dp, packet, &flow, &ufid, &actions);
    }
    ovs_mutex_unlock(mutex);

    if (!ok) {
        lost(dp, packet);
    } else if (known) {
        dp_execute(dp, packet, true, &flow, depth, known->nla, known->len);
    } else {
        dp_execute(dp, packet, true, &flow, depth, actions.data,
                   actions.size);
    }
    ofpbuf_uninit(&actions);
}

/* Runs the flow's actions from the one on at which BPF stopped; just that one
 * if BPF does the others. */
static void
handle_action(struct dp_xdp *dp, const struct xdp_upcall_hdr *hdr,
              struct dp_packet *packet)
{
    struct flow_record *r = flow_record_by_index(dp, hdr->flow);
    const struct flow_actions *actions;
    const struct nlattr *a;
    unsigned int left;
    uint32_t n = hdr->next_action;
    struct flow flow;

    COVERAGE_INC(xdp_action_upcall);
    if (!r) {
        if (n) {
            lost(dp, packet);   /* Edited already: cannot be looked up. */
        } else {
            handle_miss(dp, packet, hdr->depth);
        }
        return;
    }
    actions = ovsrcu_get(struct flow_actions *, &r->actions);
    flow_extract(packet, &flow);
    NL_ATTR_FOR_EACH (a, left, actions->nla, actions->len) {
        if (!n--) {
            dp_execute(dp, packet, true, &flow, hdr->depth, a,
                       hdr->reason == XDP_UPCALL_COPY
                       ? NLA_ALIGN(a->nla_len) : left);
            return;
        }
    }
    lost(dp, packet);           /* The flow's actions have changed. */
}

/* Pushes a tag as it was, with its drop eligible indicator, which
 * eth_push_vlan() clears. */
static void
push_tag(struct dp_packet *packet, ovs_be16 tpid, ovs_be16 tci)
{
    struct vlan_eth_header *veh;

    eth_push_vlan(packet, tpid, tci);
    veh = dp_packet_data(packet);
    veh->veth_tci = tci;
}

void
dp_upcall(const struct xdp_upcall_hdr *hdr, struct dp_packet *packet,
          void *dp_)
{
    struct dp_xdp *dp = dp_;

    for (int i = ARRAY_SIZE(hdr->vlans) - 1; i >= 0; i--) {
        if (hdr->vlans[i].tpid) {
            push_tag(packet, hdr->vlans[i].tpid, hdr->vlans[i].tci);
        }
    }
    set_metadata(packet, hdr);
    if (hdr->reason == XDP_UPCALL_MISS) {
        handle_miss(dp, packet, hdr->depth);
    } else {
        handle_action(dp, hdr, packet);
    }
}
