/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Tests of upcall/ on a veth pair in a network namespace of its own: "far" has
 * the sockets, and a small XDP program in place of "trap_rx"; "near" is where
 * the test sends and listens, in place of the datapath. */

#include <config.h>
#undef NDEBUG
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dp-packet.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "time-slice.h"
#include "upcall.h"
#include "util.h"
#include "xdp-dp.h"

#define N_QUEUES 2
#define MTU 9000
#define TIMEOUT_MS 3000
#define MAX_FRAME 65536
#define HDR_LEN sizeof(struct xdp_upcall_hdr)
/* What fits behind the kernel's head room in a UMEM frame. */
#define MAX_XSK_RX (4096 - XDP_PACKET_HEADROOM)

/* The fake datapath: upcall/ knows it by these functions only. */

static int far_ifindex, near_ifindex, xsks_fd = -1;

int
xdp_dp_trap_far_ifindex(const struct xdp_dp *dp OVS_UNUSED)
{
    return far_ifindex;
}

unsigned int
xdp_dp_trap_n_queues(const struct xdp_dp *dp OVS_UNUSED)
{
    return N_QUEUES;
}

int
xdp_dp_xsks_map_fd(const struct xdp_dp *dp OVS_UNUSED)
{
    return xsks_fd;
}

/* Set-up. */

/* Redirects to the queue's socket what fits in a UMEM frame; passes the
 * rest. */
static int
load_program(void)
{
    const struct bpf_insn insns[] = {
        /* r6 = ctx */
        { .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 6, .src_reg = 1 },
        { .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_xdp_get_buff_len },
        /* if r0 > MAX_XSK_RX goto pass */
        { .code = BPF_JMP | BPF_JGT | BPF_K, .dst_reg = 0, .off = 6,
          .imm = MAX_XSK_RX },
        { .code = BPF_LDX | BPF_W | BPF_MEM, .dst_reg = 2, .src_reg = 6,
          .off = offsetof(struct xdp_md, rx_queue_index) },
        /* r1 = map (2 instructions) */
        { .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1,
          .src_reg = BPF_PSEUDO_MAP_FD, .imm = xsks_fd },
        { 0 },
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = XDP_PASS },
        { .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
        { .code = BPF_JMP | BPF_EXIT },
        /* pass: */
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS },
        { .code = BPF_JMP | BPF_EXIT },
    };
    LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_XDP_HAS_FRAGS);

    return bpf_prog_load(BPF_PROG_TYPE_XDP, "trap_rx", "GPL", insns,
                         ARRAY_SIZE(insns), &opts);
}

static const char *
set_up(void)
{
    int prog_fd;

    if (geteuid()) {
        return "needs root";
    }
    if (unshare(CLONE_NEWNET)) {
        return "cannot make a network namespace";
    }
    /* Keeps neighbour discovery away; not everywhere there to be set. */
    if (system("sysctl -qw net.ipv6.conf.default.disable_ipv6=1 2>/dev/null;"
               "ip link add far mtu 9000 numrxqueues 2 numtxqueues 2 "
               "type veth peer name near mtu 9000 numrxqueues 2 numtxqueues 2"
               " && ip link set far up && ip link set near up")) {
        return "cannot make a veth pair";
    }
    far_ifindex = if_nametoindex("far");
    near_ifindex = if_nametoindex("near");

    xsks_fd = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "xsks", 4, 4, N_QUEUES,
                             NULL);
    if (xsks_fd < 0) {
        return "cannot make an XSKMAP";
    }
    prog_fd = load_program();
    if (prog_fd < 0) {
        return "cannot load an XDP program with frags";
    }
    if (bpf_xdp_attach(far_ifindex, prog_fd, XDP_FLAGS_DRV_MODE, NULL)) {
        return "cannot attach an XDP program";
    }
    return NULL;
}

/* The near side. */

static int
near_socket(void)
{
    const struct sockaddr_ll sll = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = near_ifindex,
    };
    int one = 1;
    int size = 64 * 1024 * 1024;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one,
                                sizeof one), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size,
                                sizeof size), 0);
    assert_int_equal(bind(fd, (const void *) &sll, sizeof sll), 0);
    return fd;
}

/* Receives the next frame from userspace.  Returns its length, 0 if none
 * arrives in time. */
static size_t
near_recv(int fd, uint8_t *buf, size_t size, int timeout_ms)
{
    const uint32_t magic = XDP_INJECT_MAGIC;

    for (;;) {
        struct pollfd pollfd = { .fd = fd, .events = POLLIN };
        ssize_t len;

        if (poll(&pollfd, 1, timeout_ms) <= 0) {
            return 0;
        }
        len = recv(fd, buf, size, 0);
        assert_true(len > 0);
        if (!memcmp(buf, &magic, sizeof magic)) {
            return len;
        }
    }
}

