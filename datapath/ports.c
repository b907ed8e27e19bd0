/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Ports: attaching and detaching the root program, and the pinned record of
 * what is attached ("xdp_port_info"), from which a restarted process adopts
 * them. */

#include <config.h>
#include "ports.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf-util.h"
#include "groups.h"
#include "openvswitch/vlog.h"
#include "ovs-atomic.h"
#include "ovs-thread.h"
#include "root.skel.h"
#include "util.h"
#include "xdp-dp-private.h"

VLOG_DEFINE_THIS_MODULE(xdp_ports);

#define INFO_MAP "xdp_port_info"

struct xdp_ports {
    struct ovs_mutex mutex;
    struct xdp_dp *dp;
    int info_fd;                /* HASH: port number -> struct xdp_port_info. */
    int devmap_fd;
    /* By port number; NULL if there is none. */
    struct xdp_port_info *infos[XDP_MAX_PORTS] OVS_GUARDED;
    uint64_t seq OVS_GUARDED;
};

static void
link_file(uint32_t port_no, char *file, size_t size)
{
    snprintf(file, size, "link_port_%"PRIu32, port_no);
}

/* Opening. */

static int
open_info_map(struct xdp_ports *ports)
{
    char *path = xdp_dp_pin_path(ports->dp, INFO_MAP);
    int error = 0;

    ports->info_fd = bpf_obj_get(path);
    if (ports->info_fd < 0) {
        LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);

        ports->info_fd = bpf_map_create(BPF_MAP_TYPE_HASH, INFO_MAP,
                                        sizeof(uint32_t),
                                        sizeof(struct xdp_port_info),
                                        XDP_MAX_PORTS, &opts);
        if (ports->info_fd < 0 || bpf_obj_pin(ports->info_fd, path)) {
            error = errno;
            VLOG_ERR("cannot create %s (%s)", path, ovs_strerror(error));
        }
    }
    free(path);
    return error;
}

static void
forget(struct xdp_ports *ports, uint32_t port_no)
    OVS_REQUIRES(ports->mutex)
{
    struct xdp_port *port = &xdp_dp_port_table(ports->dp)[port_no];
    char file[32], *path;

    __atomic_store_n((uint64_t *) port, 0, __ATOMIC_RELEASE);
    bpf_map_delete_elem(ports->devmap_fd, &port_no);
    xdp_groups_update_port(xdp_dp_groups(ports->dp), port_no);
    link_file(port_no, file, sizeof file);
    path = xdp_dp_pin_path(ports->dp, file);
    unlink(path);               /* Detaches: the pin is the last reference. */
    free(path);
    bpf_map_delete_elem(ports->info_fd, &port_no);
    free(ports->infos[port_no]);
    ports->infos[port_no] = NULL;
    ports->seq++;
}

/* True if the port's link is pinned and still attached to its device. */
static bool
is_attached(const struct xdp_ports *ports, const struct xdp_port_info *info)
{
    struct bpf_link_info link_info = { 0 };
    uint32_t len = sizeof link_info;
    char file[32], *path;
    int fd;
    bool attached;

    link_file(info->port_no, file, sizeof file);
    path = xdp_dp_pin_path(ports->dp, file);
    fd = bpf_obj_get(path);
    free(path);
    if (fd < 0) {
        return false;
    }
    attached = (!bpf_obj_get_info_by_fd(fd, &link_info, &len)
                && (int) link_info.xdp.ifindex == info->ifindex
                && info->ifindex);
    close(fd);
    return attached;
}

static void
adopt(struct xdp_ports *ports)
    OVS_REQUIRES(ports->mutex)
{
    for (uint32_t port_no = 0; port_no < XDP_MAX_PORTS; port_no++) {
        struct xdp_port_info info;

        if (bpf_map_lookup_elem(ports->info_fd, &port_no, &info)) {
            continue;
        }
        if (!is_attached(ports, &info)) {
            VLOG_INFO("port %"PRIu32" (%s): device has gone, not adopted",
                      port_no, info.name);
            forget(ports, port_no);
            continue;
        }
        ports->infos[port_no] = xmemdup(&info, sizeof info);
    }
}

int
xdp_ports_create(struct xdp_dp *dp, bool adopt_ports, struct xdp_ports **portsp)
{
    struct xdp_ports *ports = xzalloc(sizeof *ports);
    int error;

    ovs_mutex_init(&ports->mutex);
    ports->dp = dp;
    ports->seq = 1;
    ports->devmap_fd = xdp_dp_map_fd(dp, "xdp_ports");
    error = open_info_map(ports);
    if (error) {
        xdp_ports_close(ports);
        return error;
    }
    if (adopt_ports) {
        ovs_mutex_lock(&ports->mutex);
        adopt(ports);
        ovs_mutex_unlock(&ports->mutex);
    }
    *portsp = ports;
    return 0;
}

