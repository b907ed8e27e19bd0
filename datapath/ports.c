/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Ports: attaching and detaching the programs, and the pinned record of
 * what is attached ("xdp_port_info"), from which a restarted process adopts
 * them. */

#include <config.h>
#include "ports.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "bpf-util.h"
#include "groups.h"
#include "openvswitch/vlog.h"
#include "ovs-atomic.h"
#include "ovs-thread.h"
#include "peers.h"
#include "rtnl.h"
#include "util.h"
#include "xdp-dp-private.h"

VLOG_DEFINE_THIS_MODULE(xdp_ports);

#define INFO_MAP "xdp_port_info"

struct xdp_ports {
    struct ovs_mutex mutex;
    struct xdp_dp *dp;
    struct xdp_peers *peers OVS_GUARDED;
    int info_fd;                /* HASH: port number -> struct xdp_port_info. */
    int devmap_fd;
    /* By port number; NULL if there is none. */
    struct xdp_port_info *infos[XDP_MAX_PORTS] OVS_GUARDED;
    uint64_t seq OVS_GUARDED;
    uint32_t n_policers OVS_GUARDED;    /* Ports with a policer. */
};

static void
link_file(uint32_t port_no, char *file, size_t size)
{
    snprintf(file, size, "link_port_%"PRIu32, port_no);
}

static void
deliver_file(uint32_t port_no, char *file, size_t size)
{
    snprintf(file, size, "link_deliver_%"PRIu32, port_no);
}

const char *
xdp_port_mode_to_string(enum xdp_port_mode mode)
{
    switch (mode) {
    case XDP_PORT_NATIVE: return "native";
    case XDP_PORT_GENERIC: return "generic";
    case XDP_PORT_TC: return "tc";
    case XDP_PORT_AUTO: default: return "auto";
    }
}

