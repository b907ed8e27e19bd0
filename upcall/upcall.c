/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Worker threads and packet-out.  Worker i serves the queues q with
 * q % n_workers == i; worker 0 also serves the AF_PACKET socket. */

#include <config.h>
#include "upcall.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coverage.h"
#include "dp-packet.h"
#include "jumbo.h"
#include "openvswitch/util.h"
#include "openvswitch/vlog.h"
#include "ovs-atomic.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "packets.h"
#include "time-slice.h"
#include "upcall-frame.h"
#include "util.h"
#include "xdp-dp.h"
#include "xsk.h"

VLOG_DEFINE_THIS_MODULE(upcall);

COVERAGE_DEFINE(xdp_upcall_wakeup);
COVERAGE_DEFINE(xdp_upcall_received);
COVERAGE_DEFINE(xdp_upcall_bad_header);
COVERAGE_DEFINE(xdp_upcall_sent);
COVERAGE_DEFINE(xdp_upcall_send_drop);

#define BATCH 32                /* Frames of one socket before the next. */
#define HEADROOM 128            /* In a packet: encapsulation, VLAN tags. */
/* Of a worker: the least that Linux takes, so that a miss does not wait for a
 * revalidator's slice. */
#define SLICE_NS 100000

struct worker {
    struct upcalls *upcalls;
    unsigned int id;
    pthread_t thread;
};

struct upcalls {
    upcall_cb *cb;
    void *aux;
    int exit_fd;                /* eventfd; readable: threads shall exit. */

    struct upcall_xsk **xsks;   /* By queue. */
    unsigned int n_xsks;
    struct upcall_jumbo *jumbo;

    struct worker *workers;
    unsigned int n_workers;     /* Threads that run. */
    unsigned int n_max_workers; /* Threads that there will be. */

    /* As struct upcall_stats. */
    atomic_uint64_t received;
    atomic_uint64_t received_jumbo;
    atomic_uint64_t bad_header;
    atomic_uint64_t sent;
    atomic_uint64_t send_drops;
};

/* Of a worker thread: itself. */
DEFINE_STATIC_PER_THREAD_DATA(struct worker *, this_worker, NULL);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);

static void
count(atomic_uint64_t *counter, uint64_t n)
{
    uint64_t orig;

    atomic_add_relaxed(counter, n, &orig);
}

/* Frames that came up. */

bool
upcall_frame_parse(const void *data, size_t len, struct upcall_frame *frame)
{
    struct xdp_upcall_hdr *hdr = &frame->hdr;

    if (len < sizeof *hdr + ETH_HEADER_LEN) {
        return false;
    }
    memcpy(hdr, data, sizeof *hdr);
    len -= sizeof *hdr;
    if (hdr->magic != XDP_UPCALL_MAGIC || (hdr->len && hdr->len != len)) {
        return false;
    }
    frame->packet = dp_packet_clone_data_with_headroom(
        (const char *) data + sizeof *hdr, len, HEADROOM);
    return true;
}

static void
deliver(struct upcalls *upcalls, const struct upcall_frame *frames, size_t n,
        uint64_t n_bad)
{
    if (n_bad) {
        COVERAGE_ADD(xdp_upcall_bad_header, n_bad);
        count(&upcalls->bad_header, n_bad);
        VLOG_WARN_RL(&rl, "dropped %"PRIu64" frames without a valid header",
                     n_bad);
    }
    if (n) {
        COVERAGE_ADD(xdp_upcall_received, n);
        count(&upcalls->received, n);
    }
    for (size_t i = 0; i < n; i++) {
        upcalls->cb(&frames[i].hdr, frames[i].packet, upcalls->aux);
    }
}

static void
serve_xsk(struct upcalls *upcalls, unsigned int queue)
{
    struct upcall_frame frames[BATCH];
    uint64_t n_bad = 0;
    size_t n = upcall_xsk_recv(upcalls->xsks[queue], frames, BATCH, &n_bad);

    deliver(upcalls, frames, n, n_bad);
}

static void
serve_jumbo(struct upcalls *upcalls)
{
    struct upcall_frame frames[BATCH];
    uint64_t n_bad = 0;
    size_t n = upcall_jumbo_recv(upcalls->jumbo, frames, BATCH, &n_bad);

    if (n) {
        count(&upcalls->received_jumbo, n);
    }
    deliver(upcalls, frames, n, n_bad);
}

/* Threads. */

/* What a worker waits for: pollfds[i] is the exit event for i == 0, queue
 * queues[i], or, if queues[i] is QUEUE_JUMBO, the AF_PACKET socket. */
#define QUEUE_JUMBO UINT_MAX

struct wait_set {
    struct pollfd *pollfds;
    unsigned int *queues;
    size_t n;
};

static void
wait_set_add(struct wait_set *set, int fd, unsigned int queue)
{
    set->pollfds[set->n] = (struct pollfd) { .fd = fd, .events = POLLIN };
    set->queues[set->n++] = queue;
}

