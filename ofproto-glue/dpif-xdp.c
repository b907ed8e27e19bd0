/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The dpif provider "xdp": datapaths, ports, and the operations table. */

#include <config.h>
#include "dp-xdp.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <string.h>
#include <unistd.h>

#include "dp-packet.h"
#include "flow.h"
#include "flow-table.h"
#include "groups.h"
#include "hash.h"
#include "netdev.h"
#include "netdev-provider.h"
#include "netdev-vport.h"
#include "odp-util.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "ports.h"
#include "seq.h"
#include "smap.h"
#include "sset.h"
#include "util.h"
#include "xdp-dp.h"

VLOG_DEFINE_THIS_MODULE(dpif_xdp);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);

/* Protects 'dp_xdps' and the reference counts. */
static struct ovs_mutex dp_mutex = OVS_MUTEX_INITIALIZER;
static struct shash dp_xdps OVS_GUARDED_BY(dp_mutex)
    = SHASH_INITIALIZER(&dp_xdps);

/* Datapaths. */

static int
dpif_xdp_init(void)
{
    netdev_xdp_register();
    dpif_xdp_appctl_init();
    return 0;
}

static void
add_name(const char *name, void *all_dps)
{
    sset_add(all_dps, name);
}

static int
dpif_xdp_enumerate(struct sset *all_dps,
                   const struct dpif_class *class OVS_UNUSED)
{
    struct shash_node *node;

    ovs_mutex_lock(&dp_mutex);
    SHASH_FOR_EACH (node, &dp_xdps) {
        sset_add(all_dps, node->name);
    }
    ovs_mutex_unlock(&dp_mutex);
    return xdp_dp_for_each(add_name, all_dps);
}

static const char *
dpif_xdp_port_open_type(const struct dpif_class *class OVS_UNUSED,
                        const char *type)
{
    return (!strcmp(type, "internal") ? XDP_INTERNAL_TYPE
            : !strcmp(type, "system") ? XDP_SYSTEM_TYPE : type);
}

struct dp_xdp *
dp_xdp_find(const char *name)
{
    struct dp_xdp *dp = NULL;

    ovs_mutex_lock(&dp_mutex);
    if (name) {
        dp = shash_find_data(&dp_xdps, name);
    } else if (shash_count(&dp_xdps) == 1) {
        dp = shash_first(&dp_xdps)->data;
    }
    ovs_mutex_unlock(&dp_mutex);
    return dp;
}

static struct dp_xdp *
find_by_port(const char *name, struct xdp_port_info *info)
    OVS_REQUIRES(dp_mutex)
{
    struct shash_node *node;

    SHASH_FOR_EACH (node, &dp_xdps) {
        struct dp_xdp *dp = node->data;

        if (!xdp_ports_get_by_name(xdp_dp_ports(dp->xdp), name, info)) {
            return dp;
        }
    }
    return NULL;
}

bool
dp_xdp_get_port(const char *name, struct xdp_port_info *info)
{
    struct dp_xdp *dp;

    ovs_mutex_lock(&dp_mutex);
    dp = find_by_port(name, info);
    ovs_mutex_unlock(&dp_mutex);
    return dp != NULL;
}

bool
dp_xdp_get_port_peer(const char *name, struct xdp_port_peer *peer)
{
    struct xdp_port_info info;
    struct dp_xdp *dp;
    bool found;

    ovs_mutex_lock(&dp_mutex);
    dp = find_by_port(name, &info);
    found = dp && !xdp_ports_get_peer(xdp_dp_ports(dp->xdp), info.port_no,
                                      peer);
    ovs_mutex_unlock(&dp_mutex);
    return found;
}

int
dp_xdp_set_port_mode(const char *name, enum xdp_port_mode mode)
{
    struct xdp_port_info info;
    struct dp_xdp *dp;
    int error = 0;

    ovs_mutex_lock(&dp_mutex);
    dp = find_by_port(name, &info);
    if (dp && info.wanted != mode) {
        error = xdp_ports_set_mode(xdp_dp_ports(dp->xdp), info.port_no, mode);
        if (!error) {
            dp_flows_recompile(dp);
        }
    }
    ovs_mutex_unlock(&dp_mutex);
    return error;
}

