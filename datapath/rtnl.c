/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Network device settings; see rtnl.h. */

#include <config.h>
#include "rtnl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/classifier.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/link/veth.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xdp_rtnl);

/* libnl's errors are negative NLE_* numbers. */
static int
nl_to_errno(int error)
{
    switch (-error) {
    case 0: return 0;
    case NLE_EXIST: return EEXIST;
    case NLE_PERM: return EPERM;
    case NLE_NOMEM: return ENOMEM;
    case NLE_NODEV: case NLE_OBJ_NOTFOUND: return ENODEV;
    case NLE_OPNOTSUPP: return EOPNOTSUPP;
    case NLE_BUSY: return EBUSY;
    case NLE_RANGE: return ERANGE;
    default: return EINVAL;
    }
}

static int
nl_open(struct nl_sock **skp)
{
    int error;

    *skp = nl_socket_alloc();
    if (!*skp) {
        return ENOMEM;
    }
    error = nl_connect(*skp, NETLINK_ROUTE);
    if (error) {
        nl_socket_free(*skp);
        return nl_to_errno(error);
    }
    return 0;
}

int
rtnl_veth_create(const char *name, const char *peer, unsigned n_queues)
{
    struct rtnl_link *link, *peer_link;
    struct nl_sock *sk;
    int error = nl_open(&sk);

    if (error) {
        return error;
    }
    link = rtnl_link_veth_alloc();
    if (!link) {
        nl_socket_free(sk);
        return ENOMEM;
    }
    peer_link = rtnl_link_veth_get_peer(link);
    rtnl_link_set_name(link, name);
    rtnl_link_set_num_rx_queues(link, n_queues);
    rtnl_link_set_num_tx_queues(link, n_queues);
    rtnl_link_set_name(peer_link, peer);
    rtnl_link_set_num_rx_queues(peer_link, n_queues);
    rtnl_link_set_num_tx_queues(peer_link, n_queues);
    error = rtnl_link_add(sk, link, NLM_F_CREATE | NLM_F_EXCL);
    rtnl_link_put(peer_link);
    rtnl_link_put(link);
    nl_socket_free(sk);
    return nl_to_errno(error);
}

/* Applies 'change' (NULL: delete) to the link 'name'. */
static int
link_change(const char *name, struct rtnl_link *change)
{
    struct rtnl_link *link;
    struct nl_sock *sk;
    int error = nl_open(&sk);

    if (error) {
        return error;
    }
    error = rtnl_link_get_kernel(sk, 0, name, &link);
    if (!error) {
        error = (change ? rtnl_link_change(sk, link, change, 0)
                 : rtnl_link_delete(sk, link));
        rtnl_link_put(link);
    }
    nl_socket_free(sk);
    return nl_to_errno(error);
}

int
rtnl_link_delete_by_name(const char *name)
{
    return link_change(name, NULL);
}

static int
set_flags(const char *name, unsigned int flags)
{
    struct rtnl_link *change = rtnl_link_alloc();
    int error;

    rtnl_link_set_flags(change, flags);
    error = link_change(name, change);
    rtnl_link_put(change);
    return error;
}

int
rtnl_set_up(const char *name)
{
    return set_flags(name, IFF_UP);
}

int
rtnl_set_noarp(const char *name)
{
    return set_flags(name, IFF_NOARP);
}

int
rtnl_set_mtu(const char *name, unsigned int mtu)
{
    struct rtnl_link *change = rtnl_link_alloc();
    int error;

    rtnl_link_set_mtu(change, mtu);
    error = link_change(name, change);
    rtnl_link_put(change);
    return error;
}

bool
rtnl_is_veth_pair(const char *name, const char *peer)
{
    struct rtnl_link *link;
    struct nl_sock *sk;
    bool is_pair = false;

    if (nl_open(&sk)) {
        return false;
    }
    if (!rtnl_link_get_kernel(sk, 0, name, &link)) {
        const char *type = rtnl_link_get_type(link);

        is_pair = (type && !strcmp(type, "veth")
                   && rtnl_link_get_link(link) == (int) if_nametoindex(peer));
        rtnl_link_put(link);
    }
    nl_socket_free(sk);
    return is_pair;
}

static int
ethtool(const char *name, void *data)
{
    struct ifreq ifr;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int error = 0;

    if (fd < 0) {
        return errno;
    }
    memset(&ifr, 0, sizeof ifr);
    ovs_strlcpy(ifr.ifr_name, name, sizeof ifr.ifr_name);
    ifr.ifr_data = data;
    if (ioctl(fd, SIOCETHTOOL, &ifr)) {
        error = errno;
    }
    close(fd);
    return error;
}

/* Logs a setting that 'name' does not take. */
static int
offload_failed(const char *name, const char *offload, bool on, int error)
{
    VLOG_WARN("%s: cannot turn %s %s (%s)", name, offload, on ? "on" : "off",
              ovs_strerror(error));
    return error;
}

