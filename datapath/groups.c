/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Groups of devices that get copies of one frame.
 *
 * Each system call on "xdp_groups", an array of maps, waits for an RCU grace
 * period, before Linux 6.8 even a look-up of nothing.  So nobody cleans up
 * behind an earlier process: what it left is overwritten, lowest id first. */

#include <config.h>
#include "groups.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hash.h"
#include "openvswitch/hmap.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "timeval.h"
#include "util.h"
#include "xdp-dp-private.h"

VLOG_DEFINE_THIS_MODULE(xdp_groups);

/* Programs run for microseconds; a group's map outlives its last user by
 * this. */
#define GRACE_MSEC 100

#define MEMBER_USERSPACE UINT32_MAX     /* Beside port numbers. */

struct group {
    struct hmap_node node;      /* In 'groups', by members. */
    uint32_t id;                /* In "xdp_groups". */
    uint32_t map_id;            /* Of its map. */
    unsigned int n_refs;
    long long int expires;      /* If 'n_refs' is 0. */
    size_t n_members;
    uint32_t members[XDP_FLOW_MAX_OPS]; /* Ascending. */
};

struct xdp_groups {
    struct ovs_mutex mutex;
    const struct xdp_dp *dp;
    int map_fd;
    struct hmap groups OVS_GUARDED;             /* Of struct group. */
    struct group *by_id[XDP_MAX_GROUPS] OVS_GUARDED;    /* 0 is not used. */
    size_t n_unused OVS_GUARDED;                /* Groups without reference. */
};

int
xdp_groups_create(struct xdp_dp *dp, struct xdp_groups **groupsp)
{
    struct xdp_groups *groups = xzalloc(sizeof *groups);

    ovs_mutex_init(&groups->mutex);
    groups->dp = dp;
    groups->map_fd = xdp_dp_map_fd(dp, "xdp_groups");
    hmap_init(&groups->groups);
    *groupsp = groups;
    return 0;
}

static void
group_free(struct xdp_groups *groups, struct group *group)
    OVS_REQUIRES(groups->mutex)
{
    hmap_remove(&groups->groups, &group->node);
    groups->by_id[group->id] = NULL;
    free(group);
}

void
xdp_groups_close(struct xdp_groups *groups)
{
    struct group *group;

    if (!groups) {
        return;
    }
    ovs_mutex_lock(&groups->mutex);
    HMAP_FOR_EACH_SAFE (group, node, &groups->groups) {
        group_free(groups, group);
    }
    ovs_mutex_unlock(&groups->mutex);
    hmap_destroy(&groups->groups);
    ovs_mutex_destroy(&groups->mutex);
    free(groups);
}

/* Members. */

static int
compare_members(const void *a_, const void *b_)
{
    const uint32_t *a = a_, *b = b_;

    return *a < *b ? -1 : *a > *b;
}

static void
get_members(const struct xdp_op *ops, size_t n_ops, struct group *group)
{
    group->n_members = 0;
    for (size_t i = 0; i < MIN(n_ops, XDP_FLOW_MAX_OPS); i++) {
        switch (ops[i].type) {
        case XDP_OP_OUTPUT:
        case XDP_OP_OUTPUT_COPY:
            group->members[group->n_members++] = ops[i].arg;
            break;
        case XDP_OP_USERSPACE_COPY:
            group->members[group->n_members++] = MEMBER_USERSPACE;
            break;
        default:
            break;
        }
    }
    qsort(group->members, group->n_members, sizeof group->members[0],
          compare_members);
}

static uint32_t
hash_members(const struct group *group)
{
    return hash_words(group->members, group->n_members, 0);
}

static struct group *
find(const struct xdp_groups *groups, const struct group *like)
    OVS_REQUIRES(groups->mutex)
{
    struct group *group;

    HMAP_FOR_EACH_WITH_HASH (group, node, hash_members(like),
                             &groups->groups) {
        if (group->n_members == like->n_members
            && !memcmp(group->members, like->members,
                       like->n_members * sizeof like->members[0])) {
            return group;
        }
    }
    return NULL;
}

/* Enters the device of 'member' into 'fd', a DEVMAP_HASH, or takes it out if
 * there is none. */
static int
set_member(const struct xdp_groups *groups, int fd, uint32_t member)
{
    struct bpf_devmap_val value = {
        .ifindex = (member == MEMBER_USERSPACE
                    ? xdp_dp_trap_near_ifindex(groups->dp)
                    : member < XDP_MAX_PORTS
                    ? xdp_dp_port_table(groups->dp)[member].ifindex : 0),
        .bpf_prog.fd = xdp_dp_group_program_fd(groups->dp),
    };

    if (value.ifindex && !bpf_map_update_elem(fd, &member, &value, BPF_ANY)) {
        return 0;
    }
    /* EINVAL: the device has gone, and the port is about to. */
    if (value.ifindex && errno != EINVAL) {
        return errno;
    }
    bpf_map_delete_elem(fd, &member);
    return 0;
}

static int
set_members(const struct xdp_groups *groups, const struct group *group,
            int fd)
{
    for (size_t i = 0; i < group->n_members; i++) {
        int error = set_member(groups, fd, group->members[i]);

        if (error) {
            VLOG_WARN("cannot make a group of %"PRIuSIZE" ports (%s)",
                      group->n_members, ovs_strerror(error));
            return error;
        }
    }
    return 0;
}

static bool
needs_stack(const struct xdp_groups *groups, const struct group *group)
{
    const struct xdp_port *ports = xdp_dp_port_table(groups->dp);

    for (size_t i = 0; i < group->n_members; i++) {
        if (group->members[i] < XDP_MAX_PORTS
            && ports[group->members[i]].flags & XDP_PORT_F_STACK) {
            return true;
        }
    }
    return false;
}