static void
fill(uint8_t *data, size_t len, uint8_t seed)
{
    for (size_t i = 0; i < len; i++) {
        data[i] = seed + i * 7 + (i >> 8);
    }
}

static struct xdp_upcall_hdr
make_hdr(size_t len)
{
    return (struct xdp_upcall_hdr) {
        .magic = XDP_UPCALL_MAGIC,
        .reason = XDP_UPCALL_ACTION,
        .in_port = 17,
        .recirc_id = 0x1234,
        .len = len,
        .flow = 99,
        .next_action = 3,
    };
}

/* Sends a header and 'len' bytes made from 'seed' to the far side. */
static void
near_send(int fd, const struct xdp_upcall_hdr *hdr, size_t len, uint8_t seed)
{
    uint8_t *buf = xmalloc(sizeof *hdr + len);

    memcpy(buf, hdr, sizeof *hdr);
    fill(buf + sizeof *hdr, len, seed);
    assert_int_equal(send(fd, buf, sizeof *hdr + len, 0), sizeof *hdr + len);
    free(buf);
}

/* The callback. */

static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;
static unsigned int n_calls;
static struct xdp_upcall_hdr last_hdr;
static uint8_t last_frame[MAX_FRAME];
static size_t last_len;
static struct upcalls *echo_to;         /* If set, frames are sent back. */

static void
callback(const struct xdp_upcall_hdr *hdr, struct dp_packet *packet,
         void *aux)
{
    assert_ptr_equal(aux, &n_calls);
    ovs_mutex_lock(&mutex);
    last_hdr = *hdr;
    last_len = dp_packet_size(packet);
    memcpy(last_frame, dp_packet_data(packet), last_len);
    assert_true(dp_packet_headroom(packet) >= 64);
    n_calls++;
    if (echo_to) {
        struct xdp_inject_hdr inject = { .mode = XDP_INJECT_OUTPUT };

        upcalls_send(echo_to, &inject, packet);
    }
    ovs_mutex_unlock(&mutex);
    dp_packet_delete(packet);
}

/* Waits until the callback was called 'n' times. */
static bool
wait_calls(unsigned int n)
{
    for (int i = 0; i < TIMEOUT_MS; i++) {
        bool done;

        ovs_mutex_lock(&mutex);
        done = n_calls >= n;
        ovs_mutex_unlock(&mutex);
        if (done) {
            return true;
        }
        usleep(1000);
    }
    return false;
}

static struct upcalls *
start(unsigned int n_workers)
{
    struct upcalls *upcalls;

    n_calls = 0;
    last_len = 0;
    echo_to = NULL;
    assert_int_equal(upcalls_start(NULL, n_workers, callback, &n_calls,
                                   &upcalls), 0);
    return upcalls;
}

static struct upcall_stats
get_stats(const struct upcalls *upcalls)
{
    struct upcall_stats stats;

    upcalls_get_stats(upcalls, &stats);
    return stats;
}

/* Tests. */

static const char *skip_reason;

#define SKIP_UNLESS_SET_UP()                                \
    if (skip_reason) {                                      \
        print_message("skipped: %s\n", skip_reason);        \
        skip();                                             \
    }

/* Sends one frame up; checks what the callback sees. */
static void
check_up(int fd, size_t len, uint32_t recirc_id, uint8_t seed)
{
    struct xdp_upcall_hdr hdr = make_hdr(len);
    uint8_t *expected = xmalloc(len);
    unsigned int before;

    ovs_mutex_lock(&mutex);
    before = n_calls;
    ovs_mutex_unlock(&mutex);
    hdr.recirc_id = recirc_id;
    fill(expected, len, seed);
    near_send(fd, &hdr, len, seed);
    assert_true(wait_calls(before + 1));
    assert_memory_equal(&last_hdr, &hdr, sizeof hdr);
    assert_int_equal(last_len, len);
    assert_memory_equal(last_frame, expected, len);
    free(expected);
}

static void
test_up(void **state OVS_UNUSED)
{
    SKIP_UNLESS_SET_UP();

    struct upcalls *upcalls = start(2);
    int fd = near_socket();

    check_up(fd, ETH_HLEN, 0, 1);
    check_up(fd, 60, 0x1234, 2);
    check_up(fd, 1514, UINT32_MAX, 3);
    check_up(fd, MAX_XSK_RX - HDR_LEN, 0, 4);
    assert_int_equal(get_stats(upcalls).received, 4);
    assert_int_equal(get_stats(upcalls).received_jumbo, 0);
    assert_int_equal(get_stats(upcalls).bad_header, 0);
    close(fd);
    upcalls_stop(upcalls);
}