bool
xdp_port_mode_from_string(const char *s, enum xdp_port_mode *mode)
{
    for (*mode = XDP_PORT_AUTO; *mode <= XDP_PORT_TC; ++*mode) {
        if (!strcmp(s, xdp_port_mode_to_string(*mode))) {
            return true;
        }
    }
    return false;
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

static enum attach_point
attach_point(const struct xdp_port_info *info)
{
    return (info->mode == XDP_PORT_NATIVE ? ATTACH_XDP_NATIVE
            : info->mode == XDP_PORT_GENERIC ? ATTACH_XDP_GENERIC
            : ATTACH_TC_INGRESS);
}

static void
detach(struct xdp_ports *ports, const struct xdp_port_info *info)
{
    char file[32];

    link_file(info->port_no, file, sizeof file);
    attach_remove(ports->dp, info->ifindex, attach_point(info), file);
    if (info->mode != XDP_PORT_TC) {
        deliver_file(info->port_no, file, sizeof file);
        attach_remove(ports->dp, info->ifindex, ATTACH_TC_INGRESS, file);
    }
}

static bool
takes_xdp_frames(const struct xdp_port_info *info)
{
    return info->mode == XDP_PORT_NATIVE && !info->qdisc;
}

/* Tells BPF that frames of the device are from the port, or no longer. */
static int
publish_ifindex(struct xdp_ports *ports, const struct xdp_port_info *info,
                bool add)
{
    uint32_t ifindex = info->ifindex;
    bool high = ifindex >= XDP_MAX_IFINDEX;
    int fd = xdp_dp_map_fd(ports->dp,
                           high ? "xdp_ifindexes_high" : "xdp_ifindexes");
    uint32_t value = 0;
    int error = 0;

    if (!add) {
        bpf_map_lookup_elem(fd, &ifindex, &value);
        if (value != info->port_no + 1) {
            return 0;
        }
    }
    value = add ? info->port_no + 1 : 0;
    if (add || !high
        ? bpf_map_update_elem(fd, &ifindex, &value, BPF_ANY)
        : bpf_map_delete_elem(fd, &ifindex)) {
        error = errno;
        VLOG_ERR("%s: cannot enter device %"PRIu32" as %s port %"PRIu32" (%s)",
                 info->name, ifindex, add ? "that of" : "no longer that of",
                 info->port_no, ovs_strerror(error));
    }
    return error;
}

/* Tells BPF about the port's device and mode; 'info' is NULL for no port. */
static void
publish_flags(struct xdp_ports *ports, uint32_t port_no,
              const struct xdp_port_info *info)
{
    union {
        struct xdp_port port;
        uint64_t word;
    } new = { .word = 0 };

    if (info) {
        new.port.ifindex = info->ifindex;
        new.port.flags = (takes_xdp_frames(info) ? 0 : XDP_PORT_F_STACK)
                         | (info->mode == XDP_PORT_GENERIC
                            ? XDP_PORT_F_GENERIC : 0);
    }
    __atomic_store_n((uint64_t *) &xdp_dp_port_table(ports->dp)[port_no],
                     new.word, __ATOMIC_RELEASE);
}

/* Enters the port into the maps from which BPF reads, or takes it out.  BPF
 * looks into the devmap first, then at the flags. */
static int
publish(struct xdp_ports *ports, uint32_t port_no,
        const struct xdp_port_info *info)
{
    int error = 0;

    if (info) {
        uint32_t ifindex = info->ifindex;

        if ((takes_xdp_frames(info)
             && bpf_map_update_elem(ports->devmap_fd, &port_no, &ifindex,
                                    BPF_ANY))
            || bpf_map_update_elem(ports->info_fd, &port_no, info, BPF_ANY)) {
            error = errno;
            VLOG_ERR("%s: cannot enter port %"PRIu32" into the maps (%s)",
                     info->name, port_no, ovs_strerror(error));
        }
    } else {
        bpf_map_delete_elem(ports->info_fd, &port_no);
    }
    publish_flags(ports, port_no, info);
    if (!info || !takes_xdp_frames(info)) {
        bpf_map_delete_elem(ports->devmap_fd, &port_no);
    }
    xdp_groups_update_port(xdp_dp_groups(ports->dp), port_no);
    return error;
}

static bool
is_policed(const struct xdp_policer *p)
{
    return p->bytes.cost || p->packets.cost;
}

static void
set_policer(struct xdp_ports *ports, uint32_t port_no,
            const struct xdp_policer *new)
    OVS_REQUIRES(ports->mutex)
{
    struct xdp_policer *p = &xdp_dp_policers(ports->dp)[port_no];

    if (p->bytes.cost == new->bytes.cost
        && p->bytes.burst == new->bytes.burst
        && p->packets.cost == new->packets.cost
        && p->packets.burst == new->packets.burst) {
        return;
    }
    ports->n_policers += is_policed(new) - is_policed(p);
    *p = *new;
    xdp_dp_set_n_policers(ports->dp, ports->n_policers);
}

static void
forget(struct xdp_ports *ports, const struct xdp_port_info *info)
    OVS_REQUIRES(ports->mutex)
{
    uint32_t port_no = info->port_no;

    xdp_peers_set(ports->peers, port_no, 0);
    publish(ports, port_no, NULL);
    set_policer(ports, port_no, &(struct xdp_policer) { .bytes.cost = 0 });
    detach(ports, info);
    publish_ifindex(ports, info, false);
    free(ports->infos[port_no]);
    ports->infos[port_no] = NULL;
    ports->seq++;
}

static bool
is_attached(const struct xdp_ports *ports, const struct xdp_port_info *info)
{
    char file[32];

    link_file(info->port_no, file, sizeof file);
    return attach_exists(ports->dp, info->ifindex, attach_point(info), file);
}

/* Puts this process's program into the place of another's, or attaches it where
 * there is none. */
static void
replace_program(struct xdp_ports *ports, const struct xdp_port_info *info,
                int prog_fd, enum attach_point point, const char *file)
{
    int error = attach_replace(ports->dp, prog_fd, info->ifindex, point, file);

    if (error == ENOENT) {
        VLOG_INFO("%s: %s is missing, attaching it", info->name, file);
        error = attach_program(ports->dp, prog_fd, info->ifindex, point, file);
    }
    if (error) {
        VLOG_ERR("%s: cannot replace the program of %s (%s)", info->name,
                 file, ovs_strerror(error));
    }
}

static void
replace_programs(struct xdp_ports *ports, const struct xdp_port_info *info)
{
    bool tc = info->mode == XDP_PORT_TC;
    char file[32];

    link_file(info->port_no, file, sizeof file);
    replace_program(ports, info, xdp_dp_port_program_fd(ports->dp, tc),
                    attach_point(info), file);
    if (!tc) {
        deliver_file(info->port_no, file, sizeof file);
        replace_program(ports, info, xdp_dp_deliver_program_fd(ports->dp),
                        ATTACH_TC_INGRESS, file);
    }
}

/* Detaches what no adopted port has: a process that ended between attaching and
 * entering a port left it. */
static void
remove_orphans(struct xdp_ports *ports)
    OVS_REQUIRES(ports->mutex)
{
    const char *dir = xdp_dp_pin_dir(ports->dp);
    DIR *stream = opendir(dir);
    struct dirent *entry;

    if (!stream) {
        VLOG_ERR("cannot read %s (%s)", dir, ovs_strerror(errno));
        return;
    }
    while ((entry = readdir(stream))) {
        const char *file = entry->d_name;
        const struct xdp_port_info *info;
        uint32_t port_no;
        bool deliver = ovs_scan(file, "link_deliver_%"SCNu32, &port_no);

        if (!deliver && !ovs_scan(file, "link_port_%"SCNu32, &port_no)) {
            continue;
        }
        info = port_no < XDP_MAX_PORTS ? ports->infos[port_no] : NULL;
        if (!info || (deliver && info->mode == XDP_PORT_TC)) {
            VLOG_INFO("%s: of no port, detaching it", file);
            attach_remove(ports->dp, 0, ATTACH_XDP_NATIVE, file);
        }
    }
    closedir(stream);
}

static void
adopt(struct xdp_ports *ports)
    OVS_REQUIRES(ports->mutex)
{
    for (uint32_t i = 0; i < XDP_MAX_PORTS; i++) {
        ports->n_policers += is_policed(&xdp_dp_policers(ports->dp)[i]);
    }
    xdp_dp_set_n_policers(ports->dp, ports->n_policers);
    for (uint32_t port_no = 0; port_no < XDP_MAX_PORTS; port_no++) {
        struct xdp_port_info info;

        if (bpf_map_lookup_elem(ports->info_fd, &port_no, &info)) {
            continue;
        }
        if (!is_attached(ports, &info)) {
            VLOG_INFO("port %"PRIu32" (%s): device has gone, not adopted",
                      port_no, info.name);
            forget(ports, &info);
            continue;
        }
        ports->infos[port_no] = xmemdup(&info, sizeof info);
        replace_programs(ports, &info);
        publish_ifindex(ports, &info, true);
        publish(ports, port_no, &info);
        xdp_peers_set(ports->peers, port_no, info.ifindex);
    }
    remove_orphans(ports);
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
    ovs_mutex_lock(&ports->mutex);
    error = error ? error : xdp_peers_create(dp, &ports->peers);
    if (!error && adopt_ports) {
        adopt(ports);
    }
    ovs_mutex_unlock(&ports->mutex);
    if (error) {
        xdp_ports_close(ports);
        return error;
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
    xdp_peers_close(ports->peers);
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
            forget(ports, ports->infos[i]);
        }
    }
    ovs_mutex_unlock(&ports->mutex);
    xdp_ports_close(ports);
}