/* References. */

static struct group *
insert(struct xdp_groups *groups, const struct group *like, uint32_t id,
       uint32_t map_id)
    OVS_REQUIRES(groups->mutex)
{
    struct group *group = xmemdup(like, sizeof *like);

    group->id = id;
    group->map_id = map_id;
    hmap_insert(&groups->groups, &group->node, hash_members(group));
    groups->by_id[id] = group;
    return group;
}

static int
make(struct xdp_groups *groups, const struct group *like,
     struct group **groupp)
    OVS_REQUIRES(groups->mutex)
{
    struct bpf_map_info info = { 0 };
    uint32_t id, len = sizeof info;
    int error, fd;

    for (id = 1; id < XDP_MAX_GROUPS && groups->by_id[id]; id++) {
        continue;
    }
    if (id >= XDP_MAX_GROUPS) {
        return ENOSPC;
    }
    fd = bpf_map_create(BPF_MAP_TYPE_DEVMAP_HASH, "xdp_group",
                        sizeof(uint32_t), sizeof(struct bpf_devmap_val),
                        like->n_members, NULL);
    if (fd < 0) {
        return errno;
    }
    error = set_members(groups, like, fd);
    if (!error && (bpf_obj_get_info_by_fd(fd, &info, &len)
                   || bpf_map_update_elem(groups->map_fd, &id, &fd,
                                          BPF_ANY))) {
        error = errno;
    }
    close(fd);
    if (!error) {
        *groupp = insert(groups, like, id, info.id);
    }
    return error;
}

static void
ref(struct xdp_groups *groups, struct group *group)
    OVS_REQUIRES(groups->mutex)
{
    if (!group->n_refs++ && group->expires) {
        group->expires = 0;
        groups->n_unused--;
    }
}

int
xdp_groups_ref(struct xdp_groups *groups, struct xdp_op *ops, size_t n_ops,
               uint32_t *idp)
{
    struct group like = { .n_refs = 0 }, *group;
    int error = 0;

    *idp = 0;
    if (!n_ops || ops[0].type != XDP_OP_GROUP) {
        return 0;
    }
    get_members(ops, n_ops, &like);
    ovs_mutex_lock(&groups->mutex);
    if (needs_stack(groups, &like)) {
        ops[0].data[0] |= XDP_GROUP_F_STACK;
    } else {
        group = find(groups, &like);
        error = group ? 0 : make(groups, &like, &group);
        if (!error) {
            ref(groups, group);
            ops[0].arg = *idp = group->id;
        }
    }
    ovs_mutex_unlock(&groups->mutex);
    return error;
}

void
xdp_groups_unref(struct xdp_groups *groups, uint32_t id)
{
    struct group *group;

    if (!id) {
        return;
    }
    ovs_mutex_lock(&groups->mutex);
    group = groups->by_id[id];
    if (group && !--group->n_refs) {
        group->expires = time_msec() + GRACE_MSEC;
        groups->n_unused++;
    }
    ovs_mutex_unlock(&groups->mutex);
}

void
xdp_groups_run(struct xdp_groups *groups)
{
    long long int now = time_msec();

    ovs_mutex_lock(&groups->mutex);
    if (groups->n_unused) {
        struct group *group;

        HMAP_FOR_EACH_SAFE (group, node, &groups->groups) {
            if (!group->n_refs && now >= group->expires) {
                bpf_map_delete_elem(groups->map_fd, &group->id);
                group_free(groups, group);
                groups->n_unused--;
            }
        }
    }
    ovs_mutex_unlock(&groups->mutex);
}

size_t
xdp_groups_count(struct xdp_groups *groups)
{
    size_t n;

    ovs_mutex_lock(&groups->mutex);
    n = hmap_count(&groups->groups);
    ovs_mutex_unlock(&groups->mutex);
    return n;
}

/* Adoption. */

int
xdp_groups_adopt(struct xdp_groups *groups, const struct xdp_op *ops,
                 size_t n_ops, uint32_t *idp)
{
    struct group like = { .n_refs = 0 }, *group;
    int error = 0;

    *idp = 0;
    if (!n_ops || ops[0].type != XDP_OP_GROUP
        || ops[0].data[0] & XDP_GROUP_F_STACK) {
        return 0;
    }
    get_members(ops, n_ops, &like);
    ovs_mutex_lock(&groups->mutex);
    group = find(groups, &like);
    if (!group) {
        uint32_t id = ops[0].arg, map_id;
        int fd = -1;

        if (id && id < XDP_MAX_GROUPS && !groups->by_id[id]
            && !bpf_map_lookup_elem(groups->map_fd, &id, &map_id)) {
            fd = bpf_map_get_fd_by_id(map_id);
        }
        if (fd < 0) {
            error = ENOENT;
        } else {
            group = insert(groups, &like, id, map_id);
            set_members(groups, group, fd);     /* With our program. */
            close(fd);
        }
    } else if (group->id != ops[0].arg) {
        error = ENOENT;
    }
    if (!error) {
        ref(groups, group);
        *idp = group->id;
    }
    ovs_mutex_unlock(&groups->mutex);
    return error;
}

/* Ports. */

void
xdp_groups_update_port(struct xdp_groups *groups, uint32_t port_no)
{
    const struct group *group;

    if (!groups) {
        return;
    }
    ovs_mutex_lock(&groups->mutex);
    HMAP_FOR_EACH (group, node, &groups->groups) {
        for (size_t i = 0; i < group->n_members; i++) {
            if (group->members[i] == port_no) {
                int fd = bpf_map_get_fd_by_id(group->map_id);

                if (fd >= 0) {
                    set_member(groups, fd, port_no);
                    close(fd);
                }
            }
        }
    }
    ovs_mutex_unlock(&groups->mutex);
}