/* More frames than any ring has: every buffer comes back. */
static void
test_up_many(void **state OVS_UNUSED)
{
    SKIP_UNLESS_SET_UP();

    struct upcalls *upcalls = start(2);
    int fd = near_socket();
    unsigned int n = 0;

    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 100; i++) {
            struct xdp_upcall_hdr hdr = make_hdr(200);

            near_send(fd, &hdr, 200, i);
            n++;
        }
        assert_true(wait_calls(n));
    }
    assert_int_equal(get_stats(upcalls).received, n);
    close(fd);
    upcalls_stop(upcalls);
}

static void
test_up_jumbo(void **state OVS_UNUSED)
{
    SKIP_UNLESS_SET_UP();

    struct upcalls *upcalls = start(1);
    int fd = near_socket();

    check_up(fd, MAX_XSK_RX - HDR_LEN + 1, 0, 1);
    check_up(fd, 8000, 0x1234, 2);
    /* Ethernet types of VLAN tags, which the kernel strips. */
    check_up(fd, 8000, 0x0081, 3);
    check_up(fd, 8000, 0xa888, 4);
    check_up(fd, 8000, 0xffff0081, 5);
    check_up(fd, 8000, 0x81000081, 6);
    assert_int_equal(get_stats(upcalls).received, 6);
    assert_int_equal(get_stats(upcalls).received_jumbo, 6);
    close(fd);
    upcalls_stop(upcalls);
}

static void
test_up_bad(void **state OVS_UNUSED)
{
    SKIP_UNLESS_SET_UP();

    struct upcalls *upcalls = start(1);
    int fd = near_socket();
    struct xdp_upcall_hdr hdr;

    hdr = make_hdr(100);
    hdr.magic++;
    near_send(fd, &hdr, 100, 1);

    hdr = make_hdr(100);
    near_send(fd, &hdr, 101, 2);
    near_send(fd, &hdr, 99, 3);
    hdr.len = UINT32_MAX;
    near_send(fd, &hdr, 99, 4);
    hdr = make_hdr(ETH_HLEN - 1);
    near_send(fd, &hdr, ETH_HLEN - 1, 5);
    hdr = make_hdr(0);
    near_send(fd, &hdr, 0, 6);
    /* Shorter than a header. */
    assert_int_equal(send(fd, &hdr, 40, 0), 40);
    /* AF_PACKET. */
    hdr = make_hdr(100);
    near_send(fd, &hdr, 8000, 7);

    for (int i = 0; i < TIMEOUT_MS && get_stats(upcalls).bad_header < 8; i++) {
        usleep(1000);
    }
    assert_int_equal(get_stats(upcalls).bad_header, 8);
    assert_int_equal(get_stats(upcalls).received, 0);
    close(fd);
    upcalls_stop(upcalls);
    assert_int_equal(n_calls, 0);
}

/* Sends one frame down; checks what near sees.  ('recirc_id' must not look
 * like a VLAN tag: the test's own AF_PACKET socket would not see it.) */
static void
check_down(struct upcalls *upcalls, int fd, size_t len, uint8_t seed)
{
    const struct xdp_inject_hdr inject = {
        .mode = XDP_INJECT_PIPELINE,
        .port = 5,
        .recirc_id = 0x1234,
        .depth = 2,
    };
    struct xdp_inject_hdr expected = inject;
    struct dp_packet packet;
    uint8_t *buf = xmalloc(MAX_FRAME);

    expected.magic = XDP_INJECT_MAGIC;
    dp_packet_init(&packet, len);
    fill(dp_packet_put_uninit(&packet, len), len, seed);
    assert_int_equal(upcalls_send(upcalls, &inject, &packet), 0);
    assert_int_equal(dp_packet_size(&packet), len);

    assert_int_equal(near_recv(fd, buf, MAX_FRAME, TIMEOUT_MS),
                     sizeof inject + len);
    assert_memory_equal(buf, &expected, sizeof expected);
    assert_memory_equal(buf + sizeof inject, dp_packet_data(&packet), len);
    dp_packet_uninit(&packet);
    free(buf);
}

