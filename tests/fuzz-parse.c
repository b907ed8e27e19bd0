/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The parser in bpf/parse.h against Open vSwitch's flow_extract(): both must
 * make the same key from any bytes.  Where only the first of them can be read,
 * the parser must make it, too, or say that it cannot.
 *
 * A libFuzzer target (clang -fsanitize=fuzzer,address).  With -DFUZZ_MAIN, a
 * program that replays the files that are its arguments or, without any,
 * compares N random packets (environment: FUZZ_N, FUZZ_SEED). */

#include <config.h>
#undef NDEBUG
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The whole frame's length is 'ctx', as of XDP. */
#define PARSE_WHOLE_LEN(CTX, LEN) (*(const __u32 *) (CTX))
#include "bpf/parse.h"
#include "dp-packet.h"
#include "flow.h"
#include "hash.h"
#include "ovs-xdp-abi.h"
#include "packets.h"
#include "util.h"

BUILD_ASSERT_DECL(XDP_KEY_SEQ == 2);
BUILD_ASSERT_DECL(FLOW_WC_SEQ == 42);

/* The fields that parsing fills in. */
#define PARSED_FIELDS(X)                                                    \
    X(eth_type) X(nw_proto) X(nw_frag) X(dl_dst) X(dl_src) X(vlan_tpid)     \
    X(vlan_tci) X(cvlan_tpid) X(cvlan_tci) X(ipv6_label) X(nw_src)          \
    X(nw_dst) X(nw_tos) X(nw_ttl) X(tcp_flags) X(tp_src) X(tp_dst)          \
    X(ipv6_src) X(ipv6_dst) X(nd_target) X(arp_sha) X(arp_tha) X(mpls_lse)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_ip(const struct flow *flow)
{
    return flow->dl_type == htons(ETH_TYPE_IP)
           || flow->dl_type == htons(ETH_TYPE_IPV6);
}

/* 'flow' as a key. */
static struct xdp_flow_key
key_from_flow(const struct flow *flow)
{
    struct xdp_flow_key key = {
        .eth_type = flow->dl_type,
        .nw_proto = flow->nw_proto,
        .nw_frag = flow->nw_frag,
        .vlan_tpid = flow->vlans[0].tpid,
        .vlan_tci = flow->vlans[0].tci,
        .cvlan_tpid = flow->vlans[1].tpid,
        .cvlan_tci = flow->vlans[1].tci,
        .ipv6_label = flow->ipv6_label,
        .nw_src = flow->nw_src,
        .nw_dst = flow->nw_dst,
        .nw_tos = flow->nw_tos,
        .nw_ttl = flow->nw_ttl,
        .tp_src = flow->tp_src,
        .tp_dst = flow->tp_dst,
    };

    memcpy(key.dl_dst, &flow->dl_dst, sizeof key.dl_dst);
    memcpy(key.dl_src, &flow->dl_src, sizeof key.dl_src);
    memcpy(key.ipv6_src, &flow->ipv6_src, sizeof key.ipv6_src);
    memcpy(key.ipv6_dst, &flow->ipv6_dst, sizeof key.ipv6_dst);
    memcpy(key.nd_target, &flow->nd_target, sizeof key.nd_target);
    memcpy(key.arp_sha, &flow->arp_sha, sizeof key.arp_sha);
    memcpy(key.arp_tha, &flow->arp_tha, sizeof key.arp_tha);
    memcpy(key.mpls_lse, flow->mpls_lse, sizeof key.mpls_lse);
    if (is_ip(flow) && flow->nw_proto == IPPROTO_TCP) {
        /* Else, it is the type of an ND option. */
        key.tcp_flags = flow->tcp_flags;
    }
    return key;
}

static void
parse_by_ovs(const uint8_t *data, size_t size, struct flow *flow)
{
    struct dp_packet packet;

    dp_packet_use_const(&packet, data, size);
    packet.packet_type = htonl(PT_ETH);
    pkt_metadata_init(&packet.md, 0);
    flow_extract(&packet, flow);
}

