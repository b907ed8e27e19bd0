/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Netlink actions <-> compiled ops.
 *
 * Actions are compiled one by one.  At the first that BPF does not do, the list
 * ends with XDP_OP_USERSPACE: userspace runs the actions from that one on.  If
 * BPF does them all and they send copies to several places, the list begins
 * with XDP_OP_GROUP. */

#include <config.h>
#include "dp-xdp.h"

#include <errno.h>
#include <string.h>

#include "netlink.h"
#include "odp-util.h"
#include "openvswitch/vlog.h"
#include "packets.h"

VLOG_DEFINE_THIS_MODULE(xdp_actions);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 1);

struct op_list {
    struct xdp_op *ops;
    size_t n;
    bool full;
    bool copies;                /* More than one place may get the frame. */
    size_t n_sent;              /* Places that got it so far. */
};

static struct xdp_op *
add_op(struct op_list *list, enum xdp_op_type type, uint32_t arg)
{
    static struct xdp_op overflow;
    struct xdp_op *op = &overflow;

    /* One place is kept for XDP_OP_USERSPACE. */
    if (list->n >= XDP_FLOW_MAX_OPS - (type == XDP_OP_USERSPACE ? 0 : 1)) {
        list->full = true;
    } else {
        op = &list->ops[list->n++];
    }
    memset(op, 0, sizeof *op);
    op->type = type;
    op->arg = arg;
    return op;
}

static void
add_bytes(struct op_list *list, enum xdp_op_type type, uint32_t arg,
          const void *value, const void *mask, size_t n)
{
    if (!is_all_zeros(mask, n)) {
        struct xdp_op *op = add_op(list, type, arg);

        memcpy(op->data, value, n);
        memcpy(op->data + n, mask, n);
    }
}

/* Whole bytes only: Open vSwitch's masks on addresses are mostly that. */
static bool
compile_mac(struct op_list *list, enum xdp_op_type type,
            const struct eth_addr *value, const struct eth_addr *mask)
{
    uint32_t bytes = 0;

    for (int i = 0; i < ETH_ADDR_LEN; i++) {
        uint8_t m = ((const uint8_t *) mask)[i];

        if (m && m != 0xff) {
            return false;
        }
        bytes |= m ? 1u << i : 0;
    }
    if (bytes) {
        memcpy(add_op(list, type, bytes)->data, value, ETH_ADDR_LEN);
    }
    return true;
}

static bool
compile_set(struct op_list *list, uint16_t type, const void *value,
            const void *mask)
{
    switch (type) {
    case OVS_KEY_ATTR_PRIORITY:
    case OVS_KEY_ATTR_SKB_MARK: {
        const uint32_t *v = value;

        memcpy(add_op(list, type == OVS_KEY_ATTR_PRIORITY
                      ? XDP_OP_SET_PRIORITY : XDP_OP_SET_MARK, *v)->data,
               mask, 4);
        return true;
    }
    case OVS_KEY_ATTR_ETHERNET: {
        const struct ovs_key_ethernet *v = value, *m = mask;

        return compile_mac(list, XDP_OP_SET_ETH_SRC, &v->eth_src, &m->eth_src)
            && compile_mac(list, XDP_OP_SET_ETH_DST, &v->eth_dst, &m->eth_dst);
    }
    case OVS_KEY_ATTR_IPV4: {
        const struct ovs_key_ipv4 *v = value, *m = mask;

        add_bytes(list, XDP_OP_SET_IPV4_SRC, 0, &v->ipv4_src, &m->ipv4_src, 4);
        add_bytes(list, XDP_OP_SET_IPV4_DST, 0, &v->ipv4_dst, &m->ipv4_dst, 4);
        add_bytes(list, XDP_OP_SET_IPV4_TOS, 0, &v->ipv4_tos, &m->ipv4_tos, 1);
        add_bytes(list, XDP_OP_SET_IPV4_TTL, 0, &v->ipv4_ttl, &m->ipv4_ttl, 1);
        return !m->ipv4_proto && !m->ipv4_frag;
    }
    case OVS_KEY_ATTR_IPV6: {
        const struct ovs_key_ipv6 *v = value, *m = mask;

        for (int i = 0; i < 4; i++) {
            add_bytes(list, XDP_OP_SET_IPV6_SRC, i,
                      (const uint8_t *) &v->ipv6_src + 4 * i,
                      (const uint8_t *) &m->ipv6_src + 4 * i, 4);
            add_bytes(list, XDP_OP_SET_IPV6_DST, i,
                      (const uint8_t *) &v->ipv6_dst + 4 * i,
                      (const uint8_t *) &m->ipv6_dst + 4 * i, 4);
        }
        add_bytes(list, XDP_OP_SET_IPV6_TCLASS, 0, &v->ipv6_tclass,
                  &m->ipv6_tclass, 1);
        add_bytes(list, XDP_OP_SET_IPV6_HLIMIT, 0, &v->ipv6_hlimit,
                  &m->ipv6_hlimit, 1);
        add_bytes(list, XDP_OP_SET_IPV6_LABEL, 0, &v->ipv6_label,
                  &m->ipv6_label, 4);
        return !m->ipv6_proto && !m->ipv6_frag;
    }
    case OVS_KEY_ATTR_TCP:
    case OVS_KEY_ATTR_UDP: {
        const struct ovs_key_tcp *v = value, *m = mask;

        add_bytes(list, XDP_OP_SET_TP_SRC, 0, &v->tcp_src, &m->tcp_src, 2);
        add_bytes(list, XDP_OP_SET_TP_DST, 0, &v->tcp_dst, &m->tcp_dst, 2);
        return true;
    }
    default:
        return false;
    }
}

