/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * struct flow <-> struct xdp_flow_key. */

#include <config.h>
#include "dp-xdp.h"

#include <errno.h>
#include <string.h>

#include "flow.h"
#include "packets.h"

/* Both directions enumerate the fields of both structures. */
BUILD_ASSERT_DECL(FLOW_WC_SEQ == 42);
BUILD_ASSERT_DECL(XDP_KEY_SEQ == 2);

static void
to_key(const struct flow *f, struct xdp_flow_key *k)
{
    memset(k, 0, sizeof *k);
    k->in_port = odp_to_u32(f->in_port.odp_port);
    k->recirc_id = f->recirc_id;
    k->eth_type = f->dl_type;
    k->nw_proto = f->nw_proto;
    k->nw_frag = f->nw_frag;
    k->skb_mark = f->pkt_mark;
    k->priority = f->skb_priority;
    k->dp_hash = f->dp_hash;
    memcpy(k->dl_dst, &f->dl_dst, sizeof k->dl_dst);
    memcpy(k->dl_src, &f->dl_src, sizeof k->dl_src);
    k->vlan_tpid = f->vlans[0].tpid;
    k->vlan_tci = f->vlans[0].tci;
    k->cvlan_tpid = f->vlans[1].tpid;
    k->cvlan_tci = f->vlans[1].tci;
    k->ipv6_label = f->ipv6_label;
    k->nw_src = f->nw_src;
    k->nw_dst = f->nw_dst;
    k->nw_tos = f->nw_tos;
    k->nw_ttl = f->nw_ttl;
    k->tcp_flags = f->tcp_flags;
    k->tp_src = f->tp_src;
    k->tp_dst = f->tp_dst;
    memcpy(k->ipv6_src, &f->ipv6_src, sizeof k->ipv6_src);
    memcpy(k->ipv6_dst, &f->ipv6_dst, sizeof k->ipv6_dst);
    memcpy(k->nd_target, &f->nd_target, sizeof k->nd_target);
    memcpy(k->arp_sha, &f->arp_sha, sizeof k->arp_sha);
    memcpy(k->arp_tha, &f->arp_tha, sizeof k->arp_tha);
    memcpy(k->mpls_lse, f->mpls_lse, sizeof k->mpls_lse);
}

/* True if 'flow' under 'mask' has a value that no packet in the datapath can
 * have now: conntrack state, tunnel metadata, NSH, ND extensions. */
static bool
is_unsupported(const struct flow *flow, const struct flow *mask)
{
    return (flow->ct_state & mask->ct_state
            || flow->ct_zone & mask->ct_zone
            || flow->ct_mark & mask->ct_mark
            || flow->ct_nw_proto & mask->ct_nw_proto
            || !ovs_u128_is_zero(ovs_u128_and(flow->ct_label, mask->ct_label))
            || flow_tnl_dst_is_set(&flow->tunnel)
            || flow->packet_type != htonl(PT_ETH)
            || flow->dl_type == htons(ETH_TYPE_NSH)
            || (flow->nw_proto == IPPROTO_ICMPV6
                && (flow->tcp_flags & mask->tcp_flags
                    || flow->igmp_group_ip4 & mask->igmp_group_ip4)));
}

int
flow_to_xdp_key(const struct flow *flow, const struct flow *mask,
                struct xdp_flow_key *key, struct xdp_flow_key *key_mask)
{
    if (is_unsupported(flow, mask)) {
        return EOPNOTSUPP;
    }
    to_key(flow, key);
    to_key(mask, key_mask);
    key_mask->in_port = UINT32_MAX;
    key_mask->recirc_id = UINT32_MAX;
    key_mask->eth_type = OVS_BE16_MAX;
    if (!(flow->vlans[0].tci & htons(VLAN_CFI))) {
        /* Netlink cannot say that a tag may be there or not: to ofproto, which
         * has nothing else when it revalidates, this flow is for frames without
         * one. */
        key_mask->vlan_tci = OVS_BE16_MAX;
    }
    if (flow->nw_proto == IPPROTO_IGMP && flow->dl_type == htons(ETH_TYPE_IP)) {
        key_mask->tp_src = key_mask->tp_dst = 0;    /* Not in a datapath key. */
    }
    if (flow->nw_proto == IPPROTO_ICMPV6) {
        key_mask->tcp_flags = 0;
    }
    return 0;
}

void
flow_from_xdp_key(const struct xdp_flow_key *k, struct flow *f)
{
    memset(f, 0, sizeof *f);
    f->in_port.odp_port = u32_to_odp(k->in_port);
    f->recirc_id = k->recirc_id;
    f->dl_type = k->eth_type;
    f->nw_proto = k->nw_proto;
    f->nw_frag = k->nw_frag;
    f->pkt_mark = k->skb_mark;
    f->skb_priority = k->priority;
    f->dp_hash = k->dp_hash;
    memcpy(&f->dl_dst, k->dl_dst, sizeof k->dl_dst);
    memcpy(&f->dl_src, k->dl_src, sizeof k->dl_src);
    f->vlans[0].tpid = k->vlan_tpid;
    f->vlans[0].tci = k->vlan_tci;
    f->vlans[1].tpid = k->cvlan_tpid;
    f->vlans[1].tci = k->cvlan_tci;
    f->ipv6_label = k->ipv6_label;
    f->nw_src = k->nw_src;
    f->nw_dst = k->nw_dst;
    f->nw_tos = k->nw_tos;
    f->nw_ttl = k->nw_ttl;
    f->tcp_flags = k->tcp_flags;
    f->tp_src = k->tp_src;
    f->tp_dst = k->tp_dst;
    memcpy(&f->ipv6_src, k->ipv6_src, sizeof k->ipv6_src);
    memcpy(&f->ipv6_dst, k->ipv6_dst, sizeof k->ipv6_dst);
    memcpy(&f->nd_target, k->nd_target, sizeof k->nd_target);
    memcpy(&f->arp_sha, k->arp_sha, sizeof k->arp_sha);
    memcpy(&f->arp_tha, k->arp_tha, sizeof k->arp_tha);
    memcpy(f->mpls_lse, k->mpls_lse, sizeof k->mpls_lse);
}
