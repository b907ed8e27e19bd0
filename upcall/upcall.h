/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Frames between BPF and userspace: AF_XDP sockets on the far side of the
 * datapath's trap veth, one for each of its queues, an AF_PACKET socket for
 * frames that do not fit in a UMEM frame, worker threads that sleep in poll()
 * and never busy-poll, and packet-out. */
#ifndef UPCALL_H
#define UPCALL_H 1

#include <stddef.h>
#include <stdint.h>
#include "ovs-xdp-abi.h"

struct dp_packet;
struct dp_packet_batch;
struct xdp_dp;
struct upcalls;

/* Called by a worker thread for each frame that came up.  'packet' is the
 * frame without the header and belongs to the callee, which must
 * dp_packet_delete() it. */
typedef void upcall_cb(const struct xdp_upcall_hdr *, struct dp_packet *packet,
                       void *aux);

struct upcall_stats {
    uint64_t received;          /* Frames handed to the callback. */
    uint64_t received_jumbo;    /* Of these through AF_PACKET. */
    uint64_t bad_header;        /* Dropped: no valid header. */
    uint64_t sent;
    uint64_t send_drops;        /* TX ring or socket buffer full, too long. */
};

/* Opens the sockets, starts min(queues, 'n_workers' or 1) threads.  Positive
 * errno. */
int upcalls_start(struct xdp_dp *, unsigned int n_workers, upcall_cb *,
                  void *aux, struct upcalls **);
/* Stops threads, closes sockets.  Accepts NULL. */
void upcalls_stop(struct upcalls *);
/* Sends 'packet' (not consumed, not changed) behind '*hdr' ('magic' is filled
 * in).  From any thread.  A frame too long for the ring goes through
 * AF_PACKET.  Positive errno; a drop is counted. */
int upcalls_send(struct upcalls *, const struct xdp_inject_hdr *hdr,
                 const struct dp_packet *packet);
void upcalls_get_stats(const struct upcalls *, struct upcall_stats *);

#endif /* upcall.h */