/* OVS_ACTION_ATTR_SET: all the bits of each field that can be set. */
static bool
compile_set_unmasked(struct op_list *list, const struct nlattr *a)
{
    uint8_t mask[128];

    memset(mask, 0xff, sizeof mask);
    if (nl_attr_type(a) == OVS_KEY_ATTR_IPV4) {
        struct ovs_key_ipv4 *m = (void *) mask;

        m->ipv4_proto = m->ipv4_frag = 0;
    } else if (nl_attr_type(a) == OVS_KEY_ATTR_IPV6) {
        struct ovs_key_ipv6 *m = (void *) mask;

        m->ipv6_proto = m->ipv6_frag = 0;
        m->ipv6_label = htonl(IPV6_LABEL_MASK);
    }
    return compile_set(list, nl_attr_type(a), nl_attr_get(a), mask);
}

/* True if 'list' sends the frame to that place already: a group has each device
 * once. */
static bool
is_sent(const struct op_list *list, enum xdp_op_type type, uint32_t port)
{
    for (size_t i = 0; i < list->n; i++) {
        if (list->ops[i].type == type
            && (type == XDP_OP_USERSPACE_COPY || list->ops[i].arg == port)) {
            return true;
        }
    }
    return false;
}

/* Compiles a place to which the frame goes. */
static bool
compile_output(struct op_list *list, enum xdp_op_type type,
               enum xdp_op_type copy_type, uint32_t arg, bool last)
{
    if (last && !list->n_sent) {
        add_op(list, type, arg);
        return true;
    }
    if (!list->copies || is_sent(list, copy_type, arg)) {
        return false;
    }
    if (last && type == XDP_OP_OUTPUT) {
        add_op(list, type, arg);
    } else {
        add_op(list, copy_type, arg);
    }
    list->n_sent++;
    return true;
}

