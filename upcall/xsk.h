/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * One AF_XDP socket on one queue of a network device, in copy mode, with a
 * UMEM of its own.  Reception is for one thread; sending is for any. */
#ifndef UPCALL_XSK_H
#define UPCALL_XSK_H 1

#include <stddef.h>
#include <stdint.h>

struct upcall_frame;
struct upcall_xsk;

/* The longest header + frame that upcall_xsk_send() takes. */
#define UPCALL_XSK_FRAME_SIZE 4096

/* Opens a socket on 'queue' of 'ifname'.  The queue may be busy for a moment
 * after its last owner went: waits for it up to a second.  Positive errno,
 * logged. */
int upcall_xsk_open(const char *ifname, uint32_t queue, struct upcall_xsk **);
/* Closes it; frames in flight are lost.  Accepts NULL. */
void upcall_xsk_close(struct upcall_xsk *);
int upcall_xsk_fd(const struct upcall_xsk *);

/* Takes up to 'max' frames off the ring into 'frames' and gives their buffers
 * back to the kernel.  Returns the number taken; adds the number of those that
 * were dropped for a bad header or descriptor to '*n_bad'. */
size_t upcall_xsk_recv(struct upcall_xsk *, struct upcall_frame *frames,
                       size_t max, uint64_t *n_bad);

/* Sends 'hdr' and 'data' as one frame.  Waits a little if the ring is full.
 * Positive errno if the frame was dropped: ENOBUFS, ring full; EBUSY, the
 * device's queue full; EMSGSIZE. */
int upcall_xsk_send(struct upcall_xsk *, const void *hdr, size_t hdr_len,
                    const void *data, size_t data_len);

#endif /* xsk.h */
