/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Attaching programs to devices so that they outlive the process: by links
 * pinned in the datapath's bpffs folder; for TC on kernels before 6.6, which
 * have no links for it, by clsact. */
#ifndef ATTACH_H
#define ATTACH_H 1

#include <stdbool.h>
#include <stdint.h>

struct xdp_dp;

enum attach_point { ATTACH_XDP_NATIVE, ATTACH_XDP_GENERIC, ATTACH_TC_INGRESS,
                    ATTACH_TC_EGRESS };

/* Attaches 'prog_fd' to device 'ifindex'; the link is pinned as 'file' in the
 * datapath's folder.  Returns 0 or a positive errno; EBUSY: another XDP program
 * is there. */
int attach_program(const struct xdp_dp *, int prog_fd, int ifindex,
                   enum attach_point, const char *file);
/* Puts 'prog_fd' into the place of what attach_program() attached, without a
 * gap.  ENOENT if nothing is attached to 'ifindex' as 'file'. */
int attach_replace(const struct xdp_dp *, int prog_fd, int ifindex,
                   enum attach_point, const char *file);
/* Detaches; nothing happens if nothing is attached.  'ifindex' may have
 * gone. */
void attach_remove(const struct xdp_dp *, int ifindex, enum attach_point,
                   const char *file);
/* True if what was attached as 'file' is still on 'ifindex'. */
bool attach_exists(const struct xdp_dp *, int ifindex, enum attach_point,
                   const char *file);

/* True if the device has a program on egress by tcx (Linux 6.6). */
bool attach_has_tcx_egress(int ifindex);

#endif /* attach.h */
