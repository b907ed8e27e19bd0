/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Opening, adopting and destroying a datapath.
 *
 * Everything the kernel needs is pinned in one bpffs folder,
 * <bpffs>/ovs-xdp-<network namespace>-<name>/: the maps under their names, and
 * links as "link_*".  The folder is the datapath; this process may come and
 * go. */

#include <config.h>
#include "xdp-dp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "bpf-util.h"
#include "fingerprint.h"
#include "flow-table.h"
#include "groups.h"
#include "hash.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "pipeline.skel.h"
#include "rtnl.h"
#include "tc.skel.h"
#include "util.h"
#include "xdp-dp-private.h"

VLOG_DEFINE_THIS_MODULE(xdp_dp);

#define BPFFS_MAGIC_NUMBER 0xcafe4a11
#define META_MAP "xdp_meta"
#define MAX_TRAP_QUEUES 8

/* A map in this process's memory. */
struct mapping {
    void *base;
    size_t size;
};

enum { MAPPING_CONFIG, MAPPING_BUCKETS, MAPPING_FLOWS, MAPPING_FLOWS_WIDE,
       MAPPING_MASKS, MAPPING_MASK_LINKS, MAPPING_PORT_MASKS, MAPPING_OPS,
       MAPPING_STATS, MAPPING_CPUS, MAPPING_PORT_TABLE, MAPPING_POLICERS,
       N_MAPPINGS };

static const char *const mapping_names[N_MAPPINGS] = {
    "xdp_config", "xdp_buckets", "xdp_flows", "xdp_flows_wide",
    "xdp_masks", "xdp_mask_links", "xdp_port_masks", "xdp_ops", "xdp_stats",
    "xdp_cpus", "xdp_port_table", "xdp_policers",
};

struct xdp_dp {
    char *name;
    char *pin_dir;
    int lock_fd;                /* Abstract socket: one owner at a time. */
    bool adopted;
    struct pipeline_bpf *skel;  /* XDP side. */
    struct tc_bpf *tc;          /* TC side. */
    int n_cpus;                 /* Possible ones: entries of a CPU's maps. */
    struct mapping mappings[N_MAPPINGS];
    struct flow_table *flow_table;
    struct xdp_ports *ports;
    struct xdp_groups *groups;
    char near[IFNAMSIZ];        /* Trap: BPF redirects here. */
    char far[IFNAMSIZ];         /* Trap: AF_XDP sockets are here. */
};

/* Names. */

static const char *
bpffs_dir(void)
{
    const char *dir = getenv("OVS_XDP_BPFFS");

    return dir && dir[0] ? dir : "/sys/fs/bpf";
}

/* Network namespaces are told apart by the inode of their file. */
static unsigned long long int
netns_id(void)
{
    struct stat st;

    return stat("/proc/self/ns/net", &st) ? 0 : st.st_ino;
}

static char *
folder_prefix(void)
{
    return xasprintf("ovs-xdp-%llu-", netns_id());
}

const char *
xdp_dp_pin_dir(const struct xdp_dp *dp)
{
    return dp->pin_dir;
}

char *
xdp_dp_pin_path(const struct xdp_dp *dp, const char *file)
{
    return xasprintf("%s/%s", dp->pin_dir, file);
}

int
xdp_dp_for_each(void (*cb)(const char *name, void *aux), void *aux)
{
    DIR *stream = opendir(bpffs_dir());
    char *prefix = folder_prefix();
    struct dirent *entry;

    while (stream && (entry = readdir(stream))) {
        if (!strncmp(entry->d_name, prefix, strlen(prefix))) {
            cb(entry->d_name + strlen(prefix), aux);
        }
    }
    if (stream) {
        closedir(stream);
    }
    free(prefix);
    return 0;
}

/* Preconditions. */

static int
check_bpffs(void)
{
    const char *dir = bpffs_dir();
    struct statfs fs;

    if (!statfs(dir, &fs) && fs.f_type == BPFFS_MAGIC_NUMBER) {
        return 0;
    }
    if (mount("bpf", dir, "bpf", 0, "mode=0700")) {
        VLOG_ERR("%s is not a bpffs and none can be mounted there (%s): "
                 "mount one with \"mount -t bpf bpf %s\"",
                 dir, ovs_strerror(errno), dir);
        return ENOENT;
    }
    VLOG_INFO("mounted a bpffs on %s", dir);
    return 0;
}