/* Compiles the action that is number 'i'; false if userspace has to run it. */
static bool
compile_action(struct op_list *list, const struct nlattr *a, uint32_t i,
               bool last)
{
    switch (nl_attr_type(a)) {
    case OVS_ACTION_ATTR_OUTPUT:
        return compile_output(list, XDP_OP_OUTPUT, XDP_OP_OUTPUT_COPY,
                              nl_attr_get_u32(a), last);
    case OVS_ACTION_ATTR_USERSPACE:
        return compile_output(list, XDP_OP_USERSPACE, XDP_OP_USERSPACE_COPY,
                              i, last);
    case OVS_ACTION_ATTR_RECIRC:
        if (last && !list->n_sent) {
            add_op(list, XDP_OP_RECIRC, nl_attr_get_u32(a));
            return true;
        }
        return false;
    case OVS_ACTION_ATTR_SET:
        return compile_set_unmasked(list, nl_attr_get(a));
    case OVS_ACTION_ATTR_SET_MASKED: {
        const struct nlattr *key = nl_attr_get(a);
        size_t size = nl_attr_get_size(key) / 2;

        return compile_set(list, nl_attr_type(key), nl_attr_get(key),
                           (const char *) nl_attr_get(key) + size);
    }
    case OVS_ACTION_ATTR_PUSH_VLAN: {
        const struct ovs_action_push_vlan *vlan = nl_attr_get(a);
        struct xdp_op *op = add_op(list, XDP_OP_PUSH_VLAN, 0);

        memcpy(op->data, &vlan->vlan_tpid, 2);
        memcpy(op->data + 2, &vlan->vlan_tci, 2);
        return true;
    }
    case OVS_ACTION_ATTR_POP_VLAN:
        add_op(list, XDP_OP_POP_VLAN, 0);
        return true;
    case OVS_ACTION_ATTR_HASH: {
        const struct ovs_action_hash *hash = nl_attr_get(a);

        if (hash->hash_alg != OVS_HASH_ALG_L4 || list->n_sent) {
            return false;
        }
        add_op(list, XDP_OP_HASH, hash->hash_basis);
        return true;
    }
    case OVS_ACTION_ATTR_DROP:
        if (list->n_sent) {
            return false;
        }
        add_op(list, XDP_OP_END, nl_attr_get_u32(a));
        return true;
    default:
        return false;
    }
}

static int
refuse(const char *what)
{
    VLOG_INFO_RL(&rl, "the xdp datapath does not support %s yet", what);
    return EOPNOTSUPP;
}

static int check_actions(const struct nlattr *actions, size_t len);

/* Checks the actions that are attribute 'type' of the nested action 'a'. */
static int
check_nested(const struct nlattr *a, uint16_t type)
{
    const struct nlattr *nested = nl_attr_find_nested(a, type);

    return nested ? check_actions(nl_attr_get(nested),
                                  nl_attr_get_size(nested)) : 0;
}

/* What neither side can run is refused, also where it is nested. */
static int
check_actions(const struct nlattr *actions, size_t len)
{
    const struct nlattr *a;
    unsigned int left;
    int error = 0;

    NL_ATTR_FOR_EACH (a, left, actions, len) {
        switch (nl_attr_type(a)) {
        case OVS_ACTION_ATTR_CT:
            return refuse("connection tracking (ct)");
        case OVS_ACTION_ATTR_METER:
            return refuse("meters");
        case OVS_ACTION_ATTR_TUNNEL_PUSH:
        case OVS_ACTION_ATTR_TUNNEL_POP:
            return refuse("userspace tunnels");
        case OVS_ACTION_ATTR_LB_OUTPUT:
            return refuse("lb_output");
        case OVS_ACTION_ATTR_SET:
        case OVS_ACTION_ATTR_SET_MASKED:
            if (nl_attr_type(nl_attr_get(a)) == OVS_KEY_ATTR_TUNNEL) {
                return refuse("tunnels");
            }
            if (nl_attr_type(nl_attr_get(a)) == OVS_KEY_ATTR_ND_EXTENSIONS) {
                return refuse("setting ND extensions");
            }
            break;
        case OVS_ACTION_ATTR_CLONE:
            error = check_actions(nl_attr_get(a), nl_attr_get_size(a));
            break;
        case OVS_ACTION_ATTR_SAMPLE:
            error = check_nested(a, OVS_SAMPLE_ATTR_ACTIONS);
            break;
        case OVS_ACTION_ATTR_CHECK_PKT_LEN:
            error = check_nested(a,
                                 OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_GREATER);
            if (!error) {
                error = check_nested(
                    a, OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_LESS_EQUAL);
            }
            break;
        default:
            if (nl_attr_type(a) > OVS_ACTION_ATTR_MAX) {
                return refuse("an unknown action");
            }
            break;
        }
        if (error) {
            return error;
        }
    }
    return 0;
}

/* Compiles as far as BPF goes; true if that is to the end. */
static bool
compile_list(struct op_list *list, const struct nlattr *actions, size_t len)
{
    const struct nlattr *a;
    unsigned int left;
    uint32_t i = 0;

    NL_ATTR_FOR_EACH (a, left, actions, len) {
        bool last = (size_t) NLA_ALIGN(a->nla_len) >= left;
        size_t n = list->n;

        if (!compile_action(list, a, i, last) || list->full) {
            list->n = n;        /* Userspace runs this one as a whole. */
            list->full = false;
            add_op(list, XDP_OP_USERSPACE, i);
            return false;
        }
        if (nl_attr_type(a) == OVS_ACTION_ATTR_DROP) {
            break;              /* What is behind it does not run. */
        }
        i++;
    }
    return true;
}

