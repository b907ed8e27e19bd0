/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Flow key to megaflow.  The layout of the table and its hash are in
 * ovs-xdp-abi.h.  Megaflows do not overlap, so the first match is the match. */
#ifndef LOOKUP_H
#define LOOKUP_H 1

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
		if (i >= mask->n_words)
			break;
		h = rotl64(h ^ (words[mask->words[i] & 31] & mask->bits[i]), 29)
		    * XDP_HASH_MULT;
	}
	return h ^ h >> 32;
}

static __always_inline int
flow_equal(const struct xdp_flow_key *key, const struct xdp_mask *mask,
	   const struct xdp_flow *flow)
{
	const __u64 *words = (const __u64 *)key;
	__u64 diff = 0;
	__u32 i;

	for (i = 0; i < XDP_KEY_WORDS; i++) {
		__u32 w;

		if (i >= mask->n_words)
			break;
		w = mask->words[i] & 31;
		diff |= (words[w] & mask->bits[i]) ^ flow->key[w];
	}
	return !diff;
}

/* Looks for a flow in one bucket; 0 if there is none. */
static __always_inline __u32
bucket_find(const struct xdp_cpu *c, const struct xdp_mask *mask,
	    __u32 mask_id, __u64 h, __u32 bucket_no)
{
	struct xdp_bucket *bucket;
	int i;

	bucket_no &= XDP_BUCKET_MASK;
	bucket = bpf_map_lookup_elem(&xdp_buckets, &bucket_no);
	if (!bucket)
		return 0;
	for (i = 0; i < XDP_BUCKET_SLOTS; i++) {
		__u64 slot = *(volatile __u64 *)&bucket->slots[i];
		struct xdp_flow *flow;
		__u32 idx;

		if (slot >> 32 != h >> 32 || !slot)
			continue;
		idx = slot;
		flow = bpf_map_lookup_elem(&xdp_flows, &idx);
		if (flow && flow->mask_id == mask_id &&
		    flow_equal(&c->key, mask, flow))
			return idx;
	}
	return 0;
}

/* Looks the key at hand up under one mask; 0 if there is no flow.  A global
 * function: the verifier goes through it once, not once for each path that
 * leads to it. */
__u32 __noinline
mask_find(__u32 mask_id)
{
	struct xdp_mask *mask = bpf_map_lookup_elem(&xdp_masks, &mask_id);
	struct xdp_cpu *c = cpu_get();
	__u32 idx;
	__u64 h;

	if (!mask || !c || !mask->n_words)
		return 0;
	h = key_hash(&c->key, mask, mask_id);
	idx = bucket_find(c, mask, mask_id, h, h);
	if (!idx)
		idx = bucket_find(c, mask, mask_id, h, h >> 20);
	return idx;
}

struct mask_walk {
	__u32 flow;
	__u32 mask_id;
	__u32 tried;
};

static long
mask_walk_step(__u32 i, struct mask_walk *walk)
{
	__u64 *mask_id = bpf_map_lookup_elem(&xdp_mask_list, &i);

	if (!mask_id)
		return 1;
	walk->tried++;
	walk->mask_id = *mask_id;
	walk->flow = mask_find(walk->mask_id);
	return walk->flow != 0;
}

/* Spreads the packets of different connections over the hints. */
static __always_inline __u32
hint_hash(const struct xdp_flow_key *key)
{
	const __u64 *w = (const __u64 *)key;
	__u64 h = w[0] ^ rotl64(w[1], 13);

	h = (h ^ w[6]) * XDP_HASH_MULT;
	h = (rotl64(h, 29) ^ w[7] ^ w[9] ^ rotl64(w[11], 7) ^ w[5]) * XDP_HASH_MULT;
	return h >> 40;
}

/* Index of the megaflow of the key at hand; 0 if there is none. */
static __always_inline __u32
flow_lookup(struct xdp_cpu *c, const struct xdp_config *config)
{
	__u32 pos = bpf_get_smp_processor_id() * XDP_HINTS +
		    (hint_hash(&c->key) & (XDP_HINTS - 1));
	__u64 *hint = bpf_map_lookup_elem(&xdp_hints, &pos);
	struct mask_walk walk = {};
	__u32 n = config->n_masks;

	if (hint && *hint) {
		__u32 flow = mask_find(*hint);

		if (flow) {
			count(c, XDP_COUNTER_CACHE_HIT);
			count(c, XDP_COUNTER_HIT);
			count(c, XDP_COUNTER_MASK_HIT);
			return flow;
		}
	}
	if (n > XDP_MAX_MASKS)
		n = XDP_MAX_MASKS;
	bpf_loop(n, mask_walk_step, &walk, 0);
	c->counters.n[XDP_COUNTER_MASK_HIT] += walk.tried;
	if (walk.flow) {
		if (hint)
			*hint = walk.mask_id;
		count(c, XDP_COUNTER_HIT);
	} else {
		count(c, XDP_COUNTER_MISS);
	}
	return walk.flow;
}

static __always_inline void
flow_count(const struct xdp_cpu *c, __u32 flow, __u32 len)
{
	__u32 pos = bpf_get_smp_processor_id() * XDP_MAX_FLOWS + flow;
	struct xdp_flow_stats *stats = bpf_map_lookup_elem(&xdp_stats, &pos);

	if (stats) {
		stats->packets++;
		stats->bytes += len;
		stats->used = bpf_jiffies64();
		stats->tcp_flags |= __builtin_bswap16(c->key.tcp_flags);
	}
}

#endif /* lookup.h */