static int
set_offload(const char *name, uint32_t cmd, bool on, const char *offload)
{
    struct ethtool_value value = { cmd, on };
    int error = ethtool(name, &value);

    return error ? offload_failed(name, offload, on, error) : 0;
}

int
rtnl_set_gro(const char *name, bool on)
{
    return set_offload(name, ETHTOOL_SGRO, on, "GRO");
}

int
rtnl_set_offloads_for_xdp(const char *name)
{
    static const struct { uint32_t cmd; const char *name; } off[] = {
        { ETHTOOL_STXCSUM, "transmit checksums" },
        { ETHTOOL_SSG, "scatter-gather" },
        { ETHTOOL_STSO, "TSO" },
        { ETHTOOL_SGSO, "GSO" },
    };
    struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };
    int error = rtnl_set_gro(name, true);
    int retval;

    for (size_t i = 0; i < ARRAY_SIZE(off); i++) {
        retval = set_offload(name, off[i].cmd, false, off[i].name);
        error = error ? error : retval;
    }
    retval = ethtool(name, &flags);
    if (!retval) {
        flags.cmd = ETHTOOL_SFLAGS;
        flags.data &= ~(ETH_FLAG_TXVLAN | ETH_FLAG_LRO);
        retval = ethtool(name, &flags);
    }
    if (retval) {
        offload_failed(name, "VLAN insertion and LRO", false, retval);
    }
    return error ? error : retval;
}

int
rtnl_set_rx_offloads_for_xdp(const char *name)
{
    struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };
    int error = ethtool(name, &flags);

    if (!error && flags.data & (ETH_FLAG_RXVLAN | ETH_FLAG_LRO)) {
        flags.cmd = ETHTOOL_SFLAGS;
        flags.data &= ~(ETH_FLAG_RXVLAN | ETH_FLAG_LRO);
        error = ethtool(name, &flags);
    }
    return error ? offload_failed(name, "VLAN stripping and LRO", false, error)
                 : 0;
}

/* Either of both is enough.  Neither can be done, nor has to be, on a kernel
 * without IPv6. */
void
rtnl_disable_ipv6(const char *name)
{
    struct rtnl_link *change = rtnl_link_alloc();
    char path[128];
    int error, fd;

    rtnl_link_inet6_set_addr_gen_mode(change, IN6_ADDR_GEN_MODE_NONE);
    error = link_change(name, change);
    rtnl_link_put(change);

    snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6",
             name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (write(fd, "1", 1) == 1) {
            error = 0;
        }
        close(fd);
    } else if (errno == ENOENT) {
        error = 0;
    }
    if (error) {
        VLOG_WARN("%s: cannot turn IPv6 off (%s)", name, ovs_strerror(error));
    }
}

void
rtnl_link_kind(const char *name, char kind[16])
{
    struct rtnl_link *link;
    struct nl_sock *sk;

    kind[0] = '\0';
    if (nl_open(&sk)) {
        return;
    }
    if (!rtnl_link_get_kernel(sk, 0, name, &link)) {
        const char *type = rtnl_link_get_type(link);

        if (type) {
            ovs_strlcpy(kind, type, 16);
        }
        rtnl_link_put(link);
    }
    nl_socket_free(sk);
}

unsigned int
rtnl_n_rx_queues(const char *name)
{
    struct rtnl_link *link;
    struct nl_sock *sk;
    unsigned int n = 1;

    if (nl_open(&sk)) {
        return 1;
    }
    if (!rtnl_link_get_kernel(sk, 0, name, &link)) {
        n = rtnl_link_get_num_rx_queues(link);
        rtnl_link_put(link);
    }
    nl_socket_free(sk);
    return n ? n : 1;
}

/* Of a link message. */
struct link_facts {
    unsigned int flags;                 /* IFF_*. */
    struct nlattr *attrs[IFLA_MAX + 1]; /* Valid as long as 'msg'. */
    struct nl_msg *msg;                 /* NULL if there was none. */
};

static int
parse_link(struct nl_msg *msg, void *facts_)
{
    struct link_facts *facts = facts_;
    struct nlmsghdr *nlh = nlmsg_hdr(msg);

    if (facts->msg || nlh->nlmsg_type != RTM_NEWLINK
        || nlmsg_parse(nlh, sizeof(struct ifinfomsg), facts->attrs, IFLA_MAX,
                       NULL)) {
        return NL_SKIP;
    }
    nlmsg_get(msg);
    facts->msg = msg;
    facts->flags = ((struct ifinfomsg *) nlmsg_data(nlh))->ifi_flags;
    return NL_OK;
}

/* Asks for a device in the namespace 'nsid', in our own if it is negative.  With
 * automatic acknowledgements of 'sk' disabled: one message is the answer. */
