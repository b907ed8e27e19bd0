/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Tests of datapath/flow-table.c on plain memory in place of maps.  What a
 * packet would find is told by a reader of our own, after the description in
 * ovs-xdp-abi.h.  Time passes when the test says so: it is linked with
 * --wrap. */

#include <config.h>
#undef NDEBUG
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "flow-table.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "random.h"
#include "timeval.h"
#include "util.h"

#define GRACE_MS 20             /* As flow-table.h promises. */
#define N_FLOWS (XDP_MAX_FLOWS - 1)
#define N_MASKS (XDP_MAX_MASKS - 1)

/* The maps, shared with child processes. */

struct table {
    struct flow_table_maps maps;
    struct flow_table *ft;
    struct xdp_flow_stats *stats;       /* By flow index. */
    int stats_error;                    /* What the callbacks return. */
};

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

static struct table *
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

static void
table_free(struct table *t)
{
    flow_table_destroy(t->ft);
#define UNMAP_MEMORY(P, N) munmap(P, (N) * sizeof *(P));
    FOR_EACH_MEMORY(UNMAP_MEMORY)
    free(t);
}

/* As a new process would. */
static void
table_adopt(struct table *t)
{
    flow_table_destroy(t->ft);
    assert_int_equal(flow_table_create(&t->maps, true, &t->ft), 0);
}

/* 0: the real time. */
static long long int now = 1000;

long long int __real_time_msec(void);
long long int __wrap_time_msec(void);

long long int
__wrap_time_msec(void)
{
    return now ? now : __real_time_msec();
}

/* Adoption waits by this.  The test says what must be true then. */
static void (*adopt_hook)(void);

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

static void
wait_msec(struct table *t, int msec)
{
    now += msec;
    flow_table_run(t->ft);
}

/* Just long enough. */
static void
wait_grace(struct table *t)
{
    wait_msec(t, GRACE_MS);
}

/* The reader. */

static uint64_t
read_hash(const uint64_t *words, const struct xdp_mask *mask, uint32_t mask_id)
{
    uint64_t h = XDP_HASH_SEED ^ mask_id;

    for (uint32_t i = 0; i < mask->n_words; i++) {
        h ^= words[mask->words[i]] & mask->bits[mask->words[i]];
        h = (h << 29 | h >> 35) * XDP_HASH_MULT;
    }
    return h ^ h >> 32;
}

/* A word of the flow's key. */
static uint64_t *
flow_word(const struct table *t, uint32_t flow, uint32_t word)
{
    return (uint64_t *) (word < XDP_HOT_WORDS ? &t->maps.flows[flow].key[word]
                         : &t->maps.flows_wide[flow].key[word
                                                         - XDP_HOT_WORDS]);
}

/* Of a flow, as it is now; 0 for none. */
static uint32_t
read_mask_id(const struct table *t, uint32_t flow)
{
    return __atomic_load_n(&t->maps.flows[flow].mask_id, __ATOMIC_ACQUIRE);
}

/* Does the packet belong to the flow, whose mask id has been read? */
static bool
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

static uint32_t
read_head(const struct table *t, uint32_t port)
{
    return __atomic_load_n(&t->maps.port_masks[port].head, __ATOMIC_ACQUIRE);
}

/* The mask id of '*link', which becomes the next one. */
static uint32_t
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

/* The flow that a packet finds without a hint; 0 for a miss. */
static uint32_t
lookup(const struct table *t, const struct xdp_flow_key *packet)
{
    uint32_t flow = (packet->in_port < XDP_MAX_PORTS
                     ? read_list(t, packet, packet->in_port) : 0);

    return flow ? flow : read_list(t, packet, XDP_ANY_PORT);
}

/* Is it this flow that a packet finds with a hint to it? */
static bool
hint_hits(const struct table *t, const struct xdp_flow_key *packet,
          uint32_t flow)
{
    return read_flow(t, packet, flow, read_mask_id(t, flow));
}

/* The actions of a flow with 'encoded' in struct xdp_flow. */
static uint32_t
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

static void
random_key(struct xdp_flow_key *key)
{
    for (size_t i = 0; i < XDP_KEY_WORDS; i++) {
        ((uint64_t *) key)[i] = random_uint64();
    }
}

/* Masks of different 'n' differ; so do keys of different 'n' under them.  They
 * are for several ports, for all, for some, and for one that no list is of. */
static struct xdp_flow_key
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

static struct xdp_flow_key
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

/* The list that a flow is in. */
static uint32_t
list_of(const struct xdp_flow_key *key, const struct xdp_flow_key *mask)
{
    return (mask->in_port == UINT32_MAX && key->in_port < XDP_MAX_PORTS
            ? key->in_port : XDP_ANY_PORT);
}

static struct xdp_flow_key
unpack_mask(const struct table *t, uint32_t mask_id)
{
    const struct xdp_mask *mask = &t->maps.masks[mask_id];
    struct xdp_flow_key key;

    memcpy(&key, mask->bits, sizeof key);
    return key;
}

static int
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

static int
insert(struct table *t, uint32_t mask_n, uint32_t key_n, size_t n_ops,
       uint32_t *flow)
{
    struct xdp_flow_key key = make_key(key_n), mask = make_mask(mask_n);

    return insert_key(t, &key, &mask, n_ops, flow);
}

static uint32_t
must_insert(struct table *t, uint32_t mask_n, uint32_t key_n, size_t n_ops)
{
    uint32_t flow;

    assert_int_equal(insert(t, mask_n, key_n, n_ops, &flow), 0);
    return flow;
}

/* A flow of the port given, and of this one only. */
static int
insert_at(struct table *t, uint32_t port, uint32_t mask_n, uint32_t key_n,
          uint32_t *flow)
{
    struct xdp_flow_key key = make_key(key_n), mask = make_mask(mask_n);

    key.in_port = port;
    mask.in_port = UINT32_MAX;
    return insert_key(t, &key, &mask, 1, flow);
}

static uint32_t
lookup_n(const struct table *t, uint32_t key_n)
{
    struct xdp_flow_key key = make_key(key_n);

    return lookup(t, &key);
}

/* The flow's ops in the pool. */
static const struct xdp_op *
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

/* Of the mask in the port's list. */
static uint32_t
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

/* True of a table of flows by insert(): each is found, and in its port's list,
 * each slot is a flow's, no op is in two flows, and what is not in a slot has
 * no mask.  'tight', of a table after three grace periods without deletions
 * or right after adoption: there are no lists, masks and bits beside. */
static void
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

static void
check_table(struct table *t, size_t n_flows)
{
    check_table__(t, n_flows, false);
}

static void
check_table_tight(struct table *t, size_t n_flows)
{
    for (int i = 0; i < 3; i++) {
        wait_grace(t);
    }
    check_table__(t, n_flows, true);
}