void
xdp_ports_close(struct xdp_ports *ports)
{
    if (!ports) {
        return;
    }
    for (size_t i = 0; i < XDP_MAX_PORTS; i++) {
        free(ports->infos[i]);
    }
    if (ports->info_fd >= 0) {
        close(ports->info_fd);
    }
    ovs_mutex_destroy(&ports->mutex);
    free(ports);
}

void
xdp_ports_destroy(struct xdp_ports *ports)
{
    if (!ports) {
        return;
    }
    ovs_mutex_lock(&ports->mutex);
    for (uint32_t i = 0; i < XDP_MAX_PORTS; i++) {
        if (ports->infos[i]) {
            if (!strcmp(ports->infos[i]->type, "xdp-internal")) {
                xdp_internal_delete(ports->infos[i]->name);
            }
            forget(ports, i);
        }
    }
    ovs_mutex_unlock(&ports->mutex);
    xdp_ports_close(ports);
}

/* Adding. */

/* Loads the root program of port 'port_no'. */
static int
load_root(const struct xdp_ports *ports, uint32_t port_no,
          struct root_bpf **skelp)
{
    struct root_bpf *skel = root_bpf__open();
    int error;

    if (!skel) {
        return errno;
    }
    skel->rodata->port_no = port_no;
    error = bpf_util_reuse_maps(skel->obj, xdp_dp_pin_dir(ports->dp));
    error = error ? error : bpf_util_load(skel->obj, "root");
    if (error) {
        root_bpf__destroy(skel);
        return error;
    }
    *skelp = skel;
    return 0;
}

/* Attaches the root program in the mode asked for; AUTO tries native first. */
static int
attach(struct xdp_ports *ports, int prog_fd, enum xdp_port_mode mode,
       struct xdp_port_info *info)
{
    char file[32];
    int error = EOPNOTSUPP;
    int native_error = 0;

    link_file(info->port_no, file, sizeof file);
    if (mode != XDP_PORT_GENERIC) {
        native_error = error = xdp_dp_attach(ports->dp, prog_fd, info->ifindex,
                                             XDP_FLAGS_DRV_MODE, file);
        if (!error) {
            info->mode = XDP_PORT_NATIVE;
            snprintf(info->reason, sizeof info->reason, "native XDP");
        }
    }
    if (error && error != EBUSY && mode != XDP_PORT_NATIVE) {
        error = xdp_dp_attach(ports->dp, prog_fd, info->ifindex,
                              XDP_FLAGS_SKB_MODE, file);
        if (!error) {
            info->mode = XDP_PORT_GENERIC;
            snprintf(info->reason, sizeof info->reason, "generic XDP: %s",
                     native_error ? ovs_strerror(native_error)
                     : "asked for");
        }
    }
    if (error == EBUSY) {
        VLOG_WARN("%s: another XDP program is attached; remove it with "
                  "\"ip link set dev %s xdp off\"", info->name, info->name);
    } else if (error) {
        VLOG_WARN("%s: device takes no XDP program (%s)", info->name,
                  ovs_strerror(error));
    }
    return error;
}

static int
add__(struct xdp_ports *ports, struct xdp_port_info *info,
      enum xdp_port_mode mode)
    OVS_REQUIRES(ports->mutex)
{
    uint32_t ifindex = info->ifindex;
    struct root_bpf *skel;
    int error;

    error = load_root(ports, info->port_no, &skel);
    if (error) {
        return error;
    }
    error = attach(ports, bpf_program__fd(skel->progs.root), mode, info);
    root_bpf__destroy(skel);
    if (error) {
        return error;
    }
    if (bpf_map_update_elem(ports->devmap_fd, &info->port_no, &ifindex,
                            BPF_ANY)
        || bpf_map_update_elem(ports->info_fd, &info->port_no, info,
                               BPF_ANY)) {
        error = errno;
        VLOG_ERR("%s: cannot enter port %"PRIu32" into the maps (%s)",
                 info->name, info->port_no, ovs_strerror(error));
        forget(ports, info->port_no);
        return error;
    }
    xdp_dp_port_table(ports->dp)[info->port_no].ifindex = ifindex;
    xdp_groups_update_port(xdp_dp_groups(ports->dp), info->port_no);
    ports->infos[info->port_no] = xmemdup(info, sizeof *info);
    ports->seq++;
    VLOG_INFO("%s: port %"PRIu32", %s", info->name, info->port_no, info->reason);
    return 0;
}

