/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Helpers for the tests of the flow table; see memory-table.h. */

#include <config.h>
#undef NDEBUG
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "memory-table.h"
#include "random.h"
#include "timeval.h"
#include "util.h"

static int
read_stats(void *t_, uint32_t flow, struct xdp_flow_stats *sum)
{
    struct table *t = t_;

    *sum = t->stats[flow];
    return t->stats_error;
}

static int
clear_stats(void *t_, uint32_t flow)
{
    struct table *t = t_;

    if (!t->stats_error) {
        memset(&t->stats[flow], 0, sizeof t->stats[flow]);
    }
    return t->stats_error;
}

#define FOR_EACH_MEMORY(X)                                  \
    X(t->maps.config, 1)                                    \
    X(t->maps.buckets, XDP_BUCKETS)                         \
    X(t->maps.flows, XDP_MAX_FLOWS)                         \
    X(t->maps.flows_wide, XDP_MAX_FLOWS)                    \
    X(t->maps.masks, XDP_MAX_MASKS)                         \
    X(t->maps.mask_links, XDP_MASK_LINKS)                   \
    X(t->maps.port_masks, XDP_ANY_PORT + 1)                 \
    X(t->maps.ops, XDP_MAX_OPS)                             \
    X(t->stats, XDP_MAX_FLOWS)

struct table *
table_new(void)
{
    struct table *t = xzalloc(sizeof *t);

#define MAP_MEMORY(P, N)                                            \
    P = mmap(NULL, (N) * sizeof *(P), PROT_READ | PROT_WRITE,       \
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);                    \
    assert_ptr_not_equal(P, MAP_FAILED);
    FOR_EACH_MEMORY(MAP_MEMORY)
    t->maps.read_stats = read_stats;
    t->maps.clear_stats = clear_stats;
    t->maps.aux = t;
    assert_int_equal(flow_table_create(&t->maps, false, &t->ft), 0);
    return t;
}

void
table_free(struct table *t)
{
    flow_table_destroy(t->ft);
#define UNMAP_MEMORY(P, N) munmap(P, (N) * sizeof *(P));
    FOR_EACH_MEMORY(UNMAP_MEMORY)
    free(t);
}

void
table_adopt(struct table *t)
{
    flow_table_destroy(t->ft);
    assert_int_equal(flow_table_create(&t->maps, true, &t->ft), 0);
}

long long int now = 1000;

long long int __real_time_msec(void);
long long int __wrap_time_msec(void);

long long int
__wrap_time_msec(void)
{
    return now ? now : __real_time_msec();
}

void (*adopt_hook)(void);

void __real_xnanosleep_no_quiesce(uint64_t nsec);
void __wrap_xnanosleep_no_quiesce(uint64_t nsec);

void
__wrap_xnanosleep_no_quiesce(uint64_t nsec)
{
    assert_true(nsec >= GRACE_MS * 1000000);
    if (adopt_hook) {
        adopt_hook();
    }
    if (!now) {
        __real_xnanosleep_no_quiesce(nsec);
    }
}

void
wait_msec(struct table *t, int msec)
{
    now += msec;
    flow_table_run(t->ft);
}

void
wait_grace(struct table *t)
{
    wait_msec(t, GRACE_MS);
}

/* The reader. */

uint64_t
read_hash(const uint64_t *words, const struct xdp_mask *mask, uint32_t mask_id)
{
    uint64_t h = XDP_HASH_SEED ^ mask_id;

    for (uint32_t i = 0; i < mask->n_words; i++) {
        h ^= words[mask->words[i]] & mask->bits[mask->words[i]];
        h = (h << 29 | h >> 35) * XDP_HASH_MULT;
    }
    return h ^ h >> 32;
}

uint64_t *
flow_word(const struct table *t, uint32_t flow, uint32_t word)
{
    return (uint64_t *) (word < XDP_HOT_WORDS ? &t->maps.flows[flow].key[word]
                         : &t->maps.flows_wide[flow].key[word
                                                         - XDP_HOT_WORDS]);
}

uint32_t
read_mask_id(const struct table *t, uint32_t flow)
{
    return __atomic_load_n(&t->maps.flows[flow].mask_id, __ATOMIC_ACQUIRE);
}

bool
read_flow(const struct table *t, const struct xdp_flow_key *packet,
          uint32_t flow, uint32_t mask_id)
{
    const uint64_t *words = (const uint64_t *) packet;
    const struct xdp_mask *mask = &t->maps.masks[mask_id];
    bool equal = mask_id != 0;

    uint32_t n = mask->wide ? XDP_KEY_WORDS : XDP_HOT_WORDS;

    for (uint32_t i = 0; equal && i < n; i++) {
        equal = (words[i] & mask->bits[i]) == *flow_word(t, flow, i);
    }
    return equal;
}

