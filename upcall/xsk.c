/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * One AF_XDP socket: its UMEM, its four rings, and who owns which frame.
 *
 * The UMEM's first N_RX frames circulate between fill ring, kernel and rx
 * ring; the fill ring has room for all of them, so giving one back never
 * fails.  The other N_TX frames are on 'tx_free' or between us and the
 * completion ring. */

#include <config.h>
#include "xsk.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <xdp/xsk.h>

#include "openvswitch/thread.h"
#include "openvswitch/util.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "upcall-frame.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(upcall_xsk);

#define N_RX 2048                       /* Powers of 2: ring sizes. */
#define N_TX 1024
#define UMEM_SIZE ((size_t) (N_RX + N_TX) * UPCALL_XSK_FRAME_SIZE)

#define BIND_RETRY_MS 5
#define BIND_RETRIES  200               /* 1 second in all. */
#define SEND_NAP_US   100
#define SEND_NAPS     20                /* 2 ms in all. */

BUILD_ASSERT_DECL(IS_POW2(N_RX) && IS_POW2(N_TX));

struct upcall_xsk {
    void *area;                         /* The UMEM, mmap()ed. */
    struct xsk_umem *umem;
    struct xsk_socket *socket;
    int fd;                             /* Belongs to 'socket'. */

    /* Only the receiving thread. */
    struct xsk_ring_cons rx;
    struct xsk_ring_prod fill;

    struct ovs_mutex tx_mutex;
    struct xsk_ring_prod tx OVS_GUARDED;
    struct xsk_ring_cons completion OVS_GUARDED;
    uint64_t tx_free[N_TX] OVS_GUARDED; /* Addresses of free frames. */
    size_t n_tx_free OVS_GUARDED;
};

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);

static void
nap(long int us)
{
    struct timespec ts = { .tv_sec = 0, .tv_nsec = us * 1000 };

    nanosleep(&ts, NULL);
}

static void
close_socket(struct upcall_xsk *xsk)
{
    if (xsk->socket) {
        xsk_socket__delete(xsk->socket);
        xsk->socket = NULL;
    }
    if (xsk->umem) {
        xsk_umem__delete(xsk->umem);
        xsk->umem = NULL;
    }
    xsk->fd = -1;
}

static int
open_socket(struct upcall_xsk *xsk, const char *ifname, uint32_t queue)
    OVS_NO_THREAD_SAFETY_ANALYSIS
{
    const struct xsk_umem_config umem_config = {
        .fill_size = N_RX,
        .comp_size = N_TX,
        .frame_size = UPCALL_XSK_FRAME_SIZE,
    };
    const struct xsk_socket_config socket_config = {
        .rx_size = N_RX,
        .tx_size = N_TX,
        .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
        .bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP,
    };
    int error;

    error = -xsk_umem__create(&xsk->umem, xsk->area, UMEM_SIZE, &xsk->fill,
                              &xsk->completion, &umem_config);
    if (error) {
        xsk->umem = NULL;
        return error;
    }

    /* A failed bind leaves the UMEM's rings unmapped, so the caller starts
     * from scratch. */
    error = -xsk_socket__create_shared(&xsk->socket, ifname, queue, xsk->umem,
                                       &xsk->rx, &xsk->tx, &xsk->fill,
                                       &xsk->completion, &socket_config);
    if (error) {
        xsk->socket = NULL;
        close_socket(xsk);
        return error;
    }
    xsk->fd = xsk_socket__fd(xsk->socket);
    return 0;
}

static void
init_frames(struct upcall_xsk *xsk)
    OVS_NO_THREAD_SAFETY_ANALYSIS
{
    uint32_t idx = 0;

    ovs_assert(xsk_ring_prod__reserve(&xsk->fill, N_RX, &idx) == N_RX);
    for (uint32_t i = 0; i < N_RX; i++) {
        *xsk_ring_prod__fill_addr(&xsk->fill, idx + i)
            = (uint64_t) i * UPCALL_XSK_FRAME_SIZE;
    }
    xsk_ring_prod__submit(&xsk->fill, N_RX);

    for (uint32_t i = 0; i < N_TX; i++) {
        xsk->tx_free[i] = (uint64_t) (N_RX + i) * UPCALL_XSK_FRAME_SIZE;
    }
    xsk->n_tx_free = N_TX;
}