/* Adding. */

/* A port in XDP mode has a TC program, too: see bpf/handover.h. */
static int
attach_in_mode(struct xdp_ports *ports, struct xdp_port_info *info,
               enum xdp_port_mode mode)
{
    char file[32];
    int error;

    info->mode = mode;
    if (ports->infos[info->port_no]) {
        publish_flags(ports, info->port_no, info);      /* Mode changes. */
    }
    link_file(info->port_no, file, sizeof file);
    error = attach_program(ports->dp,
                           xdp_dp_port_program_fd(ports->dp,
                                                  mode == XDP_PORT_TC),
                           info->ifindex, attach_point(info), file);
    if (!error && mode != XDP_PORT_TC) {
        deliver_file(info->port_no, file, sizeof file);
        error = attach_program(ports->dp,
                               xdp_dp_deliver_program_fd(ports->dp),
                               info->ifindex, ATTACH_TC_INGRESS, file);
        if (error) {
            detach(ports, info);
        }
    }
    return error;
}

/* Attaches the port in the mode that it wants.  AUTO: a virtual device hands
 * over frames that are not finished (partial checksums, segmentation, VLAN tags
 * beside the frame), which XDP would lose, so TC takes it; others get XDP,
 * native if the driver can. */
static int
attach(struct xdp_ports *ports, const char *ifname,
       struct xdp_port_info *info)
{
    enum xdp_port_mode wanted = info->wanted;
    char kind[16], why[64];
    int error;

