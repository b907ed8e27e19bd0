/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The one definition of everything that the BPF programs in bpf/ and the
 * userspace half in datapath/ and upcall/ share: the flow key, the flow table,
 * the action encoding, the headers that frames carry between both sides, and
 * the counters.  Included by both; only fixed-size types, explicit padding.
 * Multi-byte protocol fields are in network byte order (__be*), everything
 * else in host byte order. */
#ifndef OVS_XDP_ABI_H
#define OVS_XDP_ABI_H 1

#include <linux/types.h>

/* Version of all that is pinned.  Bump it on any change to this file that
 * changes a layout or a meaning; pins of another version are not adopted. */
#define XDP_ABI_VERSION 7

#define XDP_MAX_PORTS   4096        /* Port numbers are 0...XDP_MAX_PORTS-1. */
#define XDP_MAX_FLOWS   262144      /* Above OVS's default flow-limit. */
#define XDP_MAX_MASKS   8192
#define XDP_MAX_OPS     1048576     /* Pool of compiled actions. */
#define XDP_FLOW_MAX_OPS 32         /* Of one flow; longer: userspace path. */
#define XDP_MAX_RECIRC  8           /* Rounds of lookup for one packet. */
#define XDP_MAX_GROUPS  4096        /* Sets of ports that get one frame. */

/* Flow key.
 *
 * 30 words of 64 bits.  Fields that a packet does not have are zero, as in Open
 * vSwitch's struct flow.  The first words are those that most megaflows match;
 * a mask with bits in others is "wide".  XDP_KEY_SEQ changes with every change
 * of the fields; each function that enumerates them asserts its value. */
#define XDP_KEY_SEQ   2
#define XDP_KEY_WORDS 30
#define XDP_HOT_WORDS 6

/* 'nw_frag': as FLOW_NW_FRAG_ANY and _LATER in Open vSwitch. */
#define XDP_FRAG_ANY   1
#define XDP_FRAG_LATER 2

struct xdp_flow_key {
    /* Words 0-1: metadata, and what the packet is. */
    __u32 in_port;
    __u32 recirc_id;
    __be16 eth_type;        /* After the VLAN tags; 0x05ff: 802.2 w/o SNAP. */
    __u8 nw_proto;          /* IP protocol, or low byte of the ARP opcode. */
    __u8 nw_frag;           /* XDP_FRAG_*. */
    __u32 skb_mark;
    /* Words 2-3: Ethernet and VLAN. */
    __u8 dl_dst[6];
    __u8 dl_src[6];
    __be16 vlan_tpid;       /* Outer tag; 0 if there is none. */
    __be16 vlan_tci;        /* With bit 0x1000 set if there is a tag. */
    /* Words 4-5: IPv4, ARP, L4. */
    __be32 nw_src;          /* IPv4 or ARP. */
    __be32 nw_dst;
    __u8 nw_tos;
    __u8 nw_ttl;
    __be16 tcp_flags;       /* 12 bits. */
    __be16 tp_src;          /* Or ICMP type. */
    __be16 tp_dst;          /* Or ICMP code. */
    /* Words 6-7: metadata, inner VLAN tag. */
    __u32 priority;
    __u32 dp_hash;
    __be16 cvlan_tpid;
    __be16 cvlan_tci;
    __be32 ipv6_label;
    /* Words 8-13: IPv6 and ND. */
    __u8 ipv6_src[16];
    __u8 ipv6_dst[16];
    __u8 nd_target[16];
    /* Words 14-15: ARP and ND link-layer addresses. */
    __u8 arp_sha[6];        /* Or ND SLL. */
    __u8 arp_tha[6];        /* Or ND TLL. */
    __u8 reserved0[4];
    /* Words 16-20: connection tracking (its place is kept; zero for now). */
    __u32 ct_state;
    __u16 ct_zone;
    __u8 ct_nw_proto;
    __u8 reserved1;
    __u32 ct_mark;
    __be16 ct_tp_src;
    __be16 ct_tp_dst;
    __u8 ct_label[16];
    __be32 ct_nw_src;
    __be32 ct_nw_dst;
    /* Words 21-27: tunnel metadata (its place is kept; zero for now). */
    __be64 tun_id;
    __be32 tun_src;
    __be32 tun_dst;
    __u8 tun_ipv6_src[16];
    __u8 tun_ipv6_dst[16];
    __u16 tun_flags;
    __u8 tun_tos;
    __u8 tun_ttl;
    __be16 tun_tp_src;
    __be16 tun_tp_dst;
    /* Words 28-29: MPLS, outermost label first; more of the tunnel. */
    __be32 mpls_lse[3];
    __be16 tun_gbp_id;
    __u8 tun_gbp_flags;
    __u8 reserved2;
};
#ifndef __cplusplus
_Static_assert(sizeof(struct xdp_flow_key) == XDP_KEY_WORDS * 8, "key size");
#endif

