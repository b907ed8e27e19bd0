/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Live ports of rows; see rows-live.h. */

#include <config.h>
#undef NDEBUG
#include "rows-live.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "packets.h"
#include "rows-dp.h"
#include "rtnl.h"
#include "util.h"

#define LIVE_MTU 9100           /* Above the frames of 9000 bytes. */
#define WAIT_MSEC 5000          /* Far above what a frame takes. */

/* One port, or the trap. */
struct live {
    uint32_t port;
    int ifindex;
    int sock;                   /* At the other end. */
};
static struct live lives[8];
static size_t n_lives;

#define TC_DEVICE 2             /* The device in TC mode. */
static int send_sock;           /* At its other end. */

static struct live *
live_get(uint32_t port)
{
    for (size_t i = 0; i < n_lives; i++) {
        if (lives[i].port == port) {
            return &lives[i];
        }
    }
    row_fail("no live port %"PRIu32, port);
}

int
live_ifindex(uint32_t port)
{
    return live_get(port)->ifindex;
}

const char *
live_unshare(void)
{
    return unshare(CLONE_NEWNET) ? "no network namespace can be made" : NULL;
}

static int
open_socket(int ifindex)
{
    struct sockaddr_ll sll = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = ifindex,
    };
    int sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    int on = 1;

    if (sock < 0
        || setsockopt(sock, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on)
        || setsockopt(sock, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on)
        || bind(sock, (struct sockaddr *) &sll, sizeof sll)) {
        ovs_fatal(errno, "packet socket");
    }
    return sock;
}

static bool
make_live(uint32_t port)
{
    char name[IFNAMSIZ], peer[IFNAMSIZ];
    const char *const names[] = { name, peer };

    snprintf(name, sizeof name, "row%d", (int) port);
    snprintf(peer, sizeof peer, "far%d", (int) port);
    if (rtnl_veth_create(name, peer, 1)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        rtnl_disable_ipv6(names[i]);
        if (rtnl_set_noarp(names[i]) || rtnl_set_mtu(names[i], LIVE_MTU)
            || rtnl_set_up(names[i])) {
            return false;
        }
    }
    /* Without GRO at the other end, a veth takes no frames from XDP; it sees
     * to that when GRO changes on a device that is up. */
    rtnl_set_gro(peer, true);
    if (port == LIVE_PORT) {
        rtnl_set_offloads_for_xdp(name);
    }
    lives[n_lives++] = (struct live) {
        .port = port,
        .ifindex = if_nametoindex(name),
        .sock = open_socket(if_nametoindex(peer)),
    };
    return true;
}

bool
live_make_devices(uint32_t ifindex, uint32_t peer_ifindex)
{
    struct rtnl_link *link = rtnl_link_veth_alloc();
    struct rtnl_link *peer = rtnl_link_veth_get_peer(link);
    struct nl_sock *sk = nl_socket_alloc();
    bool ok;

    rtnl_link_set_name(link, "numbered");
    rtnl_link_set_ifindex(link, ifindex);
    rtnl_link_set_name(peer, "numbered-peer");
    rtnl_link_set_ifindex(peer, peer_ifindex);
    ok = (!nl_connect(sk, NETLINK_ROUTE)
          && !rtnl_link_add(sk, link, NLM_F_CREATE | NLM_F_EXCL)
          && !rtnl_set_up("numbered") && !rtnl_set_up("numbered-peer"));
    rtnl_set_gro("numbered", true);
    rtnl_set_gro("numbered-peer", true);
    ok = (ok && if_nametoindex("numbered") == ifindex
          && if_nametoindex("numbered-peer") == peer_ifindex);
    if (!ok) {
        rtnl_link_delete_by_name("numbered");
    }
    rtnl_link_put(peer);
    rtnl_link_put(link);
    nl_socket_free(sk);
    return ok;
}

void
live_remove_devices(void)
{
    rtnl_link_delete_by_name("numbered");
}

static bool
attach_tc(int ifindex, enum bpf_tc_attach_point point, int fd)
{
    LIBBPF_OPTS(bpf_tc_hook, tc_hook, .ifindex = ifindex,
                .attach_point = point);
    LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = fd);
    int error = bpf_tc_hook_create(&tc_hook);

    return (!error || error == -EEXIST) && !bpf_tc_attach(&tc_hook, &opts);
}

const char *
live_set_up(void)
{
    int on = 1;
    static const uint32_t ports[] = {
        LIVE_IN_PORT, TC_DEVICE, LIVE_PORTS, TRAP,
    };

    for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
        if (!make_live(ports[i])) {
            return "no veth pair can be made";
        }
        if (ports[i] != TRAP && ports[i] != TC_DEVICE) {
            uint32_t ifindex = lives[i].ifindex;

            map_fill("xdp_ports", ports[i], &ifindex);
            port_table[ports[i]].ifindex = ifindex;
            set_in_port(ifindex, ports[i]);
        } else if (ports[i] == TRAP) {
            map_fill("xdp_trap", 0, &lives[i].ifindex);
        }
    }
    set_in_port(live_ifindex(TC_DEVICE), LIVE_IN_PORT);
    port_table[LIVE_STACK].flags = XDP_PORT_F_STACK;
    if (!attach_tc(live_ifindex(TRAP), BPF_TC_EGRESS,
                      tc_prog_fd("trap_push"))
        || !attach_tc(live_ifindex(LIVE_IN_PORT), BPF_TC_INGRESS,
                      tc_prog_fd("deliver"))
        || !attach_tc(live_ifindex(TC_DEVICE), BPF_TC_INGRESS,
                      tc_prog_fd("port_ingress"))) {
        return "no TC program can be attached";
    }
    send_sock = open_socket(if_nametoindex("far2"));
    if (setsockopt(send_sock, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on)) {
        return "packet sockets have no PACKET_VNET_HDR";
    }
    return NULL;
}

