/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Makes the provider known to an otherwise unmodified ovs-vswitchd. */

#include <config.h>
#include "dp-xdp.h"

static void __attribute__((constructor))
register_dpif_xdp(void)
{
    dp_register_provider(&dpif_xdp_class);
}