static struct xdp_port_info *
find_by_name(const struct xdp_ports *ports, const char *name)
    OVS_REQUIRES(ports->mutex)
{
    for (size_t i = 0; i < XDP_MAX_PORTS; i++) {
        if (ports->infos[i] && !strcmp(ports->infos[i]->name, name)) {
            return ports->infos[i];
        }
    }
    return NULL;
}

/* Makes the number of the new port.  0 is kept for OVS's own local port. */
static int
choose_number(struct xdp_ports *ports, uint32_t *port_no)
    OVS_REQUIRES(ports->mutex)
{
    if (*port_no == UINT32_MAX) {
        for (uint32_t i = 1; i < XDP_MAX_PORTS; i++) {
            if (!ports->infos[i]) {
                *port_no = i;
                return 0;
            }
        }
        return EFBIG;
    }
    if (*port_no >= XDP_MAX_PORTS) {
        return EFBIG;
    }
    return ports->infos[*port_no] ? EBUSY : 0;
}

int
xdp_ports_add(struct xdp_ports *ports, const char *name, const char *ifname,
              const char *type, enum xdp_port_mode mode, uint32_t *port_no)
{
    struct xdp_port_info info, *old;
    int error;

    memset(&info, 0, sizeof info);
    ovs_strlcpy(info.name, name, sizeof info.name);
    ovs_strlcpy(info.type, type, sizeof info.type);
    info.ifindex = if_nametoindex(ifname);
    if (!info.ifindex) {
        return ENODEV;
    }

    ovs_mutex_lock(&ports->mutex);
    old = find_by_name(ports, name);
    if (old && old->ifindex == info.ifindex && is_attached(ports, old)) {
        error = (*port_no == UINT32_MAX || *port_no == old->port_no
                 ? EEXIST : EBUSY);
    } else {
        if (old) {
            forget(ports, old->port_no);
        }
        error = choose_number(ports, port_no);
    }
    if (!error) {
        info.port_no = *port_no;
        error = add__(ports, &info, mode);
    }
    ovs_mutex_unlock(&ports->mutex);
    return error;
}

int
xdp_ports_del(struct xdp_ports *ports, uint32_t port_no)
{
    int error = ENODEV;

    ovs_mutex_lock(&ports->mutex);
    if (port_no < XDP_MAX_PORTS && ports->infos[port_no]) {
        forget(ports, port_no);
        error = 0;
    }
    ovs_mutex_unlock(&ports->mutex);
    return error;
}

/* Looking. */

int
xdp_ports_get(const struct xdp_ports *ports_, uint32_t port_no,
              struct xdp_port_info *info)
{
    struct xdp_ports *ports = CONST_CAST(struct xdp_ports *, ports_);
    int error = ENODEV;

    ovs_mutex_lock(&ports->mutex);
    if (port_no < XDP_MAX_PORTS && ports->infos[port_no]) {
        *info = *ports->infos[port_no];
        error = 0;
    }
    ovs_mutex_unlock(&ports->mutex);
    return error;
}

int
xdp_ports_get_by_name(const struct xdp_ports *ports_, const char *name,
                      struct xdp_port_info *info)
{
    struct xdp_ports *ports = CONST_CAST(struct xdp_ports *, ports_);
    const struct xdp_port_info *found;

    ovs_mutex_lock(&ports->mutex);
    found = find_by_name(ports, name);
    if (found) {
        *info = *found;
    }
    ovs_mutex_unlock(&ports->mutex);
    return found ? 0 : ENODEV;
}

int
xdp_ports_next(const struct xdp_ports *ports_, uint32_t port_no,
               struct xdp_port_info *info)
{
    struct xdp_ports *ports = CONST_CAST(struct xdp_ports *, ports_);
    int error = ENOENT;

    ovs_mutex_lock(&ports->mutex);
    for (; error && port_no < XDP_MAX_PORTS; port_no++) {
        if (ports->infos[port_no]) {
            *info = *ports->infos[port_no];
            error = 0;
        }
    }
    ovs_mutex_unlock(&ports->mutex);
    return error;
}

uint64_t
xdp_ports_seq(const struct xdp_ports *ports_)
{
    struct xdp_ports *ports = CONST_CAST(struct xdp_ports *, ports_);
    uint64_t seq;

    ovs_mutex_lock(&ports->mutex);
    seq = ports->seq;
    ovs_mutex_unlock(&ports->mutex);
    return seq;
}