static uint32_t
read_mask(const struct table *t, const struct xdp_flow_key *packet,
          uint32_t mask_id)
{
    const struct xdp_mask *mask = &t->maps.masks[mask_id];
    uint64_t h = read_hash((const uint64_t *) packet, mask, mask_id);
    uint32_t buckets[2] = { h & XDP_BUCKET_MASK, h >> 20 & XDP_BUCKET_MASK };

    for (int i = 0; mask->n_words && i < 2 * XDP_BUCKET_SLOTS; i++) {
        uint64_t slot = __atomic_load_n(&t->maps.buckets[
            buckets[i / XDP_BUCKET_SLOTS]].slots[i % XDP_BUCKET_SLOTS],
                                        __ATOMIC_ACQUIRE);

        if (slot && slot >> 32 == h >> 32
            && read_mask_id(t, slot) == mask_id
            && read_flow(t, packet, slot, mask_id)) {
            return slot;
        }
    }
    return 0;
}

uint32_t
read_head(const struct table *t, uint32_t port)
{
    return __atomic_load_n(&t->maps.port_masks[port].head, __ATOMIC_ACQUIRE);
}

uint32_t
read_link(const struct table *t, uint32_t *link)
{
    uint64_t value;

    assert_in_range(*link, 1, XDP_MASK_LINKS - 1);
    value = __atomic_load_n(&t->maps.mask_links[*link], __ATOMIC_ACQUIRE);
    *link = value >> 32;
    assert_in_range((uint32_t) value, 1, N_MASKS);
    return value;
}

static uint32_t
read_list(const struct table *t, const struct xdp_flow_key *packet,
          uint32_t port)
{
    uint32_t link = read_head(t, port), flow = 0;

    for (int i = 0; link && !flow; i++) {
        assert_in_range(i, 0, N_MASKS);
        flow = read_mask(t, packet, read_link(t, &link));
    }
    return flow;
}

uint32_t
lookup(const struct table *t, const struct xdp_flow_key *packet)
{
    uint32_t flow = (packet->in_port < XDP_MAX_PORTS
                     ? read_list(t, packet, packet->in_port) : 0);

    return flow ? flow : read_list(t, packet, XDP_ANY_PORT);
}

bool
hint_hits(const struct table *t, const struct xdp_flow_key *packet,
          uint32_t flow)
{
    return read_flow(t, packet, flow, read_mask_id(t, flow));
}

uint32_t
read_ops(const struct table *t, uint64_t encoded,
         struct xdp_op ops[XDP_FLOW_MAX_OPS])
{
    if (encoded & XDP_OPS_OUTPUT) {
        ops[0] = (struct xdp_op) { .type = XDP_OP_OUTPUT,
                                   .arg = encoded & ~XDP_OPS_OUTPUT };
        return 1;
    }
    assert_in_range((uint32_t) encoded, 0, XDP_FLOW_MAX_OPS);
    memcpy(ops, &t->maps.ops[encoded >> 32], (uint32_t) encoded * sizeof *ops);
    return encoded;
}

/* Keys and masks. */

void
random_key(struct xdp_flow_key *key)
{
    for (size_t i = 0; i < XDP_KEY_WORDS; i++) {
        ((uint64_t *) key)[i] = random_uint64();
    }
}

struct xdp_flow_key
make_mask(uint32_t n)
{
    struct xdp_flow_key mask;

    memset(&mask, 0, sizeof mask);
    mask.in_port = n % 4 == 3 ? 0 : n % 16 == 5 ? UINT16_MAX : UINT32_MAX;
    mask.nw_src = 1u << n % XDP_KEY_WORDS;
    mask.nw_dst = UINT32_MAX;
    mask.tun_src = n;
    return mask;
}

struct xdp_flow_key
make_key(uint32_t n)
{
    struct xdp_flow_key key;

    random_key(&key);
    key.in_port = n % 7 < 6 ? n % 7 : XDP_MAX_PORTS + n;
    key.nw_src = n * 0x9e3779b1;
    key.nw_dst = n;
    key.tun_src = UINT32_MAX;
    return key;
}

uint32_t
list_of(const struct xdp_flow_key *key, const struct xdp_flow_key *mask)
{
    return (mask->in_port == UINT32_MAX && key->in_port < XDP_MAX_PORTS
            ? key->in_port : XDP_ANY_PORT);
}

struct xdp_flow_key
unpack_mask(const struct table *t, uint32_t mask_id)
{
    const struct xdp_mask *mask = &t->maps.masks[mask_id];
    struct xdp_flow_key key;

    memcpy(&key, mask->bits, sizeof key);
    return key;
}

