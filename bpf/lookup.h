/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Flow key to megaflow.  The layout of the table and its hash are in
 * ovs-xdp-abi.h.  Megaflows do not overlap, so the first match is the match. */
#ifndef LOOKUP_H
#define LOOKUP_H 1

#include <linux/if_ether.h>
#include "maps.h"

static __always_inline __u64
rotl64(__u64 x, int n)
{
	return x << n | x >> (64 - n);
}

static __always_inline __u64
key_hash(const struct xdp_flow_key *key, const struct xdp_mask *mask,
	 __u32 mask_id)
{
	const __u64 *words = (const __u64 *)key;
	__u64 h = XDP_HASH_SEED ^ mask_id;
	__u32 i;

	for (i = 0; i < XDP_KEY_WORDS; i++) {
		__u32 w;

		if (i >= mask->n_words)
			break;
		w = mask->words[i] & 31;
		if (w >= XDP_KEY_WORDS)
			break;
		h = rotl64(h ^ (words[w] & mask->bits[w]), 29) * XDP_HASH_MULT;
	}
	return h ^ h >> 32;
}

/* What flow_check() returns with the ops of a flow. */
#define OPS_FOUND 0x40000000u

/* Compares the key's words that are in struct xdp_flow. */
static __always_inline __u64
diff_hot(const struct xdp_flow_key *key, const struct xdp_mask *mask,
	 const struct xdp_flow *flow)
{
	const __u64 *words = (const __u64 *)key;
	__u64 diff = 0;
	int i;

#pragma unroll
	for (i = 0; i < XDP_HOT_WORDS; i++)
		diff |= (words[i] & mask->bits[i]) ^ flow->key[i];
	return diff;
}

/* Compares the others. */
static __noinline __u64
diff_wide(const struct xdp_flow_key *key, const struct xdp_mask *mask, __u32 idx)
{
	struct xdp_flow_wide *flow = bpf_map_lookup_elem(&xdp_flows_wide, &idx);
	const __u64 *words = (const __u64 *)key;
	__u64 diff = 0;
	int i;

	if (!flow)
		return 1;
#pragma unroll
	for (i = XDP_HOT_WORDS; i < XDP_KEY_WORDS; i++)
		diff |= (words[i] & mask->bits[i]) ^ flow->key[i - XDP_HOT_WORDS];
	return diff;
}

/* The ops of the flow 'idx', with OPS_FOUND, if the packet with 'key' belongs to
 * it, and it has the mask 'mask_id' or that is 0; else 0. */
static __always_inline __u64
flow_check(const struct xdp_flow_key *key, __u32 idx, __u32 mask_id)
{
	struct xdp_flow *flow = bpf_map_lookup_elem(&xdp_flows, &idx);
	struct xdp_mask *mask;
	__u64 diff;
	__u32 id;

	if (!flow)
		return 0;
	id = *(volatile __u32 *)&flow->mask_id;
	mask = bpf_map_lookup_elem(&xdp_masks, &id);
	if (!mask || !id || (mask_id && mask_id != id))
		return 0;
	diff = diff_hot(key, mask, flow);
	if (mask->wide)
		diff |= diff_wide(key, mask, idx);
	return diff ? 0 : *(volatile __u64 *)&flow->ops | OPS_FOUND;
}

/* A global function: the verifier goes through it once, not once for each path
 * that leads to it. */
__u64 __noinline
flow_check_global(const struct xdp_flow_key *key, __u32 idx, __u32 mask_id)
{
	return key ? flow_check(key, idx, mask_id) : 0;
}

/* Looks for a flow in one bucket; 0 if there is none. */
static __always_inline __u32
bucket_find(const struct xdp_flow_key *key, __u32 mask_id, __u64 h,
	    __u32 bucket_no)
{
	struct xdp_bucket *bucket;
	int i;

	bucket_no &= XDP_BUCKET_MASK;
	bucket = bpf_map_lookup_elem(&xdp_buckets, &bucket_no);
	if (!bucket)
		return 0;
	for (i = 0; i < XDP_BUCKET_SLOTS; i++) {
		__u64 slot = *(volatile __u64 *)&bucket->slots[i];

		if (slot >> 32 == h >> 32 && slot &&
		    flow_check_global(key, slot, mask_id))
			return slot;
	}
	return 0;
}

/* Looks the key up under one mask; 0 if there is no flow. */
__u32 __noinline
mask_find(const struct xdp_flow_key *key, __u32 mask_id)
{
	struct xdp_mask *mask = bpf_map_lookup_elem(&xdp_masks, &mask_id);
	__u32 idx;
	__u64 h;

	if (!mask || !key || !mask->n_words)
		return 0;
	h = key_hash(key, mask, mask_id);
	idx = bucket_find(key, mask_id, h, h);
	if (!idx)
		idx = bucket_find(key, mask_id, h, h >> 20);
	return idx;
}

struct mask_walk {
	__u32 link;
	__u32 flow;
	__u32 tried;
};

static long
mask_walk_step(__u32 i, struct mask_walk *walk)
{
	__u32 link = walk->link;
	__u64 *entry = bpf_map_lookup_elem(&xdp_mask_links, &link);
	struct xdp_cpu *c = cpu_get();
	__u64 value;

	if (!entry || !link || !c)
		return 1;
	value = *(volatile __u64 *)entry;
	walk->tried++;
	walk->link = value >> 32;
	walk->flow = mask_find(&c->key, value);
	return walk->flow != 0;
}