/* The port's 'bits' are those of its flows' masks, and no others. */
static bool
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

/* Tests. */

static void
test_insert(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    struct xdp_flow_key key, mask, packet;
    uint64_t *k = (uint64_t *) &key, *m = (uint64_t *) &mask;
    uint64_t *p = (uint64_t *) &packet;
    struct xdp_op ops[XDP_FLOW_MAX_OPS + 1], read[XDP_FLOW_MAX_OPS];
    uint32_t flow, flow2;

    for (int n = 0; n < 300; n++) {
        uint32_t used = random_uint32() | 1u << n % XDP_KEY_WORDS;

        random_key(&key);
        random_key(&mask);
        for (int i = 0; i < XDP_KEY_WORDS; i++) {
            m[i] = used & 1u << i ? m[i] : 0;
        }
        if (n % 3) {            /* One port's. */
            mask.in_port = UINT32_MAX;
            key.in_port = random_range(n % 3 * XDP_MAX_PORTS);
        }
        memset(ops, n, sizeof ops);
        assert_int_equal(flow_table_insert(t->ft, &key, &mask, ops, n % 33,
                                           &flow), 0);
        assert_in_range(flow, 1, N_FLOWS);
        assert_int_equal(flow_table_count(t->ft), n + 1);
        assert_int_equal(flow_table_n_masks(t->ft), n + 1);
        assert_int_equal(read_ops(t, t->maps.flows[flow].ops, read), n % 33);
        assert_memory_equal(read, ops, n % 33 * sizeof *ops);
        assert_int_not_equal(find_link(t, list_of(&key, &mask),
                                       t->maps.flows[flow].mask_id), 0);

        /* Bits outside of the mask do not matter, those inside do. */
        assert_int_equal(lookup(t, &key), flow);
        for (int i = 0; i < XDP_KEY_WORDS; i++) {
            p[i] = (k[i] & m[i]) | (random_uint64() & ~m[i]);
        }
        assert_int_equal(lookup(t, &packet), flow);
        assert_true(hint_hits(t, &packet, flow));
        p[n % XDP_KEY_WORDS] ^= m[n % XDP_KEY_WORDS] & -m[n % XDP_KEY_WORDS];
        assert_int_equal(lookup(t, &packet), 0);
        assert_false(hint_hits(t, &packet, flow));

        p[n % XDP_KEY_WORDS] = k[n % XDP_KEY_WORDS];
        assert_int_equal(flow_table_insert(t->ft, &packet, &mask, ops, 1,
                                           &flow2), EEXIST);
        assert_int_equal(flow2, flow);
        assert_int_equal(flow_table_count(t->ft), n + 1);
    }
    random_key(&key);
    assert_int_equal(flow_table_insert(t->ft, &key, &mask, ops,
                                       XDP_FLOW_MAX_OPS + 1, &flow), E2BIG);
    memset(&mask, 0, sizeof mask);
    assert_int_equal(flow_table_insert(t->ft, &key, &mask, ops, 1, &flow),
                     EINVAL);
    for (int i = 1; i <= XDP_KEY_WORDS; i++) {
        m[XDP_KEY_WORDS - i] = 1;
        assert_int_equal(flow_table_insert(t->ft, &key, &mask, ops, 1, &flow),
                         0);
        assert_true(hint_hits(t, &key, flow));
    }
    assert_int_equal(flow_table_count(t->ft), 300 + XDP_KEY_WORDS);
    table_free(t);
}

static void
test_modify(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    uint32_t flow = must_insert(t, 1, 1, 3), n_ops;
    const struct xdp_op *old_ops = flow_ops(t, flow, &n_ops);
    struct xdp_op old[3], ops[XDP_FLOW_MAX_OPS + 1];

    memcpy(old, old_ops, sizeof old);
    memset(ops, 0xaa, sizeof ops);
    assert_int_equal(flow_table_modify(t->ft, flow, ops, 5), 0);
    assert_memory_equal(flow_ops(t, flow, &n_ops), ops, 5 * sizeof *ops);
    assert_int_equal(n_ops, 5);
    assert_int_equal(lookup_n(t, 1), flow);

    /* The old ops stay until no program can read them any more. */
    for (uint32_t i = 0; i < 100; i++) {
        must_insert(t, 1, 100 + i, 1 + i % 3);
        wait_msec(t, i % 10 == 0);
    }
    assert_memory_equal(old_ops, old, sizeof old);
    wait_grace(t);
    for (uint32_t i = 0; i < 100; i++) {
        must_insert(t, 1, 300 + i, 1 + i % 3);
    }
    assert_memory_not_equal(old_ops, old, sizeof old);

    assert_int_equal(flow_table_modify(t->ft, flow, ops, 0), 0);
    flow_ops(t, flow, &n_ops);
    assert_int_equal(n_ops, 0);
    assert_int_equal(flow_table_modify(t->ft, flow, ops, XDP_FLOW_MAX_OPS + 1),
                     E2BIG);
    assert_int_equal(flow_table_modify(t->ft, 0, ops, 1), ENOENT);
    assert_int_equal(flow_table_modify(t->ft, N_FLOWS, ops, 1), ENOENT);
    assert_int_equal(flow_table_modify(t->ft, XDP_MAX_FLOWS, ops, 1), ENOENT);
    table_free(t);
}

/* A flow that just outputs needs no ops of the pool. */
static void
test_output(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    struct xdp_flow_key key = make_key(1), mask = make_mask(1);
    struct xdp_op op[2] = { { .type = XDP_OP_OUTPUT },
                            { .type = XDP_OP_OUTPUT } };
    uint32_t flow = must_insert(t, 2, 2, 1), n = XDP_MAX_OPS / 32;
    uint64_t *ops = (uint64_t *) &t->maps.flows[flow].ops;

    assert_int_equal(*ops, XDP_OPS_OUTPUT | 2);
    for (op->arg = XDP_MAX_PORTS; op->arg--; ) {
        assert_int_equal(flow_table_modify(t->ft, flow, op, 1), 0);
        assert_int_equal(*ops, XDP_OPS_OUTPUT | op->arg);
    }
    wait_grace(t);

    /* Others do, all of which there are if none has leaked. */
    for (uint32_t i = 1; i < n; i++) {
        must_insert(t, 3, 1000000 + i, 32);
    }
    for (int i = 0; i < 100; i++) {
        op->arg = i;
        op->type = XDP_OP_OUTPUT_COPY;
        assert_int_equal(flow_table_modify(t->ft, flow, op, 1), 0);
        assert_int_equal(*ops & ~0ULL >> 32, 1);
        op->type = XDP_OP_OUTPUT;
        assert_int_equal(flow_table_modify(t->ft, flow, op, 1), 0);
        op->arg = XDP_MAX_PORTS + i;
        assert_int_equal(flow_table_modify(t->ft, flow, op, 1), 0);
        assert_int_equal(*ops & ~0ULL >> 32, 1);
        assert_int_equal(flow_table_modify(t->ft, flow, op, 0), 0);
        assert_int_equal(*ops & ~0ULL >> 32, 0);
        assert_int_equal(flow_table_modify(t->ft, flow, op, 2), 0);
        assert_int_equal(*ops & ~0ULL >> 32, 2);
        op->arg = i;
        assert_int_equal(flow_table_modify(t->ft, flow, op, 1), 0);
        assert_int_equal(*ops, XDP_OPS_OUTPUT | i);
        wait_grace(t);
    }
    must_insert(t, 3, 1000000, 32);
    assert_int_equal(insert(t, 3, 3, 2, &flow), ENOSPC);
    assert_int_equal(flow_table_insert(t->ft, &key, &mask, op, 1, &flow), 0);
    assert_int_equal(flow_table_flush(t->ft), 0);
    wait_grace(t);
    for (uint32_t i = 0; i < n; i++) {
        must_insert(t, 3, 1000000 + i, 32);
    }
    check_table(t, n);
    table_free(t);
}

