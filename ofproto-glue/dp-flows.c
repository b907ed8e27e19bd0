/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Megaflows as ofproto knows them: by UFID, with netlink key, mask and
 * actions; each stands for one flow of the BPF table. */

#include <config.h>
#include "dp-xdp.h"

#include <errno.h>
#include <string.h>

#include "flow-table.h"
#include "groups.h"
#include "hash.h"
#include "netlink.h"
#include "odp-util.h"
#include "openvswitch/match.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "util.h"
#include "xdp-dp.h"

VLOG_DEFINE_THIS_MODULE(xdp_flows);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

/* Records. */

static struct flow_actions *
flow_actions_create(const struct nlattr *actions, size_t len)
{
    struct flow_actions *a = xmalloc(sizeof *a + len);

    a->len = len;
    if (len) {
        memcpy(a->nla, actions, len);
    }
    return a;
}

static void
record_free(struct flow_record *r)
{
    free(ovsrcu_get_protected(struct flow_actions *, &r->actions));
    free(r->key);
    free(r->mask);
    free(r);
}

struct flow_record *
flow_record_by_ufid(const struct dp_xdp *dp, const ovs_u128 *ufid)
{
    struct flow_record *r;

    CMAP_FOR_EACH_WITH_HASH (r, node, ufid->u32[0], &dp->flows) {
        if (ovs_u128_equals(r->ufid, *ufid)) {
            return r;
        }
    }
    return NULL;
}

struct flow_record *
flow_record_by_index(const struct dp_xdp *dp, uint32_t idx)
{
    return (idx && idx < XDP_MAX_FLOWS
            ? ovsrcu_get(struct flow_record *, &dp->records[idx]) : NULL);
}

static struct flow_record *
record_insert(struct dp_xdp *dp, const ovs_u128 *ufid, uint32_t idx,
              uint32_t group, const struct nlattr *key, size_t key_len,
              const struct nlattr *mask, size_t mask_len,
              const struct nlattr *actions, size_t actions_len)
    OVS_REQUIRES(dp->flow_mutex)
{
    struct flow_record *r = xzalloc(sizeof *r);

    r->ufid = *ufid;
    r->idx = idx;
    r->group = group;
    r->key = xmemdup(key, key_len);
    r->key_len = key_len;
    r->mask = mask_len ? xmemdup(mask, mask_len) : NULL;
    r->mask_len = mask_len;
    ovsrcu_init(&r->actions, flow_actions_create(actions, actions_len));
    atomic_init(&r->n_packets, 0);
    atomic_init(&r->n_bytes, 0);
    atomic_init(&r->used, 0);
    if (idx) {
        ovsrcu_set(&dp->records[idx], r);
    }
    cmap_insert(&dp->flows, &r->node, ufid->u32[0]);
    return r;
}

static void
record_stats(const struct dp_xdp *dp, const struct flow_record *r_,
             const struct xdp_flow_stats *xs, struct dpif_flow_stats *stats)
{
    struct flow_record *r = CONST_CAST(struct flow_record *, r_);
    uint64_t n_packets, n_bytes;
    long long int used;

    atomic_read_relaxed(&r->n_packets, &n_packets);
    atomic_read_relaxed(&r->n_bytes, &n_bytes);
    atomic_read_relaxed(&r->used, &used);
    stats->n_packets = xs->packets + n_packets;
    stats->n_bytes = xs->bytes + n_bytes;
    stats->used = MAX(used, flow_table_used_msec(xdp_dp_flow_table(dp->xdp),
                                                 xs->used));
    stats->tcp_flags = xs->tcp_flags;
}

static void
record_get_stats(const struct dp_xdp *dp, const struct flow_record *r,
                 struct dpif_flow_stats *stats)
{
    struct xdp_flow_stats xs;

    memset(&xs, 0, sizeof xs);
    if (r->idx) {
        flow_table_get_stats(xdp_dp_flow_table(dp->xdp), r->idx, &xs);
    }
    record_stats(dp, r, &xs, stats);
}

