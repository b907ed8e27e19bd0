/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Packets of rows; see rows-packet.h. */

#include <config.h>
#undef NDEBUG
#include "rows-packet.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "odp-util.h"
#include "openvswitch/ofpbuf.h"
#include "util.h"

#define DEFAULT_PAYLOAD 19      /* Odd, for the checksums. */

/* Failing. */

const char *row_name;

void
row_fail(const char *format, ...)
{
    va_list args;
    char *s;

    va_start(args, format);
    s = xvasprintf(format, args);
    va_end(args);
    print_error("%s: %s\n", row_name, s);
    free(s);
    fail();
    abort();
}

static void
print_hex(const char *what, size_t ofs, const uint8_t *data, size_t size)
{
    char line[3 * 16 + 1] = "";

    for (size_t i = 0; i < 16 && ofs + i < size; i++) {
        snprintf(line + 3 * i, 4, " %02x", data[ofs + i]);
    }
    print_error("  %04"PRIxSIZE" %-8s%s\n", ofs, what, line);
}

/* Fails with the lines of 16 bytes that differ. */
void
compare_bytes(const char *what, const void *expected_, size_t expected_size,
              const void *got_, size_t got_size)
{
    const uint8_t *expected = expected_, *got = got_;
    size_t both = MIN(expected_size, got_size);
    int n = 0;

    if (expected_size == got_size && !memcmp(expected, got, both)) {
        return;
    }
    print_error("%s: %s of %"PRIuSIZE" bytes, expected %"PRIuSIZE":\n",
                row_name, what, got_size, expected_size);
    for (size_t i = 0; i < MAX(expected_size, got_size) && n < 16; i += 16) {
        if (i + 16 > both || memcmp(expected + i, got + i, 16)) {
            print_hex("expected", i, expected, expected_size);
            print_hex("got", i, got, got_size);
            n++;
        }
    }
    row_fail("%s differs", what);
}

void
compare_number(const char *what, uint64_t expected, uint64_t got)
{
    if (expected != got) {
        row_fail("%s is %"PRIu64", expected %"PRIu64, what, got, expected);
    }
}

/* Packets. */

/* One's complement sum of big-endian words, from scratch. */
static uint32_t
sum_bytes(uint32_t sum, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sum += i & 1 ? p[i] : p[i] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

/* The destination in an IPv6 header or, if there are segments left, in its
 * routing header (RFC 8200, section 8.1). */
static const uint8_t *
last_destination(const uint8_t *l3, const uint8_t *l4)
{
    const uint8_t *p = l3 + 40;
    uint8_t proto = l3[6];

    while (p < l4) {
        size_t n = proto == 44 ? 8 : proto == 51 ? (p[1] + 2) * 4
                   : (p[1] + 1) * 8;

        if (proto == 43 && p[3]) {
            return p + n - 16;
        }
        proto = p[0];
        p += n;
    }
    return l3 + 24;
}

uint8_t *
l4_csum(struct dp_packet *packet, const struct flow *flow, uint32_t *sum)
{
    uint8_t *l3 = dp_packet_l3(packet), *l4 = dp_packet_l4(packet);
    bool v6 = flow->dl_type == htons(ETH_TYPE_IPV6);
    uint8_t proto = flow->nw_proto;
    size_t ofs, len, min;

    if (!l3 || !l4 || flow->nw_frag) {
        return NULL;
    }
    ofs = (proto == IPPROTO_TCP ? 16 : proto == IPPROTO_UDP ? 6
           : proto == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) ? 2 : 0);
    min = proto == IPPROTO_TCP ? TCP_HEADER_LEN : 8;
    len = (v6 ? 40 + (l3[4] << 8 | l3[5]) : l3[2] << 8 | l3[3]) - (l4 - l3);
    if (!ofs || len < min) {
        return NULL;
    }
    *sum = proto == IPPROTO_ICMP ? 0 : proto + len;
    if (v6) {
        *sum = sum_bytes(*sum, l3 + 8, 16);
        *sum = sum_bytes(*sum, last_destination(l3, l4), 16);
    } else if (proto != IPPROTO_ICMP) {
        *sum = sum_bytes(*sum, l3 + 12, 8);
    }
    *sum = sum_bytes(*sum, l4, ofs);
    *sum = sum_bytes(*sum, l4 + ofs + 2, len - ofs - 2);
    return l4 + ofs;
}