/* Flow table.
 *
 * One bucketed hash table in an mmapable array ("xdp_buckets"), which
 * userspace alone writes, by aligned 64-bit stores.  A key's hash under a mask
 * is
 *
 *     h = XDP_HASH_SEED ^ mask_id; for each word i of the mask, ascending:
 *     h = rotl64(h ^ (key[i] & bits), 29) * XDP_HASH_MULT;
 *     then h ^= h >> 32;
 *
 * The candidate buckets are (h & XDP_BUCKET_MASK) and
 * ((h >> 20) & XDP_BUCKET_MASK).  A slot is 0 when it is free, else
 * ((h >> 32) << 32 | flow index): flow index 0 is never used.  A reader
 * compares the tag, then the flow's mask_id and masked key words.  To
 * insert: write flow and ops, then mask_id, then the slot.  To delete: clear
 * mask_id and the slot, wait for a grace period, then reuse the flow's index
 * and its ops.  So a reader may keep a flow index for as long as it likes: what
 * matches the flow's mask_id and key is that flow. */
#define XDP_HASH_SEED     0x9e3779b97f4a7c15ULL
#define XDP_HASH_MULT     0xff51afd7ed558ccdULL
#define XDP_BUCKET_SLOTS  8
#define XDP_BUCKETS       65536
#define XDP_BUCKET_MASK   (XDP_BUCKETS - 1)

struct xdp_bucket {                     /* Map "xdp_buckets". */
    __u64 slots[XDP_BUCKET_SLOTS];
};

/* Map "xdp_flows", by flow index: one cache line, and many of them in a page,
 * for a lookup among many flows is as fast as caches and TLB allow. */
struct xdp_flow {
    __u32 mask_id;                      /* 0: not in use. */
    __u32 reserved;
    /* Changed by one 64-bit store: first op in "xdp_ops" and number of ops,
     * ops_off << 32 | n_ops; or XDP_OPS_OUTPUT | port when all that there is to
     * do is one output, and then there are no ops. */
    __u64 ops;
    __u64 key[XDP_HOT_WORDS];           /* Masked; the key's first words. */
};
struct xdp_flow_wide {                  /* Map "xdp_flows_wide", too. */
    __u64 key[XDP_KEY_WORDS - XDP_HOT_WORDS];
};
#define XDP_OPS_OUTPUT 0x80000000u

struct xdp_mask {                       /* Map "xdp_masks", by mask id. */
    __u32 n_words;                      /* Words that have bits. */
    __u32 wide;                         /* 1: some beyond XDP_HOT_WORDS. */
    __u64 bits[XDP_KEY_WORDS];          /* By word number. */
    __u8 words[32];                     /* The words, ascending. */
};

/* Mask ids are 1...XDP_MAX_MASKS-1.  A mask that is not in use has no words.
 *
 * Each port has a list of the masks of its flows: what one port's traffic makes
 * userspace install does not slow the others down.  Entry XDP_ANY_PORT of map
 * "xdp_port_masks" is for flows that do not match on the port.  A list is made
 * of links in the array "xdp_mask_links"; a link is next << 32 | mask_id, and
 * number 0 ends the list. */
#define XDP_MASK_LINKS 65536
#define XDP_ANY_PORT   XDP_MAX_PORTS

/* 'bits' has at least the bits of all the port's masks in the key's first words:
 * packets that are equal under it share a hint.  They match the same flow, unless
 * masks differ in later words (ND, ARP's link-layer addresses). */
