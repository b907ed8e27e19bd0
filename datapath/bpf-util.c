/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * libbpf helpers; see bpf-util.h. */

#include <config.h>
#include "bpf-util.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xdp_bpf);

/* Whether this thread expects libbpf to complain. */
static __thread bool quiet;

static int
libbpf_log(enum libbpf_print_level level, const char *format, va_list args)
{
    enum vlog_level vlevel = (level == LIBBPF_DEBUG || quiet ? VLL_DBG
                              : level == LIBBPF_INFO ? VLL_INFO : VLL_WARN);

    if (vlog_is_enabled(&this_module, vlevel)) {
        char *text = xvasprintf(format, args);
        size_t len = strlen(text);

        while (len && text[len - 1] == '\n') {
            text[--len] = '\0';
        }
        vlog(&this_module, vlevel, "%s", text);
        free(text);
    }
    return 0;
}

void
bpf_util_init(void)
{
    libbpf_set_print(libbpf_log);
}

void
bpf_util_set_quiet(bool new_quiet)
{
    quiet = new_quiet;
}

int
bpf_util_read_percpu(int fd, uint32_t key, size_t n_words, uint64_t *sum)
{
    int n_cpus = libbpf_num_possible_cpus();
    uint64_t *values;
    int error = 0;

    memset(sum, 0, n_words * sizeof *sum);
    if (n_cpus < 0) {
        return -n_cpus;
    }
    values = xcalloc(n_cpus, n_words * sizeof *values);
    if (bpf_map_lookup_elem(fd, &key, values)) {
        error = errno;
    } else {
        for (size_t i = 0; i < n_cpus * n_words; i++) {
            sum[i % n_words] += values[i];
        }
    }
    free(values);
    return error;
}

int
bpf_util_reuse_maps(struct bpf_object *object, const char *dir)
{
    struct bpf_map *map;

    bpf_object__for_each_map(map, object) {
        char *path;
        int fd, error;

        if (bpf_map__is_internal(map)) {
            continue;
        }
        path = xasprintf("%s/%s", dir, bpf_map__name(map));
        fd = bpf_obj_get(path);
        error = fd < 0 ? errno : -bpf_map__reuse_fd(map, fd);
        if (fd >= 0) {
            close(fd);
        } else if (error == ENOENT) {
            error = 0;
        }
        if (error) {
            VLOG_ERR("cannot use the map pinned as %s (%s)", path,
                     ovs_strerror(error));
        }
        free(path);
        if (error) {
            return error;
        }
    }
    return 0;
}

int
bpf_util_load(struct bpf_object *object, const char *what)
{
    int error = -bpf_object__load(object);

    if (error) {
        VLOG_ERR("cannot load the BPF object \"%s\" (%s)%s", what,
                 ovs_strerror(error),
                 error == EPERM ? ": CAP_BPF and CAP_NET_ADMIN are needed" : "");
    }
    return error;
}

int
bpf_util_make_dir(const char *dir)
{
    return mkdir(dir, 0700) && errno != EEXIST ? errno : 0;
}

int
bpf_util_unpin_dir(const char *dir)
{
    struct dirent *entry;
    DIR *stream = opendir(dir);
    int error = 0;

    if (!stream) {
        return errno == ENOENT ? 0 : errno;
    }
    while ((entry = readdir(stream))) {
        char *path;

        if (entry->d_name[0] == '.') {
            continue;
        }
        path = xasprintf("%s/%s", dir, entry->d_name);
        if (unlink(path)) {
            error = errno;
        }
        free(path);
    }
    closedir(stream);
    if (rmdir(dir)) {
        error = error ? error : errno;
    }
    return error;
}
