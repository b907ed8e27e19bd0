/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * What the files of datapath/ share about a datapath. */
#ifndef XDP_DP_PRIVATE_H
#define XDP_DP_PRIVATE_H 1

#include "xdp-dp.h"

struct bpf_object;
struct bpf_program;

/* Name of a file in the datapath's bpffs folder; the caller frees it. */
char *xdp_dp_pin_path(const struct xdp_dp *, const char *file);
const char *xdp_dp_pin_dir(const struct xdp_dp *);
/* Descriptor of the pipeline's map 'name'; belongs to the datapath. */
int xdp_dp_map_fd(const struct xdp_dp *, const char *name);
/* The program for the TC ingress of ports in XDP mode. */
int xdp_dp_deliver_program_fd(const struct xdp_dp *);

/* Map "xdp_port_table", by port number. */
struct xdp_port *xdp_dp_port_table(const struct xdp_dp *);
/* Map "xdp_policers", by port number, and how many of them are in use. */
struct xdp_policer *xdp_dp_policers(const struct xdp_dp *);
void xdp_dp_set_n_policers(const struct xdp_dp *, uint32_t n);
uint32_t xdp_dp_trap_near_ifindex(const struct xdp_dp *);
/* The program that runs on each device of a group. */
int xdp_dp_group_program_fd(const struct xdp_dp *);

int xdp_groups_create(struct xdp_dp *, struct xdp_groups **);
void xdp_groups_close(struct xdp_groups *);

int xdp_ports_create(struct xdp_dp *, bool adopt, struct xdp_ports **);
void xdp_ports_close(struct xdp_ports *);
/* Detaches all. */
void xdp_ports_destroy(struct xdp_ports *);

#endif /* xdp-dp-private.h */
