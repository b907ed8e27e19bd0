# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += \
	utilities/build-openvswitch \
	utilities/install-deps \
	utilities/install-deps.8 \
	utilities/isolate \
	utilities/isolate.8 \
	utilities/quickstart \
	utilities/quickstart.8
