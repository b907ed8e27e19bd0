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

# ---- make bench-stages, and its test in make check --------------------------------
EXTRA_PROGRAMS += utilities/bench/run-stages
utilities_bench_run_stages_SOURCES = \
	tests/rows-packet.c \
	tests/rows-packet.h \
	utilities/bench/stages-abi.h \
	utilities/bench/stages.c
utilities_bench_run_stages_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests \
	-I$(srcdir)/utilities/bench -I$(builddir)/utilities/bench
utilities_bench_run_stages_LDADD = $(TESTS_LDADD)
STAGES_SKELETONS = utilities/bench/stages-tc.skel.h \
	utilities/bench/stages-xdp.skel.h
$(utilities_bench_run_stages_OBJECTS): $(STAGES_SKELETONS) | $(OVS_STAMP)
utilities/bench/stages-tc.bpf.o utilities/bench/stages-xdp.bpf.o: \
	$(srcdir)/utilities/bench/stages-abi.h \
	$(srcdir)/utilities/bench/stages-cut.h
CLEANFILES += utilities/bench/run-stages $(STAGES_SKELETONS) \
	utilities/bench/stages-tc.bpf.o utilities/bench/stages-xdp.bpf.o
EXTRA_DIST += \
	utilities/bench/stages \
	utilities/bench/stages-cut.h \
	utilities/bench/stages-tc.bpf.c \
	utilities/bench/stages-xdp.bpf.c

if HAVE_CMOCKA
TESTS += tests/test-stages
check_DATA = utilities/bench/run-stages
endif
EXTRA_DIST += tests/test-stages

bench-stages: all utilities/bench/run-stages
	$(srcdir)/utilities/bench/stages --build $(abs_top_builddir) \
		--output bench-results

# BENCH: "quick", "full" or the name of a load or subject; see bench --help.
BENCH = full
bench: all utilities/bench/traffic
	$(srcdir)/utilities/bench/bench \
		--build $(abs_top_builddir) --output bench-results $(BENCH)

bench-instructions: all utilities/bench/run-stages utilities/bench/traffic
	$(srcdir)/utilities/bench/instructions $(abs_top_builddir) bench-results

# CONTAINERS: names of its loads, and options; see containers --help.
CONTAINERS = --rounds 5
bench-containers: all utilities/bench/traffic
	$(srcdir)/utilities/bench/containers \
		--build $(abs_top_builddir) --output bench-results $(CONTAINERS)

clean-bench:
	rm -rf bench-results

.PHONY: bench bench-containers bench-instructions bench-stages clean-bench