/* An abstract socket goes with the process, however that ends, and is told
 * apart by network namespace, as a datapath is. */
static int
lock(const char *pin_dir, int *fdp)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0) {
        return errno;
    }
    snprintf(&sun.sun_path[1], sizeof sun.sun_path - 1, "ovs-xdp/%08x",
             hash_string(pin_dir, 0));
    if (bind(fd, (struct sockaddr *) &sun, sizeof sun)) {
        error = errno == EADDRINUSE ? EBUSY : errno;
        VLOG_ERR("datapath %s is in use by another process (%s)", pin_dir,
                 ovs_strerror(error));
        close(fd);
        return error;
    }
    *fdp = fd;
    return 0;
}

static uint64_t
read_pinned_fingerprint(const struct xdp_dp *dp)
{
    char *path = xdp_dp_pin_path(dp, META_MAP);
    int fd = bpf_obj_get(path);
    uint64_t value = 0;
    uint32_t zero = 0;

    if (fd >= 0) {
        bpf_map_lookup_elem(fd, &zero, &value);
        close(fd);
    }
    free(path);
    return value;
}

static int
pin_fingerprint(const struct xdp_dp *dp, uint64_t value)
{
    char *path = xdp_dp_pin_path(dp, META_MAP);
    int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, META_MAP, 4, 8, 1, NULL);
    uint32_t zero = 0;
    int error = 0;

    if (fd < 0 || bpf_map_update_elem(fd, &zero, &value, BPF_ANY)
        || bpf_obj_pin(fd, path)) {
        error = errno;
    }
    if (fd >= 0) {
        close(fd);
    }
    free(path);
    return error;
}

/* Maps and programs. */

int
xdp_dp_map_fd(const struct xdp_dp *dp, const char *name)
{
    return bpf_object__find_map_fd_by_name(dp->skel->obj, name);
}

static void
multiply_by_cpus(const struct xdp_dp *dp, struct bpf_map *map)
{
    bpf_map__set_max_entries(map, dp->n_cpus * bpf_map__max_entries(map));
}

static struct pipeline_bpf *
open_pipeline(const struct xdp_dp *dp)
{
    struct pipeline_bpf *skel = pipeline_bpf__open();

    if (skel) {
        multiply_by_cpus(dp, skel->maps.xdp_stats);
        multiply_by_cpus(dp, skel->maps.xdp_cpus);
    }
    return skel;
}

static int
pin_maps(const struct xdp_dp *dp, const struct bpf_object *object)
{
    struct bpf_map *map;

    bpf_object__for_each_map(map, object) {
        char *path = xdp_dp_pin_path(dp, bpf_map__name(map));
        int error = 0;

        if (!bpf_map__is_internal(map)
            && bpf_obj_pin(bpf_map__fd(map), path)) {
            error = errno;
            VLOG_ERR("cannot pin %s (%s)", path, ovs_strerror(error));
        }
        free(path);
        if (error) {
            return error;
        }
    }
    return 0;
}

/* Creates the maps, to be reused like those of an earlier process. */
static int
create_maps(const struct xdp_dp *dp)
{
    struct pipeline_bpf *skel = open_pipeline(dp);
    struct bpf_program *program;
    int error;

    if (!skel) {
        return errno;
    }
    bpf_object__for_each_program(program, skel->obj) {
        bpf_program__set_autoload(program, false);
    }
    error = bpf_util_load(skel->obj, "maps");
    error = error ? error : pin_maps(dp, skel->obj);
    pipeline_bpf__destroy(skel);
    return error;
}

static int
map_memory(struct xdp_dp *dp)
{
    size_t page = sysconf(_SC_PAGESIZE);

    for (int i = 0; i < N_MAPPINGS; i++) {
        struct bpf_map *map
            = bpf_object__find_map_by_name(dp->skel->obj, mapping_names[i]);
        struct mapping *m = &dp->mappings[i];
        size_t value_size = ROUND_UP(bpf_map__value_size(map), 8);

        m->size = ROUND_UP(value_size * bpf_map__max_entries(map), page);
        m->base = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED,
                       bpf_map__fd(map), 0);
        if (m->base == MAP_FAILED) {
            m->base = NULL;
            VLOG_ERR("cannot map %s into memory (%s)", mapping_names[i],
                     ovs_strerror(errno));
            return errno;
        }
    }
    return 0;
}

