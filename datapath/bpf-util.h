/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * libbpf behind positive errno, its messages in the log, and pins. */
#ifndef BPF_UTIL_H
#define BPF_UTIL_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_object;

/* Routes libbpf's messages to the log.  Idempotent. */
void bpf_util_init(void);
/* Whether what libbpf complains of in this thread is only worth a debug
 * message. */
void bpf_util_set_quiet(bool);
/* Sums a per-CPU array map's elements of 'n_words' u64 at 'key'. */
int bpf_util_read_percpu(int fd, uint32_t key, size_t n_words, uint64_t *sum);
/* Makes each map of 'object' use the map pinned in 'dir' under its name, or
 * none if there is no such pin.  Any other reason why a pin cannot be used is an
 * error, and logged. */
int bpf_util_reuse_maps(struct bpf_object *object, const char *dir);
/* Loads 'object'. */
int bpf_util_load(struct bpf_object *object, const char *what);
/* Removes the folder 'dir' and what is in it. */
int bpf_util_unpin_dir(const char *dir);
int bpf_util_make_dir(const char *dir);

#endif /* bpf-util.h */
