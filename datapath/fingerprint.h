/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Telling the pins of another make from ours. */
#ifndef FINGERPRINT_H
#define FINGERPRINT_H 1

#include <stdint.h>

struct bpf_object;

/* Changes with XDP_ABI_VERSION and XDP_KEY_SEQ, with a map of 'object', the
 * pipeline, and with the layout of what is in a map or goes from one program to
 * another: programs of two makes run beside each other while they are
 * replaced. */
uint64_t xdp_fingerprint(const struct bpf_object *object);

#endif /* fingerprint.h */