static void
record_zero_stats(struct dp_xdp *dp, struct flow_record *r)
{
    if (r->idx) {
        flow_table_zero_stats(xdp_dp_flow_table(dp->xdp), r->idx);
    }
    atomic_store_relaxed(&r->n_packets, 0);
    atomic_store_relaxed(&r->n_bytes, 0);
    atomic_store_relaxed(&r->used, 0);
}

static void
record_delete(struct dp_xdp *dp, struct flow_record *r,
              struct dpif_flow_stats *stats)
    OVS_REQUIRES(dp->flow_mutex)
{
    struct xdp_flow_stats xs;

    memset(&xs, 0, sizeof xs);
    if (r->idx) {
        flow_table_delete(xdp_dp_flow_table(dp->xdp), r->idx, &xs);
        ovsrcu_set(&dp->records[r->idx], NULL);
        xdp_groups_unref(xdp_dp_groups(dp->xdp), r->group);
    }
    if (stats) {
        record_stats(dp, r, &xs, stats);
    }
    cmap_remove(&dp->flows, &r->node, r->ufid.u32[0]);
    ovsrcu_postpone(record_free, r);
}

void
dp_flows_init(struct dp_xdp *dp)
{
    for (size_t i = 0; i < DP_N_MISS_MUTEXES; i++) {
        ovs_mutex_init(&dp->miss_mutexes[i]);
    }
    ovs_mutex_init(&dp->flow_mutex);
    cmap_init(&dp->flows);
    dp->records = xcalloc(XDP_MAX_FLOWS, sizeof *dp->records);
}

void
dp_flows_destroy(struct dp_xdp *dp)
{
    struct flow_record *r;

    CMAP_FOR_EACH (r, node, &dp->flows) {
        cmap_remove(&dp->flows, &r->node, r->ufid.u32[0]);
        ovsrcu_postpone(record_free, r);
    }
    cmap_destroy(&dp->flows);
    free(dp->records);
    ovs_mutex_destroy(&dp->flow_mutex);
    for (size_t i = 0; i < DP_N_MISS_MUTEXES; i++) {
        ovs_mutex_destroy(&dp->miss_mutexes[i]);
    }
}

/* Adoption. */

struct adopted_flow {
    uint32_t idx;
    struct xdp_flow_key key, mask;
    size_t n_ops;
    struct xdp_op ops[XDP_FLOW_MAX_OPS];
};

struct adopted_flows {
    struct adopted_flow *flows;
    size_t n, allocated;
};

static void
collect_flow(uint32_t idx, const struct xdp_flow_key *key,
             const struct xdp_flow_key *mask, const struct xdp_op *ops,
             size_t n_ops, void *aux)
{
    struct adopted_flows *all = aux;
    struct adopted_flow *f;

    if (all->n >= all->allocated) {
        all->flows = x2nrealloc(all->flows, &all->allocated,
                                sizeof *all->flows);
    }
    f = &all->flows[all->n++];
    f->idx = idx;
    f->key = *key;
    f->mask = *mask;
    f->n_ops = MIN(n_ops, XDP_FLOW_MAX_OPS);
    memcpy(f->ops, ops, f->n_ops * sizeof *ops);
}

