/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Ports of a datapath: a network device with a program attached through a
 * pinned link, and its entries in the maps.  Thread-safe: internal mutex.
 * Errors are positive errno, with one log line. */
#ifndef PORTS_H
#define PORTS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xdp_ports;

enum xdp_port_mode { XDP_PORT_AUTO, XDP_PORT_NATIVE, XDP_PORT_GENERIC,
                     XDP_PORT_TC };

struct xdp_port_info {
    uint32_t port_no;
    char name[16];          /* The port's name: device, or internal's host end. */
    char type[16];          /* "system", "xdp-internal", ... as given to add. */
    int ifindex;            /* Of the device that the program is attached to. */
    enum xdp_port_mode wanted;
    enum xdp_port_mode mode;        /* In effect: not AUTO. */
    char reason[128];               /* Why, for status and log. */
    bool qdisc;             /* Its frames have to pass the device's qdisc. */
};

/* How frames get to what is behind a port's device: see peers.h. */
struct xdp_port_peer {
    const char *obstacle;       /* Why none goes straight to the peer; NULL: they
                                 * do.  For ever. */
    uint64_t tx_packets;        /* Those that did: the device has not counted */
    uint64_t tx_bytes;          /* them. */
};

/* A frame with one of these unfinished cannot be forwarded by XDP alone: whoever
 * sends into a port in XDP mode must have them off. */
#define XDP_PORT_OFFLOADS_OFF "tx checksum, TSO, GSO, UDP segmentation, txvlan"

/* "native", "generic", "tc" or "auto". */
const char *xdp_port_mode_to_string(enum xdp_port_mode);
bool xdp_port_mode_from_string(const char *, enum xdp_port_mode *);

/* Attaches device 'ifname' (for an internal port: our end of the pair, while
 * 'name' is the host end's) as port 'port_no'; UINT32_MAX asks for a free one,
 * which is stored there.  A port adopted from pins with this name, ifindex and
 * number is taken over without detaching; one with another ifindex (device
 * made anew) is replaced.  EBUSY: number or device in use, or another XDP
 * program is on the device; EFBIG: no number free; ENODEV: no device;
 * EOPNOTSUPP: the device takes no XDP in that mode. */
int xdp_ports_add(struct xdp_ports *, const char *name, const char *ifname,
                  const char *type, enum xdp_port_mode mode,
                  uint32_t *port_no);
int xdp_ports_del(struct xdp_ports *, uint32_t port_no);
/* Attaches the port anew if it is not in mode 'wanted' yet; goes on in the old
 * mode if that is not possible.  Groups have to be made anew then. */
int xdp_ports_set_mode(struct xdp_ports *, uint32_t port_no,
                       enum xdp_port_mode wanted);
/* Sets ingress policing: rates per second, 0 for no limit, and bursts, of bytes
 * and packets. */
int xdp_ports_set_policing(struct xdp_ports *, uint32_t port_no,
                           uint64_t byte_rate, uint64_t byte_burst,
                           uint64_t packet_rate, uint64_t packet_burst);
/* Makes frames for the port take the network stack, and so the device's qdisc,
 * also if it is in XDP mode.  Groups have to be made anew then. */
int xdp_ports_set_qdisc(struct xdp_ports *, uint32_t port_no, bool qdisc);
/* Follows changes of devices, see peers.h, and calls 'changed', without a lock,
 * for each port of which xdp_ports_get_peer() says something else now; and has
 * the poll loop wake up for them. */
void xdp_ports_run(struct xdp_ports *, void (*changed)(const char *name));
void xdp_ports_wait(struct xdp_ports *);
/* ENODEV if there is none. */
int xdp_ports_get(const struct xdp_ports *, uint32_t port_no,
                  struct xdp_port_info *);
int xdp_ports_get_by_name(const struct xdp_ports *, const char *name,
                          struct xdp_port_info *);
/* The port with the least number >= '*port_no'; ENOENT at the end. */
int xdp_ports_next(const struct xdp_ports *, uint32_t port_no,
                   struct xdp_port_info *);
/* ENODEV if there is no such port. */
int xdp_ports_get_peer(const struct xdp_ports *, uint32_t port_no,
                       struct xdp_port_peer *);
/* Sequence number that changes with each add and delete. */
uint64_t xdp_ports_seq(const struct xdp_ports *);

/* Internal ports: makes (if it is not there) the veth pair whose host end is
 * 'name', sets its offloads (tx, TSO, txvlan off, GRO on), brings our end up,
 * and stores our end's name.  Deleting one removes both ends. */
int xdp_internal_create(const char *name, char peer[16]);
int xdp_internal_delete(const char *name);
/* Has frames that come from the host end finished, for XDP. */
void xdp_internal_set_offloads(const char *name);
/* Name of our end for the host end 'name', whether or not it exists. */
void xdp_internal_peer_name(const char *name, char peer[16]);

#endif /* ports.h */