static int
get_link(struct nl_sock *sk, int ifindex, int nsid, struct link_facts *facts)
{
    struct nl_msg *msg;
    int error = rtnl_link_build_get_request(ifindex, NULL, &msg);

    memset(facts, 0, sizeof *facts);
    if (error) {
        return nl_to_errno(error);
    }
    if (nsid >= 0 && nla_put_s32(msg, IFLA_TARGET_NETNSID, nsid)) {
        nlmsg_free(msg);
        return ENOMEM;
    }
    nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, parse_link, facts);
    error = nl_send_auto(sk, msg);
    nlmsg_free(msg);
    error = error < 0 ? error : nl_recvmsgs_default(sk);
    return error < 0 ? nl_to_errno(error) : !facts->msg ? ENODEV : 0;
}

static uint32_t
attr_u32(const struct link_facts *facts, int type)
{
    struct nlattr *attr = facts->attrs[type];

    return attr && nla_len(attr) >= 4 ? nla_get_u32(attr) : 0;
}

static bool
attr_is(struct nlattr *attr, const char *s)
{
    return attr && !nla_strcmp(attr, s);
}

static bool
link_is_veth(const struct link_facts *facts)
{
    struct nlattr *info[IFLA_INFO_MAX + 1];

    return (facts->attrs[IFLA_LINKINFO]
            && !nla_parse_nested(info, IFLA_INFO_MAX,
                                 facts->attrs[IFLA_LINKINFO], NULL)
            && attr_is(info[IFLA_INFO_KIND], "veth"));
}

static bool
link_has_xdp(const struct link_facts *facts)
{
    struct nlattr *xdp[IFLA_XDP_MAX + 1];

    return (facts->attrs[IFLA_XDP]
            && !nla_parse_nested(xdp, IFLA_XDP_MAX, facts->attrs[IFLA_XDP],
                                 NULL)
            && xdp[IFLA_XDP_ATTACHED]
            && nla_get_u8(xdp[IFLA_XDP_ATTACHED]) != XDP_ATTACHED_NONE);
}

/* True if clsact has a filter on egress, or if that cannot be told. */
static bool
has_egress_filter(struct nl_sock *sk, int ifindex)
{
    struct nl_cache *cache;
    bool has;

    nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
    if (rtnl_cls_alloc_cache(sk, ifindex,
                             TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS),
                             &cache)) {
        return true;
    }
    has = nl_cache_nitems(cache) > 0;
    nl_cache_free(cache);
    return has;
}

static bool
offload_is_on(const char *name, uint32_t cmd)
{
    struct ethtool_value value = { cmd, 0 };

    return !ethtool(name, &value) && value.data;
}

static bool
offloads_are_off(const struct link_facts *facts)
{
    struct nlattr *name = facts->attrs[IFLA_IFNAME];

    return (attr_u32(facts, IFLA_GSO_MAX_SIZE) < 65536
            || attr_u32(facts, IFLA_GSO_MAX_SEGS) < 65535
            || !name
            || !offload_is_on(nla_get_string(name), ETHTOOL_GTXCSUM)
            || !offload_is_on(nla_get_string(name), ETHTOOL_GTSO));
}

static int
read_veth(const struct link_facts *facts, struct rtnl_veth_peer *veth)
{
    struct nlattr *nsid = facts->attrs[IFLA_LINK_NETNSID];

    if (!link_is_veth(facts)) {
        return EOPNOTSUPP;
    }
    veth->up = facts->flags & IFF_UP;
    veth->qdisc = !attr_is(facts->attrs[IFLA_QDISC], "noqueue");
    veth->promiscuous = attr_u32(facts, IFLA_PROMISCUITY) != 0;
    veth->offloads_off = offloads_are_off(facts);
    veth->peer_ifindex = attr_u32(facts, IFLA_LINK);
    veth->nsid = nsid ? nla_get_s32(nsid) : -1;
    return veth->nsid < 0 ? EXDEV : 0;
}

static int
read_peer(const struct link_facts *facts, struct rtnl_veth_peer *veth)
{
    struct nlattr *mac = facts->attrs[IFLA_ADDRESS];

    if (!mac || nla_len(mac) != sizeof veth->peer_mac) {
        return EINVAL;
    }
    memcpy(&veth->peer_mac, nla_data(mac), sizeof veth->peer_mac);
    veth->peer_up = facts->flags & IFF_UP;
    veth->peer_mtu = attr_u32(facts, IFLA_MTU);
    veth->peer_xdp = link_has_xdp(facts);
    return 0;
}

int
rtnl_get_veth_peer(int ifindex, struct rtnl_veth_peer *veth)
{
    struct link_facts facts;
    struct nl_sock *sk;
    int error = nl_open(&sk);

    memset(veth, 0, sizeof *veth);
    veth->nsid = -1;
    if (error) {
        return error;
    }
    nl_socket_disable_auto_ack(sk);
    error = get_link(sk, ifindex, -1, &facts);
    error = error ? error : read_veth(&facts, veth);
    nlmsg_free(facts.msg);
    if (!error) {
        error = get_link(sk, veth->peer_ifindex, veth->nsid, &facts);
        error = error ? error : read_peer(&facts, veth);
        nlmsg_free(facts.msg);
    }
    if (!error) {
        veth->filter = has_egress_filter(sk, ifindex);
    }
    nl_socket_free(sk);
    return error;
}