static bool
adopt_flow(struct dp_xdp *dp, const struct adopted_flow *f)
    OVS_REQUIRES(dp->flow_mutex)
{
    struct ofpbuf key, mask, actions;
    struct flow flow, flow_mask;
    uint32_t group;
    ovs_u128 ufid;
    bool ok;

    ofpbuf_init(&key, 256);
    ofpbuf_init(&mask, 256);
    ofpbuf_init(&actions, 256);
    ok = (decompile_actions(f->ops, f->n_ops, &actions)
          && !xdp_groups_adopt(xdp_dp_groups(dp->xdp), f->ops, f->n_ops,
                               &group));
    if (ok) {
        struct odp_flow_key_parms parms = {
            .flow = &flow, .mask = &flow_mask,
            .support = { .max_vlan_headers = 2, .max_mpls_depth = 3,
                         .recirc = true },
        };

        flow_from_xdp_key(&f->key, &flow);
        flow_from_xdp_key(&f->mask, &flow_mask);
        odp_flow_key_from_flow(&parms, &key);
        odp_flow_key_from_mask(&parms, &mask);
        odp_flow_key_hash(key.data, key.size, &ufid);
        if (flow_record_by_ufid(dp, &ufid)) {
            xdp_groups_unref(xdp_dp_groups(dp->xdp), group);
            ok = false;
        } else {
            record_insert(dp, &ufid, f->idx, group, key.data, key.size,
                          mask.data, mask.size, actions.data, actions.size);
        }
    }
    ofpbuf_uninit(&key);
    ofpbuf_uninit(&mask);
    ofpbuf_uninit(&actions);
    return ok;
}

/* A flow whose actions need userspace has lost them with the process that ran
 * them: its next packet comes up as a miss. */
void
dp_flows_adopt(struct dp_xdp *dp)
{
    struct flow_table *ft = xdp_dp_flow_table(dp->xdp);
    struct adopted_flows all = { NULL, 0, 0 };
    size_t n_deleted = 0;

    flow_table_for_each(ft, collect_flow, &all);
    ovs_mutex_lock(&dp->flow_mutex);
    for (size_t i = 0; i < all.n; i++) {
        if (!adopt_flow(dp, &all.flows[i])) {
            flow_table_delete(ft, all.flows[i].idx, NULL);
            n_deleted++;
        }
    }
    ovs_mutex_unlock(&dp->flow_mutex);
    if (all.n) {
        VLOG_INFO("%s: adopted %"PRIuSIZE" flows, removed %"PRIuSIZE" that "
                  "need userspace", dp->name, all.n - n_deleted, n_deleted);
    }
    free(all.flows);
}

/* Put, delete, get. */

/* Parses the netlink key and mask (exact match if there is none). */
static int
parse_key(const struct nlattr *key, size_t key_len,
          const struct nlattr *mask, size_t mask_len, bool probe,
          struct flow *flow, struct flow_wildcards *wc)
{
    if (odp_flow_key_to_flow(key, key_len, flow, NULL)) {
        if (!probe) {
            VLOG_WARN_RL(&rl, "unparsable flow key");
        }
        return EINVAL;
    }
    if (mask_len) {
        if (odp_flow_key_to_mask(mask, mask_len, wc, flow, NULL)) {
            if (!probe) {
                VLOG_WARN_RL(&rl, "unparsable flow mask");
            }
            return EINVAL;
        }
    } else {
        flow_wildcards_init_for_packet(wc, flow);
    }
    return 0;
}

/* Compiles, and takes a reference to the group that the ops need. */
static int
compile(const struct dp_xdp *dp, const struct nlattr *actions,
        size_t actions_len, struct xdp_op ops[XDP_FLOW_MAX_OPS],
        size_t *n_ops, uint32_t *group)
{
    int error = compile_actions(actions, actions_len, true, ops, n_ops);

    if (!error && xdp_groups_ref(xdp_dp_groups(dp->xdp), ops, *n_ops, group)) {
        error = compile_actions(actions, actions_len, false, ops, n_ops);
    }
    return error;
}

/* Enters a flow into the BPF table.  EEXIST if its match is there already: packets
 * of two connections came up, and one megaflow is for both. */
static int
install(struct dp_xdp *dp, const struct flow *flow, const struct flow *mask,
        const struct nlattr *actions, size_t actions_len, uint32_t *idx,
        uint32_t *group)
    OVS_REQUIRES(dp->flow_mutex)
{
    struct xdp_op ops[XDP_FLOW_MAX_OPS];
    struct xdp_flow_key xkey, xmask;
    size_t n_ops;
    int error;

    error = flow_to_xdp_key(flow, mask, &xkey, &xmask);
    error = error ? error : compile(dp, actions, actions_len, ops, &n_ops,
                                    group);
    if (error) {
        return error;
    }
    error = flow_table_insert(xdp_dp_flow_table(dp->xdp), &xkey, &xmask, ops,
                              n_ops, idx);
    if (error) {
        xdp_groups_unref(xdp_dp_groups(dp->xdp), *group);
    }
    return error;
}