static void
test_down(void **state OVS_UNUSED)
{
    SKIP_UNLESS_SET_UP();

    struct upcalls *upcalls = start(2);
    struct xdp_inject_hdr inject = { .mode = XDP_INJECT_OUTPUT };
    int fd = near_socket();
    struct dp_packet packet;

    check_down(upcalls, fd, ETH_HLEN, 1);
    check_down(upcalls, fd, 1514, 2);
    check_down(upcalls, fd, 4096 - HDR_LEN, 3);
    check_down(upcalls, fd, 4096 - HDR_LEN + 1, 4);
    check_down(upcalls, fd, MTU + ETH_HLEN - HDR_LEN, 5);
    assert_int_equal(get_stats(upcalls).sent, 5);

    dp_packet_init(&packet, 20000);
    dp_packet_put_zeros(&packet, 20000);
    assert_int_equal(upcalls_send(upcalls, &inject, &packet), EMSGSIZE);
    dp_packet_uninit(&packet);
    assert_int_equal(get_stats(upcalls).sent, 5);
    assert_int_equal(get_stats(upcalls).send_drops, 1);
    close(fd);
    upcalls_stop(upcalls);
}

#define N_SENDERS 3
#define N_SENDS   20000

static void *
sender_main(void *upcalls_)
{
    const struct xdp_inject_hdr inject = { .mode = XDP_INJECT_OUTPUT };
    struct dp_packet packet;

    dp_packet_init(&packet, 100);
    dp_packet_put_zeros(&packet, 100);
    for (int i = 0; i < N_SENDS; i++) {
        upcalls_send(upcalls_, &inject, &packet);
    }
    dp_packet_uninit(&packet);
    return NULL;
}

/* Many threads, more than the rings hold: each frame arrives or is counted. */
static void
test_down_many(void **state OVS_UNUSED)
{
    SKIP_UNLESS_SET_UP();

    struct upcalls *upcalls = start(2);
    int fd = near_socket();
    pthread_t threads[N_SENDERS];
    uint8_t buf[256];
    unsigned int n = 0;

    for (int i = 0; i < N_SENDERS; i++) {
        threads[i] = ovs_thread_create("sender", sender_main, upcalls);
    }
    while (near_recv(fd, buf, sizeof buf, 500)) {
        n++;
    }
    for (int i = 0; i < N_SENDERS; i++) {
        xpthread_join(threads[i], NULL);
    }
    while (near_recv(fd, buf, sizeof buf, 100)) {
        n++;
    }
    struct upcall_stats stats = get_stats(upcalls);
    print_message("%u arrived, sent %"PRIu64", drops %"PRIu64"\n",
                  n, stats.sent, stats.send_drops);
    assert_int_equal(stats.sent + stats.send_drops, N_SENDERS * N_SENDS);
    assert_int_equal(stats.sent, n);
    close(fd);
    upcalls_stop(upcalls);
}

/* The callback sends, as the real one does. */
static void
test_echo(void **state OVS_UNUSED)
{
    SKIP_UNLESS_SET_UP();

    struct upcalls *upcalls = start(2);
    int fd = near_socket();
    uint8_t buf[4096];

    ovs_mutex_lock(&mutex);
    echo_to = upcalls;
    ovs_mutex_unlock(&mutex);
    for (int i = 0; i < 3000; i++) {
        struct xdp_upcall_hdr hdr = make_hdr(300);

        near_send(fd, &hdr, 300, i);
        assert_int_equal(near_recv(fd, buf, sizeof buf, TIMEOUT_MS),
                         HDR_LEN + 300);
        assert_int_equal(buf[HDR_LEN], (uint8_t) i);
    }
    close(fd);
    upcalls_stop(upcalls);
}

/* Context switches of all threads "xdp-upcall-*" of this process. */
static unsigned long
count_wakeups(unsigned int *n_threads)
{
    DIR *dir = opendir("/proc/self/task");
    unsigned long sum = 0;
    struct dirent *entry;

    *n_threads = 0;
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        char path[300], line[256];
        bool ours = false;
        FILE *file;

        snprintf(path, sizeof path, "/proc/self/task/%s/status",
                 entry->d_name);
        file = fopen(path, "r");
        while (file && fgets(line, sizeof line, file)) {
            unsigned long value;

            if (!strncmp(line, "Name:", 5)) {
                ours = strstr(line, "xdp-upcall") != NULL;
                *n_threads += ours;
            } else if (ours && sscanf(line, "voluntary_ctxt_switches: %lu",
                                      &value) == 1) {
                sum += value;
            }
        }
        if (file) {
            fclose(file);
        }
    }
    closedir(dir);
    return sum;
}

