# SPDX-License-Identifier: Apache-2.0

# ---- make bench, make bench-instructions: built only for them -------------------
EXTRA_PROGRAMS += utilities/bench/traffic
utilities_bench_traffic_SOURCES = \
	utilities/bench/forward.c \
	utilities/bench/sockets.c \
	utilities/bench/traffic-abi.h \
	utilities/bench/traffic.c \
	utilities/bench/traffic.h \
	utilities/bench/udp.c \
	utilities/bench/util.c
utilities_bench_traffic_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/utilities/bench \
	-I$(builddir)/utilities/bench
utilities_bench_traffic_LDADD = -lbpf -lelf -lz -lpthread
CLEANFILES += utilities/bench/traffic utilities/bench/traffic.bpf.o \
	utilities/bench/traffic.skel.h
EXTRA_DIST += \
	utilities/bench/bench \
	utilities/bench/containers \
	utilities/bench/instructions \
	utilities/bench/loads.py \
	utilities/bench/report.py \
	utilities/bench/subjects.py \
	utilities/bench/traffic.bpf.c

utilities/bench/traffic.bpf.o: $(srcdir)/utilities/bench/traffic-abi.h
$(utilities_bench_traffic_OBJECTS): utilities/bench/traffic.skel.h

# BENCH: "quick", "full" or the name of a load or subject; see bench --help.
BENCH = full
bench: all utilities/bench/traffic
	$(srcdir)/utilities/bench/bench \
		--build $(abs_top_builddir) --output bench-results $(BENCH)

bench-instructions: all utilities/bench/traffic
	$(srcdir)/utilities/bench/instructions $(abs_top_builddir) bench-results

# CONTAINERS: names of its loads, and options; see containers --help.
CONTAINERS = --rounds 5
bench-containers: all utilities/bench/traffic
	$(srcdir)/utilities/bench/containers \
		--build $(abs_top_builddir) --output bench-results $(CONTAINERS)

clean-bench:
	rm -rf bench-results

.PHONY: bench bench-containers bench-instructions clean-bench