    snprintf(why, sizeof why, "asked for");
    if (wanted == XDP_PORT_AUTO) {
        rtnl_link_kind(ifname, kind);
        wanted = kind[0] ? XDP_PORT_TC : XDP_PORT_NATIVE;
        snprintf(why, sizeof why, "%s%s", kind[0] ? kind : "not virtual",
                 kind[0] ? " device" : "");
    }
    error = attach_in_mode(ports, info, wanted);
    if (error && error != EBUSY && info->wanted == XDP_PORT_AUTO
        && wanted == XDP_PORT_NATIVE) {
        snprintf(why, sizeof why, "no native XDP: %s", ovs_strerror(error));
        error = attach_in_mode(ports, info, XDP_PORT_GENERIC);
    }
    snprintf(info->reason, sizeof info->reason, "%s (%s)",
             info->mode == XDP_PORT_TC ? "TC"
             : info->mode == XDP_PORT_NATIVE ? "native XDP"
             : "generic XDP", why);
    if (!error && info->mode != XDP_PORT_TC) {
        rtnl_link_kind(ifname, kind);
        if (!kind[0]) {
            rtnl_set_rx_offloads_for_xdp(ifname);
        }
    }
    if (error == EBUSY) {
        VLOG_WARN("%s: another XDP program is attached; remove it with "
                  "\"ip link set dev %s xdp off\"", info->name, ifname);
    } else if (error) {
        VLOG_WARN("%s: cannot attach a program in mode %s (%s)", info->name,
                  xdp_port_mode_to_string(info->mode), ovs_strerror(error));
    }
    return error;
}

static int
add__(struct xdp_ports *ports, const char *ifname, struct xdp_port_info *info)
    OVS_REQUIRES(ports->mutex)
{
    char kind[16];
    int error;

    for (size_t i = 0; i < XDP_MAX_PORTS; i++) {
        if (ports->infos[i] && ports->infos[i]->ifindex == info->ifindex) {
            VLOG_WARN("%s: the device is port %"PRIuSIZE" (%s) already",
                      info->name, i, ports->infos[i]->name);
            return EBUSY;
        }
    }
    error = publish_ifindex(ports, info, true);
    error = error ? error : attach(ports, ifname, info);
    if (error) {
        publish_ifindex(ports, info, false);
        return error;
    }
    error = publish(ports, info->port_no, info);
    if (error) {
        forget(ports, info);
        return error;
    }
    ports->infos[info->port_no] = xmemdup(info, sizeof *info);
    xdp_peers_set(ports->peers, info->port_no, info->ifindex);
    ports->seq++;
    VLOG_INFO("%s: port %"PRIu32", %s", info->name, info->port_no,
              info->reason);
    if (info->mode != XDP_PORT_TC && !strcmp(info->type, "xdp-internal")) {
        xdp_internal_set_offloads(info->name);
    } else if (info->mode != XDP_PORT_TC
               && (rtnl_link_kind(ifname, kind), kind[0])) {
        VLOG_INFO("%s: whatever sends into this device must have these "
                  "offloads off: "XDP_PORT_OFFLOADS_OFF, info->name);
    }
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
            forget(ports, old);
        }
        error = choose_number(ports, port_no);
    }
    if (!error) {
        info.port_no = *port_no;
        info.wanted = mode;
        error = add__(ports, ifname, &info);
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
        forget(ports, ports->infos[port_no]);
        error = 0;
    }
    ovs_mutex_unlock(&ports->mutex);
    return error;
}

/* Between detaching and attaching, frames pass to the host's own stack, where
 * nothing listens. */
static int
set_mode__(struct xdp_ports *ports, struct xdp_port_info *info,
           enum xdp_port_mode wanted)
    OVS_REQUIRES(ports->mutex)
{
    struct xdp_port_info new = *info;
    char ifname[IF_NAMESIZE];
    int error;

    if (info->wanted == wanted) {
        return 0;
    }
    if (!if_indextoname(info->ifindex, ifname)) {
        return ENODEV;
    }
    detach(ports, info);
    new.wanted = wanted;
    error = attach(ports, ifname, &new);
    if (error) {
        int retval = attach_in_mode(ports, info, info->mode);

        if (retval) {
            VLOG_ERR("%s: nor in the old mode (%s); remove the port and add "
                     "it again", info->name, ovs_strerror(retval));
        }
        return error;
    }
    *info = new;
    ports->seq++;
    VLOG_INFO("%s: port %"PRIu32" is %s now", info->name, info->port_no,
              info->reason);
    return publish(ports, info->port_no, info);
}

