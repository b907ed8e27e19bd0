/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Namespaces, clocks and devices for the load generator. */
#include <config.h>

#include "traffic.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Ends the program with a message, and what positive 'error' means unless it
 * is 0. */
void
fatal(int error, const char *format, ...)
{
    va_list args;

    fputs("traffic: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, error ? ": %s\n" : "\n", strerror(error));
    exit(1);
}

/* Moves the calling thread to the network namespace called 'name'. */
void
enter_netns(const char *name)
{
    char path[128];
    int fd;

    snprintf(path, sizeof path, "/run/netns/%s", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET)) {
        fatal(errno, "%s", path);
    }
    close(fd);
}

void
pin_to_cpu(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set)) {
        fatal(errno, "cannot run on CPU %d", cpu);
    }
}

uint64_t
now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

void
sleep_until(uint64_t ns)
{
    struct timespec ts = { ns / 1000000000, ns % 1000000000 };

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL)) {
        continue;
    }
}

/* Seconds that all CPUs together have been busy since the machine started. */
double
busy_seconds(void)
{
    unsigned long long user, nice, system, idle, iowait, irq, softirq;
    FILE *file = fopen("/proc/stat", "re");

    if (!file || fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu", &user,
                        &nice, &system, &idle, &iowait, &irq, &softirq) != 7) {
        fatal(errno, "/proc/stat");
    }
    fclose(file);
    return (user + nice + system + irq + softirq)
           / (double) sysconf(_SC_CLK_TCK);
}

unsigned int
ifindex_of(const char *device)
{
    unsigned int ifindex = if_nametoindex(device);

    if (!ifindex) {
        fatal(errno, "device %s", device);
    }
    return ifindex;
}

void
mac_of(const char *device, uint8_t mac[6])
{
    struct ifreq request = { .ifr_flags = 0 };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
    if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request)) {
        fatal(errno, "MAC address of %s", device);
    }
    close(fd);
    memcpy(mac, request.ifr_hwaddr.sa_data, 6);
}

/* Reads a comma-separated 'list' of CPUs; returns their number. */
size_t
parse_cpus(const char *list, int cpus[], size_t max)
{
    size_t n = 0;

    while (*list && n < max) {
        char *end;

        cpus[n++] = strtol(list, &end, 10);
        if (end == list || (*end && *end != ',')) {
            fatal(0, "%s: not a list of CPUs", list);
        }
        list = *end ? end + 1 : end;
    }
    return n;
}

/* The first index of 'hist' up to which 'share' (0...1) of all is counted. */
uint64_t
percentile(const uint64_t hist[], size_t n, double share)
{
    uint64_t total = 0;
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        total += hist[i];
    }
    for (size_t i = 0; i < n; i++) {
        sum += hist[i];
        if (sum && sum >= total * share) {
            return i;
        }
    }
    return 0;
}