static struct xdp_config *
config(const struct xdp_dp *dp)
{
    return dp->mappings[MAPPING_CONFIG].base;
}

/* Replacing an entry of a PROG_ARRAY loses no packet. */
static int
set_stages(const struct bpf_object *object, const char *map)
{
    static const struct { uint32_t stage; const char *name; } stages[] = {
        { XDP_STAGE_RECIRC, "stage_recirc" },
        { XDP_STAGE_ACTIONS, "stage_actions" },
    };
    int fd = bpf_object__find_map_fd_by_name(object, map);

    for (int i = ARRAY_SIZE(stages) - 1; i >= 0; i--) {
        struct bpf_program *prog = bpf_object__find_program_by_name(
            object, stages[i].name);
        int prog_fd = bpf_program__fd(prog);

        if (bpf_map_update_elem(fd, &stages[i].stage, &prog_fd, BPF_ANY)) {
            VLOG_ERR("cannot set pipeline stage %s in %s (%s)",
                     stages[i].name, map, ovs_strerror(errno));
            return errno;
        }
    }
    return 0;
}

/* Loads the TC side, which has all the XDP side's maps and one of its own. */
static int
load_tc(struct xdp_dp *dp)
{
    char *path;
    int error;

    dp->tc = tc_bpf__open();
    if (!dp->tc) {
        return errno;
    }
    error = bpf_util_reuse_maps(dp->tc->obj, dp->pin_dir);
    error = error ? error : bpf_util_load(dp->tc->obj, "tc");
    if (error) {
        return error;
    }
    path = xdp_dp_pin_path(dp, "tc_stages");
    if (bpf_obj_pin(bpf_map__fd(dp->tc->maps.tc_stages), path)
        && errno != EEXIST) {
        error = errno;
        VLOG_ERR("cannot pin %s (%s)", path, ovs_strerror(error));
    }
    free(path);
    return error;
}

static void *
load_tc_thread(void *dp)
{
    return (void *) (intptr_t) load_tc(dp);
}

/* The verifier takes about as long for each side, together close to the second
 * after which the main loop would warn. */
static int
load_programs(struct xdp_dp *dp)
{
    pthread_t thread = ovs_thread_create("xdp-load", load_tc_thread, dp);
    int error = bpf_util_reuse_maps(dp->skel->obj, dp->pin_dir);
    void *tc_error;

    error = error ? error : bpf_util_load(dp->skel->obj, "pipeline");
    xpthread_join(thread, &tc_error);
    return error ? error : (intptr_t) tc_error;
}

/* The trap. */

/* Gives the device the greatest MTU that it takes. */
static void
set_max_mtu(const char *name)
{
    static const unsigned int mtus[] = { 65535, 65000, 32000, 9600, 3400 };

    for (size_t i = 0; i < ARRAY_SIZE(mtus); i++) {
        if (!rtnl_set_mtu(name, mtus[i])) {
            return;
        }
    }
}

static int
make_trap(struct xdp_dp *dp)
{
    long int n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned int n_queues = MAX(1, MIN(n_cpus, MAX_TRAP_QUEUES));
    const char *const names[] = { dp->near, dp->far };
    int error;

    if (if_nametoindex(dp->near)) {
        rtnl_link_delete_by_name(dp->near);
    }
    error = rtnl_veth_create(dp->near, dp->far, n_queues);
    if (error) {
        VLOG_ERR("cannot create the veth pair %s/%s for upcalls (%s)",
                 dp->near, dp->far, ovs_strerror(error));
        return error;
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        rtnl_disable_ipv6(names[i]);
        rtnl_set_offloads_for_xdp(names[i]);
        set_max_mtu(names[i]);
        error = rtnl_set_noarp(names[i]);
        error = error ? error : rtnl_set_up(names[i]);
        if (error) {
            VLOG_ERR("cannot set %s up (%s)", names[i], ovs_strerror(error));
            return error;
        }
    }
    return 0;
}