static void
wait_set_init(struct wait_set *set, const struct worker *worker)
{
    const struct upcalls *upcalls = worker->upcalls;
    size_t max = upcalls->n_xsks + 2;

    set->pollfds = xcalloc(max, sizeof *set->pollfds);
    set->queues = xcalloc(max, sizeof *set->queues);
    set->n = 0;
    wait_set_add(set, upcalls->exit_fd, 0);
    for (unsigned int q = worker->id; q < upcalls->n_xsks;
         q += upcalls->n_max_workers) {
        wait_set_add(set, upcall_xsk_fd(upcalls->xsks[q]), q);
    }
    if (!worker->id) {
        wait_set_add(set, upcall_jumbo_fd(upcalls->jumbo), QUEUE_JUMBO);
    }
}

static void
wait_set_destroy(struct wait_set *set)
{
    free(set->pollfds);
    free(set->queues);
}

/* Sleeps until there is something to do. */
static void
wait_set_poll(struct wait_set *set)
{
    int retval;

    ovsrcu_quiesce_start();
    do {
        retval = poll(set->pollfds, set->n, -1);
    } while (retval < 0 && errno == EINTR);
    ovsrcu_quiesce_end();

    if (retval < 0) {
        VLOG_ABORT("poll failed: %s", ovs_strerror(errno));
    }
    COVERAGE_INC(xdp_upcall_wakeup);
}

/* A socket reports an error, e.g. because its device is gone.  Fetches it: if
 * that does not silence it, poll() would return at once for ever, so it is not
 * waited for any more. */
static void
handle_socket_error(struct pollfd *pollfd, unsigned int queue)
{
    socklen_t len = sizeof(int);
    int error = 0;

    if (getsockopt(pollfd->fd, SOL_SOCKET, SO_ERROR, &error, &len)) {
        error = errno;
    }
    if (queue == QUEUE_JUMBO) {
        VLOG_WARN("AF_PACKET socket of the trap: %s", ovs_strerror(error));
    } else {
        VLOG_WARN("AF_XDP socket of the trap's queue %u: %s",
                  queue, ovs_strerror(error));
    }
    if (!error || pollfd->revents & POLLNVAL) {
        pollfd->fd = -1;
    }
}

static void *
worker_main(void *worker_)
{
    struct worker *worker = worker_;
    struct wait_set set;
    int error;

    *this_worker_get() = worker;
    error = time_slice_set(SLICE_NS);
    if (error) {
        VLOG_DBG("no short time slices for an upcall thread (%s)",
                 ovs_strerror(error));
    }
    wait_set_init(&set, worker);
    for (;;) {
        wait_set_poll(&set);
        if (set.pollfds[0].revents) {
            break;
        }
        for (size_t i = 1; i < set.n; i++) {
            struct pollfd *pollfd = &set.pollfds[i];

            if (pollfd->revents & POLLIN) {
                if (set.queues[i] == QUEUE_JUMBO) {
                    serve_jumbo(worker->upcalls);
                } else {
                    serve_xsk(worker->upcalls, set.queues[i]);
                }
            } else if (pollfd->revents) {
                handle_socket_error(pollfd, set.queues[i]);
            }
        }
        coverage_try_clear();
    }
    wait_set_destroy(&set);
    return NULL;
}

static void
start_threads(struct upcalls *upcalls)
{
    upcalls->workers = xcalloc(upcalls->n_max_workers,
                               sizeof *upcalls->workers);
    for (unsigned int i = 0; i < upcalls->n_max_workers; i++) {
        struct worker *worker = &upcalls->workers[i];

        worker->upcalls = upcalls;
        worker->id = i;
        worker->thread = ovs_thread_create("xdp-upcall-", worker_main, worker);
        upcalls->n_workers++;
    }
}

static void
stop_threads(struct upcalls *upcalls)
{
    const uint64_t one = 1;

    if (upcalls->n_workers
        && write(upcalls->exit_fd, &one, sizeof one) != sizeof one) {
        VLOG_ABORT("cannot wake up the upcall threads: %s",
                   ovs_strerror(errno));
    }
    for (unsigned int i = 0; i < upcalls->n_workers; i++) {
        xpthread_join(upcalls->workers[i].thread, NULL);
    }
    upcalls->n_workers = 0;
}

/* Opening and closing. */