static void
test_delete(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    uint32_t flow = must_insert(t, 1, 1, 2), n_ops;
    struct xdp_flow copy = t->maps.flows[flow];
    struct xdp_flow_stats stats;
    struct xdp_op ops[2];

    memcpy(ops, flow_ops(t, flow, &n_ops), sizeof ops);
    t->stats[flow].packets = 7;
    assert_int_equal(flow_table_delete(t->ft, flow, &stats), 0);
    assert_int_equal(stats.packets, 7);
    assert_int_equal(lookup_n(t, 1), 0);
    assert_int_equal(t->maps.flows[flow].mask_id, 0);
    copy.mask_id = 0;
    assert_int_equal(flow_table_delete(t->ft, flow, NULL), ENOENT);
    assert_int_equal(flow_table_delete(t->ft, 0, NULL), ENOENT);
    assert_int_equal(flow_table_delete(t->ft, XDP_MAX_FLOWS, NULL), ENOENT);

    /* A program that found it before still sees all that it needs. */
    for (uint32_t i = 1; i < 100; i++) {
        must_insert(t, 1, i, 2);
        wait_msec(t, i % 10 == 0);
    }
    assert_memory_equal(&t->maps.flows[flow], &copy, sizeof copy);
    assert_memory_equal(flow_ops(t, flow, &n_ops), ops, sizeof ops);

    assert_int_equal(flow_table_flush(t->ft), 0);
    check_table(t, 0);
    check_table_tight(t, 0);

    flow = must_insert(t, 1, 1, 1);
    t->stats_error = EIO;
    assert_int_equal(flow_table_delete(t->ft, flow, &stats), EIO);
    t->stats_error = 0;
    check_table(t, 0);
    table_free(t);
}

static void
delete_range(struct table *t, uint32_t from, uint32_t to)
{
    for (uint32_t idx = from; idx < to; idx++) {
        assert_int_equal(flow_table_delete(t->ft, idx, NULL), 0);
    }
}

/* Inserts flows until the table is full. */
static size_t
refill(struct table *t, uint32_t key_n)
{
    uint32_t flow;
    size_t n = 0;

    while (!insert(t, 1, key_n + n, 1, &flow)) {
        n++;
    }
    return n;
}

/* All indexes in use. */
static void
test_full(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    struct xdp_flow_key mask = make_mask(1), key;
    struct xdp_op op = { .type = XDP_OP_OUTPUT };
    uint32_t flow, last = 0;

    for (int by_random = 0; by_random < 2; by_random++) {
        for (uint32_t i = 0; i < N_FLOWS; i++) {
            key = make_key(i);
            if (by_random) {
                key.in_port = random_uint32();
                key.nw_dst = random_uint32();
            }
            op.arg = key.nw_dst;
            assert_int_equal(flow_table_insert(t->ft, &key, &mask, &op, 1,
                                               &last), 0);
            t->stats[last].packets++;
        }
        check_table(t, N_FLOWS);
        assert_int_equal(insert(t, 2, 1, 1, &flow), ENOSPC);

        /* Its index is free, and its statistics are 0, a grace period after a
         * flow was deleted. */
        assert_int_equal(flow_table_delete(t->ft, last, NULL), 0);
        wait_msec(t, GRACE_MS - 1);
        assert_int_equal(insert(t, 2, 1, 1, &flow), ENOSPC);
        wait_msec(t, 1);
        t->stats_error = EIO;
        assert_int_equal(insert(t, 2, 1, 1, &flow), EIO);
        t->stats_error = 0;
        assert_int_equal(must_insert(t, 2, 1, 1), last);
        assert_int_equal(t->stats[last].packets, 0);

        /* What was deleted first is free first. */
        delete_range(t, 1000, 1500);
        wait_grace(t);
        assert_int_equal(refill(t, UINT32_MAX / 4), 500);
        delete_range(t, 2000, 2600);
        wait_msec(t, GRACE_MS - 1);
        delete_range(t, 3000, 3600);
        wait_msec(t, 1);
        assert_int_equal(refill(t, UINT32_MAX / 2), 600);

        assert_int_equal(flow_table_flush(t->ft), 0);
        check_table(t, 0);
        wait_grace(t);
    }
    table_free(t);
}

/* Statistics are cleared before an index is used again. */
static void
test_stats(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    struct xdp_flow_stats stats;
    uint32_t flow = must_insert(t, 1, 1, 1);

    t->stats[flow].packets = 5;
    assert_int_equal(flow_table_get_stats(t->ft, flow, &stats), 0);
    assert_int_equal(stats.packets, 5);
    assert_int_equal(flow_table_zero_stats(t->ft, flow), 0);
    assert_int_equal(t->stats[flow].packets, 0);

    /* What an earlier process left: no flow inherits packets, and flows keep
     * theirs. */
    for (uint32_t i = 0; i < XDP_MAX_FLOWS; i++) {
        t->stats[i].packets = 9;
    }
    table_adopt(t);
    for (uint32_t i = 2; i <= 10001; i++) {
        uint32_t idx = must_insert(t, 1, i, 1);

        assert_int_equal(t->stats[idx].packets, 0);
    }
    assert_int_equal(t->stats[flow].packets, 9);
    table_free(t);
}

static void
test_used(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    struct timespec ts;
    uint64_t jiffies;

    t->maps.config->hz = 250;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    jiffies = UINT32_MAX + 1ULL - 300 * 250
              + (ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000) / 4;
    assert_true(flow_table_used_msec(t->ft, 0) == 0);
    assert_in_range(time_msec() - flow_table_used_msec(t->ft, jiffies - 500),
                    1990, 5000);
    assert_in_range(time_msec() - flow_table_used_msec(t->ft, jiffies + 50000),
                    0, 0);
    table_free(t);
}