/* The only place that knows how bpf/parse.h is called.  Only the first 'linear'
 * bytes can be read; 'known' is what the parser is told of the length.  False if
 * the parser leaves the frame to userspace. */
static bool
parse_by_bpf(const uint8_t *data, size_t size, size_t linear, __u32 known,
             struct xdp_flow_key *key)
{
    struct xdp_offsets offsets;
    __u32 whole = size;

    memset(key, 0, sizeof *key);
    return parse_frame(&whole, data, data + linear, &known, flow_vlan_limit,
                       key, &offsets) != PARSE_DEEP;
}

static void
print_bytes(const char *name, const void *data_, size_t size)
{
    const uint8_t *data = data_;

    fprintf(stderr, "%s", name);
    for (size_t i = 0; i < size; i++) {
        fprintf(stderr, "%s%02x", i && !(i % 16) ? " " : "", data[i]);
    }
    fprintf(stderr, "\n");
}

/* Compares what the parser makes of the frame and of its first bytes; 'key' is
 * the right one, or NULL if the parser leaves the whole frame to userspace. */
static bool
compare_split(const uint8_t *data, size_t size, const struct xdp_flow_key *key)
{
    uint32_t hash = hash_bytes(data, size, 0);
    size_t linear = ETH_HEADER_LEN + hash % (size - ETH_HEADER_LEN + 1);
    const size_t known[] = { linear, size };        /* XDP, TC. */

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        struct xdp_flow_key split;

        if (parse_by_bpf(data, size, linear, known[i], &split)
            && (!key || memcmp(&split, key, sizeof split))) {
            fprintf(stderr, "with %"PRIuSIZE" bytes, told %"PRIuSIZE": ",
                    linear, known[i]);
            print_bytes("another key, frame: ", data, size);
            return false;
        }
    }
    return true;
}

/* Compares both parsers.  True if they agree; else says how they do not. */
static bool
compare(const uint8_t *data, size_t size)
{
    struct xdp_flow_key actual, expected;
    struct flow flow;
    bool ok = true;

    if (size < ETH_HEADER_LEN) {
        return true;                    /* BPF drops it. */
    }
    parse_by_ovs(data, size, &flow);
    expected = key_from_flow(&flow);
    if (!parse_by_bpf(data, size, size, size, &actual)) {
        return compare_split(data, size, NULL);     /* Goes to userspace. */
    }
    ok = compare_split(data, size, &actual);

    if (is_ip(&flow) && flow.nw_proto == IPPROTO_IGMP) {
        actual.tp_src = expected.tp_src;
        actual.tp_dst = expected.tp_dst;
    }

#define COMPARE(FIELD)                                                      \
    if (memcmp(&actual.FIELD, &expected.FIELD, sizeof actual.FIELD)) {      \
        print_bytes(#FIELD ", ovs: ", &expected.FIELD,                      \
                    sizeof expected.FIELD);                                 \
        print_bytes(#FIELD ", bpf: ", &actual.FIELD, sizeof actual.FIELD);  \
        ok = false;                                                         \
    }
    PARSED_FIELDS(COMPARE)
#undef COMPARE

    if (!ok) {
        print_bytes("frame: ", data, size);
    }
    return ok;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!compare(data, size)) {
        abort();
    }
    return 0;
}

#ifdef FUZZ_MAIN

#define MAX_PACKET 512

/* xorshift64*: the same packets everywhere for the same seed. */
static uint64_t rnd_state;

static uint32_t
rnd(uint32_t limit)
{
    rnd_state ^= rnd_state >> 12;
    rnd_state ^= rnd_state << 25;
    rnd_state ^= rnd_state >> 27;
    return ((rnd_state * UINT64_C(0x2545f4914f6cdd1d)) >> 32) % limit;
}

/* A packet that is being built. */
struct builder {
    uint8_t data[MAX_PACKET];
    size_t len;
};

static uint8_t *
put_random(struct builder *b, size_t len)
{
    uint8_t *p = &b->data[b->len];

    ovs_assert(b->len + len <= MAX_PACKET);
    for (size_t i = 0; i < len; i++) {
        p[i] = rnd(256);
    }
    b->len += len;
    return p;
}