static int
modify(struct dp_xdp *dp, struct flow_record *r, const struct nlattr *actions,
       size_t actions_len)
    OVS_REQUIRES(dp->flow_mutex)
{
    struct xdp_op ops[XDP_FLOW_MAX_OPS];
    struct flow_actions *old;
    uint32_t group;
    size_t n_ops;
    int error;

    error = compile(dp, actions, actions_len, ops, &n_ops, &group);
    if (error) {
        return error;
    }
    if (r->idx) {
        error = flow_table_modify(xdp_dp_flow_table(dp->xdp), r->idx, ops,
                                  n_ops);
    }
    xdp_groups_unref(xdp_dp_groups(dp->xdp), error ? group : r->group);
    if (error) {
        return error;
    }
    r->group = group;
    old = ovsrcu_get_protected(struct flow_actions *, &r->actions);
    ovsrcu_set(&r->actions, flow_actions_create(actions, actions_len));
    ovsrcu_postpone(free, old);
    return 0;
}

void
dp_flows_recompile(struct dp_xdp *dp)
{
    struct flow_record *r;

    ovs_mutex_lock(&dp->flow_mutex);
    CMAP_FOR_EACH (r, node, &dp->flows) {
        const struct flow_actions *a
            = ovsrcu_get_protected(struct flow_actions *, &r->actions);
        int error = modify(dp, r, a->nla, a->len);

        if (error) {
            VLOG_WARN_RL(&rl, "a flow keeps its old actions (%s)",
                         ovs_strerror(error));
        }
    }
    ovs_mutex_unlock(&dp->flow_mutex);
}

int
dp_flow_put(struct dp_xdp *dp, struct dpif_flow_put *put)
{
    bool probe = put->flags & DPIF_FP_PROBE;
    struct flow_record *r = NULL;
    struct flow_wildcards wc;
    uint32_t idx, group;
    struct flow flow;
    ovs_u128 ufid;
    int error;

    if (put->stats) {
        memset(put->stats, 0, sizeof *put->stats);
    }
    error = parse_key(put->key, put->key_len, put->mask, put->mask_len, probe,
                      &flow, &wc);
    if (error) {
        return error;
    }
    if (put->ufid) {
        ufid = *put->ufid;
    } else {
        odp_flow_key_hash(put->key, put->key_len, &ufid);
    }

    ovs_mutex_lock(&dp->flow_mutex);
    r = flow_record_by_ufid(dp, &ufid);
    if (!r) {
        error = (put->flags & DPIF_FP_CREATE
                 ? install(dp, &flow, &wc.masks, put->actions,
                           put->actions_len, &idx, &group)
                 : ENOENT);
        if (!error) {
            record_insert(dp, &ufid, idx, group, put->key, put->key_len,
                          put->mask, put->mask_len, put->actions,
                          put->actions_len);
        }
    } else if (!(put->flags & DPIF_FP_MODIFY)) {
        error = EEXIST;
    } else {
        if (put->stats) {
            record_get_stats(dp, r, put->stats);
        }
        error = modify(dp, r, put->actions, put->actions_len);
        if (!error && put->flags & DPIF_FP_ZERO_STATS) {
            record_zero_stats(dp, r);
        }
    }
    ovs_mutex_unlock(&dp->flow_mutex);
    /* To a probe, that is the answer which is not worth a warning. */
    return probe && error == EOPNOTSUPP ? EINVAL : error;
}

