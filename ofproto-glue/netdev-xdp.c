/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Network device classes of the datapath's ports.  They are Linux devices in
 * every respect, but that they take options:xdp-mode, that their status says
 * how the datapath is attached to them, and that opening an internal port makes
 * the veth pair that it is an end of. */

#include <config.h>
#include "dp-xdp.h"

#include <errno.h>

#include "netdev-provider.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "ports.h"
#include "smap.h"

VLOG_DEFINE_THIS_MODULE(netdev_xdp);

static struct netdev_class netdev_xdp_system_class;
static struct netdev_class netdev_xdp_internal_class;

/* enum xdp_port_mode, by name of the device, of those that have the option. */
static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;
static struct shash modes OVS_GUARDED_BY(mutex) = SHASH_INITIALIZER(&modes);

enum xdp_port_mode
netdev_xdp_get_mode(const struct netdev *netdev)
{
    const enum xdp_port_mode *mode;
    enum xdp_port_mode result = XDP_PORT_AUTO;

    ovs_mutex_lock(&mutex);
    mode = shash_find_data(&modes, netdev_get_name(netdev));
    if (mode) {
        result = *mode;
    }
    ovs_mutex_unlock(&mutex);
    return result;
}

/* AUTO is what a device has that is not there. */
static void
remember(const char *name, enum xdp_port_mode mode)
{
    ovs_mutex_lock(&mutex);
    free(shash_find_and_delete(&modes, name));
    if (mode != XDP_PORT_AUTO) {
        shash_add(&modes, name, xmemdup(&mode, sizeof mode));
    }
    ovs_mutex_unlock(&mutex);
}

static int
netdev_xdp_set_config(struct netdev *netdev, const struct smap *args,
                      char **errp)
{
    const char *s = smap_get_def(args, "xdp-mode", "auto");
    const char *name = netdev_get_name(netdev);
    enum xdp_port_mode mode;
    struct smap_node *node;

    SMAP_FOR_EACH (node, args) {
        if (strcmp(node->key, "xdp-mode")) {
            VLOG_WARN("%s: unknown option %s", name, node->key);
        }
    }
    if (!xdp_port_mode_from_string(s, &mode)) {
        *errp = xasprintf("%s: unknown options:xdp-mode=%s (native, generic, "
                          "tc or auto)", name, s);
        return EINVAL;
    }
    remember(name, mode);
    return dp_xdp_set_port_mode(name, mode);
}

static int
netdev_xdp_get_config(const struct netdev *netdev, struct smap *args)
{
    enum xdp_port_mode mode = netdev_xdp_get_mode(netdev);

    if (mode != XDP_PORT_AUTO) {
        smap_add(args, "xdp-mode", xdp_port_mode_to_string(mode));
    }
    return 0;
}

static int
netdev_xdp_get_status(const struct netdev *netdev, struct smap *status)
{
    struct xdp_port_peer peer;
    struct xdp_port_info info;

    if (dp_xdp_get_port(netdev_get_name(netdev), &info)) {
        smap_add(status, "xdp-mode", xdp_port_mode_to_string(info.mode));
        smap_add(status, "xdp-mode-reason", info.reason);
        if (info.mode != XDP_PORT_TC) {
            smap_add(status, "xdp-offloads-off", XDP_PORT_OFFLOADS_OFF);
        }
    }
    if (dp_xdp_get_port_peer(netdev_get_name(netdev), &peer)) {
        smap_add(status, "xdp-peer-redirect", peer.obstacle ? "false" : "true");
        if (peer.obstacle) {
            smap_add(status, "xdp-peer-redirect-reason", peer.obstacle);
        }
    }
    return netdev_linux_class.get_status(netdev, status);
}

/* The device has not seen what went straight to the other end of its veth. */
static int
netdev_xdp_get_stats(const struct netdev *netdev, struct netdev_stats *stats)
{
    int error = netdev_linux_class.get_stats(netdev, stats);
    struct xdp_port_peer peer;

    if (!error && dp_xdp_get_port_peer(netdev_get_name(netdev), &peer)) {
        stats->tx_packets += peer.tx_packets;
        stats->tx_bytes += peer.tx_bytes;
    }
    return error;
}

/* Policing by the datapath's own program, which comes before the ingress qdisc
 * that netdev-linux would use, and would not leave it a frame. */
static int
netdev_xdp_set_policing(struct netdev *netdev, unsigned int kbits_rate,
                        unsigned int kbits_burst, unsigned int kpkts_rate,
                        unsigned int kpkts_burst)
{
    /* The bursts that netdev-linux takes if none is given. */
    kbits_burst = kbits_burst ? kbits_burst : 8000;
    kpkts_burst = kpkts_burst ? kpkts_burst : 16;
    return dp_xdp_set_port_policing(netdev_get_name(netdev),
                                    kbits_rate * 125ULL, kbits_burst * 125ULL,
                                    kpkts_rate * 1000ULL,
                                    kpkts_burst * 1000ULL);
}

static int
netdev_xdp_set_qos(struct netdev *netdev, const char *type,
                   const struct smap *details)
{
    int error = netdev_linux_class.set_qos(netdev, type, details);

    return error ? error : dp_xdp_set_port_qdisc(netdev_get_name(netdev),
                                                 type[0] != '\0');
}

static void
netdev_xdp_destruct(struct netdev *netdev)
{
    remember(netdev_get_name(netdev), XDP_PORT_AUTO);
    netdev_linux_class.destruct(netdev);
}

static int
netdev_xdp_internal_construct(struct netdev *netdev)
{
    char peer[16];
    int error = xdp_internal_create(netdev_get_name(netdev), peer);

    return error ? error : netdev_linux_class.construct(netdev);
}

void
netdev_xdp_register(void)
{
    netdev_xdp_system_class = netdev_linux_class;
    netdev_xdp_system_class.type = XDP_SYSTEM_TYPE;
    netdev_xdp_system_class.set_config = netdev_xdp_set_config;
    netdev_xdp_system_class.get_config = netdev_xdp_get_config;
    netdev_xdp_system_class.get_status = netdev_xdp_get_status;
    netdev_xdp_system_class.get_stats = netdev_xdp_get_stats;
    netdev_xdp_system_class.set_policing = netdev_xdp_set_policing;
    netdev_xdp_system_class.set_qos = netdev_xdp_set_qos;
    netdev_xdp_system_class.destruct = netdev_xdp_destruct;
    netdev_register_provider(&netdev_xdp_system_class);

    netdev_xdp_internal_class = netdev_xdp_system_class;
    netdev_xdp_internal_class.type = XDP_INTERNAL_TYPE;
    netdev_xdp_internal_class.construct = netdev_xdp_internal_construct;
    /* Of the peer itself, and the kernel counts there. */
    netdev_xdp_internal_class.get_stats = netdev_linux_class.get_stats;
    netdev_register_provider(&netdev_xdp_internal_class);
}
