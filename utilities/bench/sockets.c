/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Loads by sockets: UDP request and response one at a time, and TCP connections
 * that live for one request. */
#include <config.h>

#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "traffic-abi.h"

#define PORT 7000
#define N_SERVERS 4                     /* Threads that accept. */

struct socket_options {
    const char *from_netns;
    char *to_netns;
    struct sockaddr_in address;
    double warm, seconds;
    int connections;
    int cpus[2];                        /* Of client and server. */
    size_t n_cpus;
};

static struct socket_options options = {
    .warm = 0.2, .seconds = 1, .connections = 32,
};
static int listener;                    /* Of the TCP server. */
static atomic_ullong completed;
static atomic_ullong failed;
static atomic_ullong hist[TRAFFIC_HIST];

static void
parse_options(int argc, char *argv[])
{
    static const struct option longopts[] = {
        { "from", required_argument, NULL, 'f' },
        { "to", required_argument, NULL, 't' },
        { "warm", required_argument, NULL, 'w' },
        { "time", required_argument, NULL, 's' },
        { "connections", required_argument, NULL, 'n' },
        { "cpus", required_argument, NULL, 'c' },
        { NULL, 0, NULL, 0 },
    };
    char *address;
    int option;

    while ((option = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
        switch (option) {
        case 'f': options.from_netns = optarg; break;
        case 't': options.to_netns = strdup(optarg); break;
        case 'w': options.warm = strtod(optarg, NULL); break;
        case 's': options.seconds = strtod(optarg, NULL); break;
        case 'n': options.connections = atoi(optarg); break;
        case 'c': options.n_cpus = parse_cpus(optarg, options.cpus, 2); break;
        default: exit(2);
        }
    }
    address = options.to_netns ? strchr(options.to_netns, ':') : NULL;
    if (!options.from_netns || !address) {
        fatal(0, "--from NETNS and --to NETNS:ADDRESS are needed");
    }
    *address++ = '\0';
    options.address.sin_family = AF_INET;
    options.address.sin_port = htons(PORT);
    options.address.sin_addr.s_addr = inet_addr(address);
}

static void
start(void *(*run)(void *))
{
    pthread_t thread;

    pthread_create(&thread, NULL, run, NULL);
}

/* Counts after the warm-up for 'options.seconds', and prints the rate. */
static void
measure(void)
{
    uint64_t n, bad, t0, t1;
    double busy;

    sleep_until(now_ns() + options.warm * 1e9);
    for (int i = 0; i < TRAFFIC_HIST; i++) {
        hist[i] = 0;
    }
    t0 = now_ns();
    n = completed;
    bad = failed;
    busy = busy_seconds();
    sleep_until(t0 + options.seconds * 1e9);
    n = completed - n;
    bad = failed - bad;
    t1 = now_ns();
    busy = busy_seconds() - busy;
    printf("seconds %.3f\nper_second %.0f\nfailed %llu\nbusy_cpus %.2f\n",
           (t1 - t0) / 1e9, n * 1e9 / (t1 - t0), (unsigned long long) bad,
           busy * 1e9 / (t1 - t0));
}

/* ---- UDP request and response --------------------------------------------- */

static void *
rr_server(void *aux)
{
    struct sockaddr_in from;
    int fd;

    (void) aux;
    enter_netns(options.to_netns);
    if (options.n_cpus == 2) {
        pin_to_cpu(options.cpus[1]);
    }
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *) &options.address,
             sizeof options.address)) {
        fatal(errno, "bind");
    }
    for (;;) {
        socklen_t size = sizeof from;
        uint64_t data;
        ssize_t n = recvfrom(fd, &data, sizeof data, 0,
                             (struct sockaddr *) &from, &size);

        if (n > 0) {
            sendto(fd, &data, n, 0, (struct sockaddr *) &from, size);
        }
    }
    return NULL;
}

static void *
rr_client(void *aux)
{
    struct timeval timeout = { .tv_usec = 200000 };
    uint64_t sequence = 0;
    int fd;

    (void) aux;
    enter_netns(options.from_netns);
    if (options.n_cpus) {
        pin_to_cpu(options.cpus[0]);
    }
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    if (connect(fd, (struct sockaddr *) &options.address,
                sizeof options.address)) {
        fatal(errno, "connect");
    }
    for (;;) {
        uint64_t start_ns = now_ns();
        uint64_t answer;
        ssize_t n;

        sequence++;
        send(fd, &sequence, sizeof sequence, 0);
        do {
            n = recv(fd, &answer, sizeof answer, 0);
        } while (n == sizeof answer && answer != sequence);
        if (n == sizeof answer) {
            completed++;
            hist[traffic_hist_step(now_ns() - start_ns)]++;
        } else {
            failed++;
        }
    }
    return NULL;
}

int
rr_main(int argc, char *argv[])
{
    uint64_t counts[TRAFFIC_HIST];

    parse_options(argc, argv);
    start(rr_server);
    usleep(50000);
    start(rr_client);
    measure();
    for (int i = 0; i < TRAFFIC_HIST; i++) {
        counts[i] = hist[i];
    }
    printf("p50_us %.2f\np99_us %.2f\n",
           traffic_hist_ns(percentile(counts, TRAFFIC_HIST, 0.5)) / 1000,
           traffic_hist_ns(percentile(counts, TRAFFIC_HIST, 0.99)) / 1000);
    return 0;
}

/* ---- TCP: connect, request, answer, close --------------------------------- */

/* The server closes first, so that the waiting for late packets (TIME_WAIT) is
 * on its side and clients do not run out of ports. */
static void *
crr_server(void *aux)
{
    char byte;

    (void) aux;
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fd < 0) {
            continue;
        }
        if (recv(fd, &byte, 1, 0) == 1) {
            send(fd, &byte, 1, MSG_NOSIGNAL);
        }
        close(fd);
    }
    return NULL;
}

static bool
crr_once(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval timeout = { .tv_sec = 1 };
    char byte = 'x';
    bool ok;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    ok = !connect(fd, (struct sockaddr *) &options.address,
                  sizeof options.address)
         && send(fd, &byte, 1, MSG_NOSIGNAL) == 1
         && recv(fd, &byte, 1, 0) == 1
         && recv(fd, &byte, 1, 0) == 0;
    close(fd);
    return ok;
}

static void *
crr_client(void *aux)
{
    (void) aux;
    enter_netns(options.from_netns);
    for (;;) {
        if (crr_once()) {
            completed++;
        } else {
            failed++;
        }
    }
    return NULL;
}

int
crr_main(int argc, char *argv[])
{
    int one = 1;

    parse_options(argc, argv);
    enter_netns(options.to_netns);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *) &options.address,
             sizeof options.address) || listen(listener, 1024)) {
        fatal(errno, "listen");
    }
    for (int i = 0; i < N_SERVERS; i++) {
        start(crr_server);
    }
    for (int i = 0; i < options.connections; i++) {
        start(crr_client);
    }
    measure();
    return 0;
}