#define XDP_HINT_WORDS 12
struct xdp_port_masks {
    __u32 head;                         /* First link. */
    __u32 wide;                         /* 1: 'bits' beyond XDP_HOT_WORDS. */
    __u64 bits[XDP_HINT_WORDS];
};

/* Map "xdp_stats" has XDP_MAX_FLOWS entries for each possible CPU: that of flow
 * 'idx' on CPU 'cpu' is at cpu * XDP_MAX_FLOWS + idx.  A plain array of all
 * CPUs, unlike a per-CPU one, is made at once and can be mapped: statistics cost
 * userspace no system call. */
struct xdp_flow_stats {
    __u64 packets;
    __u64 bytes;                        /* Frame length, without FCS. */
    __u64 used;                         /* bpf_jiffies64(); 0: never. */
    __u16 tcp_flags;                    /* Host order, ORed. */
    __u16 reserved[3];
};

struct xdp_config {                     /* Map "xdp_config", 1 entry, mmaped. */
    __u32 abi_version;
    __u32 trap_ifindex;                 /* Our side of the trap veth. */
    __u32 upcalls_enabled;              /* 0: misses are dropped, counted. */
    __u32 upcall_rate;                  /* Tokens per jiffy and port; 0: no limit. */
    __u32 upcall_burst;
    __u32 hz;                           /* Jiffies per second. */
    __u32 vlan_limit;                   /* VLAN tags in a key: 1 or 2. */
    __u32 n_policers;                   /* Ports with ingress policing. */
};

/* Which port a device is: port number + 1, 0 for none.  Map "xdp_ifindexes" has
 * the devices with an index below XDP_MAX_IFINDEX, "xdp_ifindexes_high" the
 * others. */
#define XDP_MAX_IFINDEX 65536

/* Map "xdp_port_table", by port number; mmaped. */
struct xdp_port {
    __u32 ifindex;                      /* 0: no port. */
    __u32 flags;                        /* XDP_PORT_F_*. */
};
#define XDP_PORT_F_STACK 1              /* Takes no XDP frames: its frames go
                                         * through the network stack. */
#define XDP_PORT_F_GENERIC 2            /* In generic XDP mode. */

/* What is behind the port's device, if that is a veth with its other end (the
 * peer) in another network namespace: map "xdp_peers", by port number.  Frames
 * that TC has for the peer's address go straight to it, and are counted in map
 * "xdp_peer_tx", by port number and CPU. */
struct xdp_peer {
    __u32 max_len;                      /* Of a frame, if it is not segmented;
                                         * 0: all go through the device. */
    __u8 mac[6];
    __u8 reserved[6];
};
#define XDP_PEER_LINK_HEADER 18         /* Of a frame beyond the MTU: Ethernet
                                         * header, a VLAN tag. */
struct xdp_peer_tx {
    __u64 packets;
    __u64 bytes;
};

/* Ingress policing, map "xdp_policers", by port number: a generic cell rate
 * algorithm for bytes and one for packets.  Each byte (packet) moves the time at
 * which the next is due by 'cost'; a frame that is due later than 'now' is
 * dropped, and one that is overdue by more than 'burst' counts as if it were by
 * just that. */
struct xdp_rate {
    __u64 cost;                         /* ns; for bytes, 1/1024 ns; 0: no
                                         * limit. */
    __u64 burst;                        /* ns. */
    __u64 due;                          /* bpf_ktime_get_ns(); by BPF. */
};
struct xdp_policer {
    struct xdp_rate bytes;
    struct xdp_rate packets;
};

/* Compiled actions.  An op is 16 bytes; a set of a field wider than 'data'
 * is split up. */
