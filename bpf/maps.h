/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Every map, with who writes and who reads it.  All are pinned, under their
 * names, in the datapath's bpffs folder, and outlive ovs-vswitchd.
 *
 * What belongs to one CPU is in plain arrays with entries for every CPU: their
 * lookups are inlined on every supported kernel, which those of per-CPU arrays
 * are not, and userspace maps them into its memory. */
#ifndef MAPS_H
#define MAPS_H 1

#include "ctx.h"
#include "ovs-xdp-abi.h"

int parse_ipv6_ext_global(ctx_t *ctx, __u32 ofs, __u32 left, __u32 proto);
int parse_nd_global(ctx_t *ctx, __u32 ofs, __u32 left);
#define PARSE_IPV6_EXT(CTX, OFS, LEFT, PROTO, DATA, END) \
	parse_ipv6_ext_global(CTX, OFS, LEFT, PROTO)
#define PARSE_ND(CTX, OFS, LEFT, DATA, END, KEY) \
	parse_nd_global(CTX, OFS, LEFT)
#ifndef OVS_XDP_TC
#define PARSE_WHOLE_LEN(CTX, LEN) bpf_xdp_get_buff_len(CTX)
#endif
#include "parse.h"

/* 262,144 hints in 1 MiB: few enough bytes to stay in caches, and sets so wide that
 * hardly one of them is too small for 100,000 kinds of packets. */
#define XDP_HINT_SETS 16384
#define XDP_HINT_WAYS 16
#define XDP_HINT_FLOW (XDP_MAX_FLOWS - 1)	/* Bits for the flow index. */

struct xdp_hints {		/* One cache line. */
	/* The rest is a tag; 0: none. */
	__u32 hints[XDP_HINT_WAYS];
};
_Static_assert(!(XDP_MAX_FLOWS & XDP_HINT_FLOW), "flow index in a hint");

/* One CPU's counters, and the state of the packet at hand, which is kept over
 * tail calls.  No program of ours interrupts another on its CPU. */
struct xdp_cpu {
	struct xdp_counters counters;
	struct xdp_flow_key key;
	struct xdp_offsets offsets;
	__u32 depth;		/* Recirculations so far. */
	__u32 flow;		/* Index of the flow that matched. */
	__u32 len;		/* Of the frame as it was looked up, with tags. */
	__u32 cpu;		/* Of this entry. */
	__u32 wide;		/* 'key' may have words beyond IPv4's. */
	__u64 ops;		/* Its ops: offset << 32 | count. */
	__u32 handover_port;	/* Of a frame that generic XDP hands over, */
	__u32 handover_len;	/* its length (0: none), */
	__u8 handover_mac[14];	/* its Ethernet header. */
	__u8 reserved[2];
} __attribute__((aligned(64)));

/* Upcall token bucket of one port. */
struct xdp_bucket_rl {
	__u64 stamp;		/* Jiffies of the last refill. */
	__u64 tokens;
};