static const char *
open_error_advice(int error)
{
    switch (error) {
    case EAFNOSUPPORT:
    case ENOPROTOOPT:
        return "the kernel needs CONFIG_XDP_SOCKETS";
    case EPERM:
    case EACCES:
        return "ovs-vswitchd needs CAP_NET_RAW and CAP_NET_ADMIN";
    case ENOBUFS:
    case ENOMEM:
        return "raise RLIMIT_MEMLOCK or grant CAP_IPC_LOCK";
    case EBUSY:
        return "another process holds this queue";
    case EINVAL:
        return "the device has no such queue, or the kernel is older than "
               "5.4";
    case ENODEV:
        return "the device is gone";
    case ENETDOWN:
        return "set the device up";
    default:
        return "see the kernel's documentation of AF_XDP";
    }
}

int
upcall_xsk_open(const char *ifname, uint32_t queue, struct upcall_xsk **xskp)
{
    struct upcall_xsk *xsk = xzalloc(sizeof *xsk);
    int error = 0;

    *xskp = NULL;
    ovs_mutex_init(&xsk->tx_mutex);
    xsk->fd = -1;
    xsk->area = mmap(NULL, UMEM_SIZE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (xsk->area == MAP_FAILED) {
        error = errno;
        xsk->area = NULL;
        goto error;
    }

    /* The kernel frees a closed socket's queue some milliseconds later. */
    for (int i = 0; i < BIND_RETRIES; i++) {
        error = open_socket(xsk, ifname, queue);
        if (error != EBUSY) {
            break;
        }
        nap(BIND_RETRY_MS * 1000);
    }
    if (error) {
        goto error;
    }

    init_frames(xsk);
    *xskp = xsk;
    return 0;

error:
    VLOG_ERR("%s: cannot open an AF_XDP socket on queue %"PRIu32": %s (%s)",
             ifname, queue, ovs_strerror(error), open_error_advice(error));
    upcall_xsk_close(xsk);
    return error;
}

void
upcall_xsk_close(struct upcall_xsk *xsk)
{
    if (xsk) {
        close_socket(xsk);
        if (xsk->area) {
            munmap(xsk->area, UMEM_SIZE);
        }
        ovs_mutex_destroy(&xsk->tx_mutex);
        free(xsk);
    }
}

int
upcall_xsk_fd(const struct upcall_xsk *xsk)
{
    return xsk->fd;
}

/* Receiving. */

/* True if 'desc' lies within one rx frame. */
static bool
rx_desc_is_valid(const struct xdp_desc *desc)
{
    uint64_t offset = desc->addr % UPCALL_XSK_FRAME_SIZE;

    return desc->addr / UPCALL_XSK_FRAME_SIZE < N_RX
           && desc->len <= UPCALL_XSK_FRAME_SIZE - offset;
}

/* Gives the frames of descriptors 'idx' to 'idx + n' back to the kernel. */
static void
refill(struct upcall_xsk *xsk, uint32_t idx, uint32_t n)
{
    uint32_t fill_idx = 0;
    uint32_t n_fill = 0;

    if (xsk_ring_prod__reserve(&xsk->fill, n, &fill_idx) != n) {
        /* The fill ring has room for every rx frame: not reached. */
        VLOG_ERR_RL(&rl, "fill ring is full, %"PRIu32" frames lost", n);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint64_t addr = xsk_ring_cons__rx_desc(&xsk->rx, idx + i)->addr;
        uint64_t frame = addr / UPCALL_XSK_FRAME_SIZE;

        if (frame < N_RX) {
            *xsk_ring_prod__fill_addr(&xsk->fill, fill_idx + n_fill++)
                = frame * UPCALL_XSK_FRAME_SIZE;
        }
    }
    xsk->fill.cached_prod -= n - n_fill;
    xsk_ring_prod__submit(&xsk->fill, n_fill);
}

size_t
upcall_xsk_recv(struct upcall_xsk *xsk, struct upcall_frame *frames,
                size_t max, uint64_t *n_bad)
{
    uint32_t idx = 0;
    uint32_t n = xsk_ring_cons__peek(&xsk->rx, max, &idx);
    size_t n_frames = 0;

    if (!n) {
        return 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&xsk->rx,
                                                             idx + i);

        if (rx_desc_is_valid(desc)
            && upcall_frame_parse((char *) xsk->area + desc->addr, desc->len,
                                  &frames[n_frames])) {
            n_frames++;
        } else {
            ++*n_bad;
        }
    }
    refill(xsk, idx, n);
    xsk_ring_cons__release(&xsk->rx, n);
    return n_frames;
}

/* Sending. */

