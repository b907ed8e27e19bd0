/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The model; see rows-model.h. */

#include <config.h>
#undef NDEBUG
#include "rows-model.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dp-xdp.h"
#include "netlink.h"
#include "odp-execute.h"
#include "odp-util.h"
#include "rows-dp.h"
#include "rows-live.h"
#include "util.h"

struct row_flow row_flows[MAX_ROW_FLOWS];
size_t n_row_flows;

void
parse_actions(const char *s, struct ofpbuf *actions)
{
    struct ovs_action_hash hash = { .hash_alg = OVS_HASH_ALG_L4 };
    int n = 0;

    ofpbuf_init(actions, 64);
    if (sscanf(s, " hash(%"SCNi32")%n", (int32_t *) &hash.hash_basis, &n) == 1
        && n) {
        nl_msg_put_unspec(actions, OVS_ACTION_ATTR_HASH, &hash, sizeof hash);
        s += n + (s[n] == ',');
    }
    s += strspn(s, " ");
    if (*s && odp_actions_from_string(s, NULL, actions)) {
        row_fail("bad actions \"%s\"", s);
    }
}

static void
add(const char *spec, struct dp_packet *packet, bool copies)
{
    struct row_flow *rf = &row_flows[n_row_flows++];
    const char *arrow = strstr(spec, "=>");
    char *match = xmemdup0(spec, arrow - spec);
    struct xdp_flow_key key, mask;
    struct xdp_op ops[XDP_FLOW_MAX_OPS];
    size_t n_ops;
    int error;

    assert_true(n_row_flows <= MAX_ROW_FLOWS);
    memset(rf, 0, sizeof *rf);
    if (!strncmp(match, "exact", 5)) {
        flow_extract(packet, &rf->flow);
        memset(&rf->wc, 0xff, sizeof rf->wc);
        if (rf->flow.nw_proto == IPPROTO_ICMPV6) {
            /* Of ND, not in a datapath's key. */
            rf->wc.masks.tcp_flags = rf->wc.masks.igmp_group_ip4 = 0;
        }
    } else {
        parse_flow(match, &rf->flow, &rf->wc);
    }
    parse_actions(arrow + 2, &rf->actions);
    /* A datapath's flows always match these. */
    rf->wc.masks.in_port.odp_port = ODPP_NONE;
    rf->wc.masks.recirc_id = UINT32_MAX;
    rf->wc.masks.dl_type = OVS_BE16_MAX;
    free(match);

    error = flow_to_xdp_key(&rf->flow, &rf->wc.masks, &key, &mask);
    error = error ? error : compile_actions(rf->actions.data, rf->actions.size,
                                              copies, ops, &n_ops);
    rf->copies = !error && n_ops && ops[0].type == XDP_OP_GROUP;
    if (rf->copies) {
        live_make_group(ops, n_ops);
    }
    error = error ? error : flow_table_insert(ft, &key, &mask, ops, n_ops,
                                              &rf->idx);
    if (error) {
        row_fail("cannot add \"%s\" (%s)", spec, ovs_strerror(error));
    }
}

void
add_row_flow(const char *spec, struct dp_packet *packet)
{
    add(spec, packet, false);
}

void
add_copies_flow(const char *spec, struct dp_packet *packet)
{
    add(spec, packet, true);
}

void
free_row_flows(void)
{
    while (n_row_flows) {
        ofpbuf_uninit(&row_flows[--n_row_flows].actions);
    }
}

void
execute(struct dp_packet *packet, const struct nlattr *a)
{
    struct dp_packet_batch batch;

    dp_packet_batch_init_packet(&batch, packet);
    odp_execute_actions(NULL, &batch, false, a, NLA_ALIGN(a->nla_len), NULL);
}

static struct xdp_upcall_hdr
upcall_hdr(const struct dp_packet *packet, uint32_t reason,
           const struct row_flow *rf, uint32_t next_action, uint32_t depth)
{
    return (struct xdp_upcall_hdr) {
        .magic = XDP_UPCALL_MAGIC,
        .reason = reason,
        .in_port = odp_to_u32(packet->md.in_port.odp_port),
        .recirc_id = packet->md.recirc_id,
        .skb_mark = packet->md.pkt_mark,
        .priority = packet->md.skb_priority,
        .dp_hash = packet->md.dp_hash,
        .len = dp_packet_size(packet),
        .flow = rf ? rf->idx : 0,
        .next_action = next_action,
        .depth = depth,
    };
}

void
model_upcall(struct outcome *o, const struct dp_packet *packet,
             uint32_t reason, const struct row_flow *rf, uint32_t next_action,
             uint32_t depth)
{
    o->has_frame = true;
    o->counters[XDP_COUNTER_UPCALL]++;
    o->hdr = upcall_hdr(packet, reason, rf, next_action, depth);
}

