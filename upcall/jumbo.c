/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * AF_PACKET, for frames too long for AF_XDP.
 *
 * To the kernel, the header in front of a frame is an Ethernet header: the
 * bytes at offset 12, 'recirc_id', are its type.  If they look like a VLAN
 * TPID, the kernel takes 4 bytes out of the frame there and reports them in
 * struct tpacket_auxdata; we put them back. */

#include <config.h>
#include "jumbo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "openvswitch/util.h"
#include "openvswitch/vlog.h"
#include "ovs-xdp-abi.h"
#include "upcall-frame.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(upcall_jumbo);

#define MAX_FRAME 65536
#define TAG_OFFSET 12                   /* Of a VLAN tag in a frame. */
#define TAG_LEN    4
#define RCVBUF (8 * 1024 * 1024)

struct upcall_jumbo {
    int fd;
    /* Room for a VLAN tag, then header and frame. */
    uint8_t buf[TAG_LEN + sizeof(struct xdp_upcall_hdr) + MAX_FRAME];
};

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);

/* Lets through only what starts with the magic, so that, e.g., the host's own
 * router solicitations wake nobody. */
static int
attach_filter(int fd)
{
    struct sock_filter insns[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(XDP_UPCALL_MAGIC), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const struct sock_fprog prog = {
        .len = ARRAY_SIZE(insns),
        .filter = insns,
    };

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog)
           ? errno : 0;
}

static int
setsockopt_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) ? errno : 0;
}

static int
configure(int fd, int ifindex)
{
    const struct sockaddr_ll sll = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = ifindex,
    };
    int error;

    error = attach_filter(fd);
    if (!error) {
        error = setsockopt_int(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
    }
    if (!error) {
        error = setsockopt_int(fd, SOL_PACKET, PACKET_AUXDATA, 1);
    }
    if (error) {
        return error;
    }
    /* As much as we are allowed to have. */
    if (setsockopt_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, RCVBUF)) {
        setsockopt_int(fd, SOL_SOCKET, SO_RCVBUF, RCVBUF);
    }
    return bind(fd, (const struct sockaddr *) &sll, sizeof sll) ? errno : 0;
}

int
upcall_jumbo_open(int ifindex, struct upcall_jumbo **jumbop)
{
    struct upcall_jumbo *jumbo = xzalloc(sizeof *jumbo);
    int error;

    /* Protocol 0: nothing arrives before the filter is there. */
    *jumbop = NULL;
    jumbo->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    error = jumbo->fd < 0 ? errno : configure(jumbo->fd, ifindex);
    if (error) {
        VLOG_ERR("cannot open an AF_PACKET socket on ifindex %d: %s "
                 "(it needs CONFIG_PACKET and CAP_NET_RAW)",
                 ifindex, ovs_strerror(error));
        upcall_jumbo_close(jumbo);
        return error;
    }
    *jumbop = jumbo;
    return 0;
}

void
upcall_jumbo_close(struct upcall_jumbo *jumbo)
{
    if (jumbo) {
        if (jumbo->fd >= 0) {
            close(jumbo->fd);
        }
        free(jumbo);
    }
}

int
upcall_jumbo_fd(const struct upcall_jumbo *jumbo)
{
    return jumbo->fd;
}

/* Receiving. */

/* Copies the tag that the kernel took out of the frame into 'tag', as it was
 * on the wire.  False if it took none. */
static bool
get_stripped_tag(struct msghdr *msg, uint8_t tag[TAG_LEN])
{
    struct cmsghdr *cmsg;

    for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
        struct tpacket_auxdata aux;
        uint16_t tpid, tci;

        if (cmsg->cmsg_level != SOL_PACKET
            || cmsg->cmsg_type != PACKET_AUXDATA
            || cmsg->cmsg_len < CMSG_LEN(sizeof aux)) {
            continue;
        }
        memcpy(&aux, CMSG_DATA(cmsg), sizeof aux);
        if (!(aux.tp_status & TP_STATUS_VLAN_VALID)) {
            return false;
        }
        tpid = htons(aux.tp_status & TP_STATUS_VLAN_TPID_VALID
                     ? aux.tp_vlan_tpid : ETH_P_8021Q);
        tci = htons(aux.tp_vlan_tci);
        memcpy(tag, &tpid, sizeof tpid);
        memcpy(tag + sizeof tpid, &tci, sizeof tci);
        return true;
    }
    return false;
}

/* Receives one frame to 'jumbo->buf'; '*startp' and '*lenp' say where it is.
 * EMSGSIZE if it is too long. */
static int
recv_one(struct upcall_jumbo *jumbo, uint8_t **startp, size_t *lenp)
{
    union {
        struct cmsghdr align;
        uint8_t buf[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } control;
    struct iovec iov = {
        .iov_base = jumbo->buf + TAG_LEN,
        .iov_len = sizeof jumbo->buf - TAG_LEN,
    };
    struct msghdr msg = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    uint8_t tag[TAG_LEN];
    ssize_t len;

    do {
        len = recvmsg(jumbo->fd, &msg, MSG_DONTWAIT);
    } while (len < 0 && errno == EINTR);
    if (len < 0) {
        return errno;
    }
    if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        return EMSGSIZE;
    }

    *startp = jumbo->buf + TAG_LEN;
    *lenp = len;
    if (len >= TAG_OFFSET && get_stripped_tag(&msg, tag)) {
        *startp = jumbo->buf;
        *lenp = len + TAG_LEN;
        memmove(jumbo->buf, jumbo->buf + TAG_LEN, TAG_OFFSET);
        memcpy(jumbo->buf + TAG_OFFSET, tag, TAG_LEN);
    }
    return 0;
}

size_t
upcall_jumbo_recv(struct upcall_jumbo *jumbo, struct upcall_frame *frames,
                  size_t max, uint64_t *n_bad)
{
    size_t n = 0;

    for (size_t i = 0; i < max; i++) {
        uint8_t *start = NULL;
        size_t len = 0;
        int error = recv_one(jumbo, &start, &len);

        if (error && error != EMSGSIZE) {
            if (error != EAGAIN) {
                VLOG_WARN_RL(&rl, "receiving a jumbo frame failed (%s)",
                             ovs_strerror(error));
            }
            break;
        }
        if (!error && upcall_frame_parse(start, len, &frames[n])) {
            n++;
        } else {
            ++*n_bad;
        }
    }
    return n;
}

/* Sending. */

int
upcall_jumbo_send(struct upcall_jumbo *jumbo, const void *hdr, size_t hdr_len,
                  const void *data, size_t data_len)
{
    struct iovec iov[2] = {
        { .iov_base = CONST_CAST(void *, hdr), .iov_len = hdr_len },
        { .iov_base = CONST_CAST(void *, data), .iov_len = data_len },
    };
    const struct msghdr msg = {
        .msg_iov = iov,
        .msg_iovlen = ARRAY_SIZE(iov),
    };
    ssize_t len;

    do {
        len = sendmsg(jumbo->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (len < 0 && errno == EINTR);
    if (len < 0) {
        return errno == EAGAIN ? ENOBUFS : errno;
    }
    return 0;
}
