/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * A frame that came up, taken apart: what the sockets (xsk.c, jumbo.c) hand to
 * the worker threads (upcall.c). */
#ifndef UPCALL_FRAME_H
#define UPCALL_FRAME_H 1

#include <stdbool.h>
#include <stddef.h>
#include "ovs-xdp-abi.h"

struct dp_packet;

struct upcall_frame {
    struct xdp_upcall_hdr hdr;
    struct dp_packet *packet;           /* Owned. */
};

/* Takes the 'len' bytes at 'data', a struct xdp_upcall_hdr with a frame behind
 * it, apart into '*frame', copying them.  False, with nothing allocated, if
 * that is not what they are. */
bool upcall_frame_parse(const void *data, size_t len,
                        struct upcall_frame *frame);

#endif /* upcall-frame.h */