/* Settings; key 0.  Written by userspace, read by every program. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct xdp_config);
} xdp_config SEC(".maps");

/* Hash table of megaflows: bucket number -> slots.  Written by userspace. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XDP_BUCKETS);
	__type(key, __u32);
	__type(value, struct xdp_bucket);
} xdp_buckets SEC(".maps");

/* Flow index -> megaflow.  Written by userspace. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XDP_MAX_FLOWS);
	__type(key, __u32);
	__type(value, struct xdp_flow);
} xdp_flows SEC(".maps");

/* Flow index -> the rest of the megaflow's key.  Written by userspace. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XDP_MAX_FLOWS);
	__type(key, __u32);
	__type(value, struct xdp_flow_wide);
} xdp_flows_wide SEC(".maps");

/* Mask id -> mask.  Written by userspace. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XDP_MAX_MASKS);
	__type(key, __u32);
	__type(value, struct xdp_mask);
} xdp_masks SEC(".maps");

/* Link of a port's list of masks -> next link << 32 | mask id.  Written by
 * userspace. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XDP_MASK_LINKS);
	__type(key, __u32);
	__type(value, __u64);
} xdp_mask_links SEC(".maps");

/* Port number -> masks of its flows.  Written by userspace. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XDP_ANY_PORT + 1);
	__type(key, __u32);
	__type(value, struct xdp_port_masks);
} xdp_port_masks SEC(".maps");

/* Pool of compiled actions.  Written by userspace. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XDP_MAX_OPS);
	__type(key, __u32);
	__type(value, struct xdp_op);
} xdp_ops SEC(".maps");

/* CPU * XDP_MAX_FLOWS + flow index -> statistics.  Written here, read and reset
 * by userspace, which sets the size. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XDP_MAX_FLOWS);
	__type(key, __u32);
	__type(value, struct xdp_flow_stats);
} xdp_stats SEC(".maps");

/* CPU -> its counters and scratch space.  Written here, read by userspace, which
 * sets the size. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct xdp_cpu);
} xdp_cpus SEC(".maps");

/* Hash of a packet's key -> hints: flows that matched such packets.  Private to
 * BPF, shared by all CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, XDP_HINT_SETS);
	__type(key, __u32);
	__type(value, struct xdp_hints);
} xdp_hints SEC(".maps");

/* Port number -> device and how to reach it.  Written by userspace. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XDP_MAX_PORTS);
	__type(key, __u32);
	__type(value, struct xdp_port);
} xdp_port_table SEC(".maps");

/* Port number -> what is behind its device.  Written by userspace. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, XDP_MAX_PORTS);
	__type(key, __u32);
	__type(value, struct xdp_peer);
} xdp_peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, XDP_MAX_PORTS);
	__type(key, __u32);
	__type(value, struct xdp_peer_tx);
} xdp_peer_tx SEC(".maps");

/* Device -> port number + 1.  Written by userspace. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, XDP_MAX_IFINDEX);
	__type(key, __u32);
	__type(value, __u32);
} xdp_ifindexes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, XDP_MAX_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u32);
} xdp_ifindexes_high SEC(".maps");

/* Port number -> ingress policing.  Rates written by userspace. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XDP_MAX_PORTS);
	__type(key, __u32);
	__type(value, struct xdp_policer);
} xdp_policers SEC(".maps");

/* Port number -> device, for redirection.  Written by userspace. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, XDP_MAX_PORTS);
	__type(key, __u32);
	__type(value, __u32);
} xdp_ports SEC(".maps");

/* Group id -> devices, each with the program "group_egress": the ports to which
 * one frame goes.  Written by userspace. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, XDP_MAX_GROUPS);
	__type(key, __u32);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
		__uint(max_entries, 1);
		__type(key, __u32);
		__uint(value_size, sizeof(struct bpf_devmap_val));
	});
} xdp_groups SEC(".maps");

/* Queue of the trap's far side -> AF_XDP socket; an entry goes with its
 * socket.  Written by userspace. */
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} xdp_xsks SEC(".maps");

/* Key 0 -> near side of the trap.  Written by userspace. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} xdp_trap SEC(".maps");

/* enum xdp_stage -> program "stage_<name>".  Written by userspace. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, XDP_STAGE_N);
	__type(key, __u32);
	__type(value, __u32);
} CTX_STAGES SEC(".maps");

/* Port number -> upcall token bucket.  Private to BPF; races between CPUs only
 * make the limit inexact. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, XDP_MAX_PORTS);
	__type(key, __u32);
	__type(value, struct xdp_bucket_rl);
} xdp_buckets_rl SEC(".maps");

static __always_inline struct xdp_cpu *
cpu_get(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&xdp_cpus, &cpu);
}

/* As cpu_get(), for what begins to work on a packet. */
static __always_inline struct xdp_cpu *
cpu_enter(void)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct xdp_cpu *c = bpf_map_lookup_elem(&xdp_cpus, &cpu);

	if (c)
		c->cpu = cpu;
	return c;
}

static __always_inline void
count(struct xdp_cpu *c, enum xdp_counter counter)
{
	c->counters.n[counter]++;
}

#endif /* maps.h */
