/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors. */

#include <config.h>
#include "peers.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "netlink.h"
#include "netlink-socket.h"
#include "netnsid.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "ovs-xdp-abi.h"
#include "rtnl.h"
#include "util.h"
#include "xdp-dp-private.h"
#include "xdp-dp.h"

VLOG_DEFINE_THIS_MODULE(xdp_peers);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

struct peer {
    int ifindex;                /* Of the port's device; 0: no port. */
    struct rtnl_veth_peer behind;
    const char *obstacle;
};

struct xdp_peers {
    struct nl_sock *sock;       /* Links and qdiscs, in all namespaces. */
    int map_fd, tx_fd;          /* Maps "xdp_peers", "xdp_peer_tx". */
    int n_cpus;                 /* Possible ones. */
    bool counted;               /* The kernel counts what the peer gets. */
    struct peer peers[XDP_MAX_PORTS];
};

/* True if bpf_redirect_peer() counts for the peer: from Linux 6.7, 6.6.3 and
 * 6.1.64, whose net_device says in which way a driver counts. */
static bool
kernel_counts(void)
{
    struct btf *btf = btf__load_vmlinux_btf();
    bool counts = (btf && btf__find_by_name_kind(btf, "netdev_stat_type",
                                                 BTF_KIND_ENUM) > 0);

    btf__free(btf);
    return counts;
}

static int
open_socket(struct nl_sock **sockp)
{
    int error = nl_sock_create(NETLINK_ROUTE, sockp);

    if (!error) {
        nl_sock_listen_all_nsid(*sockp, true);
        error = nl_sock_join_mcgroup(*sockp, RTNLGRP_LINK);
        error = error ? error : nl_sock_join_mcgroup(*sockp, RTNLGRP_TC);
    }
    if (error) {
        VLOG_ERR("cannot listen to changes of devices (%s)",
                 ovs_strerror(error));
    }
    return error;
}

int
xdp_peers_create(struct xdp_dp *dp, struct xdp_peers **peersp)
{
    struct xdp_peers *peers = xzalloc(sizeof *peers);
    int error = open_socket(&peers->sock);

    if (error) {
        xdp_peers_close(peers);
        return error;
    }
    peers->map_fd = xdp_dp_map_fd(dp, "xdp_peers");
    peers->tx_fd = xdp_dp_map_fd(dp, "xdp_peer_tx");
    peers->n_cpus = libbpf_num_possible_cpus();
    peers->counted = kernel_counts();
    *peersp = peers;
    return 0;
}

void
xdp_peers_close(struct xdp_peers *peers)
{
    if (peers) {
        nl_sock_destroy(peers->sock);
        free(peers);
    }
}

/* What keeps frames from going straight to the peer; NULL if nothing does. */
static const char *
find_obstacle(const struct xdp_peers *peers, struct peer *peer)
{
    const struct rtnl_veth_peer *behind = &peer->behind;
    int error = rtnl_get_veth_peer(peer->ifindex, &peer->behind);

    if (error && error != EOPNOTSUPP && error != EXDEV) {
        VLOG_INFO_RL(&rl, "ifindex %d: cannot look at the peer (%s)",
                     peer->ifindex, ovs_strerror(error));
    }
    return (!peers->counted ? "the kernel would not count for the peer"
            : error == EOPNOTSUPP ? "no veth"
            : error == EXDEV ? "the peer is in the same network namespace"
            : error ? "the peer cannot be looked at"
            : !behind->up ? "the device is down"
            : behind->qdisc ? "the device has a qdisc"
            : behind->promiscuous ? "the device is promiscuous"
            : behind->filter || attach_has_tcx_egress(peer->ifindex)
            ? "the device has a TC filter on egress"
            : behind->peer_xdp ? "the peer has an XDP program"
            : !behind->peer_up ? "the peer is down"
            : NULL);
}

static void
update_map(const struct xdp_peers *peers, uint32_t port_no,
           const struct xdp_peer *value)
{
    if (bpf_map_update_elem(peers->map_fd, &port_no, value, BPF_ANY)) {
        VLOG_ERR("cannot update port %"PRIu32" in xdp_peers (%s)", port_no,
                 ovs_strerror(errno));
    }
}

/* A frame that is looked at meanwhile goes through the device. */
static void
publish(const struct xdp_peers *peers, uint32_t port_no)
{
    const struct peer *peer = &peers->peers[port_no];
    struct xdp_peer old, new = { .max_len = 0 };

    if (!peer->obstacle) {
        new.max_len = peer->behind.peer_mtu + XDP_PEER_LINK_HEADER;
        memcpy(new.mac, peer->behind.peer_mac.ea, sizeof new.mac);
    }
    if (bpf_map_lookup_elem(peers->map_fd, &port_no, &old)
        || memcmp(&old, &new, sizeof old)) {
        update_map(peers, port_no, &(struct xdp_peer) { .max_len = 0 });
        if (new.max_len) {
            update_map(peers, port_no, &new);
        }
    }
}