static void
put_be16(struct builder *b, uint16_t value)
{
    uint8_t *p = put_random(b, 2);

    p[0] = value >> 8;
    p[1] = value;
}

static uint8_t
pick(const uint8_t *choices, size_t n)
{
    return choices[rnd(n)];
}

static void
put_tcp(struct builder *b)
{
    put_random(b, 12)[0] = 0;
    put_random(b, 8)[0] = (5 + rnd(3)) << 4 | rnd(16);
    put_random(b, rnd(24));
}

static void
put_nd(struct builder *b)
{
    uint8_t *p = put_random(b, 8);

    p[0] = rnd(2) ? 135 : 136;          /* Neighbour solicitation, advert. */
    p[1] = rnd(8) ? 0 : 1;
    put_random(b, 16);                  /* Target. */
    for (uint32_t i = rnd(4); i > 0; i--) {
        p = put_random(b, 8);
        p[0] = 1 + rnd(3);              /* Link-layer address options. */
        p[1] = rnd(8) ? 1 : rnd(3);
        if (p[1] == 2) {
            put_random(b, 8);
        }
    }
}

static void
put_l4(struct builder *b, uint8_t proto)
{
    switch (proto) {
    case IPPROTO_TCP:
        put_tcp(b);
        break;
    case IPPROTO_ICMPV6:
        if (rnd(4)) {
            put_nd(b);
            break;
        }
        /* Fall through. */
    default:
        put_random(b, rnd(40));
    }
}

static void
put_ipv4(struct builder *b)
{
    static const uint8_t protos[] = { 1, 2, 6, 17, 58, 132, 136, 0 };
    uint8_t proto = pick(protos, sizeof protos);
    size_t options = rnd(4) ? 0 : rnd(11) * 4;
    size_t start = b->len;
    uint8_t *ip = put_random(b, 20);
    size_t len;

    ip[0] = 0x40 | (5 + options / 4);
    if (rnd(4)) {
        ip[6] = ip[7] = 0;              /* No fragment. */
    } else if (rnd(2)) {
        ip[6] = 0x20;                   /* First fragment. */
        ip[7] = 0;
    }
    ip[9] = proto;
    put_random(b, options);
    put_l4(b, proto);
    len = b->len - start;
    ip[2] = len >> 8;
    ip[3] = len;
    put_random(b, rnd(2) * rnd(20));    /* Padding. */
}

static void
put_ipv6(struct builder *b)
{
    static const uint8_t exts[] = { 0, 43, 44, 51, 60, 135, 139, 140 };
    static const uint8_t protos[] = { 6, 17, 58, 58, 132, 59, 1, 2, 50 };
    size_t start = b->len;
    uint8_t *ip = put_random(b, 40);
    uint8_t *next = &ip[6];
    size_t len;

    ip[0] = 0x60 | (ip[0] & 0xf);
    for (uint32_t i = rnd(2) * rnd(5); i > 0; i--) {
        uint8_t ext = pick(exts, sizeof exts);
        uint8_t *p = put_random(b, 8);

        *next = ext;
        next = &p[0];
        if (ext == 44) {
            p[1] = rnd(2) * rnd(256);   /* Reserved. */
            if (rnd(2)) {
                p[2] = 0;               /* First fragment. */
                p[3] &= 7;
            }
        } else {
            p[1] = ext == 51 ? rnd(3) : rnd(2);
            put_random(b, ext == 51 ? p[1] * 4 : p[1] * 8);
        }
    }
    *next = pick(protos, sizeof protos);
    put_l4(b, *next);
    len = b->len - start - 40;
    ip[4] = len >> 8;
    ip[5] = len;
    put_random(b, rnd(2) * rnd(20));
}

static void
put_arp(struct builder *b)
{
    static const uint8_t ethernet_ipv4[] = { 0, 1, 8, 0, 6, 4, 0 };

    memcpy(put_random(b, sizeof ethernet_ipv4), ethernet_ipv4,
           sizeof ethernet_ipv4);
    put_random(b, 1)[0] = rnd(4);
    put_random(b, 20 + rnd(20));
}

