/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Packets of rows, their checksums, and how a row fails.
 *
 * A packet is written as a flow in the syntax of "ovs-appctl dpctl/dump-flows"
 * and changes to it, each behind a ';':
 *
 *     pay N           N bytes behind the headers of TCP, UDP or an echo
 *     ext T HEX       an IPv6 extension header of type T, first byte ignored
 *     opt HEX         IPv4 options
 *     more N          N more bytes in the IP packet
 *     ins OFS HEX     bytes inserted
 *     at OFS HEX      bytes overwritten
 *     csum            IPv4 header and L4 checksums made right
 *     cut N, pad N    shortened or lengthened to N bytes */
#ifndef ROWS_PACKET_H
#define ROWS_PACKET_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "compiler.h"
#include "dp-packet.h"
#include "flow.h"

#define MAX_FRAME 32768         /* A dp_packet has 16 bits for its size. */

/* The row at hand, for messages. */
extern const char *row_name;

/* Fails the row. */
void row_fail(const char *format, ...) OVS_PRINTF_FORMAT(1, 2) OVS_NO_RETURN;
void compare_bytes(const char *what, const void *expected,
                   size_t expected_size, const void *got, size_t got_size);
void compare_number(const char *what, uint64_t expected, uint64_t got);

/* Makes a packet with its metadata; the caller deletes it. */
struct dp_packet *make_packet(const char *spec);
/* Parses a flow; 'wc' may be NULL for a packet's. */
void parse_flow(const char *s, struct flow *, struct flow_wildcards *wc);

/* Where the checksum of the L4 header of the parsed '*packet' is, with the sum
 * of what it covers but itself; NULL if it has none that covers all of it. */
uint8_t *l4_csum(struct dp_packet *, const struct flow *, uint32_t *sum);
/* True if '*packet' may come with just the sum of the pseudo-header in the
 * place of its right TCP or UDP checksum, which is to be finished from
 * '*start' on to the end; make_partial() makes it so. */
bool can_be_partial(struct dp_packet *);
void make_partial(struct dp_packet *, uint16_t *start, uint16_t *ofs);
/* True if the checksums of '*packet', where there are any, are right. */
bool csums_ok(struct dp_packet *);

#endif /* rows-packet.h */
