/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Ports that are devices, for what leaves other than through BPF_PROG_RUN:
 * veth pairs in a network namespace of this process alone.  What is sent to a
 * port is received from the other end of its pair. */
#ifndef ROWS_LIVE_H
#define ROWS_LIVE_H 1

#include "rows-model.h"

#define LIVE_IN_PORT 1          /* Where frames come in. */
#define LIVE_PORT 5             /* Where they go, or to one of these. */
#define LIVE_STACK 11           /* Takes no XDP frames. */
#define LIVE_PORTS LIVE_PORT, 6, 7, LIVE_STACK

/* Makes the namespace, first of all; and, once the programs are loaded, the
 * ports.  Return NULL, or why it cannot be. */
const char *live_unshare(void);
const char *live_set_up(void);

/* Makes a pair of devices that have these indexes. */
bool live_make_devices(uint32_t ifindex, uint32_t peer_ifindex);
void live_remove_devices(void);
/* The device of 'port' or of TRAP. */
int live_ifindex(uint32_t port);
/* Makes the group of the ports to which 'ops' send the frame, and enters it
 * into the first of them. */
void live_make_group(struct xdp_op *ops, size_t n_ops);
/* Why XDP cannot send copies from live_run_xdp(); NULL if it can. */
const char *live_why_no_copies(void);
/* Runs the XDP pipeline on a packet from LIVE_IN_PORT, and what comes of its
 * verdict. */
void live_run_xdp(const struct dp_packet *);
/* Sends a packet to a device in TC mode, which takes it for LIVE_IN_PORT;
 * 'partial': with a checksum that is to be filled in on the way out; 'linear',
 * if not 0: with the bytes behind the first so many in fragments, if they are
 * more than a page. */
void live_send(struct dp_packet *, bool partial, size_t linear);
/* The next frame that was sent to 'port', or to TRAP, with all its tags in it;
 * the caller deletes it.  NULL if there is none, for which it waits with
 * 'wait' only. */
struct dp_packet *live_receive(uint32_t port, bool wait);
/* Forgets what ports have got, if a row that failed left it. */
void live_drain(void);

#endif /* rows-live.h */
