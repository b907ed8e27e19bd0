/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Frame to flow key.  Gives the same key as Open vSwitch's flow_extract(): what
 * is truncated or malformed gives a shorter key, never a read beyond
 * 'data_end' and never a drop.  Headers nested deeper than is looked here are
 * reported, and then userspace has the packet.  No BPF helper is called here, so that the same
 * code is compiled for userspace and compared with flow_extract() by
 * tests/fuzz-parse.c. */
#ifndef PARSE_H
#define PARSE_H 1

#include "ovs-xdp-abi.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* Where the headers are, for the actions.  Offsets from the frame's start; 0
 * means that there is no such header. */
struct xdp_offsets {
    __u16 l3;               /* IPv4, IPv6 or ARP. */
    __u16 l4;               /* Set only if its fixed part is there. */
    /* A routing header with segments left: the L4 checksum covers another
     * destination address. */
    __u16 routing;
};

enum { PARSE_SHORT = -1, PARSE_DEEP = 1 };

#define PARSE_HTONS(X) ((__be16) __builtin_bswap16(X))

enum {
    PARSE_IPV6_EXT_MAX = 6, /* Extension headers that are followed. */
    PARSE_ND_OPT_MAX = 4,   /* ND options that are looked at. */
    PARSE_MAX_OFS = 1023,   /* No header is looked for beyond. */
    PARSE_PAD_MAX = 46,     /* Bytes of an Ethernet frame's minimum. */
    PARSE_L2_MAX = 28,      /* What is read behind an EtherType but IP's. */
};

/* The two rare parts.  BPF calls them as global functions, which the verifier
 * checks once, apart from the paths that lead to them. */
#ifndef PARSE_IPV6_EXT
#define PARSE_IPV6_EXT(CTX, OFS, LEFT, PROTO, DATA, END) \
    ((void) (CTX), parse_ipv6_ext(DATA, END, OFS, LEFT, PROTO))
#define PARSE_ND(CTX, OFS, LEFT, DATA, END, KEY) \
    ((void) (CTX), parse_nd(DATA, END, OFS, LEFT, KEY))
#endif

/* What is known of the frame's length grows when its headers ask for more: BPF
 * has to call a helper for the whole of it. */
#ifndef PARSE_WHOLE_LEN
#define PARSE_WHOLE_LEN(CTX, LEN) ((void) (CTX), LEN)
#endif

struct parse_cursor {
    const __u8 *p;          /* Next byte. */
    const __u8 *end;        /* Of the frame's readable bytes. */
    __u32 left;             /* Bytes that the headers say are left. */
};

/* True if 'n' (a constant) more bytes can be read.  If not, PARSE_CANNOT() is
 * -1 if the frame has them, where only userspace can read them; else 0. */
#define PARSE_CAN_READ(C, N) \
    ((C)->left >= (N) && (C)->p + (N) <= (C)->end)
#define PARSE_CANNOT(C, N) ((C)->left >= (N) ? -1 : 0)

/* Access at any address.  BPF's compiler knows no unaligned access and would go
 * byte by byte; the machines that we run on can do better. */
#ifdef __bpf__
#define PARSE_LOAD(TYPE, P) (*(const TYPE *) (P))
#define PARSE_STORE(TYPE, P, VALUE) (*(TYPE *) (P) = (VALUE))
#else
#define PARSE_LOAD(TYPE, P) ({                          \
        TYPE value_;                                    \
        __builtin_memcpy(&value_, P, sizeof value_);    \
        value_; })
#define PARSE_STORE(TYPE, P, VALUE) do {                \
        TYPE stored_ = (VALUE);                         \
        __builtin_memcpy(P, &stored_, sizeof stored_);  \
    } while (0)
#endif

static __always_inline __u16
parse_be16(const __u8 *p)
{
    return __builtin_bswap16(PARSE_LOAD(__u16, p));
}

/* Copies 'n' (a constant multiple of 4) bytes. */
static __always_inline void
parse_copy(void *dst_, const __u8 *src, __u32 n)
{
    __u8 *dst = dst_;

    for (; n >= 8; n -= 8, dst += 8, src += 8) {
        PARSE_STORE(__u64, dst, PARSE_LOAD(__u64, src));
    }
    if (n) {
        PARSE_STORE(__u32, dst, PARSE_LOAD(__u32, src));
    }
}

