/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Tests of datapath/flow-masks.c: masks, and the ports' lists of them. */

#include <config.h>
#undef NDEBUG
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "memory-table.h"
#include "openvswitch/vlog.h"
#include "random.h"
#include "util.h"

static size_t
list_length(const struct table *t, uint32_t port)
{
    uint32_t link = read_head(t, port);
    size_t n = 0;

    while (link) {
        read_link(t, &link);
        n++;
    }
    return n;
}

static void
test_masks(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    uint32_t flows[3], flow, id;

    for (int i = 0; i < 3; i++) {
        flows[i] = must_insert(t, 1 + i / 2, i, 1);
    }
    assert_int_equal(flow_table_n_masks(t->ft), 2);
    id = t->maps.flows[flows[0]].mask_id;
    assert_int_equal(t->maps.flows[flows[1]].mask_id, id);
    assert_int_not_equal(t->maps.flows[flows[2]].mask_id, id);

    /* A mask stays with its last flow, and a little longer; in each port's
     * list with the port's last flow. */
    flow_table_delete(t->ft, flows[0], NULL);
    wait_msec(t, GRACE_MS - 1);
    assert_int_not_equal(find_link(t, 0, id), 0);
    wait_grace(t);
    assert_int_equal(flow_table_n_masks(t->ft), 2);
    assert_int_equal(find_link(t, 0, id), 0);
    assert_int_equal(read_head(t, 0), 0);
    assert_int_not_equal(find_link(t, 1, id), 0);
    flow_table_delete(t->ft, flows[1], NULL);
    flows[0] = must_insert(t, 1, 0, 1);
    assert_int_equal(t->maps.flows[flows[0]].mask_id, id);
    wait_grace(t);
    wait_grace(t);
    assert_int_equal(flow_table_n_masks(t->ft), 2);
    assert_int_equal(lookup_n(t, 0), flows[0]);
    assert_int_equal(find_link(t, 1, id), 0);

    /* It has its words for a program that has just read its id. */
    flow_table_delete(t->ft, flows[0], NULL);
    wait_grace(t);
    assert_int_equal(flow_table_n_masks(t->ft), 1);
    wait_msec(t, GRACE_MS - 1);
    assert_int_not_equal(t->maps.masks[id].n_words, 0);
    wait_msec(t, 1);
    assert_int_equal(t->maps.masks[id].n_words, 0);
    assert_int_equal(lookup_n(t, 2), flows[2]);
    flow_table_flush(t->ft);
    check_table_tight(t, 0);

    /* All ids; one is free again two grace periods after its last flow. */
    for (uint32_t i = 1; i <= N_MASKS; i++) {
        flow = must_insert(t, i, i, 1);
    }
    check_table_tight(t, N_MASKS);
    id = t->maps.flows[flow].mask_id;
    assert_int_equal(insert(t, N_MASKS + 1, 0, 1, &flows[0]), ENOSPC);
    assert_int_equal(flow_table_delete(t->ft, flow, NULL), 0);
    assert_int_equal(insert(t, N_MASKS + 1, 0, 1, &flows[0]), ENOSPC);
    wait_grace(t);
    wait_msec(t, GRACE_MS - 1);
    assert_int_equal(insert(t, N_MASKS + 1, 0, 1, &flows[0]), ENOSPC);
    wait_msec(t, 1);
    flow = must_insert(t, N_MASKS + 1, 0, 1);
    assert_int_equal(t->maps.flows[flow].mask_id, id);
    check_table_tight(t, N_MASKS);

    /* The lists become short again. */
    for (uint32_t i = 1; i < N_MASKS; i++) {
        if (i % 1000) {
            flow_table_delete(t->ft, lookup_n(t, i), NULL);
        }
    }
    check_table_tight(t, 9);
    table_free(t);
}

