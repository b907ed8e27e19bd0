/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The tests of test-bpf-rows, which are registered by subject and run
 * together, and what they have in common.  A test or a step of it that does
 * not find what it expects fails the row: see row_fail() in rows-packet.h. */
#ifndef ROWS_TEST_H
#define ROWS_TEST_H 1

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "openvswitch/util.h"
#include "rows-dp.h"

/* Why no row can run, and why none can that needs devices; NULL: they can. */
extern const char *skip_reason;
extern const char *live_skip_reason;

/* Adds a test of 'state', which stays the caller's, named "NAME" with the
 * hook's prefix; ... */
void add_test_at(enum hook at, const char *name, CMUnitTestFunction function,
                 const void *state);
/* ... one for XDP and one for TC; ... */
void add_test(const char *name, CMUnitTestFunction function,
              const void *state);
/* ... the same, and with the tag that packet 'spec' begins with beside it. */
void add_row(const char *name, CMUnitTestFunction function, const void *row,
             const char *spec);
/* That, for each of an array of rows, which have a 'name' and a 'packet'. */
#define ADD_ROWS(ROWS, FUNCTION)                                        \
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {                     \
        add_row((ROWS)[i].name, FUNCTION, &(ROWS)[i], (ROWS)[i].packet); \
    }
/* Returns how many failed. */
int run_all_tests(const char *name);

/* Each in the file test-rows-SUBJECT.c. */
void add_hint_tests(void);
void add_live_tests(void);
void add_lookup_tests(void);
void add_setting_tests(void);
void add_xdp_tests(void);

struct edit_row {
    const char *name;
    const char *packet;
    const char *actions;
    const char *expect;         /* Nonnull: not what Open vSwitch's userspace
                                 * does, but openvswitch.ko. */
    const char *skip;
};

/* Tests a struct edit_row, at HOOK_TC_LIVE. */
void test_edit_live(void **row);

/* Begins a row, or skips it, if no row can run, or because of 'skip_row' if it
 * is nonnull.  Always true. */
bool begins(const char *name, const char *skip_row);
/* The same, of a row for 'packet'. */
bool begins_with(const char *name, const char *skip_row, const char *packet);

/* 's' with its first 'from' replaced by 'to'; the caller frees it. */
char *replace(const char *s, const char *from, const char *to);
/* Adds a flow that does not match "exact". */
void add_flow(const char *flow);
/* Runs a packet; 'want' is that of struct row. */
void run_and_expect(const char *spec, const char *want);
/* The same, with a packet from another port than 'spec' says; UINT32_MAX: from
 * none. */
void run_from_port(const char *spec, uint32_t port, const char *want);
/* Runs the packet and expects it to have tried 'n_masks', and 'n_cached' hints
 * to have hit. */
void expect_masks(const char *packet, const char *want, uint64_t n_masks,
                  uint64_t n_cached);

#endif /* rows-test.h */