static __always_inline void
parse_pull(struct parse_cursor *c, __u32 n)
{
    c->p += n;
    c->left -= n;
}

static __always_inline int
parse_is_vlan(__u16 type)
{
    return type == 0x8100 || type == 0x88a8;
}

/* Tags, of which the first has the TPID 'type'.  Returns the type behind
 * them. */
static __always_inline __u16
parse_vlans(struct parse_cursor *c, __u16 type, __u32 n_vlans,
            struct xdp_flow_key *key)
{
    if (!key->vlan_tpid && PARSE_CAN_READ(c, 6)) {
        key->vlan_tpid = PARSE_HTONS(type);
        key->vlan_tci = PARSE_HTONS(parse_be16(c->p + 2) | 0x1000);
        parse_pull(c, 4);
        type = parse_be16(c->p);
    }
    if (n_vlans > 1 && key->vlan_tpid && parse_is_vlan(type)
        && PARSE_CAN_READ(c, 6)) {
        key->cvlan_tpid = PARSE_HTONS(type);
        key->cvlan_tci = PARSE_HTONS(parse_be16(c->p + 2) | 0x1000);
        parse_pull(c, 4);
        type = parse_be16(c->p);
    }
    return type;
}

/* Tags, until 'n_vlans' are in the key, then the EtherType or the type in an
 * 802.2 SNAP header.  Returns the type in host order; 0x5ff if there is none. */
static __always_inline __u16
parse_l2(struct parse_cursor *c, __u32 n_vlans, struct xdp_flow_key *key)
{
    __u16 type;

    parse_copy(key->dl_dst, c->p, 12);          /* And dl_src. */
    parse_pull(c, 12);
    type = parse_be16(c->p);
    if (__builtin_expect(parse_is_vlan(type), 0)) {
        type = parse_vlans(c, type, n_vlans, key);
    }
    parse_pull(c, 2);
    if (type >= 0x600) {
        return type;
    }
    if (!PARSE_CAN_READ(c, 8)
        || c->p[0] != 0xaa || c->p[1] != 0xaa || c->p[2] != 3
        || c->p[3] || c->p[4] || c->p[5]) {
        return 0x5ff;
    }
    type = parse_be16(c->p + 6);
    parse_pull(c, 8);
    return type >= 0x600 ? type : 0x5ff;
}

static __always_inline void
parse_mpls(struct parse_cursor *c, struct xdp_flow_key *key)
{
    for (int i = 0; i < 3; i++) {
        if (!PARSE_CAN_READ(c, 4)) {
            return;
        }
        parse_copy(&key->mpls_lse[i], c->p, 4);
        if (c->p[2] & 1) {
            return;
        }
        parse_pull(c, 4);
    }
}

static __always_inline void
parse_arp(struct parse_cursor *c, struct xdp_flow_key *key)
{
    const __u8 *p = c->p;

    if (!PARSE_CAN_READ(c, 28)
        || parse_be16(p) != 1 || parse_be16(p + 2) != 0x800
        || p[4] != 6 || p[5] != 4) {
        return;
    }
    if (!p[6]) {
        key->nw_proto = p[7];
    }
    __builtin_memcpy(key->arp_sha, p + 8, 6);
    __builtin_memcpy(&key->nw_src, p + 14, 4);
    __builtin_memcpy(key->arp_tha, p + 18, 6);
    __builtin_memcpy(&key->nw_dst, p + 24, 4);
}

/* Bytes behind the cursor, of the whole frame, whose length goes to '*len'. */
static __always_inline void
parse_whole(void *ctx, const __u8 *data, struct parse_cursor *c, __u32 *len)
{
    *len = PARSE_WHOLE_LEN(ctx, *len);
    c->left = *len - (c->p - data);
}

/* Returns 1 if L4 follows, -1 if userspace has to look.
 *
 * What is readable may have no more than the frame's padding behind the packet;
 * the rest is elsewhere if the packet goes on or there is more than a padding. */
