/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Tests of datapath/fingerprint.c: it must change with each layout on which two
 * makes of the programs have to agree. */

#include <config.h>
#undef NDEBUG
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <string.h>

#include "fingerprint.h"
#include "openvswitch/vlog.h"
#include "pipeline.skel.h"
#include "util.h"

/* Exchanges the places of the members 'a' and 'b' of struct 'name'. */
static void
swap_members(const struct bpf_object *object, const char *name,
             const char *a, const char *b)
{
    const struct btf *btf = bpf_object__btf(object);
    int32_t id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);
    const struct btf_type *t = btf__type_by_id(btf, id);
    struct btf_member *found[2] = { NULL, NULL };
    uint32_t offset;

    assert_true(id > 0);
    for (int i = 0; i < btf_vlen(t); i++) {
        const char *member = btf__name_by_offset(btf,
                                                 btf_members(t)[i].name_off);

        for (int j = 0; j < 2; j++) {
            if (!strcmp(member, j ? b : a)) {
                found[j] = &btf_members(t)[i];
            }
        }
    }
    assert_non_null(found[0]);
    assert_non_null(found[1]);
    offset = found[0]->offset;
    found[0]->offset = found[1]->offset;
    found[1]->offset = offset;
}

static uint64_t
fingerprint_of(const char *name, const char *a, const char *b)
{
    struct pipeline_bpf *skel = pipeline_bpf__open();
    uint64_t value;

    assert_non_null(skel);
    if (name) {
        swap_members(skel->obj, name, a, b);
    }
    value = xdp_fingerprint(skel->obj);
    pipeline_bpf__destroy(skel);
    return value;
}

static void
test_layouts(void **state OVS_UNUSED)
{
    static const char *const swaps[][3] = {
        { "handover", "flow", "recirc_id" },
        { "group_hdr", "flow", "in_port" },
        { "xdp_cpu", "handover_port", "handover_len" },
        { "xdp_offsets", "l3", "l4" },          /* In xdp_cpu, group_hdr. */
        { "xdp_flow_key", "tp_src", "tp_dst" },
        { "xdp_flow_stats", "packets", "bytes" },
        { "xdp_op", "type", "arg" },
        { "xdp_port", "ifindex", "flags" },
    };
    uint64_t ours = fingerprint_of(NULL, NULL, NULL);

    assert_true(ours == fingerprint_of(NULL, NULL, NULL));
    for (size_t i = 0; i < ARRAY_SIZE(swaps); i++) {
        if (fingerprint_of(swaps[i][0], swaps[i][1], swaps[i][2]) == ours) {
            fail_msg("struct %s has another layout, but the same fingerprint",
                     swaps[i][0]);
        }
    }
}

static void
test_maps(void **state OVS_UNUSED)
{
    struct pipeline_bpf *skel = pipeline_bpf__open();
    uint64_t ours;

    assert_non_null(skel);
    ours = xdp_fingerprint(skel->obj);
    bpf_map__set_max_entries(skel->maps.xdp_flows, 1);
    assert_true(ours != xdp_fingerprint(skel->obj));
    pipeline_bpf__destroy(skel);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_maps),
    };

    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    return cmocka_run_group_tests_name("fingerprint", tests, NULL, NULL);
}
