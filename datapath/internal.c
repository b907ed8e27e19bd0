/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Internal ports: a veth pair.  The host end has the port's name; our end has
 * the datapath's program. */

#include <config.h>
#include "ports.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

#include "hash.h"
#include "openvswitch/vlog.h"
#include "rtnl.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xdp_internal);

/* Of our end, so that the host end's MTU alone rules. */
#define PEER_MTU 9600

void
xdp_internal_peer_name(const char *name, char peer[16])
{
    snprintf(peer, 16, "oxi%08x", hash_string(name, 0));
}

int
xdp_internal_create(const char *name, char peer[16])
{
    long int n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int error;

    xdp_internal_peer_name(name, peer);
    if (if_nametoindex(name)) {
        if (!rtnl_is_veth_pair(name, peer)) {
            VLOG_WARN("%s: a device of this name that is not ours exists",
                      name);
            return EEXIST;
        }
        return 0;
    }
    error = rtnl_veth_create(name, peer, MAX(n_cpus, 1));
    if (error) {
        VLOG_WARN("%s: cannot create veth pair (%s)", name,
                  ovs_strerror(error));
        return error;
    }
    rtnl_disable_ipv6(peer);
    rtnl_set_mtu(peer, PEER_MTU);
    error = rtnl_set_up(peer);
    if (error) {
        VLOG_WARN("%s: cannot set our end, %s, up (%s)", name, peer,
                  ovs_strerror(error));
        rtnl_link_delete_by_name(name);
    }
    return error;
}

void
xdp_internal_set_offloads(const char *name)
{
    char peer[16];

    xdp_internal_peer_name(name, peer);
    rtnl_set_offloads_for_xdp(name);
    rtnl_set_offloads_for_xdp(peer);
}

int
xdp_internal_delete(const char *name)
{
    char peer[16];

    xdp_internal_peer_name(name, peer);
    return if_nametoindex(peer) ? rtnl_link_delete_by_name(peer) : 0;
}
