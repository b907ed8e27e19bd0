/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Attaching programs to devices; see attach.h. */

#include <config.h>
#include "attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdlib.h>
#include <unistd.h>

#include "bpf-util.h"
#include "util.h"
#include "xdp-dp-private.h"

/* enum bpf_attach_type since Linux 6.6; Debian 12's headers are older. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47
/* enum bpf_link_type, likewise. */
#define LINK_TYPE_TCX 11

/* One filter of ours in each clsact hook. */
#define CLSACT_HANDLE 1
#define CLSACT_PRIORITY 0x6f78

static bool
is_tc(enum attach_point point)
{
    return point == ATTACH_TC_INGRESS || point == ATTACH_TC_EGRESS;
}

/* clsact. */

#define CLSACT_HOOK(HOOK, IFINDEX, POINT)                               \
    LIBBPF_OPTS(bpf_tc_hook, HOOK, .ifindex = IFINDEX,                  \
                .attach_point = (POINT == ATTACH_TC_INGRESS             \
                                 ? BPF_TC_INGRESS : BPF_TC_EGRESS))
#define CLSACT_OPTS(OPTS)                                               \
    LIBBPF_OPTS(bpf_tc_opts, OPTS, .handle = CLSACT_HANDLE,             \
                .priority = CLSACT_PRIORITY)

static int
clsact_attach(int prog_fd, int ifindex, enum attach_point point)
{
    CLSACT_HOOK(hook, ifindex, point);
    CLSACT_OPTS(opts);
    int error;

    /* Often it is there already. */
    bpf_util_set_quiet(true);
    error = bpf_tc_hook_create(&hook);
    bpf_util_set_quiet(false);
    if (error && error != -EEXIST) {
        return -error;
    }
    opts.prog_fd = prog_fd;
    opts.flags = BPF_TC_F_REPLACE;
    return -bpf_tc_attach(&hook, &opts);
}

static bool
clsact_exists(int ifindex, enum attach_point point)
{
    CLSACT_HOOK(hook, ifindex, point);
    CLSACT_OPTS(opts);
    bool exists;

    bpf_util_set_quiet(true);
    exists = !bpf_tc_query(&hook, &opts);
    bpf_util_set_quiet(false);
    return exists;
}

static void
clsact_detach(int ifindex, enum attach_point point)
{
    CLSACT_HOOK(hook, ifindex, point);
    CLSACT_OPTS(opts);

    if (clsact_exists(ifindex, point)) {
        bpf_tc_detach(&hook, &opts);
    }
}

/* Links. */

static int
link_create(int prog_fd, int ifindex, enum attach_point point)
{
    LIBBPF_OPTS(bpf_link_create_opts, opts);

    switch (point) {
    case ATTACH_XDP_NATIVE:
        opts.flags = XDP_FLAGS_DRV_MODE;
        return bpf_link_create(prog_fd, ifindex, BPF_XDP, &opts);
    case ATTACH_XDP_GENERIC:
        opts.flags = XDP_FLAGS_SKB_MODE;
        return bpf_link_create(prog_fd, ifindex, BPF_XDP, &opts);
    case ATTACH_TC_INGRESS:
        return bpf_link_create(prog_fd, ifindex, TCX_INGRESS, &opts);
    case ATTACH_TC_EGRESS:
    default:
        return bpf_link_create(prog_fd, ifindex, TCX_EGRESS, &opts);
    }
}

/* The pinned link 'file'; negative if there is none. */
static int
link_open(const struct xdp_dp *dp, const char *file)
{
    char *path = xdp_dp_pin_path(dp, file);
    int fd = bpf_obj_get(path);

    free(path);
    return fd;
}

/* A link of which the device has gone says ifindex 0. */
static bool
link_is_on(int fd, int ifindex, enum attach_point point)
{
    struct bpf_link_info info = { 0 };
    uint32_t len = sizeof info;

    /* Both kinds of link begin with the ifindex. */
    return ifindex && !bpf_obj_get_info_by_fd(fd, &info, &len)
           && info.type == (is_tc(point) ? LINK_TYPE_TCX : BPF_LINK_TYPE_XDP)
           && (int) info.xdp.ifindex == ifindex;
}

int
attach_program(const struct xdp_dp *dp, int prog_fd, int ifindex,
               enum attach_point point, const char *file)
{
    int fd = link_create(prog_fd, ifindex, point);
    int error = 0;

    if (fd < 0) {
        error = errno;
        return (is_tc(point) && error == EINVAL
                ? clsact_attach(prog_fd, ifindex, point) : error);
    }

    char *path = xdp_dp_pin_path(dp, file);

    unlink(path);
    if (bpf_obj_pin(fd, path)) {
        error = errno;
    }
    close(fd);
    free(path);
    return error;
}

int
attach_replace(const struct xdp_dp *dp, int prog_fd, int ifindex,
               enum attach_point point, const char *file)
{
    int fd = link_open(dp, file);
    int error;

    if (fd < 0) {
        return (is_tc(point) && clsact_exists(ifindex, point)
                ? clsact_attach(prog_fd, ifindex, point) : ENOENT);
    }
    if (!link_is_on(fd, ifindex, point)) {
        error = ENOENT;
    } else {
        error = bpf_link_update(fd, prog_fd, NULL) ? errno : 0;
    }
    close(fd);
    return error;
}

void
attach_remove(const struct xdp_dp *dp, int ifindex, enum attach_point point,
              const char *file)
{
    char *path = xdp_dp_pin_path(dp, file);
    int fd = link_open(dp, file);

    /* The pin is the last reference to the link, but the kernel drops it only a
     * grace period later, and the device may get another program before. */
    if (fd >= 0) {
        bpf_link_detach(fd);
        close(fd);
    }
    if (unlink(path) && is_tc(point)) {
        clsact_detach(ifindex, point);
    }
    free(path);
}

bool
attach_exists(const struct xdp_dp *dp, int ifindex, enum attach_point point,
              const char *file)
{
    int fd = link_open(dp, file);
    bool exists;

    if (fd < 0) {
        return is_tc(point) && clsact_exists(ifindex, point);
    }
    exists = link_is_on(fd, ifindex, point);
    close(fd);
    return exists;
}

bool
attach_has_tcx_egress(int ifindex)
{
    uint32_t n = 0;

    return !bpf_prog_query(ifindex, TCX_EGRESS, 0, NULL, NULL, &n) && n;
}