int
insert_key(struct table *t, const struct xdp_flow_key *key,
           const struct xdp_flow_key *mask, size_t n_ops, uint32_t *flow)
{
    struct xdp_op ops[XDP_FLOW_MAX_OPS];

    memset(ops, 0, sizeof ops);
    for (size_t i = 0; i < n_ops; i++) {
        ops[i].type = XDP_OP_OUTPUT;
        ops[i].arg = key->nw_dst;
    }
    return flow_table_insert(t->ft, key, mask, ops, n_ops, flow);
}

int
insert(struct table *t, uint32_t mask_n, uint32_t key_n, size_t n_ops,
       uint32_t *flow)
{
    struct xdp_flow_key key = make_key(key_n), mask = make_mask(mask_n);

    return insert_key(t, &key, &mask, n_ops, flow);
}

uint32_t
must_insert(struct table *t, uint32_t mask_n, uint32_t key_n, size_t n_ops)
{
    uint32_t flow;

    assert_int_equal(insert(t, mask_n, key_n, n_ops, &flow), 0);
    return flow;
}

int
insert_at(struct table *t, uint32_t port, uint32_t mask_n, uint32_t key_n,
          uint32_t *flow)
{
    struct xdp_flow_key key = make_key(key_n), mask = make_mask(mask_n);

    key.in_port = port;
    mask.in_port = UINT32_MAX;
    return insert_key(t, &key, &mask, 1, flow);
}

uint32_t
lookup_n(const struct table *t, uint32_t key_n)
{
    struct xdp_flow_key key = make_key(key_n);

    return lookup(t, &key);
}

const struct xdp_op *
flow_ops(const struct table *t, uint32_t flow, uint32_t *n_ops)
{
    uint64_t ops = t->maps.flows[flow].ops;

    *n_ops = ops & XDP_OPS_OUTPUT ? 0 : ops;
    return &t->maps.ops[ops >> 32];
}

/* Checks all of the table from outside. */

struct check {
    struct table *t;
    size_t n_flows;
    uint32_t *link_flows;       /* Flows of the link, one more if listed. */
    uint16_t *links;            /* By port and mask id. */
};

uint32_t
find_link(const struct table *t, uint32_t port, uint32_t mask_id)
{
    uint32_t next = read_head(t, port);

    while (next) {
        uint32_t link = next;

        if (read_link(t, &next) == mask_id) {
            return link;
        }
    }
    return 0;
}

static void
check_flow(uint32_t idx, const struct xdp_flow_key *key,
           const struct xdp_flow_key *mask, const struct xdp_op *ops,
           size_t n_ops, void *check_)
{
    struct check *check = check_;
    struct xdp_op read[XDP_FLOW_MAX_OPS];
    uint32_t mask_id = check->t->maps.flows[idx].mask_id;
    uint32_t link = check->links[list_of(key, mask) * XDP_MAX_MASKS + mask_id];

    check->n_flows++;
    assert_int_equal(lookup(check->t, key), idx);
    assert_true(hint_hits(check->t, key, idx));
    for (size_t i = 0; i < n_ops; i++) {
        assert_int_equal(ops[i].type, XDP_OP_OUTPUT);
        assert_int_equal(ops[i].arg, key->nw_dst);
    }
    assert_int_equal(read_ops(check->t, check->t->maps.flows[idx].ops, read),
                     n_ops);
    assert_memory_equal(read, ops, n_ops * sizeof *ops);

    assert_int_not_equal(link, 0);
    check->link_flows[link]++;
}

/* Each link is in one list, which has each mask once; 'bits' are those of the
 * masks, or more. */
static void
check_lists(struct check *check)
{
    const struct table *t = check->t;

    for (uint32_t port = 0; port <= XDP_ANY_PORT; port++) {
        uint32_t next = read_head(t, port);

        while (next) {
            uint32_t link = next, id = read_link(t, &next);
            const struct xdp_mask *mask = &t->maps.masks[id];

            assert_int_equal(check->links[port * XDP_MAX_MASKS + id], 0);
            check->links[port * XDP_MAX_MASKS + id] = link;
            assert_int_equal(check->link_flows[link]++, 0);
            assert_in_range(mask->n_words, 1, XDP_KEY_WORDS);
            for (uint32_t i = 0; i < XDP_HINT_WORDS; i++) {
                assert_true(!(mask->bits[i]
                              & ~t->maps.port_masks[port].bits[i]));
            }
            for (uint32_t i = XDP_HOT_WORDS; i < XDP_KEY_WORDS; i++) {
                assert_true(!mask->bits[i] || mask->wide);
            }
            assert_true(!mask->wide || t->maps.port_masks[port].wide);
        }
    }
}

