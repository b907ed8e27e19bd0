/* SPDX-License-Identifier: Apache-2.0
 * Copyright (c) 2026 The ovs-xdp authors.
 *
 * usage: udp-stream send ADDRESS PORT RATE COUNT [SIZE]
 *        udp-stream receive PORT
 *
 * A UDP stream whose loss is known exactly, for tests/stress.  "send" sends
 * COUNT datagrams of SIZE bytes (default 22: a frame of 64), each with its
 * number, RATE in a second, evenly.  "receive" ends when it has them all, or
 * when for two seconds nothing came.  Each prints one line of name=value:
 *   sent, seconds, rate (reached: late datagrams are not made up for in a burst)
 *   total (as the sender announced), received, lost, duplicate, reordered,
 *   gap (the longest run of lost ones), silence (longest, in ms), socket
 *   (lost at the receiver's socket, which is not the network's fault)
 * "receive" says "ready" first.  The exit status of "receive" is 1 if any of
 * these was lost or came twice. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAGIC 0x6f787331u
#define BATCH 64
#define IDLE_MS 2000
#define MAX_LATE_NS 200000      /* Make up for this much, at most. */
#define MAX_TOTAL (1u << 31)
#define NS INT64_C(1000000000)

/* In network byte order. */
struct header {
    uint32_t magic;
    uint32_t number;
    uint32_t total;
};

static void
die(const char *what)
{
    fprintf(stderr, "udp-stream: %s: %s\n", what, strerror(errno));
    exit(2);
}

static int64_t
now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS + ts.tv_nsec;
}

static int
send_stream(const char *address, uint16_t port, uint32_t rate, uint32_t total,
            size_t size)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct header *header;
    uint64_t errors = 0;
    int64_t start, due;
    uint32_t i;
    char *data;
    int fd;

    if (inet_pton(AF_INET, address, &to.sin_addr) != 1 || !rate || !total
        || size < sizeof *header || size > 65507) {
        fputs("udp-stream: bad address, rate, count or size\n", stderr);
        return 2;
    }
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *) &to, sizeof to) < 0) {
        die("connect");
    }
    data = calloc(1, size);
    if (!data) {
        die("calloc");
    }
    header = (struct header *) data;
    header->magic = htonl(MAGIC);
    header->total = htonl(total);

    start = due = now();
    for (i = 0; i < total; i++) {
        int64_t late = now() - due;

        /* Wait by spinning: sleeps are too coarse for a constant rate. */
        while (late < 0) {
            late = now() - due;
        }
        if (late > MAX_LATE_NS) {
            due += late - MAX_LATE_NS;
        }
        due += NS / rate;

        header->number = htonl(i);
        while (send(fd, data, size, 0) < 0) {
            if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR
                && errno != ECONNREFUSED) {
                die("send");
            }
            errors++;
        }
    }
    due = now() - start;
    printf("sent=%"PRIu32" seconds=%.2f rate=%"PRId64" retries=%"PRIu64"\n",
           total, (double) due / NS, (int64_t) ((double) total * NS / due),
           errors);
    free(data);
    return 0;
}

/* What came of a stream. */
struct result {
    uint32_t total;             /* 0 before the first datagram. */
    uint8_t *seen;              /* Bits, by number. */
    uint32_t next;              /* The highest number so far, plus 1. */
    uint64_t received, duplicate, reordered;
    uint32_t socket_drops;
    int64_t last, silence;      /* Time of the last batch; longest gap. */
};

static int
open_receiver(uint16_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
    int on = 1, size = 256 << 20;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *) &at, sizeof at) < 0) {
        die("bind");
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0
        || setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on) < 0) {
        die("setsockopt");
    }
    return fd;
}

static void
set_total(struct result *r, uint32_t total)
{
    r->total = total;
    if (!total || total > MAX_TOTAL) {
        errno = ERANGE;
        die("total");
    }
    r->seen = calloc(1, total / 8 + 1);
    if (!r->seen) {
        die("calloc");
    }
}