/* Ports do not have each other's masks. */
static void
test_ports(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    struct xdp_flow_key key = make_key(0), mask = make_mask(0);
    uint32_t flow, n = 0;

    for (uint32_t port = 1; port < XDP_MAX_PORTS; port += 91) {
        for (uint32_t i = 0; i < port % 50; i++) {
            assert_int_equal(insert_at(t, port, 1 + n % 70, n, &flow), 0);
            n++;
            /* The same mask, but of any port. */
            key.in_port = XDP_MAX_PORTS + port + i;
            mask.tun_src = 1 + i;
            mask.in_port = i % 2 ? UINT32_MAX : UINT32_MAX - 1;
            key.nw_dst = 1000 + n;
            assert_int_equal(insert_key(t, &key, &mask, 1, &flow), 0);
        }
    }
    for (uint32_t port = 0; port < XDP_MAX_PORTS; port++) {
        assert_int_equal(list_length(t, port),
                         port % 91 == 1 ? port % 50 : 0);
        assert_true(bits_are_exact(t, port));
    }
    assert_int_equal(list_length(t, XDP_ANY_PORT), 49);

    /* What is a port only in a mask's first word. */
    memset(&mask, 0, sizeof mask);
    mask.eth_type = UINT16_MAX;
    mask.nw_proto = mask.nw_frag = UINT8_MAX;
    key.eth_type = 1;
    key.nw_proto = key.nw_frag = 0;
    assert_int_equal(insert_key(t, &key, &mask, 0, &flow), 0);
    assert_int_equal(list_length(t, XDP_ANY_PORT), 50);
    check_table_tight(t, 2 * n + 1);
    flow_table_flush(t->ft);
    check_table_tight(t, 0);
    table_free(t);
}

/* What the key's first words are compared by. */
static void
test_bits(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    struct xdp_flow_key key = make_key(1), mask = make_mask(1);
    struct xdp_port_masks other;
    uint64_t bits = 0;
    uint32_t flows[100], flow;

    key.in_port = 4;
    assert_int_equal(insert_key(t, &key, &mask, 1, &flow), 0);
    other = t->maps.port_masks[4];
    key.in_port = 5;
    for (int i = 0; i < 100; i++) {
        mask = make_mask(1 + i);
        mask.in_port = UINT32_MAX;
        mask.ipv6_src[i % 8] = 1 << i / 8 % 8;
        mask.nd_target[0] = i;
        assert_int_equal(insert_key(t, &key, &mask, 1, &flows[i]), 0);
        bits |= ((uint64_t *) &mask)[8];
        assert_int_equal(t->maps.port_masks[5].bits[8], bits);
        assert_true(bits_are_exact(t, 5));
    }
    for (int i = 0; i < 99; i++) {
        flow_table_delete(t->ft, flows[i], NULL);
        wait_grace(t);
        check_table(t, 100 - i);
        assert_true(bits_are_exact(t, 5) || i != 49);
    }
    assert_true(bits_are_exact(t, 5));
    assert_memory_equal(&t->maps.port_masks[4], &other, sizeof other);

    /* Masks that come and go leave nothing for long. */
    memset(flows, 0, sizeof flows);
    for (int i = 0; i < 1000; i++) {
        mask = make_mask(1000 + i);
        mask.in_port = UINT32_MAX;
        mask.ipv6_dst[i / 100] = 1 + i % 10;
        flow_table_delete(t->ft, flows[i % 10], NULL);
        assert_int_equal(insert_key(t, &key, &mask, 1, &flows[i % 10]), 0);
        wait_grace(t);
        for (int j = 0; j < i / 100 && i % 100 > 24; j++) {
            assert_int_equal(((uint8_t *) &t->maps.port_masks[5].bits[10])[j],
                             0);
        }
    }
    check_table(t, 12);
    table_free(t);
}

/* All links, of 64 ports. */
static uint32_t
fill_links(struct table *t, uint32_t base)
{
    uint32_t flow, n = 0;

    while (!insert_at(t, n % 64, base + n / 64, base + n, &flow)) {
        n++;
    }
    return n;
}

