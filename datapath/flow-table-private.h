/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * What the files of the flow table share. */
#ifndef FLOW_TABLE_PRIVATE_H
#define FLOW_TABLE_PRIVATE_H 1

#include <stddef.h>
#include <stdint.h>
#include "ovs-xdp-abi.h"

/* A stack of free numbers. */
struct id_stack {
    uint32_t *ids;              /* Room for all. */
    size_t n;
};

/* There must be room. */
static inline void
id_push(struct id_stack *stack, uint32_t id)
{
    stack->ids[stack->n++] = id;
}

/* Stores to the maps that make what was stored before visible to BPF
 * programs. */

static inline void
store64(__u64 *p, __u64 value)
{
    __atomic_store_n(p, value, __ATOMIC_RELEASE);
}

static inline void
store32(uint32_t *p, uint32_t value)
{
    __atomic_store_n(p, value, __ATOMIC_RELEASE);
}

#endif /* flow-table-private.h */