enum xdp_op_type {
    XDP_OP_END = 0,         /* Stop here: drop what was not output.  arg is
                             * userspace's: why it wanted that. */
    XDP_OP_OUTPUT,          /* arg = port; ends the list (the frame leaves). */
    XDP_OP_OUTPUT_COPY,     /* arg = port; a copy leaves, as it is now. */
    XDP_OP_GROUP,           /* arg = id in "xdp_groups".  First op of a list
                             * with copies: XDP cannot clone a frame, but sends
                             * it to all devices of a group at once, and on each
                             * of them runs the ops up to its own output.
                             * data[0] = XDP_GROUP_F_*. */
    XDP_OP_SET_ETH_DST,     /* data = 6 bytes, arg low 6 bits: mask by byte. */
    XDP_OP_SET_ETH_SRC,
    XDP_OP_PUSH_VLAN,       /* data[0..1] = TPID, data[2..3] = TCI (be16). */
    XDP_OP_POP_VLAN,
    XDP_OP_SET_IPV4_SRC,    /* data[0..3] = value, data[4..7] = mask. */
    XDP_OP_SET_IPV4_DST,
    XDP_OP_SET_IPV4_TOS,    /* data[0] = value, data[1] = mask. */
    XDP_OP_SET_IPV4_TTL,
    XDP_OP_SET_IPV6_SRC,    /* arg = word 0...3; data = value, mask (be32). */
    XDP_OP_SET_IPV6_DST,
    XDP_OP_SET_IPV6_TCLASS, /* data[0] = value, data[1] = mask. */
    XDP_OP_SET_IPV6_HLIMIT,
    XDP_OP_SET_IPV6_LABEL,  /* data[0..3] = value, data[4..7] = mask (be32). */
    XDP_OP_SET_TP_SRC,      /* TCP or UDP; data[0..1] value, data[2..3] mask. */
    XDP_OP_SET_TP_DST,
    XDP_OP_SET_MARK,        /* arg = value, data[0..3] = mask (host u32). */
    XDP_OP_SET_PRIORITY,
    XDP_OP_HASH,            /* arg = basis: dp_hash from L2-L4 fields. */
    XDP_OP_RECIRC,          /* arg = recirc_id; ends the list. */
    XDP_OP_USERSPACE,       /* The packet as it is now goes to userspace, which
                             * runs the netlink actions from the one that 'arg'
                             * numbers (0-based) on; ends the list. */
    XDP_OP_USERSPACE_COPY,  /* A copy goes to userspace, which runs the one
                             * netlink action that 'arg' numbers. */
    XDP_OP_N
};

#define XDP_GROUP_F_STACK 1             /* A member is XDP_PORT_F_STACK. */

struct xdp_op {                         /* Map "xdp_ops". */
    __u8 type;                          /* enum xdp_op_type. */
    __u8 reserved[3];
    __u32 arg;
    __u8 data[8];
};

/* Frames between BPF and userspace.
 *
 * A veth pair of ours, the "trap", connects both sides.  BPF pushes a struct
 * xdp_upcall_hdr in front of a frame and redirects it to the trap; userspace
 * reads it from an AF_XDP socket on the far side (a frame that does not fit in
 * one UMEM frame is passed to an AF_PACKET socket there).  Userspace sends
 * struct xdp_inject_hdr + frame the other way. */
#define XDP_UPCALL_MAGIC 0x6f787550u
#define XDP_INJECT_MAGIC 0x6f78496eu

enum xdp_upcall_reason {
    XDP_UPCALL_MISS = 1,    /* No megaflow. */
    XDP_UPCALL_ACTION,      /* XDP_OP_USERSPACE: actions from one on. */
    XDP_UPCALL_COPY,        /* XDP_OP_USERSPACE_COPY: one action. */
};

#define XDP_UPCALL_VLANS 5

struct xdp_upcall_hdr {                 /* 64 bytes. */
    __u32 magic;                        /* XDP_UPCALL_MAGIC. */
    __u32 reason;
    __u32 in_port;
    __u32 recirc_id;
    __u32 skb_mark;
    __u32 priority;
    __u32 dp_hash;
    __u32 len;                          /* Of the frame behind this header; 0 if
                                         * the kernel may have segmented it. */
    __u32 flow;                         /* Flow index; 0 for a miss. */
    __u32 next_action;                  /* The op's arg; 0 for a miss. */
    __u32 depth;                        /* Recirculations so far. */
    /* VLAN tags that were beside the frame, outermost first; TPID 0: none. */
    struct {
        __be16 tpid;
        __be16 tci;
    } vlans[XDP_UPCALL_VLANS];
};