/* The IPv4 header of the parsed '*packet'; NULL if it has none. */
static uint8_t *
ipv4_header(struct dp_packet *packet, const struct flow *flow)
{
    return (flow->dl_type == htons(ETH_TYPE_IP) && dp_packet_l4(packet)
            ? dp_packet_l3(packet) : NULL);
}

static void
fix_csums(struct dp_packet *packet)
{
    struct flow flow;
    uint8_t *ip, *csum;
    uint32_t sum;

    flow_extract(packet, &flow);
    ip = ipv4_header(packet, &flow);
    if (ip) {
        ip[10] = ip[11] = 0;
        sum = ~sum_bytes(0, ip, (ip[0] & 15) * 4);
        ip[10] = sum >> 8;
        ip[11] = sum;
    }
    csum = l4_csum(packet, &flow, &sum);
    if (csum) {
        sum = ~sum & 0xffff;
        sum = !sum && flow.nw_proto == IPPROTO_UDP ? 0xffff : sum;
        csum[0] = sum >> 8;
        csum[1] = sum;
    }
}

bool
csums_ok(struct dp_packet *packet)
{
    struct flow flow;
    uint8_t *ip, *csum;
    uint32_t sum;

    flow_extract(packet, &flow);
    ip = ipv4_header(packet, &flow);
    if (ip && sum_bytes(0, ip, (ip[0] & 15) * 4) != 0xffff) {
        return false;
    }
    csum = l4_csum(packet, &flow, &sum);
    if (!csum || (flow.nw_proto == IPPROTO_UDP && !csum[0] && !csum[1])) {
        return !csum || flow.dl_type == htons(ETH_TYPE_IP);
    }
    return sum_bytes(sum, csum, 2) == 0xffff;
}

/* Where the TCP or UDP checksum is that could be finished later. */
static uint8_t *
partial_csum(struct dp_packet *packet, uint32_t *sum)
{
    struct flow flow;
    uint8_t *csum;

    flow_extract(packet, &flow);
    csum = l4_csum(packet, &flow, sum);
    return (csum && (csum[0] || csum[1])
            && (flow.nw_proto == IPPROTO_TCP || flow.nw_proto == IPPROTO_UDP)
            ? csum : NULL);
}

bool
can_be_partial(struct dp_packet *packet)
{
    uint32_t sum;

    return (csums_ok(packet) && partial_csum(packet, &sum)
            && !dp_packet_l2_pad_size(packet));
}

void
make_partial(struct dp_packet *packet, uint16_t *start, uint16_t *ofs)
{
    uint32_t sum;
    uint8_t *csum = partial_csum(packet, &sum);
    uint8_t *l4 = dp_packet_l4(packet), *end = dp_packet_tail(packet);

    /* The sum of all that it covers, less that of the segment. */
    csum[0] = csum[1] = 0;
    sum = sum_bytes(sum + (sum_bytes(0, l4, end - l4) ^ 0xffff), l4, 0);
    csum[0] = sum >> 8;
    csum[1] = sum;
    *start = l4 - (uint8_t *) dp_packet_data(packet);
    *ofs = csum - l4;
}

static void
insert(struct dp_packet *packet, size_t ofs, const void *data, size_t n)
{
    size_t tail = dp_packet_size(packet) - ofs;
    uint8_t *p;

    dp_packet_put_zeros(packet, n);
    p = (uint8_t *) dp_packet_data(packet) + ofs;
    memmove(p + n, p, tail);
    memcpy(p, data, n);
}

/* Adds 'n' to the 16-bit length at 'ofs'. */
static void
add_length(struct dp_packet *packet, size_t ofs, int n)
{
    uint8_t *p = (uint8_t *) dp_packet_data(packet) + ofs;

    n += p[0] << 8 | p[1];
    p[0] = n >> 8;
    p[1] = n;
}

/* Where the headers are while a packet is being changed. */
struct edit {
    size_t l3, l4;
    size_t next;            /* Of the next-header byte for "ext". */
};

