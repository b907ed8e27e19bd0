/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Tests of the adoption of a flow table that an earlier process left: sound,
 * in use, damaged, or left at any instruction. */

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
#include <sys/wait.h>
#include <unistd.h>

#include "memory-table.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "random.h"
#include "timeval.h"
#include "util.h"

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
        cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_adopt_grace),
        cmocka_unit_test(test_adopt_readers),
        cmocka_unit_test(test_adopt_damaged),
        cmocka_unit_test(test_adopt_killed),
    };

    random_set_seed(1);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    return cmocka_run_group_tests_name("flow-adopt", tests, NULL, NULL);
}