int
xdp_ports_set_mode(struct xdp_ports *ports, uint32_t port_no,
                   enum xdp_port_mode wanted)
{
    int error = ENODEV;

    ovs_mutex_lock(&ports->mutex);
    if (port_no < XDP_MAX_PORTS && ports->infos[port_no]) {
        error = set_mode__(ports, ports->infos[port_no], wanted);
    }
    ovs_mutex_unlock(&ports->mutex);
    return error;
}

/* One frame may always pass when 'burst' is 0; 'unit' is 'cost''s part of a
 * ns. */
static struct xdp_rate
make_rate(uint64_t rate, uint64_t burst, uint64_t unit)
{
    struct xdp_rate r = { .cost = 0 };

    if (rate) {
        r.cost = MAX(unit * 1000000000 / rate, 1);
        r.burst = burst * r.cost / unit;
    }
    return r;
}

int
xdp_ports_set_policing(struct xdp_ports *ports, uint32_t port_no,
                       uint64_t byte_rate, uint64_t byte_burst,
                       uint64_t packet_rate, uint64_t packet_burst)
{
    struct xdp_policer policer = {
        .bytes = make_rate(byte_rate, byte_burst, 1024),
        .packets = make_rate(packet_rate, packet_burst, 1),
    };
    int error = ENODEV;

    ovs_mutex_lock(&ports->mutex);
    if (port_no < XDP_MAX_PORTS && ports->infos[port_no]) {
        set_policer(ports, port_no, &policer);
        error = 0;
    }
    ovs_mutex_unlock(&ports->mutex);
    return error;
}

int
xdp_ports_set_qdisc(struct xdp_ports *ports, uint32_t port_no, bool qdisc)
{
    int error = ENODEV;

    ovs_mutex_lock(&ports->mutex);
    if (port_no < XDP_MAX_PORTS && ports->infos[port_no]) {
        ports->infos[port_no]->qdisc = qdisc;
        error = publish(ports, port_no, ports->infos[port_no]);
        xdp_peers_set(ports->peers, port_no, ports->infos[port_no]->ifindex);
    }
    ovs_mutex_unlock(&ports->mutex);
    return error;
}

/* Takes out the name of a port whose peer has changed. */
static bool
next_changed(struct xdp_ports *ports, char name[16])
{
    uint32_t port_no;
    bool found;

    ovs_mutex_lock(&ports->mutex);
    found = xdp_peers_next_changed(ports->peers, &port_no);
    if (found) {
        ovs_strlcpy(name, ports->infos[port_no] ? ports->infos[port_no]->name
                                                : "", 16);
    }
    ovs_mutex_unlock(&ports->mutex);
    return found;
}

void
xdp_ports_run(struct xdp_ports *ports, void (*changed)(const char *name))
{
    char name[16];

    ovs_mutex_lock(&ports->mutex);
    xdp_peers_run(ports->peers);
    ovs_mutex_unlock(&ports->mutex);
    while (next_changed(ports, name)) {
        changed(name);
    }
}

void
xdp_ports_wait(struct xdp_ports *ports)
{
    ovs_mutex_lock(&ports->mutex);
    xdp_peers_wait(ports->peers);
    ovs_mutex_unlock(&ports->mutex);
}

/* Looking. */

int
xdp_ports_get_peer(const struct xdp_ports *ports_, uint32_t port_no,
                   struct xdp_port_peer *peer)
{
    struct xdp_ports *ports = CONST_CAST(struct xdp_ports *, ports_);
    int error = ENODEV;

    ovs_mutex_lock(&ports->mutex);
    if (port_no < XDP_MAX_PORTS && ports->infos[port_no]) {
        peer->obstacle = xdp_peers_get_obstacle(ports->peers, port_no);
        xdp_peers_get_tx(ports->peers, port_no, &peer->tx_packets,
                         &peer->tx_bytes);
        error = 0;
    }
    ovs_mutex_unlock(&ports->mutex);
    return error;
}

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