/* Runs the actions of a flow that sends copies. */
static void
model_copies(struct outcome *o, struct dp_packet *packet,
             const struct row_flow *rf, uint32_t depth)
{
    const struct nlattr *a;
    unsigned int left;
    uint32_t i = 0;

    NL_ATTR_FOR_EACH (a, left, rf->actions.data, rf->actions.size) {
        struct sent *sent = &o->sent[o->n_sent];
        int type = nl_attr_type(a);

        if (type == OVS_ACTION_ATTR_OUTPUT) {
            sent->port = nl_attr_get_u32(a);
            o->counters[XDP_COUNTER_FORWARDED]++;
        } else if (type == OVS_ACTION_ATTR_USERSPACE) {
            sent->port = TRAP;
            sent->hdr = upcall_hdr(packet, XDP_UPCALL_COPY, rf, i, depth);
            o->counters[XDP_COUNTER_UPCALL]++;
        } else {
            execute(packet, a);
        }
        if (type == OVS_ACTION_ATTR_OUTPUT
            || type == OVS_ACTION_ATTR_USERSPACE) {
            sent->packet = dp_packet_clone(packet);
            o->n_sent++;
        }
        i++;
    }
    strcpy(o->verdict, "copies");
}

/* Runs the flow's actions.  Returns true if the packet is recirculated.
 * Userspace goes on at action 'up_at', if not before. */
static bool
model_actions(struct outcome *o, struct dp_packet *packet,
              const struct row_flow *rf, uint32_t up_at, uint32_t *depth)
{
    const struct nlattr *a;
    unsigned int left;
    uint32_t i = 0;

    NL_ATTR_FOR_EACH (a, left, rf->actions.data, rf->actions.size) {
        int type = nl_attr_type(a);

        if (i == up_at || type == OVS_ACTION_ATTR_USERSPACE) {
            snprintf(o->verdict, sizeof o->verdict, "up:%"PRIu32, i);
            model_upcall(o, packet, XDP_UPCALL_ACTION, rf, i, *depth);
            return false;
        } else if (type == OVS_ACTION_ATTR_OUTPUT) {
            uint32_t port = nl_attr_get_u32(a);

            if (port < XDP_MAX_PORTS && port_table[port].ifindex) {
                snprintf(o->verdict, sizeof o->verdict, "%"PRIu32, port);
                o->counters[XDP_COUNTER_FORWARDED]++;
                o->has_frame = true;
            } else {
                strcpy(o->verdict, "drop:NO_PORT");
            }
            return false;
        } else if (type == OVS_ACTION_ATTR_RECIRC) {
            if (++*depth > XDP_MAX_RECIRC) {
                strcpy(o->verdict, "drop:RECIRC_LIMIT");
                return false;
            }
            o->counters[XDP_COUNTER_RECIRC]++;
            packet->md.recirc_id = nl_attr_get_u32(a);
            return true;
        }
        if (type == OVS_ACTION_ATTR_DROP) {
            break;
        }
        o->any_hash |= type == OVS_ACTION_ATTR_HASH;
        execute(packet, a);
        i++;
    }
    strcpy(o->verdict, "drop:ACTION");
    return false;
}

void
model(struct dp_packet *packet, enum model_how how, uint32_t up_at,
      struct outcome *o)
{
    uint32_t depth = 0;

    memset(o, 0, sizeof *o);
    if (!needs_inject(&packet->md)) {
        o->counters[XDP_COUNTER_RX] = 1;
    } else if (hook == HOOK_XDP) {
        o->counters[XDP_COUNTER_INJECT] = 1;
    }
    if (how == MODEL_DEEP) {
        strcpy(o->verdict, "deep");
        model_upcall(o, packet, XDP_UPCALL_MISS, NULL, 0, depth);
        return;
    }
    for (;;) {
        struct row_flow *rf = NULL;
        struct flow flow;

        flow_extract(packet, &flow);
        for (size_t i = 0; i < n_row_flows && !rf; i++) {
            if (flow_equal_except(&flow, &row_flows[i].flow,
                                  &row_flows[i].wc)) {
                rf = &row_flows[i];
            }
        }
        if (!rf) {
            o->counters[XDP_COUNTER_MISS]++;
            strcpy(o->verdict, "miss");
            model_upcall(o, packet, XDP_UPCALL_MISS, NULL, 0, depth);
            return;
        }
        o->counters[XDP_COUNTER_HIT]++;
        rf->stats.packets++;
        rf->stats.bytes += dp_packet_size(packet);
        if (is_ip_any(&flow) && flow.nw_proto == IPPROTO_TCP) {
            rf->stats.tcp_flags |= ntohs(flow.tcp_flags);
        }
        if (rf->copies) {
            model_copies(o, packet, rf, depth);
            return;
        }
        if (how == MODEL_MATCH
            || !model_actions(o, packet, rf, up_at, &depth)) {
            return;
        }
    }
}