void
dp_flow_install(struct dp_xdp *dp, const struct flow *flow,
                const struct flow_wildcards *wc, const ovs_u128 *ufid,
                const struct nlattr *actions, size_t actions_len)
{
    struct odp_flow_key_parms parms = {
        .flow = flow, .mask = &wc->masks,
        .support = { .max_vlan_headers = 2, .max_mpls_depth = 3,
                     .recirc = true },
    };
    struct ofpbuf key, mask;
    uint32_t idx, group;
    int error;

    ofpbuf_init(&key, 512);
    ofpbuf_init(&mask, 512);
    odp_flow_key_from_flow(&parms, &key);
    odp_flow_key_from_mask(&parms, &mask);

    ovs_mutex_lock(&dp->flow_mutex);
    if (!flow_record_by_ufid(dp, ufid)) {
        struct flow_record *r;

        error = install(dp, flow, &wc->masks, actions, actions_len, &idx,
                        &group);
        if (error) {
            idx = group = 0;
        }
        r = record_insert(dp, ufid, idx, group, key.data, key.size, mask.data,
                          mask.size, actions, actions_len);
        r->waiting = error && error != EOPNOTSUPP;
    }
    ovs_mutex_unlock(&dp->flow_mutex);
    ofpbuf_uninit(&key);
    ofpbuf_uninit(&mask);
}

void
dp_flow_retry(struct dp_xdp *dp, const struct flow_record *r_)
{
    struct flow_record *r = CONST_CAST(struct flow_record *, r_);
    struct flow_wildcards wc;
    uint32_t idx, group;
    struct flow flow;

    ovs_mutex_lock(&dp->flow_mutex);
    if (r->waiting && flow_record_by_ufid(dp, &r->ufid) == r
        && !parse_key(r->key, r->key_len, r->mask, r->mask_len, false, &flow,
                      &wc)) {
        const struct flow_actions *a
            = ovsrcu_get_protected(struct flow_actions *, &r->actions);

        if (!install(dp, &flow, &wc.masks, a->nla, a->len, &idx, &group)) {
            r->idx = idx;
            r->group = group;
            r->waiting = false;
            ovsrcu_set(&dp->records[idx], r);
        }
    }
    ovs_mutex_unlock(&dp->flow_mutex);
}

static struct flow_record *
find(const struct dp_xdp *dp, const ovs_u128 *ufid, const struct nlattr *key,
     size_t key_len)
{
    ovs_u128 hash;

    if (!ufid) {
        odp_flow_key_hash(key, key_len, &hash);
        ufid = &hash;
    }
    return flow_record_by_ufid(dp, ufid);
}

int
dp_flow_del(struct dp_xdp *dp, struct dpif_flow_del *del)
{
    struct flow_record *r;

    ovs_mutex_lock(&dp->flow_mutex);
    r = find(dp, del->ufid, del->key, del->key_len);
    if (r) {
        record_delete(dp, r, del->stats);
    }
    ovs_mutex_unlock(&dp->flow_mutex);
    return r ? 0 : ENOENT;
}

static void
record_to_dpif_flow(const struct dp_xdp *dp, const struct flow_record *r,
                    bool terse, struct dpif_flow *flow)
{
    const struct flow_actions *actions
        = ovsrcu_get(struct flow_actions *, &r->actions);

    memset(flow, 0, sizeof *flow);
    if (!terse) {
        flow->key = r->key;
        flow->key_len = r->key_len;
        flow->mask = r->mask;
        flow->mask_len = r->mask_len;
        flow->actions = actions->nla;
        flow->actions_len = actions->len;
    }
    flow->ufid = r->ufid;
    flow->ufid_present = true;
    flow->pmd_id = PMD_ID_NULL;
    record_get_stats(dp, r, &flow->stats);
    flow->attrs.offloaded = false;
    flow->attrs.dp_layer = "xdp";
}

