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
#include "bitmap.h"
#include "hash.h"
#include "netlink.h"
#include "netlink-socket.h"
#include "netnsid.h"
#include "openvswitch/hmap.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "ovs-xdp-abi.h"
#include "rtnl.h"
#include "timeval.h"
#include "util.h"
#include "xdp-dp-private.h"
#include "xdp-dp.h"

VLOG_DEFINE_THIS_MODULE(xdp_peers);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

/* A container can send as many changes as it likes: what they cost is limited. */
#define MAX_MESSAGES 256        /* Read at a time ... */
#define MESSAGES_PAUSE 100      /* ... then none for that many ms. */
#define MAX_LOOKS 16            /* Ports looked at at a time, ... */
#define LOOKS_PAUSE 10          /* ... then none for that many ms; ... */
#define PORT_PAUSE 100          /* ... and the same port not for that many. */
#define TCX_INTERVAL 1000       /* ms; netlink does not tell of tcx programs. */

struct peer {
    struct hmap_node device_node;       /* In 'devices', by 'ifindex'. */
    struct hmap_node peer_node;         /* In 'behind', by its ifindex. */
    uint32_t port_no;
    int ifindex;                /* Of the port's device; 0: no port. */
    struct rtnl_veth_peer behind;
    bool tcx;                   /* The device has a tcx program on egress. */
    const char *obstacle;
    long long int next_look;    /* Not before that time, in ms. */
};

