/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The pipeline's own ingress(), but cut off behind its first stages, and what
 * runs it and the datapath's programs on one frame again and again.
 * BPF_PROG_RUN leaves a frame as the program left it: "run" undoes that, which
 * costs the same for each program. */
#ifndef STAGES_CUT_H
#define STAGES_CUT_H 1

#include "actions.h"
#include "lookup.h"
#include "stages-abi.h"

const volatile __u32 cut;	/* enum stages_cut. */

/* The verifier removes what is cut off. */
#define parse_frame(...) \
	(cut >= STAGES_CUT_PARSE ? parse_frame(__VA_ARGS__) : 0)
#define flow_lookup(...) \
	(cut >= STAGES_CUT_LOOKUP ? flow_lookup(__VA_ARGS__) : 0)
#define upcall(...) CTX_DROP
#define act_output(...) CTX_DROP
#include "stages.h"
#undef parse_frame
#undef flow_lookup
#undef upcall
#undef act_output

struct stages_state state;

/* 0 -> the program to run. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

/* The program called returns to where this was called from. */
int __noinline
run_target(ctx_t *ctx)
{
	int verdict = -1;

	bpf_tail_call(ctx, &target, 0);
	asm volatile("" : "+r"(verdict));
	return verdict;
}

static __always_inline void
forget_hints(void)
{
	__u32 pos = state.hint_set;
	struct xdp_hints *set = bpf_map_lookup_elem(&xdp_hints, &pos);

	if (set)
		__builtin_memset(set, 0, sizeof *set);
}

static __always_inline void
check(__u32 verdict, __u32 len)
{
	if (verdict != state.verdict || len != state.out_len)
		state.wrong++;
	state.got_verdict = verdict;
	state.got_len = len;
}

#endif /* stages-cut.h */