static __always_inline int
parse_ipv4(void *ctx, const __u8 *data, struct parse_cursor *c, __u32 *len,
           struct xdp_flow_key *key)
{
    const __u8 *p = c->p;
    __u32 ihl, total;
    __u16 frag;

    if (!PARSE_CAN_READ(c, 20)) {
        parse_whole(ctx, data, c, len);
        return PARSE_CANNOT(c, 20);
    }
    ihl = (p[0] & 15) * 4;
    total = parse_be16(p + 2);
    if (__builtin_expect(c->left - total > PARSE_PAD_MAX, 0)) {
        parse_whole(ctx, data, c, len);
    }
    if (ihl < 20 || c->left < ihl || total > c->left || ihl > total
        || c->left - total > 0xffff) {
        parse_whole(ctx, data, c, len);
        return 0;
    }
    c->left = total;
    parse_copy(&key->nw_src, p + 12, 8);        /* And nw_dst. */
    key->nw_tos = p[1];
    key->nw_ttl = p[8];
    key->nw_proto = p[9];
    frag = parse_be16(p + 6);
    if (frag & 0x3fff) {
        key->nw_frag = XDP_FRAG_ANY | (frag & 0x1fff ? XDP_FRAG_LATER : 0);
    }
    parse_pull(c, ihl);
    return 1;
}

/* Follows IPv6 extension headers from offset 'ofs' on, where one of type
 * 'proto' is; 'left' bytes of the payload are left.  Returns 0 if one is
 * truncated, PARSE_EXT_DEEP if they go on beyond the limits or where they cannot
 * be read, else the protocol
 * behind them, whether the packet is a fragment, and where they end, by the
 * shifts below, and PARSE_EXT_ROUTING for a routing header with segments
 * left.
 *
 * The loop has its condition at the end so that it goes back by a jump: Linux
 * before 6.7 (check_cfg()) refuses a loop that falls through to its head. */
#define PARSE_EXT_FRAG_SHIFT 8
#define PARSE_EXT_OFS_SHIFT 12
#define PARSE_EXT_ROUTING (1u << 28)
#define PARSE_EXT_DEEP (1u << 29)
#define PARSE_EXT_OK (1u << 30)

static __always_inline int
parse_is_ipv6_ext(__u32 proto)
{
    return proto == 0 || proto == 43 || proto == 44 || proto == 51
           || proto == 60;
}

static __always_inline __u32
parse_ipv6_ext(const __u8 *data, const __u8 *data_end, __u32 ofs, __u32 left,
               __u32 proto)
{
    __u32 frag = 0, flags = PARSE_EXT_OK;
    int i = 0;

    do {
        const __u8 *p = data + (ofs & PARSE_MAX_OFS);
        __u32 n;

        if (i++ == PARSE_IPV6_EXT_MAX) {
            return PARSE_EXT_DEEP;
        }
        if (left < 8) {
            return 0;
        }
        if (p + 8 > data_end) {
            return PARSE_EXT_DEEP;
        }
        if (proto == 44) {
            __u16 frag_ofs = parse_be16(p + 2);

            n = 8;
            proto = p[0];
            if (frag_ofs) {
                frag = XDP_FRAG_ANY;
                if (frag_ofs & 0xfff8) {
                    ofs += 8;
                    frag |= XDP_FRAG_LATER;
                    proto = 44;
                    break;
                }
            }
        } else {
            n = proto == 51 ? (p[1] + 2) * 4 : (p[1] + 1) * 8;
            if (proto == 43 && p[3]) {
                flags |= PARSE_EXT_ROUTING;
            }
            proto = p[0];
        }
        if (n > left) {
            return 0;
        }
        if (ofs + n > PARSE_MAX_OFS) {
            return PARSE_EXT_DEEP;
        }
        ofs += n;
        left -= n;
    } while (parse_is_ipv6_ext(proto));
    return flags | ofs << PARSE_EXT_OFS_SHIFT
           | frag << PARSE_EXT_FRAG_SHIFT | proto;
}

/* Returns 1 if L4 follows, -1 if userspace has to look. */
static __always_inline int
parse_ipv6(void *ctx, const __u8 *data, struct parse_cursor *c, __u32 *len,
           struct xdp_flow_key *key, struct xdp_offsets *offsets)
{
    const __u8 *p = c->p;
    __u32 plen;
    __u8 proto, frag = 0;
    __u8 tos, ttl;
    __u32 label;

