/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors. */

#include <config.h>
#include "time-slice.h"

#include <errno.h>
/* <sched.h> has neither the structure nor the calls in Debian 12, and cannot be
 * included beside this one. */
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

int
time_slice_set(uint64_t ns)
{
    struct sched_attr attr;

    if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0)) {
        return errno;
    }
    if (attr.sched_policy != SCHED_NORMAL
        && attr.sched_policy != SCHED_BATCH) {
        return EINVAL;
    }
    attr.sched_runtime = ns;
    return syscall(SYS_sched_setattr, 0, &attr, 0) ? errno : 0;
}
