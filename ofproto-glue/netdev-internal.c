/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Network device class of internal ports: a Linux device in every respect but
 * that opening it makes the veth pair that it is an end of. */

#include <config.h>
#include "dp-xdp.h"

#include "netdev-provider.h"
#include "ports.h"

static struct netdev_class netdev_xdp_internal_class;

static int
netdev_xdp_internal_construct(struct netdev *netdev)
{
    char peer[16];
    int error = xdp_internal_create(netdev_get_name(netdev), peer);

    return error ? error : netdev_linux_class.construct(netdev);
}

void
netdev_xdp_internal_register(void)
{
    netdev_xdp_internal_class = netdev_linux_class;
    netdev_xdp_internal_class.type = XDP_INTERNAL_TYPE;
    netdev_xdp_internal_class.construct = netdev_xdp_internal_construct;
    netdev_register_provider(&netdev_xdp_internal_class);
}