void
live_make_group(struct xdp_op *ops, size_t n_ops)
{
    static uint32_t n_groups;
    uint32_t id = n_groups++ % XDP_MAX_GROUPS;
    int fd = bpf_map_create(BPF_MAP_TYPE_DEVMAP_HASH, "xdp_group", 4,
                            sizeof(struct bpf_devmap_val), 16, NULL);

    assert_true(fd >= 0);
    for (size_t i = 0; i < n_ops; i++) {
        bool up = ops[i].type == XDP_OP_USERSPACE_COPY;
        uint32_t port = up ? TRAP : ops[i].arg;

        if (up || ops[i].type == XDP_OP_OUTPUT
            || ops[i].type == XDP_OP_OUTPUT_COPY) {
            struct bpf_devmap_val value = {
                .ifindex = live_ifindex(port),
                .bpf_prog.fd = prog_fd("group_egress"),
            };

            assert_int_equal(bpf_map_update_elem(fd, &port, &value, BPF_ANY),
                             0);
            if (port == LIVE_STACK) {
                ops[0].data[0] = XDP_GROUP_F_STACK;
            }
        }
    }
    map_fill("xdp_groups", id, &fd);
    close(fd);
    ops[0].arg = id;
}

const char *
live_why_no_copies(void)
{
    struct utsname name;
    int major, minor;

    uname(&name);
    return (sscanf(name.release, "%d.%d", &major, &minor) == 2
            && major * 1000 + minor < 6004
            ? "before Linux 6.4, clones of BPF_PROG_RUN's live frames are void"
            : NULL);
}

void
live_run_xdp(const struct dp_packet *packet)
{
    struct xdp_md md = {
        .data_end = dp_packet_size(packet),
        .ingress_ifindex = live_ifindex(LIVE_IN_PORT),
    };
    LIBBPF_OPTS(bpf_test_run_opts, opts,
                .data_in = dp_packet_data(packet),
                .data_size_in = dp_packet_size(packet),
                .ctx_in = &md, .ctx_size_in = sizeof md,
                .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
                .repeat = 1, .batch_size = 1);

    if (bpf_prog_test_run_opts(prog_fd("port_ingress"), &opts)) {
        row_fail("BPF_PROG_RUN with live frames: %s", ovs_strerror(errno));
    }
}

void
live_send(struct dp_packet *packet, bool partial, size_t linear)
{
    struct virtio_net_hdr hdr = {
        .gso_type = VIRTIO_NET_HDR_GSO_NONE, .hdr_len = linear,
    };
    struct iovec iov[2];

    if (partial) {
        hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        make_partial(packet, &hdr.csum_start, &hdr.csum_offset);
    }
    iov[0] = (struct iovec) { &hdr, sizeof hdr };
    iov[1] = (struct iovec) { dp_packet_data(packet), dp_packet_size(packet) };
    if (writev(send_sock, iov, 2) < 0) {
        row_fail("sending: %s", ovs_strerror(errno));
    }
}

struct dp_packet *
live_receive(uint32_t port, bool wait)
{
    struct pollfd pfd = { .fd = live_get(port)->sock, .events = POLLIN };
    struct dp_packet *packet = dp_packet_new(MAX_FRAME);
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } control;

    dp_packet_reserve(packet, 64);      /* For tags. */

    struct iovec iov = {
        .iov_base = dp_packet_data(packet),
        .iov_len = dp_packet_tailroom(packet),
    };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1,
        .msg_control = &control, .msg_controllen = sizeof control,
    };
    ssize_t n = -1;

    if (poll(&pfd, 1, wait ? WAIT_MSEC : 0) == 1) {
        n = recvmsg(pfd.fd, &msg, MSG_DONTWAIT);
    }
    if (n < 0) {
        dp_packet_delete(packet);
        return NULL;
    }
    dp_packet_set_size(packet, n);

    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
    struct tpacket_auxdata aux;

    assert_non_null(cmsg);
    memcpy(&aux, CMSG_DATA(cmsg), sizeof aux);
    if (aux.tp_status & TP_STATUS_VLAN_VALID) {
        eth_push_vlan(packet, htons(aux.tp_vlan_tpid), htons(aux.tp_vlan_tci));
    }
    return packet;
}

void
live_drain(void)
{
    for (size_t i = 0; i < n_lives; i++) {
        struct dp_packet *packet;

        while ((packet = live_receive(lives[i].port, false))) {
            dp_packet_delete(packet);
        }
    }
}