int
dp_xdp_set_port_policing(const char *name, uint64_t byte_rate,
                         uint64_t byte_burst, uint64_t packet_rate,
                         uint64_t packet_burst)
{
    struct xdp_port_info info;
    struct dp_xdp *dp;
    int error = 0;

    ovs_mutex_lock(&dp_mutex);
    dp = find_by_port(name, &info);
    if (dp) {
        error = xdp_ports_set_policing(xdp_dp_ports(dp->xdp), info.port_no,
                                       byte_rate, byte_burst, packet_rate,
                                       packet_burst);
    }
    ovs_mutex_unlock(&dp_mutex);
    return error;
}

int
dp_xdp_set_port_qdisc(const char *name, bool qdisc)
{
    struct xdp_port_info info;
    struct dp_xdp *dp;
    int error = 0;

    ovs_mutex_lock(&dp_mutex);
    dp = find_by_port(name, &info);
    if (dp && info.qdisc != qdisc) {
        error = xdp_ports_set_qdisc(xdp_dp_ports(dp->xdp), info.port_no,
                                    qdisc);
        dp_flows_recompile(dp);
    }
    ovs_mutex_unlock(&dp_mutex);
    return error;
}

static void
enable_upcalls(struct dp_xdp *dp)
    OVS_NO_THREAD_SAFETY_ANALYSIS
{
    if (dp->upcalls_disabled) {
        dp->upcalls_disabled = false;
        fat_rwlock_unlock(&dp->upcall_rwlock);
    }
}

static void
disable_upcalls(struct dp_xdp *dp)
    OVS_NO_THREAD_SAFETY_ANALYSIS
{
    if (!dp->upcalls_disabled) {
        fat_rwlock_wrlock(&dp->upcall_rwlock);
        dp->upcalls_disabled = true;
    }
}

static void
dp_xdp_free(struct dp_xdp *dp)
    OVS_REQUIRES(dp_mutex)
{
    shash_find_and_delete(&dp_xdps, dp->name);
    dp->upcall_cb = NULL;
    enable_upcalls(dp);         /* A thread may wait for that. */
    upcalls_stop(dp->upcalls);
    dp_flows_destroy(dp);
    if (dp->destroyed) {
        xdp_dp_destroy(dp->xdp);
    } else {
        xdp_dp_close(dp->xdp);
    }
    fat_rwlock_destroy(&dp->upcall_rwlock);
    seq_destroy(dp->port_seq);
    free(dp->name);
    free(dp);
}

static int
dp_xdp_create(const char *name, bool create, struct dp_xdp **dpp)
    OVS_REQUIRES(dp_mutex)
{
    struct xdp_dp *xdp;
    struct dp_xdp *dp;
    int error;

    error = xdp_dp_open(name, create, &xdp);
    if (error) {
        return error;
    }
    dp = xzalloc(sizeof *dp);
    dp->name = xstrdup(name);
    dp->xdp = xdp;
    dp->port_seq = seq_create();
    dp_flows_init(dp);
    fat_rwlock_init(&dp->upcall_rwlock);
    atomic_init(&dp->n_exec_drops, 0);
    atomic_init(&dp->n_lost, 0);
    shash_add(&dp_xdps, name, dp);
    dp_flows_adopt(dp);

    /* Until ofproto enables upcalls, the threads hold what comes up. */
    disable_upcalls(dp);
    error = upcalls_start(xdp, xdp_dp_trap_n_queues(xdp), dp_upcall, dp,
                          &dp->upcalls);
    if (error) {
        dp_xdp_free(dp);
        return error;
    }
    xdp_dp_set_upcalls(xdp, true);
    *dpp = dp;
    return 0;
}

static int
dpif_xdp_open(const struct dpif_class *class, const char *name, bool create,
              struct dpif **dpifp)
{
    struct dpif_xdp *dpif;
    struct dp_xdp *dp;
    uint16_t netflow_id = hash_string(name, 0);
    int error = 0;

    ovs_mutex_lock(&dp_mutex);
    dp = shash_find_data(&dp_xdps, name);
    if (!dp) {
        error = dp_xdp_create(name, create, &dp);
    } else if (create) {
        error = EEXIST;
    }
    if (!error) {
        dp->ref_cnt++;
        dpif = xzalloc(sizeof *dpif);
        dpif_init(&dpif->dpif, class, name, netflow_id >> 8, netflow_id);
        dpif->dp = dp;
        dpif->last_port_seq = seq_read(dp->port_seq);
        *dpifp = &dpif->dpif;
    }
    ovs_mutex_unlock(&dp_mutex);
    return error;
}