/* Ops. */

static void
test_ops(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    uint32_t *flows = xcalloc(XDP_MAX_FLOWS, sizeof *flows);
    const struct xdp_op drop = { .type = XDP_OP_END };
    uint32_t flow, n = 0;

    while (n < XDP_MAX_OPS / 32) {
        flows[n] = must_insert(t, 1, n, 32);
        n++;
    }
    assert_int_equal(insert(t, 1, n, 1, &flow), ENOSPC);
    assert_int_equal(flow_table_modify(t->ft, flows[0], &drop, 1), ENOSPC);
    assert_int_equal(insert(t, 1, n, 0, &flow), 0);
    assert_int_equal(flow_table_delete(t->ft, flow, NULL), 0);
    check_table(t, n);

    /* In the room of one there is then room for many others, and back. */
    assert_int_equal(flow_table_delete(t->ft, flows[--n], NULL), 0);
    assert_int_equal(insert(t, 1, n, 1, &flow), ENOSPC);
    wait_grace(t);
    for (size_t i = 3; i <= 7; i++) {
        flows[n] = must_insert(t, 1, n, i);
        n++;
    }
    for (size_t i = 0; i < 7; i++) {
        flows[n] = must_insert(t, 1, n, 1);
        n++;
    }
    assert_int_equal(insert(t, 1, n, 1, &flow), ENOSPC);
    check_table(t, n);
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(flow_table_delete(t->ft, flows[--n], NULL), 0);
    }
    wait_grace(t);
    flows[n] = must_insert(t, 1, n, 32);
    n++;

    /* Adoption knows the gaps. */
    while (n > XDP_MAX_OPS / 64) {
        assert_int_equal(flow_table_delete(t->ft, flows[--n], NULL), 0);
    }
    table_adopt(t);
    check_table(t, n);
    while (n < XDP_MAX_OPS / 32) {
        must_insert(t, 1, n++, 32);
    }
    assert_int_equal(insert(t, 1, n, 1, &flow), ENOSPC);
    check_table(t, n);

    /* Lengths at random, with the pool full or half full. */
    for (int round = 0; round < 3; round++) {
        size_t n_failed = 0;

        for (uint32_t i = 0; i < n; i++) {
            flow = random_uint32() % 2 ? lookup_n(t, i) : 0;
            assert_true(!flow || !flow_table_delete(t->ft, flow, NULL));
        }
        wait_grace(t);
        while (n_failed < 100) {
            n_failed += insert(t, 1, n++, 1 + random_range(32), &flow) != 0;
        }
        check_table(t, flow_table_count(t->ft));
    }
    free(flows);
    table_free(t);
}

/* Masks. */

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

/* Hints: readers that keep flow indexes for as long as they like. */

#define N_PACKETS 48
#define N_HINTED 192            /* Flow indexes. */

struct hint_test {
    struct table *t;
    struct xdp_flow_key packets[N_PACKETS];
    uint32_t flows[N_PACKETS];          /* What they should hit. */
};

/* A program, up to its end. */
struct hint_reader {
    uint32_t flow;
    uint32_t packet;
    uint32_t mask_id;
    long long int start;
    bool may_hit;               /* It was this packet's flow some time. */
    bool hit;
    uint64_t ops;
};

static void
hint_change(struct hint_test *h)
{
    uint32_t i = random_range(N_PACKETS), *flow = &h->flows[i];
    struct xdp_op ops[XDP_FLOW_MAX_OPS];

    if (!*flow) {
        /* Few masks, so that they are deleted and created all the time. */
        *flow = must_insert(h->t, 1 + random_range(i % 16 + 1), i,
                            random_range(4));
        assert_in_range(*flow, 1, N_HINTED - 1);
    } else if (random_range(5)) {
        assert_int_equal(flow_table_delete(h->t->ft, *flow, NULL), 0);
        *flow = 0;
    } else {
        for (int j = 0; j < XDP_FLOW_MAX_OPS; j++) {
            ops[j] = (struct xdp_op) { .type = XDP_OP_OUTPUT, .arg = i };
        }
        assert_int_equal(flow_table_modify(h->t->ft, *flow, ops,
                                           random_range(4)), 0);
    }
}

/* One step of it; true at the end. */
static bool
hint_reader_run(const struct hint_test *h, struct hint_reader *r)
{
    struct xdp_op ops[XDP_FLOW_MAX_OPS];

    if (!r->mask_id) {
        r->start = now;
        r->packet = random_range(N_PACKETS);
        r->flow = (random_range(2) ? h->flows[r->packet]
                   : (uint32_t) random_range(N_HINTED));
        r->mask_id = read_mask_id(h->t, r->flow);
        r->hit = r->may_hit = false;
        return !r->mask_id;
    } else if (!r->hit) {
        r->hit = read_flow(h->t, &h->packets[r->packet], r->flow, r->mask_id);
        r->ops = h->t->maps.flows[r->flow].ops;
        assert_true(r->may_hit || !r->hit);
        return !r->hit;
    }
    for (uint32_t n = read_ops(h->t, r->ops, ops); n--; ) {
        assert_int_equal(ops[n].arg, r->packet);
    }
    return true;
}

static void
test_hints(void **state OVS_UNUSED)
{
    enum { N_READERS = 200 };
    struct hint_test h = { .t = table_new() };
    struct hint_reader readers[N_READERS];
    size_t n_hits = 0, n_late = 0;

    memset(readers, 0, sizeof readers);
    for (uint32_t i = 0; i < N_PACKETS; i++) {
        h.packets[i] = make_key(i);
    }
    for (int step = 0; step < 50000; step++) {
        bool time_passes = !random_range(4);

        if (step % 5000 > 4000 && random_range(30)) {
            /* Times with few changes: for masks to go. */
        } else {
            hint_change(&h);
        }
        for (int i = 0; i < N_READERS; i++) {
            struct hint_reader *r = &readers[i];
            bool end = false;

            r->may_hit |= r->mask_id && h.flows[r->packet] == r->flow;
            if (!random_range(16)) {
                end = hint_reader_run(&h, r);
            }
            r->may_hit |= r->mask_id && h.flows[r->packet] == r->flow;
            while (!end && time_passes && r->mask_id
                   && now - r->start >= GRACE_MS - 1) {
                end = hint_reader_run(&h, r);
                n_late += r->hit;
            }
            n_hits += end && r->hit;
            r->mask_id = end ? 0 : r->mask_id;
        }

        /* One that is done at once, with any index and any packet. */
        for (uint32_t flow = 0; flow < N_HINTED && step % 4 == 0; flow++) {
            for (uint32_t i = 0; i < N_PACKETS; i++) {
                assert_true(hint_hits(h.t, &h.packets[i], flow)
                            == (flow && h.flows[i] == flow));
            }
        }
        wait_msec(h.t, time_passes);
    }
    assert_in_range(n_hits, 10000, SIZE_MAX);
    assert_in_range(n_late, 1000, SIZE_MAX);
    flow_table_flush(h.t->ft);
    check_table_tight(h.t, 0);
    table_free(h.t);
}