int
dp_flow_get(struct dp_xdp *dp, struct dpif_flow_get *get)
{
    struct flow_record *r = find(dp, get->ufid, get->key, get->key_len);
    struct dpif_flow flow;

    if (!r) {
        return ENOENT;
    }
    record_to_dpif_flow(dp, r, false, &flow);
    ofpbuf_clear(get->buffer);
    ofpbuf_prealloc_tailroom(get->buffer,
                             flow.key_len + flow.mask_len + flow.actions_len);
    *get->flow = flow;
    get->flow->key = ofpbuf_put(get->buffer, flow.key, flow.key_len);
    if (flow.mask_len) {
        get->flow->mask = ofpbuf_put(get->buffer, flow.mask, flow.mask_len);
    }
    get->flow->actions = ofpbuf_put(get->buffer, flow.actions,
                                    flow.actions_len);
    return 0;
}

int
dpif_xdp_flow_flush(struct dpif *dpif)
{
    struct dp_xdp *dp = get_dp_xdp(dpif);
    struct flow_record *r;

    ovs_mutex_lock(&dp->flow_mutex);
    CMAP_FOR_EACH (r, node, &dp->flows) {
        record_delete(dp, r, NULL);
    }
    flow_table_flush(xdp_dp_flow_table(dp->xdp));
    ovs_mutex_unlock(&dp->flow_mutex);
    return 0;
}

/* Dump. */

struct dpif_xdp_flow_dump {
    struct dpif_flow_dump up;
    struct ovs_mutex mutex;
    struct cmap_position pos OVS_GUARDED;
    bool done OVS_GUARDED;
};

struct dpif_xdp_flow_dump_thread {
    struct dpif_flow_dump_thread up;
    struct dpif_xdp_flow_dump *dump;
};

struct dpif_flow_dump *
dpif_xdp_flow_dump_create(const struct dpif *dpif, bool terse,
                          struct dpif_flow_dump_types *types OVS_UNUSED)
{
    struct dpif_xdp_flow_dump *dump = xzalloc(sizeof *dump);

    dpif_flow_dump_init(&dump->up, dpif);
    dump->up.terse = terse;
    ovs_mutex_init(&dump->mutex);
    return &dump->up;
}

int
dpif_xdp_flow_dump_destroy(struct dpif_flow_dump *dump_)
{
    struct dpif_xdp_flow_dump *dump
        = CONTAINER_OF(dump_, struct dpif_xdp_flow_dump, up);

    ovs_mutex_destroy(&dump->mutex);
    free(dump);
    return 0;
}

struct dpif_flow_dump_thread *
dpif_xdp_flow_dump_thread_create(struct dpif_flow_dump *dump_)
{
    struct dpif_xdp_flow_dump *dump
        = CONTAINER_OF(dump_, struct dpif_xdp_flow_dump, up);
    struct dpif_xdp_flow_dump_thread *thread = xzalloc(sizeof *thread);

    dpif_flow_dump_thread_init(&thread->up, dump_);
    thread->dump = dump;
    return &thread->up;
}

void
dpif_xdp_flow_dump_thread_destroy(struct dpif_flow_dump_thread *thread)
{
    free(CONTAINER_OF(thread, struct dpif_xdp_flow_dump_thread, up));
}

/* The records stay until the caller's thread is quiescent. */
int
dpif_xdp_flow_dump_next(struct dpif_flow_dump_thread *thread_,
                        struct dpif_flow *flows, int max_flows)
{
    struct dpif_xdp_flow_dump_thread *thread
        = CONTAINER_OF(thread_, struct dpif_xdp_flow_dump_thread, up);
    struct dpif_xdp_flow_dump *dump = thread->dump;
    struct dp_xdp *dp = get_dp_xdp(thread_->dpif);
    int n = 0;

    ovs_mutex_lock(&dump->mutex);
    while (!dump->done && n < max_flows) {
        struct cmap_node *node = cmap_next_position(&dp->flows, &dump->pos);
        struct flow_record *r;

        if (!node) {
            dump->done = true;
            break;
        }
        r = CONTAINER_OF(node, struct flow_record, node);
        if (!r->waiting) {
            record_to_dpif_flow(dp, r, dump->up.terse, &flows[n++]);
        }
    }
    ovs_mutex_unlock(&dump->mutex);
    return n;
}
