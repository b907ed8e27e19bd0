/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Generator, sink and the bare forwarders that "make bench" compares with. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "../utilities/bench/traffic-abi.h"

char _license[] SEC("license") = "Dual BSD/GPL";

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	__u64 stamp;
	__u32 magic;
	__u8 fill[6];
} __attribute__((packed));
_Static_assert(sizeof(struct frame) == TRAFFIC_FRAME, "frame size");

const volatile struct traffic_config config = {};

/* Key 0 -> state of the generator. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct traffic_gen);
} gen_state SEC(".maps");

/* Key 0 -> frames that the sink received. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} received SEC(".maps");

/* Step of the histogram -> frames. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TRAFFIC_HIST);
	__type(key, __u32);
	__type(value, __u64);
} latency SEC(".maps");

/* ---- Generator: run by BPF_PROG_RUN with live frames -------------------- */

static __always_inline __u16
ip_checksum(const void *ip)
{
	const __u16 *w = ip;
	__u32 sum = 0;
	int i;

	for (i = 0; i < 10; i++)
		sum += w[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

SEC("xdp.frags")
int generate(struct xdp_md *ctx)
{
	struct frame *f = (void *)(long)ctx->data;
	__u32 zero = 0, i;
	struct traffic_gen *g = bpf_map_lookup_elem(&gen_state, &zero);
	__u64 now = 0;
	int k;

	if (!g || (void *)(f + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	if (g->limit && g->sent >= g->limit)
		return XDP_DROP;
	if (config.gap) {
		now = bpf_ktime_get_ns();
		if (now < g->due)
			return XDP_DROP;
		/* What could not be sent for a long time is not made up for. */
		if (now - g->due > 1000000)
			g->due = now;
		g->due += config.gap;
	}
	i = g->next;
	g->next += config.stride;
	if (g->next >= config.flows)
		g->next -= config.flows;
	g->sent++;

	__builtin_memset(f, 0, sizeof *f);
	for (k = 0; k < 6; k++) {
		f->eth.h_dest[k] = config.eth_dst[k];
		f->eth.h_source[k] = config.eth_src[k];
	}
	f->eth.h_proto = bpf_htons(ETH_P_IP);
	*(__u8 *)&f->ip = 0x45;
	f->ip.tot_len = bpf_htons(sizeof *f - sizeof f->eth);
	f->ip.ttl = 64;
	f->ip.protocol = IPPROTO_UDP;
	f->ip.saddr = bpf_htonl(config.src + (i >> 10));
	f->ip.daddr = bpf_htonl(config.dst + (i % config.n_dst) * config.dst_step);
	f->ip.check = ip_checksum((void *)f + sizeof f->eth);
	f->udp.source = bpf_htons(1024 + (i & 1023));
	f->udp.dest = bpf_htons(2000 + i % config.n_dport);
	f->udp.len = bpf_htons(sizeof *f - sizeof f->eth - sizeof f->ip);
	f->magic = TRAFFIC_MAGIC;
	if (config.stamp)
		f->stamp = bpf_ktime_get_ns();
	return XDP_TX;
}

/* ---- Sink ---------------------------------------------------------------- */

static __always_inline void
add(void *map, __u32 key)
{
	__u64 *n = bpf_map_lookup_elem(map, &key);

	if (n)
		(*n)++;
}

SEC("xdp.frags")
int sink(struct xdp_md *ctx)
{
	struct frame *f = (void *)(long)ctx->data;

	if ((void *)(f + 1) > (void *)(long)ctx->data_end ||
	    f->magic != TRAFFIC_MAGIC)
		return XDP_PASS;
	add(&received, 0);
	if (f->stamp)
		add(&latency, traffic_hist_step(bpf_ktime_get_ns() - f->stamp));
	return XDP_DROP;
}

/* ---- Bare forwarders ------------------------------------------------------ */

/* Receiving device -> device to send to. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, TRAFFIC_PORTS);
	__type(key, __u32);
	__type(value, __u32);
} forward_to SEC(".maps");

SEC("xdp.frags")
int forward_xdp(struct xdp_md *ctx)
{
	return bpf_redirect_map(&forward_to, ctx->ingress_ifindex, 0);
}

/* Every device but the first.  No larger than need be: a broadcast looks at all
 * entries. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 17);
	__type(key, __u32);
	__type(value, __u32);
} flood_to SEC(".maps");

SEC("xdp.frags")
int flood_xdp(struct xdp_md *ctx)
{
	return bpf_redirect_map(&flood_to, 0, BPF_F_BROADCAST);
}

/* Receiving device -> device to send to; for flood_tc, position -> device. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TRAFFIC_PORTS);
	__type(key, __u32);
	__type(value, __u32);
} forward_to_tc SEC(".maps");

SEC("tc")
int forward_tc(struct __sk_buff *skb)
{
	__u32 key = skb->ifindex;
	__u32 *to = bpf_map_lookup_elem(&forward_to_tc, &key);

	return to && *to ? bpf_redirect(*to, 0) : TC_ACT_SHOT;
}

SEC("tc")
int flood_tc(struct __sk_buff *skb)
{
	int i;

	/* The address of 'i' must not be taken: the verifier would lose it. */
	for (i = 0; i < 16; i++) {
		__u32 key = i;
		__u32 *to = bpf_map_lookup_elem(&forward_to_tc, &key);

		if (!to || !*to)
			break;
		bpf_clone_redirect(skb, *to, 0);
	}
	return TC_ACT_SHOT;
}

/* For devices that must receive redirected frames. */
SEC("xdp.frags")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}