/* What readers find after each instruction of a process that changes the
 * table. */

enum { GONE = 7, CHANGED = 14, STAYS = 21 };

static void
change_in_steps(struct table *t)
{
    uint32_t flow = must_insert(t, 1, CHANGED, 3), flow2;
    struct xdp_op ops[4];

    for (int i = 0; i < 4; i++) {
        ops[i] = (struct xdp_op) { .type = XDP_OP_OUTPUT, .arg = CHANGED };
    }
    flow_table_modify(t->ft, flow, ops, 1);
    flow_table_modify(t->ft, flow, ops, 4);
    flow_table_modify(t->ft, flow, ops, 2);
    flow_table_delete(t->ft, flow, NULL);
    flow2 = must_insert(t, 2, CHANGED, 1);      /* A new mask. */
    flow_table_delete(t->ft, flow2, NULL);
}

static void
check_step(const struct table *t, const uint32_t ns[3],
           const struct xdp_flow_key packets[3], uint32_t stays)
{
    struct xdp_op ops[XDP_FLOW_MAX_OPS];

    for (int i = 0; i < 3; i++) {
        uint32_t found = lookup(t, &packets[i]);

        assert_true(ns[i] == STAYS ? found == stays
                    : ns[i] == GONE ? !found : found != stays);
        for (uint32_t flow = 0; flow < 8; flow++) {
            if (hint_hits(t, &packets[i], flow)) {
                uint32_t n = read_ops(t, t->maps.flows[flow].ops, ops);

                assert_true((ns[i] == STAYS) == (flow == stays));
                assert_int_not_equal(ns[i], GONE);
                assert_in_range(n, 1, 4);
                while (n--) {
                    assert_int_equal(ops[n].arg, ns[i]);
                }
            } else {
                assert_true(ns[i] != STAYS || flow != stays);
            }
        }
    }
}

static void
test_steps(void **state OVS_UNUSED)
{
    const uint32_t ns[3] = { GONE, CHANGED, STAYS };
    struct xdp_flow_key packets[3];
    struct table *t = table_new();
    uint32_t gone = must_insert(t, 1, GONE, 3);
    uint32_t stays = must_insert(t, 1, STAYS, 3);
    size_t n_steps = 0;
    int status;
    pid_t pid;

    for (int i = 0; i < 3; i++) {
        packets[i] = make_key(ns[i]);
    }
    /* The next flow gets this index. */
    flow_table_delete(t->ft, gone, NULL);
    wait_grace(t);
    pid = fork();
    assert_return_code(pid, errno);
    if (!pid) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP)) {
            _exit(2);
        }
        change_in_steps(t);
        _exit(0);
    }
    for (;;) {
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFSTOPPED(status)) {
            break;
        }
        check_step(t, ns, packets, stays);
        n_steps++;
        assert_return_code(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), errno);
    }
    assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
    assert_in_range(n_steps, 1000, SIZE_MAX);
    table_adopt(t);
    check_table__(t, 1, true);
    table_free(t);
}

/* Threads. */

struct churn {
    struct table *t;
    uint32_t base;
};

static void *
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

static void
check_ops(uint32_t idx OVS_UNUSED, const struct xdp_flow_key *key,
          const struct xdp_flow_key *mask OVS_UNUSED, const struct xdp_op *ops,
          size_t n_ops, void *aux OVS_UNUSED)
{
    for (size_t i = 0; i < n_ops; i++) {
        assert_int_equal(ops[i].arg, key->nw_dst);
    }
}

static void
test_threads(void **state OVS_UNUSED)
{
    enum { N_KEYS = 3000, N_LOOKUPS = 100000 };
    struct table *t = table_new();
    struct churn churns[2] = { { t, 1000 }, { t, 2000 } };
    uint32_t *hints = xcalloc(N_KEYS, sizeof *hints);
    size_t n_lookups = 0, n_hits = 0;
    pthread_t threads[2];
    uint32_t flows[50];

    now = 0;
    for (int i = 0; i < 50; i++) {
        flows[i] = must_insert(t, 1 + i, i, 2);
    }
    for (int i = 0; i < 2; i++) {
        threads[i] = ovs_thread_create("churn", churn, &churns[i]);
    }
    for (int i = 0; i < N_LOOKUPS; i++) {
        uint32_t n = random_range(3) * 1000 + random_range(100);
        struct xdp_flow_key packet = make_key(n);
        struct xdp_op ops[XDP_FLOW_MAX_OPS];
        long long int start = time_msec();
        uint32_t flow = hints[n], n_ops = 0;
        bool hit = hint_hits(t, &packet, flow);

        for (int j = 0; !hit && j < 50; j++) {
            flow = random_range(500);
            hit = hint_hits(t, &packet, flow);
        }
        if (!hit) {
            flow = lookup(t, &packet);
        }
        if (flow) {
            uint64_t encoded = __atomic_load_n(&t->maps.flows[flow].ops,
                                               __ATOMIC_ACQUIRE);

            n_ops = read_ops(t, encoded, ops);
        }
        if (time_msec() - start < GRACE_MS / 2) {
            assert_true(n >= 50 || flow == flows[n]);
            for (uint32_t j = 0; j < n_ops; j++) {
                assert_int_equal(ops[j].arg, n);
            }
            n_lookups++;
            n_hits += hit && n >= 1000;
        }
        hints[n] = flow ? flow : hints[n];
        if (i % 10000 == 0) {
            flow_table_for_each(t->ft, check_ops, NULL);
        }
    }
    for (int i = 0; i < 2; i++) {
        xpthread_join(threads[i], NULL);
    }
    now = time_msec();
    assert_in_range(n_lookups, N_LOOKUPS / 2, N_LOOKUPS);
    assert_in_range(n_hits, N_LOOKUPS / 100, N_LOOKUPS);
    check_table_tight(t, flow_table_count(t->ft));
    free(hints);
    table_free(t);
}

/* Adoption. */

