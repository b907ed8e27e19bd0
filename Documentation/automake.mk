# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += \
	README.md \
	LICENSE \
	LICENSES/Apache-2.0.txt \
	LICENSES/BSD-2-Clause.txt \
	LICENSES/GPL-2.0-only.txt \
	Documentation/architecture.rst \
	Documentation/system-traffic.md \
	Documentation/testing.rst
dist_man7_MANS += Documentation/ovs-xdp.7