static void
test_idle(void **state OVS_UNUSED)
{
    SKIP_UNLESS_SET_UP();

    struct upcalls *upcalls = start(8);
    unsigned int n_threads;
    unsigned long before;

    usleep(100 * 1000);
    before = count_wakeups(&n_threads);
    assert_int_equal(n_threads, N_QUEUES);
    usleep(500 * 1000);
    assert_int_equal(count_wakeups(&n_threads), before);
    upcalls_stop(upcalls);
}

/* The queues are busy for a moment after each stop. */
static void
test_restart(void **state OVS_UNUSED)
{
    SKIP_UNLESS_SET_UP();

    struct xdp_upcall_hdr hdr = make_hdr(100);
    int fd = near_socket();

    for (int i = 0; i < 10; i++) {
        struct upcalls *upcalls = start(i % 3);

        /* Frames are in flight at the stop; some reach the next one. */
        near_send(fd, &hdr, 100, i);
        assert_true(wait_calls(1));
        for (int j = 0; j < 200; j++) {
            near_send(fd, &hdr, 100, j);
        }
        upcalls_stop(upcalls);
    }
    upcalls_stop(NULL);
    close(fd);
    usleep(100 * 1000);
}

static void
test_errors(void **state OVS_UNUSED)
{
    SKIP_UNLESS_SET_UP();

    struct upcalls *upcalls;
    int saved = far_ifindex;
    int saved_fd = xsks_fd;

    far_ifindex = 12345;
    assert_int_equal(upcalls_start(NULL, 1, callback, NULL, &upcalls), ENXIO);
    assert_null(upcalls);
    far_ifindex = saved;

    xsks_fd = -1;
    assert_int_equal(upcalls_start(NULL, 1, callback, NULL, &upcalls), EBADF);
    assert_null(upcalls);
    xsks_fd = saved_fd;

    /* A second owner, for longer than we wait. */
    struct upcalls *first = start(1);
    assert_int_equal(upcalls_start(NULL, 1, callback, NULL, &upcalls), EBUSY);
    assert_null(upcalls);
    upcalls_stop(first);
}

/* The device goes: no busy loop, no crash.  Last: nothing works after it. */
static void
test_device_gone(void **state OVS_UNUSED)
{
    SKIP_UNLESS_SET_UP();

    struct upcalls *upcalls = start(2);
    struct xdp_inject_hdr inject = { .mode = XDP_INJECT_OUTPUT };
    struct dp_packet packet;
    unsigned int n_threads;
    unsigned long before;

    assert_int_equal(system("ip link del far"), 0);
    usleep(100 * 1000);
    before = count_wakeups(&n_threads);
    usleep(200 * 1000);
    assert_int_equal(count_wakeups(&n_threads), before);

    dp_packet_init(&packet, 6000);
    dp_packet_put_zeros(&packet, 100);
    assert_int_not_equal(upcalls_send(upcalls, &inject, &packet), 0);
    dp_packet_put_zeros(&packet, 5900);
    assert_int_not_equal(upcalls_send(upcalls, &inject, &packet), 0);
    dp_packet_uninit(&packet);
    assert_int_equal(get_stats(upcalls).send_drops, 2);
    upcalls_stop(upcalls);
}

/* Returns the calling thread's slice in ns, 0 before Linux 6.12.  The first 32
 * bytes of sched_getattr(2)'s structure: its header cannot be included beside
 * <sched.h>. */
static uint64_t
get_slice(void)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attr;

    assert_int_equal(syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0), 0);
    return attr.runtime;
}

static void
test_time_slice(void **state OVS_UNUSED)
{
    const struct sched_param fifo = { .sched_priority = 1 };
    const struct sched_param normal = { .sched_priority = 0 };
    uint64_t before = get_slice();

    assert_int_equal(setpriority(PRIO_PROCESS, 0, 5), 0);
    assert_int_equal(time_slice_set(150000), 0);
    assert_int_equal(get_slice(), before ? 150000 : 0);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), 5);
    assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
    assert_int_equal(setpriority(PRIO_PROCESS, 0, 0), 0);

    assert_int_equal(sched_setscheduler(0, SCHED_FIFO, &fifo), 0);
    assert_int_equal(time_slice_set(150000), EINVAL);
    assert_int_equal(sched_getscheduler(0), SCHED_FIFO);
    assert_int_equal(sched_setscheduler(0, SCHED_OTHER, &normal), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_up),
        cmocka_unit_test(test_up_many),
        cmocka_unit_test(test_up_jumbo),
        cmocka_unit_test(test_up_bad),
        cmocka_unit_test(test_down),
        cmocka_unit_test(test_down_many),
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_device_gone),
        cmocka_unit_test(test_time_slice),
    };

    skip_reason = set_up();
    return cmocka_run_group_tests_name("upcall", tests, NULL, NULL);
}