enum xdp_inject_mode {
    XDP_INJECT_OUTPUT = 1,  /* Send to 'port' as it is. */
    XDP_INJECT_PIPELINE,    /* Look up with in_port = 'port'. */
};

struct xdp_inject_hdr {                 /* 64 bytes. */
    __u32 magic;                        /* XDP_INJECT_MAGIC. */
    __u32 mode;
    __u32 port;
    __u32 recirc_id;
    __u32 skb_mark;
    __u32 priority;
    __u32 dp_hash;
    __u32 depth;
    __u32 reserved[8];
};
#ifndef __cplusplus
_Static_assert(sizeof(struct xdp_upcall_hdr) == 64, "upcall header");
_Static_assert(sizeof(struct xdp_inject_hdr) == 64, "inject header");
_Static_assert(sizeof(struct xdp_op) == 16, "op");
_Static_assert(sizeof(struct xdp_bucket) == 64, "bucket");
_Static_assert(sizeof(struct xdp_flow) == 64, "flow");
#endif

/* Why a frame was dropped: name, explanation.  Append only. */
#define XDP_DROP_REASONS(X)                                                \
    X(ACTION,       "the flow's actions end without an output")            \
    X(TRUNCATED,    "frame shorter than an Ethernet header")               \
    X(NO_USERSPACE, "miss or userspace action while no ovs-vswitchd runs") \
    X(RATE_LIMIT,   "port sent more upcalls than its token bucket allows") \
    X(UPCALL,       "upcall could not be sent to userspace")               \
    X(RECIRC_LIMIT, "too many recirculations")                             \
    X(NO_PORT,      "output to a port that does not exist")                \
    X(HEADROOM,     "no room to push a header")                            \
    X(MALFORMED,    "action needs a header that the frame does not have")  \
    X(TAIL_CALL,    "a pipeline stage is missing")                         \
    X(BAD_INJECT,   "bad header on a frame from userspace")                \
    X(INTERNAL,     "internal error")                                      \
    X(HANDOVER,     "frame passed up that XDP has not classified")         \
    X(POLICED,      "port sent more than its ingress policing allows")     \
    X(NO_IN_PORT,   "frame of a device that is no longer a port")          \
    X(METADATA,     "driver keeps no metadata for a frame that TC delivers")

enum xdp_drop_reason {
#define XDP_DROP_ENUM(NAME, TEXT) XDP_DROP_##NAME,
    XDP_DROP_REASONS(XDP_DROP_ENUM)
#undef XDP_DROP_ENUM
    XDP_N_DROP_REASONS
};

/* Events: name, explanation.  Append only.  BPF counts a lookup that a hint
 * answers as a CACHE_HIT alone; userspace adds it to HIT and MASK_HIT. */
#define XDP_COUNTERS(X)                                                    \
    X(RX,         "frames received on ports")                              \
    X(FORWARDED,  "frames redirected to a port by BPF")                    \
    X(HIT,        "lookups that found a megaflow")                         \
    X(MISS,       "lookups that found none")                               \
    X(MASK_HIT,   "masks tried by all lookups")                            \
    X(CACHE_HIT,  "lookups answered by a hint")             \
    X(UPCALL,     "frames sent to userspace")                              \
    X(INJECT,     "frames sent by userspace")                              \
    X(RECIRC,     "recirculations")

enum xdp_counter {
#define XDP_COUNTER_ENUM(NAME, TEXT) XDP_COUNTER_##NAME,
    XDP_COUNTERS(XDP_COUNTER_ENUM)
#undef XDP_COUNTER_ENUM
    XDP_N_COUNTERS
};

/* Map "xdp_cpus" has an entry for each possible CPU, which begins with this. */
struct xdp_counters {
    __u64 n[XDP_N_COUNTERS];            /* By enum xdp_counter. */
    __u64 drops[XDP_N_DROP_REASONS];    /* By enum xdp_drop_reason. */
};

/* Entries of the PROG_ARRAY "xdp_stages": the program "stage_<name>". */
enum xdp_stage {
    XDP_STAGE_RECIRC,       /* Metadata is in scratch; parse, look up. */
    XDP_STAGE_ACTIONS,
    XDP_STAGE_N = 16
};

#endif /* ovs-xdp-abi.h */