static void
test_links(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    uint32_t flow, flow2, n = fill_links(t, 1);

    assert_int_equal(n, (XDP_MASK_LINKS - 1) / 2);

    /* No new one, which leaves nothing; but flows of those that are there. */
    for (uint32_t i = 0; i < 3 * N_MASKS; i++) {
        assert_int_equal(insert_at(t, 70, 1 + i, i, &flow), ENOSPC);
    }
    check_table__(t, n, true);
    assert_int_equal(insert_at(t, 3, 2, UINT16_MAX, &flow), 0);

    /* There is one as soon as one is in no list. */
    assert_int_equal(insert_at(t, 5, 1, 1 + 5, &flow2), EEXIST);
    assert_int_equal(flow_table_delete(t->ft, flow2, NULL), 0);
    assert_int_equal(insert_at(t, 70, 1, 1, &flow), ENOSPC);
    wait_msec(t, GRACE_MS - 1);
    assert_int_equal(insert_at(t, 70, 1, 1, &flow), ENOSPC);
    wait_msec(t, 1);
    assert_int_equal(insert_at(t, 70, 1, 1, &flow), 0);
    assert_int_equal(insert_at(t, 5, 1, 1 + 5, &flow), ENOSPC);

    /* Adoption needs as many once more. */
    for (int i = 0; i < 2; i++) {
        table_adopt(t);
        check_table__(t, n + 1, true);
        assert_int_equal(insert_at(t, 71, 1, 1, &flow), ENOSPC);
    }

    /* All of them again and again. */
    for (int i = 0; i < 5; i++) {
        flow_table_flush(t->ft);
        wait_grace(t);
        n = fill_links(t, 100000 * i);
        assert_int_equal(n, (XDP_MASK_LINKS - 1) / 2);
    }
    flow_table_flush(t->ft);
    check_table_tight(t, 0);
    for (uint32_t i = 1; i <= N_MASKS; i++) {
        must_insert(t, i, i, 1);
    }
    check_table_tight(t, N_MASKS);
    table_free(t);
}

/* Readers meet every mask of their port and of all ports that is there all the
 * time, and no other port's, while masks come and go between each two of their
 * steps. */
static void
change_mask(struct table *t, uint32_t flows[], uint8_t there[], size_t n,
            bool grow)
{
    size_t i = random_range(n);
    bool likely = random_range(10);

    if (flows[i] && likely != grow) {
        flow_table_delete(t->ft, flows[i], NULL);
        there[i] = flows[i] = 0;
    } else if (!flows[i] && likely == grow) {
        flows[i] = must_insert(t, 1 + i, i, 1);
    }
}

static void
test_mask_list(void **state OVS_UNUSED)
{
    enum { N = 300, N_WALKS = 5000 };
    struct table *t = table_new();
    uint32_t flows[N] = { 0 }, lists[N];

    for (uint32_t i = 0; i < N; i++) {
        struct xdp_flow_key key = make_key(i), mask = make_mask(1 + i);

        lists[i] = list_of(&key, &mask);
    }
    for (int walk = 0; walk < N_WALKS; walk++) {
        uint8_t there[N], seen[N] = { 0 };
        uint32_t port = walk % 7;
        uint32_t link = read_head(t, port);
        int msec = 0, n = 1 + list_length(t, port)
                          + list_length(t, XDP_ANY_PORT);
        bool any = false;

        for (int i = 0; i < N; i++) {
            there[i] = flows[i] != 0;
        }
        while (link || !any) {
            if (link) {
                struct xdp_flow_key mask
                    = unpack_mask(t, read_link(t, &link));

                assert_in_range(mask.tun_src, 1, N);
                assert_int_equal(lists[mask.tun_src - 1],
                                 any ? XDP_ANY_PORT : port);
                seen[mask.tun_src - 1] = 1;
            } else {
                any = true;
                link = read_head(t, XDP_ANY_PORT);
            }
            while (random_range(3)) {
                if (!random_range(4)) {
                    change_mask(t, flows, there, N, walk / 50 % 2);
                } else if (msec < GRACE_MS - 1
                           && random_range(n + 1) < GRACE_MS / 2) {
                    msec++;
                    wait_msec(t, 1);
                }
            }
        }
        for (int i = 0; i < N; i++) {
            assert_true(!there[i] || seen[i]
                        || (lists[i] != port && lists[i] != XDP_ANY_PORT));
        }
        if (walk % 500 == 0) {
            check_table(t, flow_table_count(t->ft));
        }
    }
    flow_table_flush(t->ft);
    check_table_tight(t, 0);
    table_free(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_mask_list),
    };

    random_set_seed(1);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    return cmocka_run_group_tests_name("flow-masks", tests, NULL, NULL);
}