static void
put_mpls(struct builder *b)
{
    for (uint32_t i = 1 + rnd(5); i > 0; i--) {
        uint8_t *lse = put_random(b, 4);

        lse[2] = (lse[2] & 0xfe) | (i == 1);
    }
    put_random(b, rnd(20));
}

static void
put_llc(struct builder *b)
{
    static const uint8_t snap[] = { 0xaa, 0xaa, 3, 0, 0, 0 };

    put_be16(b, rnd(1536));
    memcpy(put_random(b, sizeof snap), snap, rnd(8) ? sizeof snap : 2);
}

static void
build_packet(struct builder *b)
{
    static const uint16_t tpids[] = { 0x8100, 0x88a8, 0x9100 };

    b->len = 0;
    put_random(b, 12);
    for (uint32_t i = rnd(2) * rnd(4); i > 0; i--) {
        put_be16(b, tpids[rnd(rnd(8) ? 2 : 3)]);
        put_random(b, 2);
    }
    if (!rnd(8)) {
        put_llc(b);
    }
    switch (rnd(8)) {
    case 0: case 1:
        put_be16(b, ETH_TYPE_IP);
        put_ipv4(b);
        break;
    case 2: case 3: case 4:
        put_be16(b, ETH_TYPE_IPV6);
        put_ipv6(b);
        break;
    case 5:
        put_be16(b, rnd(4) ? ETH_TYPE_ARP : ETH_TYPE_RARP);
        put_arp(b);
        break;
    case 6:
        put_be16(b, rnd(2) ? ETH_TYPE_MPLS : ETH_TYPE_MPLS_MCAST);
        put_mpls(b);
        break;
    default:
        put_random(b, 2 + rnd(50));
    }
}

static void
mutate_packet(struct builder *b)
{
    if (!rnd(2)) {
        for (uint32_t i = 1 + rnd(4); i > 0; i--) {
            b->data[rnd(b->len)] = rnd(2) ? rnd(256) : rnd(4);
        }
    }
    if (!rnd(3)) {
        b->len = rnd(b->len + 1);
    }
}

/* Compares in a buffer of exactly the packet's size, for AddressSanitizer. */
static bool
compare_copy(const uint8_t *data, size_t size)
{
    uint8_t *copy = xmemdup(data, size ? size : 1);
    bool ok = compare(copy, size);

    free(copy);
    return ok;
}

static bool
compare_random(void)
{
    const char *seed_s = getenv("FUZZ_SEED");
    const char *n_s = getenv("FUZZ_N");
    uint64_t seed = seed_s ? strtoull(seed_s, NULL, 0) : (uint64_t) time(NULL);
    unsigned long n = n_s ? strtoul(n_s, NULL, 0) : 1000000;
    unsigned long n_bad = 0;

    printf("FUZZ_SEED=%"PRIu64" FUZZ_N=%lu\n", seed, n);
    fflush(stdout);
    rnd_state = seed * 2 + 1;
    for (unsigned long i = 0; i < n && n_bad < 10; i++) {
        struct builder b;

        build_packet(&b);
        mutate_packet(&b);
        if (!compare_copy(b.data, b.len)) {
            fprintf(stderr, "packet %lu: the parsers disagree\n", i);
            n_bad++;
        }
    }
    return !n_bad;
}

static bool
replay(const char *name)
{
    uint8_t *data = xmalloc(65536);
    FILE *file = fopen(name, "rb");
    size_t size;
    bool ok;

    if (!file) {
        ovs_fatal(errno, "%s: cannot open", name);
    }
    size = fread(data, 1, 65536, file);
    fclose(file);
    ok = compare_copy(data, size);
    if (!ok) {
        fprintf(stderr, "%s: the parsers disagree\n", name);
    }
    free(data);
    return ok;
}

int
main(int argc, char *argv[])
{
    bool ok = true;

    if (argc < 2) {
        return compare_random() ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    for (int i = 1; i < argc; i++) {
        ok = replay(argv[i]) && ok;
    }
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
#endif /* FUZZ_MAIN */
