/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The layouts are those that the BPF compiler describes in BTF, so there is no list
 * of fields to keep. */

#include <config.h>
#include "fingerprint.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "hash.h"
#include "ovs-xdp-abi.h"
#include "ports.h"
#include "util.h"

/* Structs that are in no map, but in front of frames; "layouts" in
 * pipeline.bpf.c has them in BTF. */
static const char *const loose_structs[] = { "handover", "group_hdr" };

/* Names, places and types of all that is in type 'id'. */
static uint32_t
hash_type(const struct btf *btf, uint32_t id, uint32_t hash)
{
    const struct btf_type *t = btf__type_by_id(btf, id);

    while (btf_is_mod(t) || btf_is_typedef(t)) {
        t = btf__type_by_id(btf, t->type);
    }
    hash = hash_int(btf_kind(t), hash);
    if (btf_is_int(t)) {
        hash = hash_int(t->size, hash);
        hash = hash_int(btf_int_encoding(t), hash);
    } else if (btf_is_array(t)) {
        hash = hash_int(btf_array(t)->nelems, hash);
        hash = hash_type(btf, btf_array(t)->type, hash);
    } else if (btf_is_composite(t)) {
        const struct btf_member *members = btf_members(t);

        hash = hash_int(t->size, hash);
        for (int i = 0; i < btf_vlen(t); i++) {
            hash = hash_string(btf__name_by_offset(btf, members[i].name_off),
                               hash);
            hash = hash_int(members[i].offset, hash);
            hash = hash_type(btf, members[i].type, hash);
        }
    }
    return hash;
}

uint64_t
xdp_fingerprint(const struct bpf_object *object)
{
    const struct btf *btf = bpf_object__btf(object);
    const struct bpf_map *map;
    uint32_t hash = hash_int(XDP_ABI_VERSION, XDP_KEY_SEQ);

    bpf_object__for_each_map(map, object) {
        if (!bpf_map__is_internal(map)) {
            hash = hash_string(bpf_map__name(map), hash);
            hash = hash_int(bpf_map__type(map), hash);
            hash = hash_int(bpf_map__key_size(map), hash);
            hash = hash_int(bpf_map__value_size(map), hash);
            hash = hash_int(bpf_map__max_entries(map), hash);
            hash = hash_int(bpf_map__map_flags(map), hash);
            hash = hash_type(btf, bpf_map__btf_value_type_id(map), hash);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(loose_structs); i++) {
        int32_t id = btf__find_by_name_kind(btf, loose_structs[i],
                                            BTF_KIND_STRUCT);

        ovs_assert(id > 0);
        hash = hash_type(btf, id, hash);
    }
    /* Userspace's own map. */
    hash = hash_int(sizeof(struct xdp_port_info), hash);
    return (uint64_t) XDP_ABI_VERSION << 32 | hash;
}