/* The datapath goes on forwarding. */
static void
dpif_xdp_close(struct dpif *dpif)
{
    struct dp_xdp *dp = get_dp_xdp(dpif);

    ovs_mutex_lock(&dp_mutex);
    if (!--dp->ref_cnt) {
        dp_xdp_free(dp);
    }
    ovs_mutex_unlock(&dp_mutex);
    free(dpif_xdp_cast(dpif));
}

static int
dpif_xdp_destroy(struct dpif *dpif)
{
    get_dp_xdp(dpif)->destroyed = true;
    return 0;
}

/* Has ovs-vswitchd write the port's status anew. */
static void
port_status_changed(const char *name)
{
    struct netdev *netdev = netdev_from_name(name);

    if (netdev) {
        netdev_change_seq_changed(netdev);
        netdev_close(netdev);
    }
}

static bool
dpif_xdp_run(struct dpif *dpif)
{
    struct xdp_dp *xdp = get_dp_xdp(dpif)->xdp;

    flow_table_run(xdp_dp_flow_table(xdp));
    xdp_groups_run(xdp_dp_groups(xdp));
    xdp_ports_run(xdp_dp_ports(xdp), port_status_changed);
    xdp_dp_set_vlan_limit(xdp, flow_vlan_limit);
    return false;
}

static void
dpif_xdp_wait(struct dpif *dpif)
{
    xdp_ports_wait(xdp_dp_ports(get_dp_xdp(dpif)->xdp));
}

static int
dpif_xdp_get_stats(const struct dpif *dpif, struct dpif_dp_stats *stats)
{
    const struct dp_xdp *dp = get_dp_xdp(dpif);
    uint64_t counters[XDP_N_COUNTERS], drops[XDP_N_DROP_REASONS];

    xdp_dp_get_counters(dp->xdp, counters);
    xdp_dp_get_drops(dp->xdp, drops);
    memset(stats, 0, sizeof *stats);
    stats->n_hit = counters[XDP_COUNTER_HIT];
    stats->n_missed = counters[XDP_COUNTER_MISS];
    stats->n_lost = (drops[XDP_DROP_NO_USERSPACE] + drops[XDP_DROP_RATE_LIMIT]
                     + drops[XDP_DROP_UPCALL]);
    stats->n_flows = flow_table_count(xdp_dp_flow_table(dp->xdp));
    stats->n_masks = flow_table_n_masks(xdp_dp_flow_table(dp->xdp));
    stats->n_mask_hit = counters[XDP_COUNTER_MASK_HIT];
    stats->n_cache_hit = counters[XDP_COUNTER_CACHE_HIT];
    return 0;
}

/* Ports. */

static int
dpif_xdp_port_add(struct dpif *dpif, struct netdev *netdev,
                  odp_port_t *port_nop)
{
    struct dp_xdp *dp = get_dp_xdp(dpif);
    const char *name = netdev_get_name(netdev);
    const char *type = netdev_get_type(netdev);
    uint32_t port_no = odp_to_u32(*port_nop);
    char ifname[16];
    int error;

    if (netdev_vport_is_vport_class(netdev_get_class(netdev))) {
        VLOG_WARN_RL(&rl, "%s: the xdp datapath does not support ports of "
                     "type %s yet", name, type);
        return EOPNOTSUPP;
    }
    if (!strcmp(type, XDP_INTERNAL_TYPE)) {
        error = xdp_internal_create(name, ifname);
        if (error) {
            return error;
        }
    } else {
        ovs_strlcpy(ifname, name, sizeof ifname);
    }
    error = xdp_ports_add(xdp_dp_ports(dp->xdp), name, ifname, type,
                          netdev_xdp_get_mode(netdev), &port_no);
    if (!error) {
        *port_nop = u32_to_odp(port_no);
        seq_change(dp->port_seq);
    }
    return error;
}

static int
dpif_xdp_port_del(struct dpif *dpif, odp_port_t port_no)
{
    struct dp_xdp *dp = get_dp_xdp(dpif);
    struct xdp_ports *ports = xdp_dp_ports(dp->xdp);
    struct xdp_port_info info;
    int error;

    error = xdp_ports_get(ports, odp_to_u32(port_no), &info);
    error = error ? error : xdp_ports_del(ports, info.port_no);
    if (!error) {
        if (!strcmp(info.type, XDP_INTERNAL_TYPE)) {
            xdp_internal_delete(info.name);
        }
        seq_change(dp->port_seq);
    }
    return error;
}