static int
open_sockets(struct upcalls *upcalls, const struct xdp_dp *dp)
{
    int ifindex = xdp_dp_trap_far_ifindex(dp);
    unsigned int n_queues = xdp_dp_trap_n_queues(dp);
    int xsks_fd = xdp_dp_xsks_map_fd(dp);
    char ifname[IF_NAMESIZE];
    int error;

    if (!if_indextoname(ifindex, ifname)) {
        error = errno;
        VLOG_ERR("the trap's device, ifindex %d, does not exist (%s)",
                 ifindex, ovs_strerror(error));
        return error;
    }

    error = upcall_jumbo_open(ifindex, &upcalls->jumbo);
    if (error) {
        return error;
    }

    upcalls->xsks = xcalloc(n_queues, sizeof *upcalls->xsks);
    for (uint32_t q = 0; q < n_queues; q++) {
        int fd;

        error = upcall_xsk_open(ifname, q, &upcalls->xsks[q]);
        if (error) {
            return error;
        }
        upcalls->n_xsks++;

        fd = upcall_xsk_fd(upcalls->xsks[q]);
        if (bpf_map_update_elem(xsks_fd, &q, &fd, BPF_ANY)) {
            error = errno;
            VLOG_ERR("%s: cannot put the socket of queue %"PRIu32" into the "
                     "XSKMAP (%s)", ifname, q, ovs_strerror(error));
            return error;
        }
    }
    return 0;
}

int
upcalls_start(struct xdp_dp *dp, unsigned int n_workers, upcall_cb *cb,
              void *aux, struct upcalls **upcallsp)
{
    struct upcalls *upcalls = xzalloc(sizeof *upcalls);
    int error;

    *upcallsp = NULL;
    upcalls->cb = cb;
    upcalls->aux = aux;
    atomic_init(&upcalls->received, 0);
    atomic_init(&upcalls->received_jumbo, 0);
    atomic_init(&upcalls->bad_header, 0);
    atomic_init(&upcalls->sent, 0);
    atomic_init(&upcalls->send_drops, 0);

    upcalls->exit_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (upcalls->exit_fd < 0) {
        error = errno;
        VLOG_ERR("cannot create an eventfd (%s)", ovs_strerror(error));
    } else if (!xdp_dp_trap_n_queues(dp)) {
        error = EINVAL;
        VLOG_ERR("the trap's device has no queue");
    } else {
        error = open_sockets(upcalls, dp);
    }
    if (error) {
        upcalls_stop(upcalls);
        return error;
    }

    upcalls->n_max_workers = MIN(upcalls->n_xsks, MAX(n_workers, 1));
    start_threads(upcalls);
    *upcallsp = upcalls;
    return 0;
}

void
upcalls_stop(struct upcalls *upcalls)
{
    if (!upcalls) {
        return;
    }
    stop_threads(upcalls);
    /* Closing a socket takes it out of the XSKMAP. */
    for (unsigned int q = 0; q < upcalls->n_xsks; q++) {
        upcall_xsk_close(upcalls->xsks[q]);
    }
    free(upcalls->xsks);
    upcall_jumbo_close(upcalls->jumbo);
    if (upcalls->exit_fd >= 0) {
        close(upcalls->exit_fd);
    }
    free(upcalls->workers);
    free(upcalls);
}

/* Sending. */

/* The socket to send on: a worker's own, so that workers do not contend; for
 * other threads, always the same, so that they keep order. */
static struct upcall_xsk *
select_xsk(const struct upcalls *upcalls)
{
    const struct worker *worker = *this_worker_get();
    unsigned int n = (worker && worker->upcalls == upcalls
                      ? worker->id
                      : ovsthread_id_self());

    return upcalls->xsks[n % upcalls->n_xsks];
}

int
upcalls_send(struct upcalls *upcalls, const struct xdp_inject_hdr *hdr_,
             const struct dp_packet *packet)
{
    struct xdp_inject_hdr hdr = *hdr_;
    const void *data = dp_packet_data(packet);
    size_t size = dp_packet_size(packet);
    int error;

    hdr.magic = XDP_INJECT_MAGIC;
    if (sizeof hdr + size <= UPCALL_XSK_FRAME_SIZE) {
        error = upcall_xsk_send(select_xsk(upcalls), &hdr, sizeof hdr,
                                data, size);
    } else {
        error = upcall_jumbo_send(upcalls->jumbo, &hdr, sizeof hdr,
                                  data, size);
    }

    if (error) {
        COVERAGE_INC(xdp_upcall_send_drop);
        count(&upcalls->send_drops, 1);
        VLOG_DBG_RL(&rl, "cannot send a frame of %"PRIuSIZE" bytes (%s)",
                    size, ovs_strerror(error));
    } else {
        COVERAGE_INC(xdp_upcall_sent);
        count(&upcalls->sent, 1);
    }
    return error;
}

/* Statistics. */

static uint64_t
read_counter(const atomic_uint64_t *counter)
{
    uint64_t value;

    atomic_read_relaxed(CONST_CAST(atomic_uint64_t *, counter), &value);
    return value;
}

void
upcalls_get_stats(const struct upcalls *upcalls, struct upcall_stats *stats)
{
    *stats = (struct upcall_stats) {
        .received = read_counter(&upcalls->received),
        .received_jumbo = read_counter(&upcalls->received_jumbo),
        .bad_header = read_counter(&upcalls->bad_header),
        .sent = read_counter(&upcalls->sent),
        .send_drops = read_counter(&upcalls->send_drops),
    };
}