static void
test_adopt(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    uint32_t flows[1000], flow;

    table_adopt(t);             /* Nothing. */
    check_table(t, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        flows[i] = must_insert(t, 1 + i % 100, i, i % 33);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        if (i % 100 < 40) {
            flow_table_delete(t->ft, flows[i], NULL);
        }
    }
    table_adopt(t);
    check_table__(t, 600, true);
    assert_int_equal(flow_table_n_masks(t->ft), 60);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(lookup_n(t, i), i % 100 < 40 ? 0 : flows[i]);
        assert_int_equal(insert(t, 1 + i % 100, i, i % 33, &flow),
                         i % 100 < 40 ? 0 : EEXIST);
    }
    check_table(t, 1000);
    for (int i = 0; i < 5; i++) {
        table_adopt(t);
        check_table__(t, 1000, true);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(flow_table_delete(t->ft, lookup_n(t, i), NULL), 0);
    }
    check_table_tight(t, 0);
    table_free(t);
}

/* What readers may still have when adoption waits is as they found it. */

static struct {
    struct table *t;
    uint64_t links[XDP_MASK_LINKS];
    uint32_t n_words[XDP_MAX_MASKS];
    uint32_t stale;
} before;

static void
check_adopt_grace(void)
{
    for (uint32_t i = 1; i < XDP_MASK_LINKS; i++) {
        assert_true(!before.links[i]
                    || before.links[i] == before.t->maps.mask_links[i]);
    }
    for (uint32_t i = 1; i < XDP_MAX_MASKS; i++) {
        assert_int_equal(before.n_words[i], before.t->maps.masks[i].n_words);
    }
    assert_int_equal(before.t->maps.flows[before.stale].mask_id, 0);
    before.t = NULL;
}

static void
test_adopt_grace(void **state OVS_UNUSED)
{
    struct table *t = table_new();

    for (uint32_t i = 0; i < 1000; i++) {
        before.stale = must_insert(t, 1 + i, i, 1);
    }
    /* The process ended when it deleted this one, which was the last one of
     * its mask. */
    for (uint32_t i = 0; i < XDP_BUCKETS * XDP_BUCKET_SLOTS; i++) {
        if ((uint32_t) t->maps.buckets[0].slots[i] == before.stale) {
            t->maps.buckets[0].slots[i] = 0;
        }
    }
    before.t = t;
    memcpy(before.links, t->maps.mask_links, sizeof before.links);
    for (uint32_t i = 0; i < XDP_MAX_MASKS; i++) {
        before.n_words[i] = t->maps.masks[i].n_words;
    }
    adopt_hook = check_adopt_grace;
    table_adopt(t);
    adopt_hook = NULL;
    assert_null(before.t);
    check_table__(t, 999, true);
    table_free(t);
}

/* Readers find every flow while the table is adopted, and no other. */

struct adopt_reader {
    struct table *t;
    uint32_t flows[3000];
    atomic_bool stop;
    size_t n_lookups;
};

static void *
adopt_reader_run(void *r_)
{
    struct adopt_reader *r = r_;
    uint32_t i = 0;
    bool stop;

    do {
        struct xdp_flow_key packet = make_key(i);
        long long int start = time_msec();
        uint32_t flow = lookup(r->t, &packet);
        /* One of those that are gone. */
        bool hit = hint_hits(r->t, &packet, N_FLOWS - i);

        if (time_msec() - start < GRACE_MS / 2) {
            ovs_assert(flow == r->flows[i] && !hit);
            r->n_lookups++;
        }
        i = (i + 1) % ARRAY_SIZE(r->flows);
        atomic_read(&r->stop, &stop);
    } while (!stop);
    return NULL;
}

static void
test_adopt_readers(void **state OVS_UNUSED)
{
    struct adopt_reader *r = xzalloc(sizeof *r);
    struct table *t = r->t = table_new();
    pthread_t thread;

    for (uint32_t i = 0; i < ARRAY_SIZE(r->flows); i++) {
        r->flows[i] = must_insert(t, 1 + i % 500, i, 1);
    }
    now = 0;
    thread = ovs_thread_create("reader", adopt_reader_run, r);
    for (int i = 0; i < 20; i++) {
        /* What a process that is killed may leave: a flow without a slot, the
         * only one of its mask. */
        for (uint32_t j = 0; j < ARRAY_SIZE(r->flows); j++) {
            struct xdp_mask *mask = &t->maps.masks[1000 + j];

            *mask = t->maps.masks[t->maps.flows[r->flows[j]].mask_id];
            mask->bits[0] = 1;
            t->maps.flows[N_FLOWS - j].key[0] = UINT64_MAX;
            t->maps.flows[N_FLOWS - j].mask_id = 1000 + j;
        }
        table_adopt(t);
    }
    atomic_store(&r->stop, true);
    xpthread_join(thread, NULL);
    now = time_msec();
    assert_in_range(r->n_lookups, 1000, SIZE_MAX);
    check_table__(t, ARRAY_SIZE(r->flows), true);
    table_free(t);
    free(r);
}

/* Adoption of damaged maps. */

#define N_SOUND 20              /* Flows; every other one under each mask. */

struct victim {
    struct table *t;
    struct xdp_flow *flow;      /* The first. */
    struct xdp_flow *other;     /* The second: under the other mask. */
    struct xdp_mask *mask;      /* Of the first. */
    uint64_t *slot;             /* Of the first. */
    uint64_t *next;             /* The next, of the same bucket: free. */
    uint64_t *elsewhere;        /* A free slot in a bucket it cannot be in. */
    uint32_t *head;             /* Of the list of the first's mask. */
    uint32_t *other_head;       /* Of the list of the second's. */
    uint64_t *link;             /* First of that list. */
};

static uint64_t *
find_slot(const struct table *t, uint32_t idx)
{
    for (size_t i = 0; i < XDP_BUCKETS * XDP_BUCKET_SLOTS; i++) {
        uint64_t *slot = (uint64_t *) &t->maps.buckets[0].slots[i];

        if ((uint32_t) *slot == idx) {
            return slot;
        }
    }
    fail();
    return NULL;
}

/* Makes the first flow one that is found under its mask as it is now. */
static void
republish(struct victim *v)
{
    struct xdp_flow_key packet = make_key(0);
    uint64_t hash = read_hash((uint64_t *) &packet, v->mask, v->flow->mask_id);

    for (uint32_t i = 0; i < XDP_KEY_WORDS; i++) {
        *flow_word(v->t, v->flow - v->t->maps.flows, i)
            = ((uint64_t *) &packet)[i] & v->mask->bits[i];
    }
    v->t->maps.buckets[hash & XDP_BUCKET_MASK].slots[XDP_BUCKET_SLOTS - 1]
        = hash >> 32 << 32 | (v->flow - v->t->maps.flows);
    *v->slot = 0;
}

static void
swap_words(struct victim *v)
{
    uint8_t word = v->mask->words[0];

    v->mask->words[0] = v->mask->words[1];
    v->mask->words[1] = word;
    republish(v);
}