static void
clear_tx(struct xdp_peers *peers, uint32_t port_no)
{
    struct xdp_peer_tx *zero = xcalloc(peers->n_cpus, sizeof *zero);

    if (bpf_map_update_elem(peers->tx_fd, &port_no, zero, BPF_ANY)) {
        VLOG_WARN("cannot clear port %"PRIu32" in xdp_peer_tx (%s)", port_no,
                  ovs_strerror(errno));
    }
    free(zero);
}

void
xdp_peers_set(struct xdp_peers *peers, uint32_t port_no, int ifindex)
{
    struct peer *peer = &peers->peers[port_no];

    memset(peer, 0, sizeof *peer);
    peer->ifindex = ifindex;
    peer->obstacle = ifindex ? find_obstacle(peers, peer) : "no port";
    publish(peers, port_no);
    if (!ifindex) {
        clear_tx(peers, port_no);
    } else if (VLOG_IS_DBG_ENABLED()) {
        VLOG_DBG("port %"PRIu32": %s", port_no,
                 peer->obstacle ? peer->obstacle : "frames go to the peer");
    }
}

/* Something about the device has changed; ifindex 0: about any. */
static void
changed(struct xdp_peers *peers, int nsid, int ifindex)
{
    for (uint32_t i = 0; i < XDP_MAX_PORTS; i++) {
        const struct peer *peer = &peers->peers[i];

        if (peer->ifindex
            && (!ifindex
                || (nsid == NETNSID_LOCAL && ifindex == peer->ifindex)
                || (nsid != NETNSID_LOCAL && nsid == peer->behind.nsid
                    && ifindex == peer->behind.peer_ifindex))) {
            xdp_peers_set(peers, i, peer->ifindex);
        }
    }
}

/* The device that a message is about; 0 if it is about none. */
static int
message_ifindex(const struct ofpbuf *buf)
{
    const struct nlmsghdr *nlmsg = buf->data;

    switch (nlmsg->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        return (buf->size >= NLMSG_LENGTH(sizeof(struct ifinfomsg))
                ? ((const struct ifinfomsg *) NLMSG_DATA(nlmsg))->ifi_index
                : 0);
    case RTM_NEWQDISC:
    case RTM_DELQDISC:
    case RTM_NEWTFILTER:
    case RTM_DELTFILTER:
        return (buf->size >= NLMSG_LENGTH(sizeof(struct tcmsg))
                ? ((const struct tcmsg *) NLMSG_DATA(nlmsg))->tcm_ifindex
                : 0);
    default:
        return 0;
    }
}

void
xdp_peers_run(struct xdp_peers *peers)
{
    uint64_t stub[4096 / 8];
    struct ofpbuf buf;
    int error;

    ofpbuf_use_stub(&buf, stub, sizeof stub);
    for (;;) {
        int ifindex, nsid;

        error = nl_sock_recv(peers->sock, &buf, &nsid, false);
        if (error == ENOBUFS) {
            VLOG_INFO_RL(&rl, "changes of devices were lost, looking at all");
            changed(peers, NETNSID_LOCAL, 0);
            continue;
        } else if (error) {
            break;
        }
        ifindex = message_ifindex(&buf);
        if (ifindex) {
            changed(peers, nsid, ifindex);
        }
    }
    ofpbuf_uninit(&buf);
    if (error != EAGAIN) {
        VLOG_WARN_RL(&rl, "cannot listen to changes of devices (%s)",
                     ovs_strerror(error));
    }
}

void
xdp_peers_wait(struct xdp_peers *peers)
{
    nl_sock_wait(peers->sock, POLLIN);
}

const char *
xdp_peers_get_obstacle(const struct xdp_peers *peers, uint32_t port_no)
{
    return peers->peers[port_no].obstacle;
}

void
xdp_peers_get_tx(const struct xdp_peers *peers, uint32_t port_no,
                 uint64_t *packets, uint64_t *bytes)
{
    struct xdp_peer_tx *tx = xcalloc(peers->n_cpus, sizeof *tx);

    *packets = *bytes = 0;
    if (!bpf_map_lookup_elem(peers->tx_fd, &port_no, tx)) {
        for (int i = 0; i < peers->n_cpus; i++) {
            *packets += tx[i].packets;
            *bytes += tx[i].bytes;
        }
    }
    free(tx);
}
