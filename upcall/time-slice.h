/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The scheduler's time slice of a thread. */
#ifndef UPCALL_TIME_SLICE_H
#define UPCALL_TIME_SLICE_H 1

#include <stdint.h>

/* Asks for slices of 'ns' nanoseconds (Linux takes 100,000 to 100,000,000) for
 * the calling thread, policy and nice value kept.  With a shorter slice than
 * theirs, a thread that wakes up runs before threads that compute have used up
 * their slices; its share of the CPU stays the same.  See sched(7),
 * sched_setattr(2); kernels before 6.12 accept the request and ignore it.
 * 0, or a positive errno: EINVAL, the thread's policy has no such slices. */
int time_slice_set(uint64_t ns);

#endif /* time-slice.h */