static void
take_datagram(struct result *r, const struct msghdr *msg, size_t len)
{
    const struct header *header = msg->msg_iov->iov_base;
    const struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
    uint32_t number = ntohl(header->number);

    if (cmsg && cmsg->cmsg_level == SOL_SOCKET
        && cmsg->cmsg_type == SO_RXQ_OVFL) {
        memcpy(&r->socket_drops, CMSG_DATA(cmsg), sizeof r->socket_drops);
    }
    if (len < sizeof *header || header->magic != htonl(MAGIC)) {
        return;
    }
    if (!r->total) {
        set_total(r, ntohl(header->total));
    }
    if (number >= r->total) {
        return;
    }
    if (r->seen[number / 8] & (1u << number % 8)) {
        r->duplicate++;
        return;
    }
    r->seen[number / 8] |= 1u << number % 8;
    r->received++;
    if (number < r->next) {
        r->reordered++;
    } else {
        r->next = number + 1;
    }
}

/* Takes what is there, up to BATCH datagrams. */
static void
receive_batch(struct result *r, int fd)
{
    static char data[BATCH][2048], control[BATCH][64];
    struct mmsghdr msgs[BATCH];
    struct iovec iov[BATCH];
    int64_t time;
    int i, n;

    for (i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec) { data[i], sizeof data[i] };
        msgs[i].msg_hdr = (struct msghdr) {
            .msg_iov = &iov[i], .msg_iovlen = 1,
            .msg_control = control[i], .msg_controllen = sizeof control[i],
        };
    }
    n = recvmmsg(fd, msgs, BATCH, MSG_DONTWAIT, NULL);
    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR) {
            return;
        }
        die("recvmmsg");
    }
    time = now();
    if (r->last && time - r->last > r->silence) {
        r->silence = time - r->last;
    }
    r->last = time;
    for (i = 0; i < n; i++) {
        take_datagram(r, &msgs[i].msg_hdr, msgs[i].msg_len);
    }
}

/* Returns how many did not come; '*gap' is the longest run of them. */
static uint64_t
count_losses(const struct result *r, uint32_t *gap)
{
    uint64_t lost = 0;
    uint32_t run = 0;

    *gap = 0;
    for (uint32_t i = 0; i < r->total; i++) {
        if (r->seen[i / 8] & (1u << i % 8)) {
            run = 0;
        } else {
            lost++;
            run++;
            *gap = run > *gap ? run : *gap;
        }
    }
    return lost;
}

static int
receive_stream(uint16_t port)
{
    struct result r = { .total = 0 };
    int fd = open_receiver(port);
    uint64_t lost;
    uint32_t gap;

    puts("ready");
    fflush(stdout);
    while (!r.total || r.received < r.total) {
        struct pollfd pfd = { .fd = fd, .events = POLLIN };
        int n = poll(&pfd, 1, r.total ? IDLE_MS : -1);

        if (!n) {
            break;
        } else if (n < 0) {
            die("poll");
        }
        receive_batch(&r, fd);
    }
    lost = count_losses(&r, &gap);
    printf("total=%"PRIu32" received=%"PRIu64" lost=%"PRIu64
           " duplicate=%"PRIu64" reordered=%"PRIu64" gap=%"PRIu32
           " silence=%.1f socket=%"PRIu32"\n", r.total, r.received, lost,
           r.duplicate, r.reordered, gap, r.silence / 1e6, r.socket_drops);
    free(r.seen);
    return lost || r.duplicate ? 1 : 0;
}

int
main(int argc, char *argv[])
{
    if (argc >= 6 && argc <= 7 && !strcmp(argv[1], "send")) {
        return send_stream(argv[2], atoi(argv[3]), atoi(argv[4]), atoi(argv[5]),
                           argc == 7 ? atoi(argv[6]) : 22);
    } else if (argc == 3 && !strcmp(argv[1], "receive")) {
        return receive_stream(atoi(argv[2]));
    }
    fputs("usage: udp-stream send ADDRESS PORT RATE COUNT [SIZE]\n"
          "       udp-stream receive PORT\n", stderr);
    return 2;
}
