/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * One AF_PACKET socket on a network device, for frames that do not fit in a
 * UMEM frame of AF_XDP, in both directions. */
#ifndef UPCALL_JUMBO_H
#define UPCALL_JUMBO_H 1

#include <stddef.h>
#include <stdint.h>

struct upcall_frame;
struct upcall_jumbo;

/* Positive errno, logged. */
int upcall_jumbo_open(int ifindex, struct upcall_jumbo **);
/* Accepts NULL. */
void upcall_jumbo_close(struct upcall_jumbo *);
int upcall_jumbo_fd(const struct upcall_jumbo *);

/* As upcall_xsk_recv(). */
size_t upcall_jumbo_recv(struct upcall_jumbo *, struct upcall_frame *frames,
                         size_t max, uint64_t *n_bad);
/* Sends 'hdr' and 'data' as one frame, without waiting.  From any thread.
 * Positive errno if it was dropped: EMSGSIZE, longer than the device's MTU. */
int upcall_jumbo_send(struct upcall_jumbo *, const void *hdr, size_t hdr_len,
                      const void *data, size_t data_len);

#endif /* jumbo.h */