/* What is attached to the trap. */
static int
attach_trap(const struct xdp_dp *dp, int (*attach)(const struct xdp_dp *,
                                                   int prog_fd, int ifindex,
                                                   enum attach_point,
                                                   const char *file))
{
    const struct {
        const struct bpf_program *program;
        const char *device;
        enum attach_point point;
        const char *file;
    } programs[] = {
        { dp->skel->progs.inject, dp->near, ATTACH_XDP_NATIVE, "link_inject" },
        { dp->tc->progs.deliver, dp->near, ATTACH_TC_INGRESS,
          "link_trap_deliver" },
        { dp->tc->progs.trap_push, dp->near, ATTACH_TC_EGRESS,
          "link_trap_push" },
        { dp->skel->progs.trap_rx, dp->far, ATTACH_XDP_NATIVE, "link_trap" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
        int error = attach(dp, bpf_program__fd(programs[i].program),
                           if_nametoindex(programs[i].device),
                           programs[i].point, programs[i].file);

        if (error) {
            return error;
        }
    }
    return 0;
}

static int
set_up_trap(struct xdp_dp *dp)
{
    uint32_t zero = 0, ifindex;
    int error;

    if (dp->adopted && rtnl_is_veth_pair(dp->near, dp->far)
        && !attach_trap(dp, attach_replace)) {
        return 0;
    }
    error = make_trap(dp);
    if (error) {
        return error;
    }
    error = attach_trap(dp, attach_program);
    if (error) {
        VLOG_ERR("cannot attach programs to %s/%s (%s): a kernel of at least "
                 "6.1 is needed", dp->near, dp->far, ovs_strerror(error));
        return error;
    }
    /* Neither end's frames are the kernel's to merge. */
    rtnl_set_gro(dp->near, false);
    rtnl_set_gro(dp->far, false);
    config(dp)->trap_ifindex = ifindex = if_nametoindex(dp->near);
    if (bpf_map_update_elem(xdp_dp_map_fd(dp, "xdp_trap"), &zero, &ifindex,
                            BPF_ANY)) {
        return errno;
    }
    return 0;
}

int
xdp_dp_trap_far_ifindex(const struct xdp_dp *dp)
{
    return if_nametoindex(dp->far);
}

unsigned int
xdp_dp_trap_n_queues(const struct xdp_dp *dp)
{
    return rtnl_n_rx_queues(dp->far);
}

int
xdp_dp_xsks_map_fd(const struct xdp_dp *dp)
{
    return xdp_dp_map_fd(dp, "xdp_xsks");
}

/* Opening. */

/* BPF writes, without locks; each counter is read in one piece. */
static int
read_stats(void *dp_, uint32_t flow, struct xdp_flow_stats *sum)
{
    const struct xdp_dp *dp = dp_;
    const struct xdp_flow_stats *all = dp->mappings[MAPPING_STATS].base;

    memset(sum, 0, sizeof *sum);
    for (int i = 0; i < dp->n_cpus; i++) {
        const volatile struct xdp_flow_stats *stats
            = &all[(size_t) i * XDP_MAX_FLOWS + flow];
        uint64_t used = stats->used;

        sum->packets += stats->packets;
        sum->bytes += stats->bytes;
        sum->used = MAX(sum->used, used);
        sum->tcp_flags |= stats->tcp_flags;
    }
    return 0;
}

static int
clear_stats(void *dp_, uint32_t flow)
{
    const struct xdp_dp *dp = dp_;
    struct xdp_flow_stats *all = dp->mappings[MAPPING_STATS].base;

    for (int i = 0; i < dp->n_cpus; i++) {
        memset(&all[(size_t) i * XDP_MAX_FLOWS + flow], 0, sizeof *all);
    }
    return 0;
}

static int
open_flow_table(struct xdp_dp *dp)
{
    struct flow_table_maps maps = {
        .config = config(dp),
        .buckets = dp->mappings[MAPPING_BUCKETS].base,
        .flows = dp->mappings[MAPPING_FLOWS].base,
        .flows_wide = dp->mappings[MAPPING_FLOWS_WIDE].base,
        .masks = dp->mappings[MAPPING_MASKS].base,
        .mask_links = dp->mappings[MAPPING_MASK_LINKS].base,
        .port_masks = dp->mappings[MAPPING_PORT_MASKS].base,
        .ops = dp->mappings[MAPPING_OPS].base,
        .read_stats = read_stats,
        .clear_stats = clear_stats,
        .aux = dp,
    };

    return flow_table_create(&maps, dp->adopted, &dp->flow_table);
}

/* The coarse clock ticks once a jiffy. */
static uint32_t
kernel_hz(void)
{
    struct timespec res;

    if (clock_getres(CLOCK_MONOTONIC_COARSE, &res) || res.tv_nsec <= 0) {
        return 250;
    }
    return (1000000000 + res.tv_nsec / 2) / res.tv_nsec;
}

/* Decides between adoption and a new start; EBUSY... as xdp_dp_open(). */
static int
prepare_pins(struct xdp_dp *dp, bool create, uint64_t ours)
{
    uint64_t pinned;

    if (access(dp->pin_dir, F_OK)) {
        if (!create) {
            return ENODEV;
        }
    } else {
        pinned = read_pinned_fingerprint(dp);
        if (pinned == ours) {
            dp->adopted = true;
            return 0;
        }
        VLOG_WARN("%s: pins of another version (%#"PRIx64", ours "
                  "%#"PRIx64"); replacing them", dp->pin_dir, pinned, ours);
        int error = bpf_util_unpin_dir(dp->pin_dir);
        if (error) {
            return error;
        }
    }
    return bpf_util_make_dir(dp->pin_dir);
}

static int
open__(struct xdp_dp *dp, bool create)
{
    uint64_t ours;
    int error;

    dp->n_cpus = libbpf_num_possible_cpus();
    dp->skel = open_pipeline(dp);
    if (!dp->skel) {
        return errno;
    }
    ours = xdp_fingerprint(dp->skel->obj);
    error = prepare_pins(dp, create, ours);
    if (error) {
        return error;
    }
    if (!dp->adopted) {
        error = create_maps(dp);
        error = error ? error : pin_fingerprint(dp, ours);
    }
    error = error ? error : load_programs(dp);
    error = error ? error : map_memory(dp);
    if (error) {
        return error;
    }
    config(dp)->abi_version = XDP_ABI_VERSION;
    config(dp)->hz = kernel_hz();
    if (!dp->adopted) {
        config(dp)->vlan_limit = 1;
    }
    error = open_flow_table(dp);
    error = error ? error : set_stages(dp->skel->obj, "xdp_stages");
    error = error ? error : set_stages(dp->tc->obj, "tc_stages");
    error = error ? error : set_up_trap(dp);
    error = error ? error : xdp_ports_create(dp, dp->adopted, &dp->ports);
    return error ? error : xdp_groups_create(dp, &dp->groups);
}

int
xdp_dp_open(const char *name, bool create, struct xdp_dp **dpp)
{
    struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
    struct xdp_dp *dp;
    char *prefix;
    uint32_t hash;
    int error;

    *dpp = NULL;
    bpf_util_init();
    error = check_bpffs();
    if (error) {
        return error;
    }
    setrlimit(RLIMIT_MEMLOCK, &unlimited);

    dp = xzalloc(sizeof *dp);
    dp->lock_fd = -1;
    dp->name = xstrdup(name);
    prefix = folder_prefix();
    dp->pin_dir = xasprintf("%s/%s%s", bpffs_dir(), prefix, name);
    free(prefix);
    hash = hash_string(name, 0);
    snprintf(dp->near, sizeof dp->near, "oxn%08x", hash);
    snprintf(dp->far, sizeof dp->far, "oxf%08x", hash);

    error = create || !access(dp->pin_dir, F_OK) ? 0 : ENODEV;
    error = error ? error : lock(dp->pin_dir, &dp->lock_fd);
    if (!error) {
        error = open__(dp, create);
        if (error && !dp->adopted) {
            bpf_util_unpin_dir(dp->pin_dir);
        }
    }
    if (error) {
        xdp_dp_close(dp);
        return error;
    }
    VLOG_INFO("%s datapath %s", dp->adopted ? "adopted" : "created",
              dp->pin_dir);
    *dpp = dp;
    return 0;
}

void
xdp_dp_close(struct xdp_dp *dp)
{
    if (!dp) {
        return;
    }
    xdp_groups_close(dp->groups);
    xdp_ports_close(dp->ports);
    flow_table_destroy(dp->flow_table);
    for (int i = 0; i < N_MAPPINGS; i++) {
        if (dp->mappings[i].base) {
            munmap(dp->mappings[i].base, dp->mappings[i].size);
        }
    }
    tc_bpf__destroy(dp->tc);
    pipeline_bpf__destroy(dp->skel);
    if (dp->lock_fd >= 0) {
        close(dp->lock_fd);
    }
    free(dp->pin_dir);
    free(dp->name);
    free(dp);
}

int
xdp_dp_destroy(struct xdp_dp *dp)
{
    int error;

    xdp_ports_destroy(dp->ports);
    dp->ports = NULL;
    rtnl_link_delete_by_name(dp->near);
    error = bpf_util_unpin_dir(dp->pin_dir);
    xdp_dp_close(dp);
    return error;
}

void
xdp_dp_set_upcalls(struct xdp_dp *dp, bool enable)
{
    __atomic_store_n(&config(dp)->upcalls_enabled, enable, __ATOMIC_RELEASE);
}

void
xdp_dp_set_vlan_limit(struct xdp_dp *dp, unsigned int limit)
{
    __atomic_store_n(&config(dp)->vlan_limit, limit, __ATOMIC_RELEASE);
}

bool
xdp_dp_adopted(const struct xdp_dp *dp)
{
    return dp->adopted;
}

static const volatile struct xdp_counters *
cpu_counters(const struct xdp_dp *dp, int cpu)
{
    const struct bpf_map *map = dp->skel->maps.xdp_cpus;

    return (const void *) ((const char *) dp->mappings[MAPPING_CPUS].base
                           + cpu * ROUND_UP(bpf_map__value_size(map), 8));
}

void
xdp_dp_get_drops(const struct xdp_dp *dp, uint64_t *drops)
{
    memset(drops, 0, XDP_N_DROP_REASONS * sizeof *drops);
    for (int cpu = 0; cpu < dp->n_cpus; cpu++) {
        for (int i = 0; i < XDP_N_DROP_REASONS; i++) {
            drops[i] += cpu_counters(dp, cpu)->drops[i];
        }
    }
}

void
xdp_dp_get_counters(const struct xdp_dp *dp, uint64_t *counters)
{
    memset(counters, 0, XDP_N_COUNTERS * sizeof *counters);
    for (int cpu = 0; cpu < dp->n_cpus; cpu++) {
        for (int i = 0; i < XDP_N_COUNTERS; i++) {
            counters[i] += cpu_counters(dp, cpu)->n[i];
        }
    }
    counters[XDP_COUNTER_HIT] += counters[XDP_COUNTER_CACHE_HIT];
    counters[XDP_COUNTER_MASK_HIT] += counters[XDP_COUNTER_CACHE_HIT];
}

struct xdp_policer *
xdp_dp_policers(const struct xdp_dp *dp)
{
    return dp->mappings[MAPPING_POLICERS].base;
}

void
xdp_dp_set_n_policers(const struct xdp_dp *dp, uint32_t n)
{
    __atomic_store_n(&config(dp)->n_policers, n, __ATOMIC_RELEASE);
}

struct xdp_port *
xdp_dp_port_table(const struct xdp_dp *dp)
{
    return dp->mappings[MAPPING_PORT_TABLE].base;
}

struct flow_table *
xdp_dp_flow_table(const struct xdp_dp *dp)
{
    return dp->flow_table;
}

struct xdp_groups *
xdp_dp_groups(const struct xdp_dp *dp)
{
    return dp->groups;
}

int
xdp_dp_port_program_fd(const struct xdp_dp *dp, bool tc)
{
    return bpf_program__fd(tc ? dp->tc->progs.port_ingress
                           : dp->skel->progs.port_ingress);
}

int
xdp_dp_deliver_program_fd(const struct xdp_dp *dp)
{
    return bpf_program__fd(dp->tc->progs.deliver);
}

int
xdp_dp_group_program_fd(const struct xdp_dp *dp)
{
    return bpf_program__fd(dp->skel->progs.group_egress);
}

uint32_t
xdp_dp_trap_near_ifindex(const struct xdp_dp *dp)
{
    return config(dp)->trap_ifindex;
}

struct xdp_ports *
xdp_dp_ports(const struct xdp_dp *dp)
{
    return dp->ports;
}
