/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The datapath of rows: its BPF programs and maps, loaded as the datapath does
 * it, but neither attached nor pinned, and run by BPF_PROG_RUN. */
#ifndef ROWS_DP_H
#define ROWS_DP_H 1

#include "flow-table.h"
#include "rows-model.h"
#include "rows-packet.h"

#define OUT_PORT 9              /* The only ports that exist: this one, */
#define STACK_PORT 10           /* ... and one that takes no XDP frames. */

/* What runs the pipeline. */
enum hook {
    HOOK_XDP,
    HOOK_TC,
    HOOK_TC_BESIDE,             /* The outermost VLAN tag beside the frame. */
    HOOK_TC_LIVE,               /* Not by BPF_PROG_RUN, but on a device. */
};
extern enum hook hook;

extern struct xdp_config *config;
extern struct xdp_policer *policers;
extern struct xdp_port *port_table;
extern struct flow_table_maps maps;
extern struct flow_table *ft;

/* The sets of hints, one after the other; see bpf/maps.h. */
#define HINT_SETS 16384
#define HINT_WAYS 16
#define HINT_FLOW (XDP_MAX_FLOWS - 1)   /* The rest of a hint is its tag. */
#define N_HINTS (HINT_SETS * HINT_WAYS)
extern uint32_t *hints;
void clear_hints(void);

/* Loads all that there is.  Returns NULL, or why no row can run. */
const char *set_up(void);
/* No flows, no counts, default settings. */
void reset(void);
/* Lets the flow table forget what was removed: first flows, then their masks,
 * then the masks' places. */
void pass_grace_periods(void);

int map_fd(const char *name);
int prog_fd(const char *name);          /* An XDP program, ... */
int tc_prog_fd(const char *name);       /* ... or a TC program. */
/* Sets element 'key' of 'map'. */
void map_fill(const char *map, uint32_t key, const void *value);
/* Puts program 'name', or none, into a stage's place at 'hook'; or each into
 * its own. */
void set_stage(uint32_t stage, const char *name);
void set_stages(void);

extern const char *const drop_names[];
uint64_t read_counter(enum xdp_counter);
uint64_t read_cpu_counter(size_t cpu, enum xdp_counter);
uint64_t read_cpu_packets(size_t cpu, uint32_t flow);
uint64_t read_drops(enum xdp_drop_reason);
void clear_counters(void);

/* Makes frames of a device those of a port. */
void set_in_port(uint32_t ifindex, uint32_t port);
/* Runs program 'fd' on a frame; returns its verdict. */
uint32_t run_program(int fd, const void *frame, size_t size,
                     uint8_t out[MAX_FRAME], size_t *out_size);
/* The same, on a device, and with the bytes behind the first 'linear' in
 * fragments; 0: as BPF_PROG_RUN does it. */
uint32_t run_program_on(int fd, uint32_t ifindex, size_t linear,
                        const void *frame, size_t size,
                        uint8_t out[MAX_FRAME], size_t *out_size);
uint32_t run_inject(const struct xdp_inject_hdr *, const void *frame,
                    size_t size, uint8_t out[MAX_FRAME], size_t *out_size);
/* Runs the pipeline on a packet; a TC verdict is given as XDP's. */
uint32_t run_packet(const struct dp_packet *, uint8_t out[MAX_FRAME],
                    size_t *out_size);
/* The same, on a device. */
uint32_t run_packet_from(const struct dp_packet *, uint32_t ifindex,
                         uint8_t out[MAX_FRAME], size_t *out_size);
/* The same, with XDP, with the bytes behind the first 'linear' in fragments. */
uint32_t run_split(const struct dp_packet *, size_t linear,
                   uint8_t out[MAX_FRAME], size_t *out_size);
/* True if '*md' has what no packet from a port has: with XDP, it comes from
 * userspace; with TC, it is recirculated. */
bool needs_inject(const struct pkt_metadata *);

/* Makes an upcall from TC of 'size' bytes, with room for tags behind it, like
 * one from XDP: puts the tags into the frame.  Returns the new size. */
size_t normalize_upcall(uint8_t *up, size_t size);
/* True if run_packet() can be had for the packet. */
bool can_run(const struct dp_packet *);
/* True if the frame begins with a VLAN tag that can be beside it. */
bool has_vlan(const struct dp_packet *);

/* What came out: the verdict in words, as 'want' of struct row; ... */
void expect_verdict(const char *want, uint32_t verdict, const uint8_t *out,
                    size_t size);
/* ... all counters but those of masks; statistics of all the row's flows; ...
 * */
void expect_counters(const struct outcome *);
void expect_stats(void);
/* ... and the frame, and the header in front of it. */
void expect_frame(const struct outcome *, const struct dp_packet *,
                  uint8_t *out, size_t size);

#endif /* rows-dp.h */