static void
change_packet(struct dp_packet *packet, struct edit *e, const char *change)
{
    uint8_t *data = dp_packet_data(packet);
    struct ofpbuf hex;
    int n = 0, pos = 0;
    char op[8];

    assert_int_equal(sscanf(change, " %7s%n", op, &pos), 1);
    change += pos;
    if (strcmp(op, "opt") && sscanf(change, " %i%n", &n, &pos) == 1) {
        change += pos;
    }
    ofpbuf_init(&hex, 64);
    if (*ofpbuf_put_hex(&hex, change, NULL)) {
        row_fail("bad change of a packet \"%s\"", change);
    }

    uint8_t *bytes = hex.data;
    size_t len = hex.size;
    bool v6 = e->l3 && data[e->l3] >> 4 == 6;

    if (!strcmp(op, "ext")) {
        bytes[0] = data[e->next];
        data[e->next] = n;
        insert(packet, e->l4, bytes, len);
        e->next = e->l4;
        e->l4 += len;
        add_length(packet, e->l3 + 4, len);
    } else if (!strcmp(op, "opt")) {
        insert(packet, e->l4, bytes, len);
        e->l4 += len;
        ((uint8_t *) dp_packet_data(packet))[e->l3] += len / 4;
        add_length(packet, e->l3 + 2, len);
    } else if (!strcmp(op, "more")) {
        memset(dp_packet_put_uninit(packet, n), 0x5a, n);
        add_length(packet, e->l3 + (v6 ? 4 : 2), n);
    } else if (!strcmp(op, "ins")) {
        insert(packet, n, bytes, len);
    } else if (!strcmp(op, "at")) {
        assert_true(n + len <= dp_packet_size(packet));
        memcpy(data + n, bytes, len);
    } else if (!strcmp(op, "csum")) {
        fix_csums(packet);
    } else if (!strcmp(op, "cut")) {
        assert_true(n <= (int) dp_packet_size(packet));
        dp_packet_set_size(packet, n);
    } else if (!strcmp(op, "pad")) {
        n -= dp_packet_size(packet);
        memset(dp_packet_put_uninit(packet, n), 0xee, n);
    } else {
        assert_string_equal(op, "pay");     /* Done by make_packet(). */
    }
    ofpbuf_uninit(&hex);
}

void
parse_flow(const char *s, struct flow *flow, struct flow_wildcards *wc)
{
    struct ofpbuf key, mask;
    char *error = NULL;

    ofpbuf_init(&key, 512);
    ofpbuf_init(&mask, 512);
    if (odp_flow_from_string(s, NULL, &key, wc ? &mask : NULL, &error)) {
        row_fail("%s (in \"%s\")", error, s);
    }
    if (odp_flow_key_to_flow(key.data, key.size, flow, &error)
        > (wc ? ODP_FIT_PERFECT : ODP_FIT_TOO_LITTLE)
        || (wc && odp_flow_key_to_mask(mask.data, mask.size, wc, flow,
                                       &error))) {
        row_fail("%s (in \"%s\")", error ? error : "bad flow", s);
    }
    ofpbuf_uninit(&key);
    ofpbuf_uninit(&mask);
}

struct dp_packet *
make_packet(const char *spec)
{
    struct dp_packet *packet = dp_packet_new(MAX_FRAME);
    uint8_t payload[MAX_FRAME];
    size_t n = DEFAULT_PAYLOAD;
    struct edit e = { 0 };
    struct flow flow;
    char *s = xstrdup(spec), *save = NULL, *change;
    const char *pay = strstr(spec, "; pay ");

    if (pay) {
        n = atoi(pay + 6);
    }
    for (size_t i = 0; i < n; i++) {
        payload[i] = i * 7 + (i >> 8) + 1;
    }
    parse_flow(strtok_r(s, ";", &save), &flow, NULL);
    dp_packet_reserve(packet, 512);
    flow_compose(packet, &flow, payload, n);
    e.l3 = packet->l3_ofs == UINT16_MAX ? 0 : packet->l3_ofs;
    e.l4 = packet->l4_ofs == UINT16_MAX ? 0 : packet->l4_ofs;
    e.next = e.l3 + 6;
    while ((change = strtok_r(NULL, ";", &save))) {
        change_packet(packet, &e, change);
    }
    free(s);
    pkt_metadata_from_flow(&packet->md, &flow);
    return packet;
}