static void
reclaim(struct upcall_xsk *xsk)
    OVS_REQUIRES(xsk->tx_mutex)
{
    uint32_t idx = 0;
    uint32_t n = xsk_ring_cons__peek(&xsk->completion, N_TX, &idx);

    for (uint32_t i = 0; i < n; i++) {
        uint64_t addr = *xsk_ring_cons__comp_addr(&xsk->completion, idx + i);
        uint64_t frame = addr / UPCALL_XSK_FRAME_SIZE;

        if (frame >= N_RX && frame < N_RX + N_TX && xsk->n_tx_free < N_TX) {
            xsk->tx_free[xsk->n_tx_free++] = frame * UPCALL_XSK_FRAME_SIZE;
        } else {
            VLOG_ERR_RL(&rl, "bad address %#"PRIx64" in completion ring",
                        addr);
        }
    }
    if (n) {
        xsk_ring_cons__release(&xsk->completion, n);
    }
}

static bool
tx_ring_is_empty(const struct upcall_xsk *xsk)
    OVS_REQUIRES(xsk->tx_mutex)
{
    return __atomic_load_n(xsk->tx.consumer, __ATOMIC_ACQUIRE)
           == *xsk->tx.producer;
}

/* Has the kernel send what is on the tx ring.  EBUSY if the device refused a
 * frame, which is then lost; EAGAIN if frames are left on the ring. */
static int
kick(struct upcall_xsk *xsk)
    OVS_REQUIRES(xsk->tx_mutex)
{
    if (!xsk_ring_prod__needs_wakeup(&xsk->tx) || tx_ring_is_empty(xsk)) {
        return 0;
    }
    if (sendto(xsk->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0) {
        return 0;
    }
    return errno == ENOBUFS ? EAGAIN : errno;
}

/* Puts a free frame's address into '*addr', after waiting a little if need
 * be.  Other threads may use the ring meanwhile. */
static bool
get_tx_frame(struct upcall_xsk *xsk, uint64_t *addr)
    OVS_REQUIRES(xsk->tx_mutex)
{
    reclaim(xsk);
    for (int i = 0; !xsk->n_tx_free && i < SEND_NAPS; i++) {
        kick(xsk);
        reclaim(xsk);
        if (!xsk->n_tx_free) {
            ovs_mutex_unlock(&xsk->tx_mutex);
            nap(SEND_NAP_US);
            ovs_mutex_lock(&xsk->tx_mutex);
            reclaim(xsk);
        }
    }
    if (!xsk->n_tx_free) {
        return false;
    }
    *addr = xsk->tx_free[--xsk->n_tx_free];
    return true;
}

/* Kicks until the ring is empty, for a bounded time: nothing else would send a
 * frame that the kernel leaves there for now. */
static int
flush(struct upcall_xsk *xsk)
    OVS_REQUIRES(xsk->tx_mutex)
{
    int error = kick(xsk);

    for (int i = 0; error == EAGAIN && i < SEND_NAPS; i++) {
        ovs_mutex_unlock(&xsk->tx_mutex);
        nap(SEND_NAP_US);
        ovs_mutex_lock(&xsk->tx_mutex);
        reclaim(xsk);
        error = kick(xsk);
    }
    /* Still there: it leaves with the next frame, or when the worker thread
     * enters poll(). */
    return error == EAGAIN ? 0 : error;
}

int
upcall_xsk_send(struct upcall_xsk *xsk, const void *hdr, size_t hdr_len,
                const void *data, size_t data_len)
{
    uint32_t idx = 0;
    uint64_t addr;
    int error;

    if (hdr_len > UPCALL_XSK_FRAME_SIZE
        || data_len > UPCALL_XSK_FRAME_SIZE - hdr_len) {
        return EMSGSIZE;
    }

    ovs_mutex_lock(&xsk->tx_mutex);
    if (!get_tx_frame(xsk, &addr)) {
        error = ENOBUFS;
    } else if (xsk_ring_prod__reserve(&xsk->tx, 1, &idx) != 1) {
        /* As many descriptors as frames: not reached. */
        xsk->tx_free[xsk->n_tx_free++] = addr;
        error = ENOBUFS;
    } else {
        struct xdp_desc *desc = xsk_ring_prod__tx_desc(&xsk->tx, idx);
        char *frame = (char *) xsk->area + addr;

        memcpy(frame, hdr, hdr_len);
        memcpy(frame + hdr_len, data, data_len);
        *desc = (struct xdp_desc) {
            .addr = addr,
            .len = hdr_len + data_len,
        };
        xsk_ring_prod__submit(&xsk->tx, 1);
        error = flush(xsk);
        reclaim(xsk);
    }
    ovs_mutex_unlock(&xsk->tx_mutex);
    return error;
}