    if (!PARSE_CAN_READ(c, 40)) {
        parse_whole(ctx, data, c, len);
        return PARSE_CANNOT(c, 40);
    }
    plen = parse_be16(p + 4);
    if (__builtin_expect(c->left - (plen + 40) > PARSE_PAD_MAX, 0)) {
        parse_whole(ctx, data, c, len);
    }
    if (plen + 40 > c->left || c->left - (plen + 40) > 0xffff) {
        return 0;
    }
    parse_copy(key->ipv6_src, p + 8, 32);       /* And ipv6_dst. */
    tos = p[0] << 4 | p[1] >> 4;
    label = (__u32) (p[1] & 15) << 16 | (__u32) p[2] << 8 | p[3];
    proto = p[6];
    ttl = p[7];
    parse_pull(c, 40);
    c->left = plen;

    if (parse_is_ipv6_ext(proto)) {
        __u32 ext = PARSE_IPV6_EXT(ctx, c->p - data, plen, proto, data, c->end);
        __u32 ofs = (ext >> PARSE_EXT_OFS_SHIFT) & PARSE_MAX_OFS;

        if (!(ext & PARSE_EXT_OK)) {
            return ext ? -1 : 0;
        }
        offsets->routing = !!(ext & PARSE_EXT_ROUTING);
        proto = ext & 0xff;
        frag = (ext >> PARSE_EXT_FRAG_SHIFT) & 3;
        c->left -= ofs - (c->p - data);
        c->p = data + ofs;
    }
    key->nw_tos = tos;
    key->nw_ttl = ttl;
    key->nw_proto = proto;
    key->nw_frag = frag;
    key->ipv6_label = __builtin_bswap32(label);
    return 1;
}