static void
many_words(struct victim *v, uint32_t n, uint32_t n_words)
{
    for (uint32_t i = 0; i < n; i++) {
        v->mask->words[i] = i;
        v->mask->bits[MIN(i, XDP_KEY_WORDS - 1)] = 1;
    }
    v->mask->n_words = n_words;
}

/* Another mask id with an equal mask, and a flow that is right under it. */
static void
duplicate_mask(struct victim *v)
{
    struct xdp_flow *flow = &v->t->maps.flows[N_FLOWS];
    struct xdp_flow_key packet;
    uint64_t hash;

    v->t->maps.masks[100] = *v->mask;
    *flow = *v->flow;
    flow->mask_id = 100;
    flow->ops = 0;
    packet = make_key(0);
    hash = read_hash((uint64_t *) &packet, v->mask, 100);
    v->t->maps.buckets[hash & XDP_BUCKET_MASK].slots[XDP_BUCKET_SLOTS - 1]
        = hash >> 32 << 32 | N_FLOWS;
}

static void
duplicate_flow(struct victim *v)
{
    v->t->maps.flows[N_FLOWS] = *v->flow;
    v->t->maps.flows[N_FLOWS].ops = 0;
    *v->next = *v->slot >> 32 << 32 | N_FLOWS;
}

/* A flow as one that is deleted or inserted when its process ends. */
static void
stale_flow(struct victim *v, uint32_t idx)
{
    v->t->maps.flows[idx] = *v->flow;
    v->t->maps.flows[idx].key[0] ^= 1;
    v->t->maps.flows[idx].ops = XDP_OPS_OUTPUT | 1;
}

/* The first list goes on with all links but 'n_free'. */
static void
long_list(struct victim *v, uint32_t n_free)
{
    for (uint32_t i = 1; i < XDP_MASK_LINKS; i++) {
        v->t->maps.mask_links[i] = i < XDP_MASK_LINKS - 1 - n_free
            ? (uint64_t) (i + 1) << 32 | 1 : 1;
    }
    *v->head = 1;
}

#define ANY UINT32_MAX
#define INDEX_BITS ((uint64_t) UINT32_MAX)

/* What is done to the maps, and how many flows are left. */
#define DAMAGES(X)                                                          \
    X(nothing, 20, (void) v)                                                \
    X(slot_without_index, 19, v->t->maps.flows[0] = *v->flow;               \
      *v->slot &= ~INDEX_BITS)                                              \
    X(slot_with_great_index, 19, *v->slot |= INDEX_BITS)                    \
    X(slot_with_unused_index, 19, *v->slot |= N_FLOWS)                      \
    X(slot_with_other_hash, 19, *v->slot ^= UINT64_C(1) << 40)              \
    X(slot_elsewhere, 19, *v->elsewhere = *v->slot; *v->slot = 0)           \
    X(slot_elsewhere_too, 20, *v->elsewhere = *v->slot)                     \
    X(slot_twice, 20, *v->next = *v->slot)                                  \
    X(flow_twice, 20, duplicate_flow(v))                                    \
    X(flow_without_mask, 19, v->t->maps.masks[0] = *v->mask;                \
      v->flow->mask_id = 0; republish(v))                                   \
    X(flow_with_great_mask, 19, v->flow->mask_id = UINT32_MAX)              \
    X(flow_with_other_mask, 19, v->flow->mask_id = v->other->mask_id)       \
    X(flow_with_other_key, 19, v->flow->key[0] ^= 1)                        \
    X(flow_key_beyond_mask, 19,                                             \
      *flow_word(v->t, v->flow - v->t->maps.flows, XDP_KEY_WORDS - 1) = 1)  \
    X(flow_key_unmasked, 19, v->flow->key[v->mask->words[0]]                \
      |= ~v->mask->bits[v->mask->words[0]])                                 \
    X(flow_stale, 20, stale_flow(v, N_FLOWS))                               \
    X(flow_stale_without_mask, 20, stale_flow(v, N_FLOWS);                  \
      v->t->maps.flows[N_FLOWS].mask_id = 100)                              \
    X(flow_stale_with_great_mask, 20, stale_flow(v, N_FLOWS);               \
      v->t->maps.flows[N_FLOWS].mask_id = UINT32_MAX)                       \
    X(flow_0_stale, 20, stale_flow(v, 0))                                   \
    X(flow_without_slot, 19, *v->slot = 0)                                  \
    X(output, 20, v->flow->ops = XDP_OPS_OUTPUT)                            \
    X(output_to_bad_port, 19,                                               \
      v->flow->ops = XDP_OPS_OUTPUT | XDP_MAX_PORTS)                        \
    X(output_to_great_port, 19, v->flow->ops = INDEX_BITS)                  \
    X(output_with_ops, 19,                                                  \
      v->flow->ops = UINT64_C(1) << 32 | XDP_OPS_OUTPUT | 1)                \
    X(ops_none, 20, v->flow->ops = 0)                                       \
    X(ops_too_many, 19, v->flow->ops = (v->flow->ops >> 32 << 32) | 33)     \
    X(ops_far_too_many, 19, v->flow->ops = (UINT64_C(31) << 32) | INDEX_BITS)\
    X(ops_beyond_pool, 19, v->flow->ops = ((uint64_t) XDP_MAX_OPS << 32) | 1)\
    X(ops_over_border, 19, v->flow->ops = ((uint64_t) 63 << 32) | 2)        \
    X(ops_of_another, 19, v->flow->ops = v->other->ops)                     \
    X(op_unknown, 19,                                                       \
      v->t->maps.ops[v->flow->ops >> 32].type = XDP_OP_N)                   \
    X(mask_without_words, 10, memset(v->mask, 0, sizeof *v->mask);          \
      republish(v))                                                         \
    X(mask_with_33_words, 10, v->mask->n_words = 33)                        \
    X(mask_with_31_words, 10, many_words(v, 31, 31))                        \
    X(mask_with_many_words, 10, many_words(v, 32, UINT32_MAX))                             \
    X(mask_with_great_word, 10, v->mask->words[v->mask->n_words - 1] = 32)  \
    X(mask_with_equal_words, 10, v->mask->words[1] = v->mask->words[0];     \
      republish(v))                                                         \
    X(mask_with_words_swapped, 10, swap_words(v))                           \
    X(mask_with_empty_word, 10, v->mask->bits[v->mask->words[0]] = 0;       \
      republish(v))                                                         \
    X(mask_with_wrong_width, 10, v->mask->wide ^= 1)                        \
    X(mask_with_words_behind, 10, v->mask->bits[XDP_KEY_WORDS - 1] = 1)     \
    X(mask_with_other_bits, 10,                                             \
      v->mask->bits[v->mask->words[v->mask->n_words - 1]] = 2)              \
    X(mask_twice, ANY, duplicate_mask(v))                                   \
    X(mask_without_flows, 20, v->t->maps.masks[100] = *v->mask)             \
    X(mask_listed_without_flows, 20, v->t->maps.masks[100] = *v->mask;      \
      v->t->maps.mask_links[100] = (uint64_t) *v->head << 32 | 100;         \
      *v->head = 100)                                                       \
    X(mask_0_with_words, 20, v->t->maps.masks[0] = *v->mask)                \
    X(list_empty, 20, *v->head = 0)                                         \
    X(lists_empty, 20, memset(v->t->maps.port_masks, 0,                     \
      (XDP_ANY_PORT + 1) * sizeof *v->t->maps.port_masks))                  \
    X(list_with_mask_0, 20, *v->link &= ~INDEX_BITS)                        \
    X(list_with_great_mask, 20, *v->link |= INDEX_BITS)                     \
    X(list_with_other_mask, 20, *v->link ^= 3)                              \
    X(list_of_another, 20, *v->head = *v->other_head)                       \
    X(list_head_too_great, 20, *v->head = XDP_MASK_LINKS)                   \
    X(list_head_far_too_great, 20, *v->head = UINT32_MAX)                   \
    X(list_link_too_great, 20, *v->link |= (uint64_t) XDP_MASK_LINKS << 32) \
    X(list_link_far_too_great, 20, *v->link |= ~INDEX_BITS)                 \
    X(list_loop_of_one, 20, *v->link = (uint64_t) *v->head << 32 | 1)       \
    X(list_loop_of_two, 20, *v->link = UINT64_C(200) << 32 | 1;             \
      v->t->maps.mask_links[200] = (uint64_t) *v->head << 32 | 2)           \
    X(list_loop_behind, 20, *v->link = UINT64_C(200) << 32 | 1;             \
      v->t->maps.mask_links[200] = UINT64_C(200) << 32 | 2)                 \
    X(list_into_another, 20, *v->link = (uint64_t) *v->other_head << 32 | 1)\
    X(list_with_link_0, 20, v->t->maps.mask_links[0] = UINT64_C(1) << 32)   \
    X(list_of_half, 20, long_list(v, XDP_MASK_LINKS / 2))                   \
    X(list_of_most, ANY, long_list(v, 3))                                   \
    X(list_of_all, 0, long_list(v, 0))                                      \
    X(bits_none, 20, memset(v->head, 0, sizeof(struct xdp_port_masks)))     \
    X(bits_all, 20, memset(v->t->maps.port_masks[6].bits, 0xff,             \
      sizeof v->t->maps.port_masks[6].bits))