/* Compiles with copies; false if that is not possible for all the actions. */
static bool
compile_group(struct op_list *list, const struct nlattr *actions, size_t len)
{
    list->copies = true;
    add_op(list, XDP_OP_GROUP, 0);
    return compile_list(list, actions, len) && list->n_sent > 1;
}

int
compile_actions(const struct nlattr *actions, size_t len, bool copies,
                struct xdp_op ops[XDP_FLOW_MAX_OPS], size_t *n_ops)
{
    struct op_list list = { .ops = ops };
    int error = check_actions(actions, len);

    if (error) {
        return error;
    }
    if (!copies || !compile_group(&list, actions, len)) {
        list = (struct op_list) { .ops = ops };
        compile_list(&list, actions, len);
    }
    *n_ops = list.n;
    return 0;
}

/* Decompilation. */

static void
put_set(struct ofpbuf *actions, uint16_t type, const void *value,
        const void *mask, size_t size)
{
    size_t set = nl_msg_start_nested(actions, OVS_ACTION_ATTR_SET_MASKED);
    char *data = nl_msg_put_unspec_uninit(actions, type, 2 * size);

    memcpy(data, value, size);
    memcpy(data + size, mask, size);
    nl_msg_end_nested(actions, set);
}

static void
decompile_mac(const struct xdp_op *op, struct ofpbuf *actions)
{
    struct ovs_key_ethernet value, mask;
    bool src = op->type == XDP_OP_SET_ETH_SRC;
    uint8_t *v = (uint8_t *) (src ? &value.eth_src : &value.eth_dst);
    uint8_t *m = (uint8_t *) (src ? &mask.eth_src : &mask.eth_dst);

    memset(&value, 0, sizeof value);
    memset(&mask, 0, sizeof mask);
    for (int i = 0; i < ETH_ADDR_LEN; i++) {
        m[i] = op->arg & 1u << i ? 0xff : 0;
        v[i] = op->data[i] & m[i];
    }
    put_set(actions, OVS_KEY_ATTR_ETHERNET, &value, &mask, sizeof value);
}

/* The 'n' bytes at 'ofs' of a key attribute of 'size' bytes. */
static void
decompile_bytes(const struct xdp_op *op, uint16_t type, size_t size,
                size_t ofs, size_t n, struct ofpbuf *actions)
{
    uint8_t value[64] = { 0 }, mask[64] = { 0 };

    memcpy(value + ofs, op->data, n);
    memcpy(mask + ofs, op->data + n, n);
    put_set(actions, type, value, mask, size);
}

#define DECOMPILE(TYPE, STRUCT, MEMBER, OFS, N)                         \
    decompile_bytes(op, TYPE, sizeof(struct STRUCT),                    \
                    offsetof(struct STRUCT, MEMBER) + (OFS), N, actions)

/* Ops do not tell UDP from TCP: 'nw_proto' does. */
static void
decompile_port(const struct xdp_op *op, uint8_t nw_proto,
               struct ofpbuf *actions)
{
    uint16_t type = (nw_proto == IPPROTO_UDP ? OVS_KEY_ATTR_UDP
                     : OVS_KEY_ATTR_TCP);

    BUILD_ASSERT_DECL(sizeof(struct ovs_key_udp)
                      == sizeof(struct ovs_key_tcp));
    if (op->type == XDP_OP_SET_TP_SRC) {
        DECOMPILE(type, ovs_key_tcp, tcp_src, 0, 2);
    } else {
        DECOMPILE(type, ovs_key_tcp, tcp_dst, 0, 2);
    }
}

