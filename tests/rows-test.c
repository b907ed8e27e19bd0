/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Tests of rows; see rows-test.h. */

#include <config.h>
#undef NDEBUG
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "dp-packet.h"
#include "rows-dp.h"
#include "rows-model.h"
#include "rows-packet.h"
#include "rows-test.h"
#include "util.h"

const char *skip_reason;
const char *live_skip_reason;

bool
begins(const char *name, const char *skip_row)
{
    free_row_flows();           /* Of a row that failed. */
    row_name = name;
    if (skip_reason || skip_row) {
        print_message("skipped: %s\n", skip_reason ? skip_reason : skip_row);
        skip();
    }
    return true;
}

bool
begins_with(const char *name, const char *skip_row, const char *packet_)
{
    if (begins(name, skip_row)) {
        struct dp_packet *packet = make_packet(packet_);
        bool ok = can_run(packet);

        dp_packet_delete(packet);
        if (!ok) {
            print_message("skipped: BPF_PROG_RUN takes no such frame for "
                          "TC\n");
            skip();
        }
    }
    return true;
}

char *
replace(const char *s, const char *from, const char *to)
{
    const char *p = strstr(s, from);

    if (!p) {
        row_fail("no \"%s\" in the packet", from);
    }
    return xasprintf("%.*s%s%s", (int) (p - s), s, to, p + strlen(from));
}

void
run_and_expect(const char *spec, const char *want)
{
    struct dp_packet *packet = make_packet(spec);
    uint8_t out[MAX_FRAME];
    uint32_t verdict;
    size_t size;

    verdict = run_packet(packet, out, &size);
    expect_verdict(want, verdict, out, size);
    dp_packet_delete(packet);
}

void
add_flow(const char *flow)
{
    add_row_flow(flow, NULL);
}

void
expect_masks(const char *packet, const char *want, uint64_t n_masks,
             uint64_t n_cached)
{
    uint64_t masks = read_counter(XDP_COUNTER_MASK_HIT);
    uint64_t cached = read_counter(XDP_COUNTER_CACHE_HIT);

    run_and_expect(packet, want);
    compare_number("MASK_HIT", masks + n_masks,
                   read_counter(XDP_COUNTER_MASK_HIT));
    compare_number("CACHE_HIT", cached + n_cached,
                   read_counter(XDP_COUNTER_CACHE_HIT));
}

void
run_from_port(const char *spec, uint32_t port, const char *want)
{
    struct dp_packet *packet = make_packet(spec);
    uint8_t out[MAX_FRAME];
    uint32_t verdict;
    size_t size;

    packet->md.in_port.odp_port = u32_to_odp(port);
    verdict = run_packet(packet, out, &size);
    expect_verdict(want, verdict, out, size);
    dp_packet_delete(packet);
}

/* A test at one hook. */
struct test {
    CMUnitTestFunction function;
    const void *state;
    enum hook hook;
};

static struct CMUnitTest tests[2048];
static size_t n_tests;

static void
run_at_hook(void **state)
{
    const struct test *test = *state;
    void *test_state = CONST_CAST(void *, test->state);

    hook = test->hook;
    test->function(&test_state);
}

void
add_test_at(enum hook at, const char *name, CMUnitTestFunction function,
            const void *state)
{
    static const char *const prefixes[] = {
        "", "tc:", "tc-beside:", "tc-live:",
    };
    struct test *test = xmalloc(sizeof *test);
    char *full_name = xasprintf("%s%s", prefixes[at], name);

    assert_true(n_tests < ARRAY_SIZE(tests));
    for (size_t i = 0; i < n_tests; i++) {
        assert_string_not_equal(tests[i].name, full_name);
    }
    *test = (struct test) { function, state, at };
    tests[n_tests++] = (struct CMUnitTest) {
        .name = full_name, .test_func = run_at_hook, .initial_state = test,
    };
}

void
add_test(const char *name, CMUnitTestFunction function, const void *state)
{
    add_test_at(HOOK_XDP, name, function, state);
    add_test_at(HOOK_TC, name, function, state);
}

void
add_row(const char *name, CMUnitTestFunction function, const void *row,
        const char *spec)
{
    struct dp_packet *packet = make_packet(spec);

    add_test(name, function, row);
    if (has_vlan(packet)) {
        add_test_at(HOOK_TC_BESIDE, name, function, row);
    }
    dp_packet_delete(packet);
}

int
run_all_tests(const char *name)
{
    return _cmocka_run_group_tests(name, tests, n_tests, NULL, NULL);
}
