/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * ovs-appctl dpif-xdp/...: what the datapath does. */

#include <config.h>
#include "dp-xdp.h"

#include <inttypes.h>

#include "flow-table.h"
#include "openvswitch/dynamic-string.h"
#include "ports.h"
#include "unixctl.h"
#include "xdp-dp.h"

/* The datapath that the command names, or the only one; NULL after an error
 * reply. */
static struct dp_xdp *
get_dp(struct unixctl_conn *conn, int argc, const char *argv[])
{
    struct dp_xdp *dp = dp_xdp_find(argc > 1 ? argv[1] : NULL);

    if (!dp) {
        unixctl_command_reply_error(conn, "no such xdp datapath");
    }
    return dp;
}

static void
reply(struct unixctl_conn *conn, struct ds *ds)
{
    unixctl_command_reply(conn, ds_cstr(ds));
    ds_destroy(ds);
}

static void
appctl_show(struct unixctl_conn *conn, int argc, const char *argv[],
            void *aux OVS_UNUSED)
{
    struct dp_xdp *dp = get_dp(conn, argc, argv);
    struct ds ds = DS_EMPTY_INITIALIZER;
    struct xdp_port_info info;
    struct xdp_port_peer peer;
    uint32_t next = 0;

    if (!dp) {
        return;
    }
    ds_put_format(&ds, "%s: %"PRIuSIZE" flows, %"PRIuSIZE" masks\n", dp->name,
                  flow_table_count(xdp_dp_flow_table(dp->xdp)),
                  flow_table_n_masks(xdp_dp_flow_table(dp->xdp)));
    while (!xdp_ports_next(xdp_dp_ports(dp->xdp), next, &info)) {
        ds_put_format(&ds, "  port %"PRIu32": %s (%s), ifindex %d, %s\n",
                      info.port_no, info.name, info.type, info.ifindex,
                      info.reason);
        if (!xdp_ports_get_peer(xdp_dp_ports(dp->xdp), info.port_no, &peer)) {
            ds_put_format(&ds, "    peer redirect: %s%s\n",
                          peer.obstacle ? "no, " : "yes",
                          peer.obstacle ? peer.obstacle : "");
        }
        next = info.port_no + 1;
    }
    reply(conn, &ds);
}

struct named_value {
    const char *name;
    const char *text;
};

static void
put_values(struct ds *ds, const struct named_value *names, size_t n,
           const uint64_t *values)
{
    for (size_t i = 0; i < n; i++) {
        ds_put_format(ds, "%-14s%14"PRIu64"  %s\n", names[i].name, values[i],
                      names[i].text);
    }
}

#define NAMED_VALUE(NAME, TEXT) { #NAME, TEXT },

static void
appctl_drops(struct unixctl_conn *conn, int argc, const char *argv[],
             void *aux OVS_UNUSED)
{
    static const struct named_value names[] = { XDP_DROP_REASONS(NAMED_VALUE) };
    uint64_t values[XDP_N_DROP_REASONS + 2];
    struct dp_xdp *dp = get_dp(conn, argc, argv);
    struct ds ds = DS_EMPTY_INITIALIZER;

    if (!dp) {
        return;
    }
    xdp_dp_get_drops(dp->xdp, values);
    put_values(&ds, names, ARRAY_SIZE(names), values);
    static const struct named_value userspace[] = {
        { "EXEC", "action that userspace cannot execute" },
        { "LOST", "upcall without a translation or a flow" },
    };
    atomic_read_relaxed(&dp->n_exec_drops, &values[0]);
    atomic_read_relaxed(&dp->n_lost, &values[1]);
    put_values(&ds, userspace, ARRAY_SIZE(userspace), values);
    reply(conn, &ds);
}

static void
appctl_counters(struct unixctl_conn *conn, int argc, const char *argv[],
                void *aux OVS_UNUSED)
{
    static const struct named_value names[] = { XDP_COUNTERS(NAMED_VALUE) };
    uint64_t values[XDP_N_COUNTERS];
    struct dp_xdp *dp = get_dp(conn, argc, argv);
    struct ds ds = DS_EMPTY_INITIALIZER;

    if (!dp) {
        return;
    }
    xdp_dp_get_counters(dp->xdp, values);
    put_values(&ds, names, ARRAY_SIZE(names), values);
    reply(conn, &ds);
}

static void
appctl_upcall_stats(struct unixctl_conn *conn, int argc, const char *argv[],
                    void *aux OVS_UNUSED)
{
    struct dp_xdp *dp = get_dp(conn, argc, argv);
    struct ds ds = DS_EMPTY_INITIALIZER;
    struct upcall_stats s;

    if (!dp) {
        return;
    }
    upcalls_get_stats(dp->upcalls, &s);
    ds_put_format(&ds, "received %"PRIu64" (%"PRIu64" by AF_PACKET), bad "
                  "header %"PRIu64"\nsent %"PRIu64", not sent %"PRIu64"\n",
                  s.received, s.received_jumbo, s.bad_header, s.sent,
                  s.send_drops);
    reply(conn, &ds);
}

void
dpif_xdp_appctl_init(void)
{
    unixctl_command_register("dpif-xdp/show", "[dp]", 0, 1, appctl_show, NULL);
    unixctl_command_register("dpif-xdp/drops", "[dp]", 0, 1, appctl_drops,
                             NULL);
    unixctl_command_register("dpif-xdp/counters", "[dp]", 0, 1,
                             appctl_counters, NULL);
    unixctl_command_register("dpif-xdp/upcall-stats", "[dp]", 0, 1,
                             appctl_upcall_stats, NULL);
}