static bool
decompile_op(const struct xdp_op *op, uint8_t nw_proto,
             struct ofpbuf *actions)
{
    switch ((enum xdp_op_type) op->type) {
    case XDP_OP_GROUP:
        return true;
    case XDP_OP_OUTPUT:
    case XDP_OP_OUTPUT_COPY:
        nl_msg_put_u32(actions, OVS_ACTION_ATTR_OUTPUT, op->arg);
        return true;
    case XDP_OP_RECIRC:
        nl_msg_put_u32(actions, OVS_ACTION_ATTR_RECIRC, op->arg);
        return true;
    case XDP_OP_SET_ETH_DST:
    case XDP_OP_SET_ETH_SRC:
        decompile_mac(op, actions);
        return true;
    case XDP_OP_PUSH_VLAN: {
        struct ovs_action_push_vlan vlan;

        memcpy(&vlan.vlan_tpid, op->data, 2);
        memcpy(&vlan.vlan_tci, op->data + 2, 2);
        nl_msg_put_unspec(actions, OVS_ACTION_ATTR_PUSH_VLAN, &vlan,
                          sizeof vlan);
        return true;
    }
    case XDP_OP_POP_VLAN:
        nl_msg_put_flag(actions, OVS_ACTION_ATTR_POP_VLAN);
        return true;
    case XDP_OP_SET_IPV4_SRC:
        DECOMPILE(OVS_KEY_ATTR_IPV4, ovs_key_ipv4, ipv4_src, 0, 4);
        return true;
    case XDP_OP_SET_IPV4_DST:
        DECOMPILE(OVS_KEY_ATTR_IPV4, ovs_key_ipv4, ipv4_dst, 0, 4);
        return true;
    case XDP_OP_SET_IPV4_TOS:
        DECOMPILE(OVS_KEY_ATTR_IPV4, ovs_key_ipv4, ipv4_tos, 0, 1);
        return true;
    case XDP_OP_SET_IPV4_TTL:
        DECOMPILE(OVS_KEY_ATTR_IPV4, ovs_key_ipv4, ipv4_ttl, 0, 1);
        return true;
    case XDP_OP_SET_IPV6_SRC:
        DECOMPILE(OVS_KEY_ATTR_IPV6, ovs_key_ipv6, ipv6_src, 4 * op->arg, 4);
        return true;
    case XDP_OP_SET_IPV6_DST:
        DECOMPILE(OVS_KEY_ATTR_IPV6, ovs_key_ipv6, ipv6_dst, 4 * op->arg, 4);
        return true;
    case XDP_OP_SET_IPV6_TCLASS:
        DECOMPILE(OVS_KEY_ATTR_IPV6, ovs_key_ipv6, ipv6_tclass, 0, 1);
        return true;
    case XDP_OP_SET_IPV6_HLIMIT:
        DECOMPILE(OVS_KEY_ATTR_IPV6, ovs_key_ipv6, ipv6_hlimit, 0, 1);
        return true;
    case XDP_OP_SET_IPV6_LABEL:
        DECOMPILE(OVS_KEY_ATTR_IPV6, ovs_key_ipv6, ipv6_label, 0, 4);
        return true;
    case XDP_OP_SET_TP_SRC:
    case XDP_OP_SET_TP_DST:
        decompile_port(op, nw_proto, actions);
        return true;
    case XDP_OP_SET_MARK:
        put_set(actions, OVS_KEY_ATTR_SKB_MARK, &op->arg, op->data, 4);
        return true;
    case XDP_OP_SET_PRIORITY:
        put_set(actions, OVS_KEY_ATTR_PRIORITY, &op->arg, op->data, 4);
        return true;
    case XDP_OP_HASH: {
        struct ovs_action_hash hash = {
            .hash_alg = OVS_HASH_ALG_L4, .hash_basis = op->arg,
        };

        nl_msg_put_unspec(actions, OVS_ACTION_ATTR_HASH, &hash, sizeof hash);
        return true;
    }
    case XDP_OP_END:
        nl_msg_put_u32(actions, OVS_ACTION_ATTR_DROP, op->arg);
        return true;
    case XDP_OP_USERSPACE:
    case XDP_OP_USERSPACE_COPY:
    case XDP_OP_N:
    default:
        return false;
    }
}

bool
decompile_actions(const struct xdp_op *ops, size_t n_ops, uint8_t nw_proto,
                  struct ofpbuf *actions)
{
    for (size_t i = 0; i < n_ops; i++) {
        if (!decompile_op(&ops[i], nw_proto, actions)) {
            return false;
        }
    }
    return true;
}