static void
info_to_dpif_port(const struct xdp_port_info *info, struct dpif_port *port)
{
    port->name = xstrdup(info->name);
    port->type = xstrdup(info->type);
    port->port_no = u32_to_odp(info->port_no);
}

static int
dpif_xdp_port_query_by_number(const struct dpif *dpif, odp_port_t port_no,
                              struct dpif_port *port)
{
    struct xdp_port_info info;
    int error = xdp_ports_get(xdp_dp_ports(get_dp_xdp(dpif)->xdp),
                              odp_to_u32(port_no), &info);

    if (!error && port) {
        info_to_dpif_port(&info, port);
    }
    return error;
}

static int
dpif_xdp_port_query_by_name(const struct dpif *dpif, const char *name,
                            struct dpif_port *port)
{
    struct xdp_port_info info;
    int error = xdp_ports_get_by_name(xdp_dp_ports(get_dp_xdp(dpif)->xdp),
                                      name, &info);

    if (!error && port) {
        info_to_dpif_port(&info, port);
    }
    return error;
}

struct port_dump {
    uint32_t next;
    struct xdp_port_info info;
};

static int
dpif_xdp_port_dump_start(const struct dpif *dpif OVS_UNUSED, void **statep)
{
    *statep = xzalloc(sizeof(struct port_dump));
    return 0;
}

static int
dpif_xdp_port_dump_next(const struct dpif *dpif, void *state_,
                        struct dpif_port *port)
{
    struct port_dump *state = state_;

    if (xdp_ports_next(xdp_dp_ports(get_dp_xdp(dpif)->xdp), state->next,
                       &state->info)) {
        return EOF;
    }
    state->next = state->info.port_no + 1;
    port->name = state->info.name;
    port->type = state->info.type;
    port->port_no = u32_to_odp(state->info.port_no);
    return 0;
}

static int
dpif_xdp_port_dump_done(const struct dpif *dpif OVS_UNUSED, void *state)
{
    free(state);
    return 0;
}

static int
dpif_xdp_port_poll(const struct dpif *dpif_, char **devnamep OVS_UNUSED)
{
    struct dpif_xdp *dpif = dpif_xdp_cast(dpif_);
    uint64_t seq = seq_read(dpif->dp->port_seq);

    if (dpif->last_port_seq == seq) {
        return EAGAIN;
    }
    dpif->last_port_seq = seq;
    return ENOBUFS;
}

static void
dpif_xdp_port_poll_wait(const struct dpif *dpif_)
{
    struct dpif_xdp *dpif = dpif_xdp_cast(dpif_);

    seq_wait(dpif->dp->port_seq, dpif->last_port_seq);
}

/* Operations. */

static int
dpif_xdp_execute(struct dp_xdp *dp, struct dpif_execute *execute)
{
    struct xdp_op ops[XDP_FLOW_MAX_OPS];
    size_t n_ops;
    int error;

    if (dp_packet_size(execute->packet) < ETH_HEADER_LEN
        || dp_packet_size(execute->packet) > UINT16_MAX) {
        return EINVAL;
    }
    error = compile_actions(execute->actions, execute->actions_len, false, ops,
                            &n_ops);
    if (error) {
        return error;
    }
    if (execute->packet->l3_ofs == UINT16_MAX) {
        struct flow flow;       /* For the offsets of the headers. */

        flow_extract(execute->packet, &flow);
    }
    return dp_execute(dp, execute->packet, false, execute->flow, 0,
                      execute->actions, execute->actions_len);
}

static void
dpif_xdp_operate(struct dpif *dpif, struct dpif_op **ops, size_t n_ops,
                 enum dpif_offload_type offload_type OVS_UNUSED)
{
    struct dp_xdp *dp = get_dp_xdp(dpif);

    for (size_t i = 0; i < n_ops; i++) {
        struct dpif_op *op = ops[i];

        switch (op->type) {
        case DPIF_OP_FLOW_PUT:
            op->error = dp_flow_put(dp, &op->flow_put);
            break;
        case DPIF_OP_FLOW_DEL:
            op->error = dp_flow_del(dp, &op->flow_del);
            break;
        case DPIF_OP_EXECUTE:
            op->error = dpif_xdp_execute(dp, &op->execute);
            break;
        case DPIF_OP_FLOW_GET:
            op->error = dp_flow_get(dp, &op->flow_get);
            break;
        }
    }
}