struct xdp_peers {
    struct nl_sock *sock;       /* Links and qdiscs, in all namespaces. */
    int map_fd, tx_fd;          /* Maps "xdp_peers", "xdp_peer_tx". */
    int n_cpus;                 /* Possible ones. */
    bool counted;               /* The kernel counts what the peer gets. */
    bool followed;              /* It tells of changes in other namespaces. */
    struct peer peers[XDP_MAX_PORTS];
    struct hmap devices, behind;        /* Of the peers that have one. */
    unsigned long dirty[BITMAP_N_LONGS(XDP_MAX_PORTS)];     /* To look at. */
    unsigned long changed[BITMAP_N_LONGS(XDP_MAX_PORTS)];   /* 'obstacle' did. */
    uint32_t n_dirty;
    uint32_t next_port;         /* To look at, if it is dirty. */
    uint32_t n_watched;         /* See is_watched(). */
    long long int next_read;    /* In ms, as the others. */
    long long int next_looks;
    long long int next_tcx;
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
open_socket(struct xdp_peers *peers)
{
    int error = nl_sock_create(NETLINK_ROUTE, &peers->sock);

    if (!error) {
        peers->followed = !nl_sock_listen_all_nsid(peers->sock, true);
        error = nl_sock_join_mcgroup(peers->sock, RTNLGRP_LINK);
        error = error ? error : nl_sock_join_mcgroup(peers->sock, RTNLGRP_TC);
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
    int error;

    hmap_init(&peers->devices);
    hmap_init(&peers->behind);
    for (uint32_t i = 0; i < XDP_MAX_PORTS; i++) {
        peers->peers[i].port_no = i;
    }
    error = open_socket(peers);
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
        hmap_destroy(&peers->devices);
        hmap_destroy(&peers->behind);
        free(peers);
    }
}

static const char filter_obstacle[] = "the device has a TC filter on egress";

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
    peer->tcx = attach_has_tcx_egress(peer->ifindex);
    return (!peers->counted ? "the kernel would not count for the peer"
            : !peers->followed ? "changes of the peer cannot be followed"
            : error == EOPNOTSUPP ? "no veth"
            : error == EXDEV ? "the peer is in the same network namespace"
            : error ? "the peer cannot be looked at"
            : !behind->up ? "the device is down"
            : behind->qdisc ? "the device has a qdisc"
            : behind->promiscuous ? "the device is promiscuous"
            : behind->filter || peer->tcx ? filter_obstacle
            : behind->peer_xdp ? "the peer has an XDP program"
            : behind->offloads_off
            ? "the device has transmit offloads off or limited"
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

static void
index_peer(struct xdp_peers *peers, struct peer *peer)
{
    if (peer->ifindex) {
        hmap_insert(&peers->devices, &peer->device_node,
                    hash_int(peer->ifindex, 0));
    }
    if (peer->behind.peer_ifindex) {
        hmap_insert(&peers->behind, &peer->peer_node,
                    hash_int(peer->behind.peer_ifindex, 0));
    }
}

static void
unindex_peer(struct xdp_peers *peers, struct peer *peer)
{
    if (peer->ifindex) {
        hmap_remove(&peers->devices, &peer->device_node);
    }
    if (peer->behind.peer_ifindex) {
        hmap_remove(&peers->behind, &peer->peer_node);
    }
}

/* True if a tcx program on egress would make a difference, or does. */
static bool
is_watched(const struct peer *peer)
{
    return peer->ifindex && (!peer->obstacle
                             || peer->obstacle == filter_obstacle);
}

static void
set_dirty(struct xdp_peers *peers, uint32_t port_no, bool dirty)
{
    if (bitmap_is_set(peers->dirty, port_no) != dirty) {
        bitmap_set(peers->dirty, port_no, dirty);
        peers->n_dirty += dirty ? 1 : -1;
    }
}

void
xdp_peers_set(struct xdp_peers *peers, uint32_t port_no, int ifindex)
{
    struct peer *peer = &peers->peers[port_no];
    const char *old = peer->obstacle;

    unindex_peer(peers, peer);
    peers->n_watched -= is_watched(peer);
    memset(&peer->behind, 0, sizeof peer->behind);
    peer->ifindex = ifindex;
    peer->obstacle = ifindex ? find_obstacle(peers, peer) : "no port";
    peer->next_look = time_msec() + PORT_PAUSE;
    peers->n_watched += is_watched(peer);
    index_peer(peers, peer);
    set_dirty(peers, port_no, false);
    publish(peers, port_no);
    if (!ifindex) {
        clear_tx(peers, port_no);
    } else {
        VLOG_DBG("port %"PRIu32": %s", port_no,
                 peer->obstacle ? peer->obstacle : "frames go to the peer");
    }
    bitmap_set(peers->changed, port_no, ifindex && peer->obstacle != old);
}

/* Something about the device has changed. */
static void
changed(struct xdp_peers *peers, int nsid, int ifindex)
{
    uint32_t hash = hash_int(ifindex, 0);
    struct peer *peer;

    if (nsid == NETNSID_LOCAL) {
        HMAP_FOR_EACH_WITH_HASH (peer, device_node, hash, &peers->devices) {
            if (peer->ifindex == ifindex) {
                set_dirty(peers, peer->port_no, true);
            }
        }
    } else {
        HMAP_FOR_EACH_WITH_HASH (peer, peer_node, hash, &peers->behind) {
            if (peer->behind.peer_ifindex == ifindex
                && peer->behind.nsid == nsid) {
                set_dirty(peers, peer->port_no, true);
            }
        }
    }
}

static void
all_changed(struct xdp_peers *peers)
{
    for (uint32_t i = 0; i < XDP_MAX_PORTS; i++) {
        if (peers->peers[i].ifindex) {
            set_dirty(peers, i, true);
        }
    }
}

/* The device that a message is about; 0 if it is about none,
 * TCM_IFINDEX_MAGIC_BLOCK if it is about a block of filters, which devices may
 * share. */
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

static void
read_messages(struct xdp_peers *peers, long long int now)
{
    uint64_t stub[4096 / 8];
    struct ofpbuf buf;
    int error = 0;

    ofpbuf_use_stub(&buf, stub, sizeof stub);
    for (int i = 0; i < MAX_MESSAGES; i++) {
        int ifindex, nsid;

        error = nl_sock_recv(peers->sock, &buf, &nsid, false);
        if (error == ENOBUFS) {
            VLOG_INFO_RL(&rl, "changes of devices were lost, looking at all");
            all_changed(peers);
            error = 0;
            break;
        } else if (error) {
            break;
        }
        ifindex = message_ifindex(&buf);
        if ((uint32_t) ifindex == TCM_IFINDEX_MAGIC_BLOCK) {
            all_changed(peers);
        } else if (ifindex) {
            changed(peers, nsid, ifindex);
        }
    }
    ofpbuf_uninit(&buf);
    if (!error) {
        peers->next_read = now + MESSAGES_PAUSE;
    } else if (error != EAGAIN) {
        VLOG_WARN_RL(&rl, "cannot listen to changes of devices (%s)",
                     ovs_strerror(error));
        peers->next_read = now + MESSAGES_PAUSE;
    }
}

/* Looks at some of the ports that are due. */
static void
look_at_dirty(struct xdp_peers *peers, long long int now)
{
    uint32_t first = peers->next_port;
    int n = 0;

    for (uint32_t i = 0; i < XDP_MAX_PORTS && n < MAX_LOOKS; i++) {
        uint32_t port_no = (first + i) % XDP_MAX_PORTS;
        const struct peer *peer = &peers->peers[port_no];

        if (bitmap_is_set(peers->dirty, port_no) && now >= peer->next_look) {
            xdp_peers_set(peers, port_no, peer->ifindex);
            peers->next_port = port_no + 1;
            n++;
        }
    }
    peers->next_looks = now + LOOKS_PAUSE;
}

static void
look_for_tcx(struct xdp_peers *peers, long long int now)
{
    for (uint32_t i = 0; i < XDP_MAX_PORTS; i++) {
        const struct peer *peer = &peers->peers[i];

        if (is_watched(peer)
            && attach_has_tcx_egress(peer->ifindex) != peer->tcx) {
            set_dirty(peers, i, true);
        }
    }
    peers->next_tcx = now + TCX_INTERVAL;
}

void
xdp_peers_run(struct xdp_peers *peers)
{
    long long int now = time_msec();

    if (now >= peers->next_read) {
        read_messages(peers, now);
    }
    if (peers->n_watched && now >= peers->next_tcx) {
        look_for_tcx(peers, now);
    }
    if (peers->n_dirty && now >= peers->next_looks) {
        look_at_dirty(peers, now);
    }
}

void
xdp_peers_wait(struct xdp_peers *peers)
{
    if (time_msec() >= peers->next_read) {
        nl_sock_wait(peers->sock, POLLIN);
    } else {
        poll_timer_wait_until(peers->next_read);
    }
    if (peers->n_watched) {
        poll_timer_wait_until(peers->next_tcx);
    }
    if (peers->n_dirty) {
        poll_timer_wait_until(peers->next_looks);
    }
}

bool
xdp_peers_next_changed(struct xdp_peers *peers, uint32_t *port_no)
{
    *port_no = bitmap_scan(peers->changed, true, 0, XDP_MAX_PORTS);
    if (*port_no >= XDP_MAX_PORTS) {
        return false;
    }
    bitmap_set0(peers->changed, *port_no);
    return true;
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