void
check_table__(struct table *t, size_t n_flows, bool tight)
{
    struct check check = {
        .t = t,
        .link_flows = xcalloc(XDP_MASK_LINKS, sizeof(uint32_t)),
        .links = calloc((XDP_ANY_PORT + 1) * XDP_MAX_MASKS, sizeof(uint16_t)),
    };
    uint8_t *op_used = xzalloc(XDP_MAX_OPS);
    bool *flow_used = xzalloc(XDP_MAX_FLOWS * sizeof *flow_used);
    bool *mask_used = xzalloc(XDP_MAX_MASKS * sizeof *mask_used);
    size_t n_slots = 0, n_masks = 0;

    check_lists(&check);
    flow_table_for_each(t->ft, check_flow, &check);
    assert_int_equal(check.n_flows, n_flows);
    assert_int_equal(flow_table_count(t->ft), n_flows);
    for (size_t i = 0; i < XDP_BUCKETS * XDP_BUCKET_SLOTS; i++) {
        uint32_t idx = t->maps.buckets[0].slots[i];

        if (t->maps.buckets[0].slots[i]) {
            uint32_t n_ops;
            const struct xdp_op *ops = flow_ops(t, idx, &n_ops);

            for (uint32_t j = 0; j < n_ops; j++) {
                assert_int_equal(op_used[ops + j - t->maps.ops]++, 0);
            }
            assert_false(flow_used[idx]);
            flow_used[idx] = true;
            mask_used[t->maps.flows[idx].mask_id] = true;
            n_slots++;
        }
    }
    assert_int_equal(n_slots, n_flows);
    for (size_t i = 0; i < XDP_MAX_FLOWS; i++) {
        assert_true(flow_used[i] == (t->maps.flows[i].mask_id != 0));
    }
    assert_int_equal(t->maps.masks[0].n_words, 0);
    for (size_t i = 0; i < XDP_MAX_MASKS; i++) {
        n_masks += mask_used[i];
        assert_true(mask_used[i] ? t->maps.masks[i].n_words > 0
                    : !tight || !t->maps.masks[i].n_words);
    }
    for (size_t i = 0; tight && i < XDP_MASK_LINKS; i++) {
        assert_int_not_equal(check.link_flows[i], 1);
    }
    for (uint32_t port = 0; tight && port <= XDP_ANY_PORT; port++) {
        const uint64_t *bits = (uint64_t *) t->maps.port_masks[port].bits;

        for (int i = 0; !read_head(t, port) && i < XDP_HINT_WORDS; i++) {
            assert_int_equal(bits[i], 0);
        }
    }
    if (tight) {
        assert_int_equal(flow_table_n_masks(t->ft), n_masks);
    }
    free(check.link_flows);
    free(check.links);
    free(op_used);
    free(flow_used);
    free(mask_used);
}

void
check_table(struct table *t, size_t n_flows)
{
    check_table__(t, n_flows, false);
}

void
check_table_tight(struct table *t, size_t n_flows)
{
    for (int i = 0; i < 3; i++) {
        wait_grace(t);
    }
    check_table__(t, n_flows, true);
}

bool
bits_are_exact(const struct table *t, uint32_t port)
{
    uint64_t bits[XDP_KEY_WORDS] = { 0 };
    uint32_t link = read_head(t, port);

    while (link) {
        struct xdp_flow_key mask = unpack_mask(t, read_link(t, &link));

        for (int i = 0; i < XDP_KEY_WORDS; i++) {
            bits[i] |= ((uint64_t *) &mask)[i];
        }
    }
    return !memcmp(bits, t->maps.port_masks[port].bits,
                   sizeof t->maps.port_masks[port].bits);
}

/* Changes. */

void *
churn(void *churn_)
{
    const struct churn *c = churn_;
    struct table *t = c->t;
    uint32_t base = c->base, flows[100] = { 0 };

    for (int i = 0; i < 100000; i++) {
        uint32_t n = i % 100;

        if (flows[n] && i % 3) {
            struct xdp_op ops[XDP_FLOW_MAX_OPS];

            for (int j = 0; j < XDP_FLOW_MAX_OPS; j++) {
                ops[j] = (struct xdp_op) { .type = XDP_OP_OUTPUT,
                                           .arg = base + n };
            }
            int error = flow_table_modify(t->ft, flows[n], ops, i % 33);

            ovs_assert(!error || error == ENOSPC);
        } else if (flows[n]) {
            ovs_assert(!flow_table_delete(t->ft, flows[n], NULL));
            flows[n] = 0;
        } else {
            int error = insert(t, base + n % 50, base + n, i % 33, &flows[n]);

            ovs_assert(!error || error == ENOSPC);
            flows[n] = error ? 0 : flows[n];
        }
    }
    return NULL;
}