static int
dpif_xdp_queue_to_priority(const struct dpif *dpif OVS_UNUSED,
                           uint32_t queue_id, uint32_t *priority)
{
    /* As netdev-linux numbers its classes: 1:(queue + 1); tc reserves the
     * minor numbers from 0xf000 for qdiscs of its own. */
    if (queue_id >= 0xf000) {
        return EINVAL;
    }
    *priority = TC_H_MAKE(1 << 16, queue_id + 1);
    return 0;
}

/* Upcalls. */

static void
dpif_xdp_register_upcall_cb(struct dpif *dpif, upcall_callback *cb, void *aux)
{
    struct dp_xdp *dp = get_dp_xdp(dpif);

    dp->upcall_aux = aux;
    dp->upcall_cb = cb;
}

static void
dpif_xdp_enable_upcall(struct dpif *dpif)
{
    enable_upcalls(get_dp_xdp(dpif));
}

static void
dpif_xdp_disable_upcall(struct dpif *dpif)
{
    disable_upcalls(get_dp_xdp(dpif));
}

static char *
dpif_xdp_get_datapath_version(void)
{
    return xasprintf("xdp ABI %d", XDP_ABI_VERSION);
}

static void
dpif_xdp_meter_get_features(const struct dpif *dpif OVS_UNUSED,
                            struct ofputil_meter_features *features)
{
    memset(features, 0, sizeof *features);
}

static int
dpif_xdp_meter_set(struct dpif *dpif OVS_UNUSED,
                   ofproto_meter_id id OVS_UNUSED,
                   struct ofputil_meter_config *config OVS_UNUSED)
{
    return EOPNOTSUPP;
}

static int
dpif_xdp_meter_get(const struct dpif *dpif OVS_UNUSED,
                   ofproto_meter_id id OVS_UNUSED,
                   struct ofputil_meter_stats *stats OVS_UNUSED,
                   uint16_t n_bands OVS_UNUSED)
{
    return EOPNOTSUPP;
}

static int
dpif_xdp_meter_del(struct dpif *dpif OVS_UNUSED,
                   ofproto_meter_id id OVS_UNUSED,
                   struct ofputil_meter_stats *stats OVS_UNUSED,
                   uint16_t n_bands OVS_UNUSED)
{
    return EOPNOTSUPP;
}

const struct dpif_class dpif_xdp_class = {
    .type = "xdp",
    .cleanup_required = false,
    .init = dpif_xdp_init,
    .enumerate = dpif_xdp_enumerate,
    .port_open_type = dpif_xdp_port_open_type,
    .open = dpif_xdp_open,
    .close = dpif_xdp_close,
    .destroy = dpif_xdp_destroy,
    .run = dpif_xdp_run,
    .wait = dpif_xdp_wait,
    .get_stats = dpif_xdp_get_stats,
    .port_add = dpif_xdp_port_add,
    .port_del = dpif_xdp_port_del,
    .port_query_by_number = dpif_xdp_port_query_by_number,
    .port_query_by_name = dpif_xdp_port_query_by_name,
    .port_dump_start = dpif_xdp_port_dump_start,
    .port_dump_next = dpif_xdp_port_dump_next,
    .port_dump_done = dpif_xdp_port_dump_done,
    .port_poll = dpif_xdp_port_poll,
    .port_poll_wait = dpif_xdp_port_poll_wait,
    .flow_flush = dpif_xdp_flow_flush,
    .flow_dump_create = dpif_xdp_flow_dump_create,
    .flow_dump_destroy = dpif_xdp_flow_dump_destroy,
    .flow_dump_thread_create = dpif_xdp_flow_dump_thread_create,
    .flow_dump_thread_destroy = dpif_xdp_flow_dump_thread_destroy,
    .flow_dump_next = dpif_xdp_flow_dump_next,
    .operate = dpif_xdp_operate,
    .queue_to_priority = dpif_xdp_queue_to_priority,
    .register_upcall_cb = dpif_xdp_register_upcall_cb,
    .enable_upcall = dpif_xdp_enable_upcall,
    .disable_upcall = dpif_xdp_disable_upcall,
    .get_datapath_version = dpif_xdp_get_datapath_version,
    .meter_get_features = dpif_xdp_meter_get_features,
    .meter_set = dpif_xdp_meter_set,
    .meter_get = dpif_xdp_meter_get,
    .meter_del = dpif_xdp_meter_del,
};