#define DAMAGE_FUNCTION(NAME, N, STATEMENTS)            \
    static void damage_##NAME(struct victim *v) { STATEMENTS; }
DAMAGES(DAMAGE_FUNCTION)

static const struct damage {
    const char *name;
    void (*cb)(struct victim *);
    uint32_t n_flows;
} damages[] = {
#define DAMAGE_ROW(NAME, N, STATEMENTS) { #NAME, damage_##NAME, N },
    DAMAGES(DAMAGE_ROW)
};

static void
test_adopt_damaged(void **state OVS_UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
        struct table *t = table_new();
        uint32_t flows[N_SOUND], flow;
        size_t n_flows;
        struct victim v = { .t = t };

        for (uint32_t n = 0; n < N_SOUND; n++) {
            flows[n] = must_insert(t, 1 + n % 2, n, 3);
        }
        v.flow = &t->maps.flows[flows[0]];
        v.other = &t->maps.flows[flows[1]];
        v.mask = &t->maps.masks[v.flow->mask_id];
        v.slot = find_slot(t, flows[0]);
        v.next = v.slot + 1;
        v.elsewhere = v.slot + XDP_BUCKET_SLOTS;
        v.head = &t->maps.port_masks[0].head;
        v.other_head = &t->maps.port_masks[1].head;
        v.link = (uint64_t *) &t->maps.mask_links[*v.head];
        assert_true(!*v.next && !*v.elsewhere);

        print_message("%s\n", damages[i].name);
        damages[i].cb(&v);
        table_adopt(t);
        n_flows = (damages[i].n_flows == ANY ? flow_table_count(t->ft)
                   : damages[i].n_flows);
        for (int twice = 0; twice < 2; twice++) {
            check_table__(t, n_flows, true);
            for (uint32_t port = 0; port <= XDP_ANY_PORT; port++) {
                assert_true(bits_are_exact(t, port));
            }
            if (damages[i].n_flows != ANY) {
                assert_int_equal(flow_table_n_masks(t->ft),
                                 (n_flows > 0) + (n_flows > 10));
            }
            table_adopt(t);
        }
        check_table__(t, n_flows, true);

        /* The table is as good as new. */
        for (uint32_t n = 0; n < N_SOUND; n++) {
            int error = insert(t, 1 + n % 2, n, 3, &flow);

            assert_true(!error || error == EEXIST);
            assert_int_equal(lookup_n(t, n), flow);
        }
        check_table(t, N_SOUND);
        flow_table_flush(t->ft);
        check_table_tight(t, 0);
        if (strstr(damages[i].name, "mask") || strstr(damages[i].name, "list")) {
            for (uint32_t n = 1; n <= N_MASKS; n++) {
                must_insert(t, n, n, 1);
            }
        }
        table_free(t);
    }
}

/* A process that is killed at any instruction leaves a table without a flaw:
 * no flow is lost. */
static void
test_adopt_killed(void **state OVS_UNUSED)
{
    struct table *t = table_new();
    size_t total = 0;

    for (int i = 0; i < 30; i++) {
        size_t n_slots = 0;
        int status;
        pid_t pid = fork();

        assert_return_code(pid, errno);
        if (!pid) {
            random_set_seed(i + 1);
            now = 0;
            for (;;) {
                churn(&(struct churn) { t, 1000 * (1 + random_range(1000)) });
            }
        }
        xnanosleep(random_range(60) * 1000000 + random_range(1000000));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

        for (size_t j = 0; j < XDP_BUCKETS * XDP_BUCKET_SLOTS; j++) {
            n_slots += t->maps.buckets[0].slots[j] != 0;
        }
        table_adopt(t);
        check_table__(t, n_slots, true);
        total += n_slots;
        flow_table_flush(t->ft);
        wait_grace(t);
    }
    assert_in_range(total, 30, SIZE_MAX);
    table_free(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_insert),
        cmocka_unit_test(test_modify),
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_used),
        cmocka_unit_test(test_ops),
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_mask_list),
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_adopt_grace),
        cmocka_unit_test(test_adopt_readers),
        cmocka_unit_test(test_adopt_damaged),
        cmocka_unit_test(test_adopt_killed),
    };

    random_set_seed(1);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    return cmocka_run_group_tests_name("flow-table", tests, NULL, NULL);
}