static __always_inline int
parse_mac_is_zero(const __u8 *mac)
{
    return !(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

/* Target and options of a neighbour solicitation or advertisement, at offset
 * 'ofs', with 'left' bytes.  Returns -1 if there are too many options or they
 * cannot be read, else 0. */
static __always_inline int
parse_nd(const __u8 *data, const __u8 *data_end, __u32 ofs, __u32 left,
         struct xdp_flow_key *key)
{
    const __u8 *p = data + (ofs & PARSE_MAX_OFS);

    if (left < 16) {
        return 0;
    }
    if (p + 16 > data_end) {
        return -1;
    }
    parse_copy(key->nd_target, p, 16);
    ofs += 16;
    left -= 16;
    for (int i = 0;; i++) {
        __u32 len;
        __u8 type;

        if (left < 8) {
            return 0;
        }
        p = data + (ofs & PARSE_MAX_OFS);
        if (i == PARSE_ND_OPT_MAX || ofs > PARSE_MAX_OFS - 8
            || p + 8 > data_end) {
            return -1;
        }
        type = p[0];
        len = p[1] * 8;
        if (!len || len > left) {
            return 0;
        }
        if (len == 8 && (type == 1 || type == 2)) {
            __u8 *mac = type == 1 ? key->arp_sha : key->arp_tha;

            if (!parse_mac_is_zero(mac)) {      /* Twice: none is valid. */
                __builtin_memset(key->nd_target, 0, 16);
                __builtin_memset(key->arp_sha, 0, 6);
                __builtin_memset(key->arp_tha, 0, 6);
                return 0;
            }
            __builtin_memcpy(mac, p + 2, 6);
        }
        ofs += len;
        left -= len;
    }
}

/* Returns 1 if the header's fixed part was there, -1 if userspace has to
 * look. */
static __always_inline int
parse_l4(void *ctx, const __u8 *data, struct parse_cursor *c,
         struct xdp_flow_key *key)
{
    const __u8 *p = c->p;

    switch (key->nw_proto) {
    case 6: {
        __u32 len;

        if (!PARSE_CAN_READ(c, 20)) {
            return PARSE_CANNOT(c, 20);
        }
        len = (p[12] >> 4) * 4;
        if (len < 20 || len > c->left) {
            return 1;       /* No key, but a checksum of the addresses. */
        }
        key->tcp_flags = PARSE_HTONS(parse_be16(p + 12) & 0xfff);
        break;
    }
    case 17:
        if (!PARSE_CAN_READ(c, 8)) {
            return PARSE_CANNOT(c, 8);
        }
        break;
    case 132:
        if (!PARSE_CAN_READ(c, 12)) {
            return PARSE_CANNOT(c, 12);
        }
        break;
    case 1:
        if (!PARSE_CAN_READ(c, 8)) {
            return PARSE_CANNOT(c, 8);
        }
        key->tp_src = PARSE_HTONS(p[0]);
        key->tp_dst = PARSE_HTONS(p[1]);
        return 1;
    case 58:
        if (!PARSE_CAN_READ(c, 8)) {
            return PARSE_CANNOT(c, 8);
        }
        key->tp_src = PARSE_HTONS(p[0]);
        key->tp_dst = PARSE_HTONS(p[1]);
        if (!p[1] && (p[0] == 135 || p[0] == 136)) {
            return PARSE_ND(ctx, p + 8 - data, c->left - 8, data, c->end, key)
                   ? -1 : 1;
        }
        return 1;
    default:
        return 0;
    }
    parse_copy(&key->tp_src, p, 4);             /* And tp_dst. */
    return 1;
}

/* The verifier forgets what it knows of a number that went through a map, so
 * that the paths that lead here become one again. */
static __always_inline __u32
parse_forget(volatile __u16 *cell, __u32 value, __u32 max)
{
    *cell = value;
    return *cell & max;
}

/* Fills in the packet's fields of '*key', which must be zero but for the
 * metadata and a VLAN tag that came beside the frame, from the frame that
 * begins at 'data_', of which the bytes up to 'data_end' can be read and whose
 * length is at least '*len', which becomes the whole.  At most 'n_vlans' tags (1 or 2) are told apart from
 * what follows, as Open vSwitch's vlan-limit says.  'ctx' is for PARSE_IPV6_EXT
 * and PARSE_ND.  Returns 0, PARSE_SHORT if there is no whole Ethernet header,
 * or PARSE_DEEP if only userspace can tell the key. */
static __always_inline int
parse_frame(void *ctx, const void *data_, const void *data_end, __u32 *len,
            __u32 n_vlans, struct xdp_flow_key *key,
            struct xdp_offsets *offsets)
{
    const __u8 *data = data_;
    struct parse_cursor c = { .p = data, .end = data_end, .left = *len };
    __u32 ofs;
    __u16 type;
    int more;

    offsets->l3 = offsets->l4 = offsets->routing = 0;
    if (!PARSE_CAN_READ(&c, 14)) {
        return PARSE_SHORT;
    }
    key->eth_type = PARSE_HTONS(parse_l2(&c, n_vlans, key));
    type = PARSE_HTONS(*(volatile __u16 *) &key->eth_type);
    ofs = parse_forget(&offsets->l3, c.p - data, 63);
    c.p = data + ofs;
    c.left = *len - ofs;
    if (type != 0x800 && type != 0x86dd) {
        parse_whole(ctx, data, &c, len);
        if (c.p + PARSE_L2_MAX > c.end && c.left > (__u32) (c.end - c.p)) {
            offsets->l3 = 0;
            return PARSE_DEEP;
        }
        if (type == 0x8847 || type == 0x8848) {
            parse_mpls(&c, key);
        } else if (type == 0x806 || type == 0x8035) {
            parse_arp(&c, key);
            return 0;
        }
        offsets->l3 = 0;
        return 0;
    }
    more = (type == 0x800 ? parse_ipv4(ctx, data, &c, len, key)
            : parse_ipv6(ctx, data, &c, len, key, offsets));
    if (more <= 0) {
        offsets->l3 = 0;
        return more ? PARSE_DEEP : 0;
    }
    ofs = parse_forget(&offsets->l4, c.p - data, PARSE_MAX_OFS);
    c.p = data + ofs;
    more = key->nw_frag & XDP_FRAG_LATER ? 0 : parse_l4(ctx, data, &c, key);
    if (more <= 0) {
        offsets->l4 = 0;
    }
    return more < 0 ? PARSE_DEEP : 0;
}

#endif /* parse.h */