/* The list of masks for packets of a port, with the bits of all of them. */
static __always_inline struct xdp_port_masks *
port_masks_get(__u32 in_port)
{
	__u32 pos = in_port < XDP_MAX_PORTS ? in_port : XDP_ANY_PORT;

	return bpf_map_lookup_elem(&xdp_port_masks, &pos);
}

/* A step of hint_hash().  The product spreads upwards only, hence the swap. */
static __always_inline __u64
hint_word(__u64 h, __u64 word, __u64 bits)
{
	return __builtin_bswap64(h ^ (word & bits)) * XDP_HASH_MULT;
}

/* Packets that are equal under the port's bits have the same hash: in its upper
 * half the tag of a hint, in the lower one the set of hints. */
static __always_inline __u64
hint_hash(const struct xdp_flow_key *key, const struct xdp_port_masks *masks)
{
	const __u64 *w = (const __u64 *)key;
	/* Two chains, for one would wait for each product. */
	__u64 h[2] = { XDP_HASH_SEED, 0 };
	int i;

#pragma unroll
	for (i = 0; i < XDP_HOT_WORDS; i++)
		h[i & 1] = hint_word(h[i & 1], w[i], masks->bits[i]);
	if (masks->wide) {
#pragma unroll
		for (i = XDP_HOT_WORDS; i < XDP_HINT_WORDS; i++)
			h[i & 1] = hint_word(h[i & 1], w[i], masks->bits[i]);
	}
	h[0] = (h[0] ^ __builtin_bswap64(h[1])) * XDP_HASH_MULT;
	return h[0] ^ h[0] >> 32;
}

/* Goes through the masks of the port; 0 if there is no flow. */
static __always_inline __u32
port_find(struct xdp_cpu *c, __u32 head)
{
	struct mask_walk walk = { .link = head };
	__u32 any = XDP_ANY_PORT;
	struct xdp_port_masks *masks;

	bpf_loop(XDP_MAX_MASKS, mask_walk_step, &walk, 0);
	if (!walk.flow && c->key.in_port < XDP_MAX_PORTS) {
		masks = bpf_map_lookup_elem(&xdp_port_masks, &any);
		if (masks && masks->head) {
			walk.link = masks->head;
			bpf_loop(XDP_MAX_MASKS, mask_walk_step, &walk, 0);
		}
	}
	c->counters.n[XDP_COUNTER_MASK_HIT] += walk.tried;
	count(c, walk.flow ? XDP_COUNTER_HIT : XDP_COUNTER_MISS);
	return walk.flow;
}

/* Without a hint that is right: walks the port's masks, and leaves a hint for
 * the next packet of this kind.  Index of the megaflow; 0 if there is none. */
__u32 __noinline
flow_search(__u64 h)
{
	struct xdp_cpu *c = cpu_get();
	struct xdp_port_masks *masks;
	struct xdp_hints *set;
	__u32 pos, idx, way;
	int i;

	if (!c)
		return 0;
	masks = port_masks_get(c->key.in_port);
	if (!masks)
		return 0;
	idx = port_find(c, masks->head);
	pos = h & (XDP_HINT_SETS - 1);
	set = bpf_map_lookup_elem(&xdp_hints, &pos);
	if (!idx || !set)
		return idx;
	/* In place of one that was wrong, or of none, or of any. */
	way = bpf_get_prandom_u32();
	for (i = 0; i < XDP_HINT_WAYS; i++) {
		__u32 hint = set->hints[i];

		if (!hint || (hint ^ h >> 32) <= XDP_HINT_FLOW) {
			way = i;
			break;
		}
	}
	set->hints[way & (XDP_HINT_WAYS - 1)] =
		(h >> 32 & ~XDP_HINT_FLOW) | idx;
	return idx;
}

/* The ops of the megaflow of the key at hand, with OPS_FOUND, and its index; 0
 * if there is none. */
static __always_inline __u64
flow_lookup(struct xdp_cpu *c, __u32 *idx)
{
	struct xdp_port_masks *masks = port_masks_get(c->key.in_port);
	struct xdp_hints *set;
	struct xdp_flow *flow;
	__u32 pos, tag;
	__u64 h, ops;
	int i;

	if (!masks)
		return 0;
	h = hint_hash(&c->key, masks);
	tag = h >> 32 & ~XDP_HINT_FLOW;
	pos = h & (XDP_HINT_SETS - 1);
	set = bpf_map_lookup_elem(&xdp_hints, &pos);
	if (!set)
		return 0;
	for (i = 0; i < XDP_HINT_WAYS; i++) {
		__u32 flow_bits = *(volatile __u32 *)&set->hints[i] ^ tag;

		if (flow_bits <= XDP_HINT_FLOW) {
			*idx = flow_bits;
			break;
		}
	}
	ops = flow_check(&c->key, *idx, 0);
	if (ops) {
		count(c, XDP_COUNTER_CACHE_HIT);
		return ops;
	}
	*idx = flow_search(h);
	flow = bpf_map_lookup_elem(&xdp_flows, idx);
	return flow && *idx ? *(volatile __u64 *)&flow->ops | OPS_FOUND : 0;
}

static __always_inline void
flow_count(const struct xdp_cpu *c, __u32 flow, __u32 len)
{
	__u32 pos = c->cpu * XDP_MAX_FLOWS + flow;
	struct xdp_flow_stats *stats = bpf_map_lookup_elem(&xdp_stats, &pos);

	if (stats) {
		stats->packets++;
		stats->bytes += len;
		stats->used = bpf_jiffies64();
		stats->tcp_flags |= __builtin_bswap16(c->key.tcp_flags);
	}
}

#endif /* lookup.h */
