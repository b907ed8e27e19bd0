# SPDX-License-Identifier: Apache-2.0

# ---- make check: cmocka programs ------------------------------------------------
if HAVE_CMOCKA
check_PROGRAMS += \
	tests/test-actions \
	tests/test-bpf-rows \
	tests/test-flow-adopt \
	tests/test-flow-masks \
	tests/test-flow-readers \
	tests/test-fingerprint \
	tests/test-flow-table \
	tests/test-upcall
endif
check_PROGRAMS += tests/fuzz-parse-replay
TESTS = $(check_PROGRAMS)
TESTS_LDADD = libovsxdp.a @OVS_LIBS@ $(XDP_LIBS) -lcmocka

ROWS_SOURCES = \
	tests/rows-dp.c \
	tests/rows-dp.h \
	tests/rows-live.c \
	tests/rows-live.h \
	tests/rows-model.c \
	tests/rows-model.h \
	tests/rows-packet.c \
	tests/rows-packet.h \
	tests/rows-test.c \
	tests/rows-test.h \
	tests/rows-words.h
tests_test_bpf_rows_SOURCES = \
	tests/bpf-rows.h \
	tests/test-bpf-rows.c \
	tests/test-rows-hints.c \
	tests/test-rows-live.c \
	tests/test-rows-lookup.c \
	tests/test-rows-settings.c \
	tests/test-rows-xdp.c \
	$(ROWS_SOURCES)
tests_test_bpf_rows_LDADD = $(TESTS_LDADD)
tests_test_bpf_rows_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=time_msec
tests_test_bpf_rows_CPPFLAGS = $(AM_CPPFLAGS) -I$(builddir)/tests
$(tests_test_bpf_rows_OBJECTS): | $(OVS_STAMP) $(BPF_SKELETONS) \
	tests/rows-tc.skel.h
tests/rows-tc.bpf.o: $(srcdir)/tests/rows-tc.bpf.c
EXTRA_DIST += tests/rows-tc.bpf.c
CLEANFILES += tests/rows-tc.bpf.o tests/rows-tc.skel.h

tests_test_actions_SOURCES = tests/test-actions.c
tests_test_actions_LDADD = $(TESTS_LDADD)

tests_test_fingerprint_SOURCES = tests/test-fingerprint.c
tests_test_fingerprint_LDADD = $(TESTS_LDADD)
$(tests_test_fingerprint_OBJECTS): | $(OVS_STAMP) $(BPF_SKELETONS)

# The flow table, on plain memory in place of maps.
TABLE_SOURCES = tests/memory-table.c tests/memory-table.h
TABLE_WRAP = -Wl,--wrap=time_msec -Wl,--wrap=xnanosleep_no_quiesce
tests_test_flow_adopt_SOURCES = tests/test-flow-adopt.c $(TABLE_SOURCES)
tests_test_flow_adopt_LDADD = $(TESTS_LDADD)
tests_test_flow_adopt_LDFLAGS = $(AM_LDFLAGS) $(TABLE_WRAP)
tests_test_flow_masks_SOURCES = tests/test-flow-masks.c $(TABLE_SOURCES)
tests_test_flow_masks_LDADD = $(TESTS_LDADD)
tests_test_flow_masks_LDFLAGS = $(AM_LDFLAGS) $(TABLE_WRAP)
tests_test_flow_readers_SOURCES = tests/test-flow-readers.c $(TABLE_SOURCES)
tests_test_flow_readers_LDADD = $(TESTS_LDADD)
tests_test_flow_readers_LDFLAGS = $(AM_LDFLAGS) $(TABLE_WRAP)
tests_test_flow_table_SOURCES = tests/test-flow-table.c $(TABLE_SOURCES)
tests_test_flow_table_LDADD = $(TESTS_LDADD)
tests_test_flow_table_LDFLAGS = $(AM_LDFLAGS) $(TABLE_WRAP)

tests_test_upcall_SOURCES = tests/test-upcall.c
tests_test_upcall_LDADD = $(TESTS_LDADD)

# ---- The parser against Open vSwitch's: random packets here, guided by make fuzz -
tests_fuzz_parse_replay_SOURCES = tests/fuzz-parse.c
tests_fuzz_parse_replay_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_MAIN
tests_fuzz_parse_replay_LDADD = @OVS_LIBS@
CLEANFILES += tests/fuzz-parse

tests/fuzz-parse: tests/fuzz-parse.c $(BPF_HDRS) $(OVS_STAMP)
	@$(MKDIR_P) tests
	$(AM_V_GEN)$(CLANG) -g -O1 -fsanitize=fuzzer,address -fno-strict-aliasing \
		$(AM_CPPFLAGS) $(srcdir)/tests/fuzz-parse.c -o $@ @OVS_LIBS@

# New inputs stay in tests/fuzz-corpus of the build folder, for the next run.
fuzz: tests/fuzz-parse
	@$(MKDIR_P) tests/fuzz-corpus
	cd tests && ./fuzz-parse -max_total_time=$(FUZZ_TIME) -max_len=2048 fuzz-corpus

# ---- make check-system: Autotest suites with namespaces and traffic --------------
SYSTEM_AT = \
	tests/system-netdev-testsuite.at \
	tests/system-skip-macros.at \
	tests/system-xdp-macros.at \
	tests/system-xdp-testsuite.at \
	tests/xdp-forwarding.at \
	tests/xdp-offloads.at \
	tests/xdp-peers.at \
	tests/xdp-ports.at \
	tests/xdp-restart.at \
	tests/xdp-testsuite.at
EXTRA_DIST += \
	$(SYSTEM_AT) \
	tests/run \
	tests/count-check \
	tests/guest-run \
	tests/guests \
	tests/kernels \
	tests/run-suite \
	tests/system-traffic.known-failures \
	tests/traffic-table \
	tests/xdp.known-failures

SYSTEM_DIR = tests/system
XDP_TESTSUITE = $(SYSTEM_DIR)/xdp-testsuite
TRAFFIC_TESTSUITE = $(SYSTEM_DIR)/system-xdp-testsuite
NETDEV_TESTSUITE = $(SYSTEM_DIR)/system-netdev-testsuite
SYSTEM_TESTSUITES = $(XDP_TESTSUITE) $(TRAFFIC_TESTSUITE) $(NETDEV_TESTSUITE)
CLEANFILES += $(SYSTEM_TESTSUITES)

# The scenarios use Open vSwitch's own files and programs, and our daemon.
SYSTEM_PATH = $(abs_top_builddir)/vswitchd:utilities:ovsdb:vtep:tests:ipsec

$(SYSTEM_DIR)/atconfig: $(OVS_STAMP) Makefile
	@$(MKDIR_P) $(SYSTEM_DIR)
	$(AM_V_GEN)printf '%s\n' \
		"at_testdir='tests'" \
		"abs_builddir='$(OVS)/build/tests'" \
		"at_srcdir='$(OVS)/source/tests'" \
		"abs_srcdir='$(OVS)/source/tests'" \
		"at_top_srcdir='$(OVS)/source'" \
		"abs_top_srcdir='$(OVS)/source'" \
		"at_top_build_prefix='$(OVS)/build/'" \
		"abs_top_builddir='$(OVS)/build'" \
		'at_top_builddir=$$at_top_build_prefix' \
		"EXEEXT=''" \
		"AUTOTEST_PATH='$(SYSTEM_PATH)'" \
		"SHELL='/bin/bash'" >$@

# The Python whose modules the distribution's packages have.
$(SYSTEM_DIR)/atlocal: $(OVS_STAMP)
	@$(MKDIR_P) $(SYSTEM_DIR)
	$(AM_V_GEN)sed "s|^PYTHON3=.*|PYTHON3='$$(PATH=/usr/bin:$$PATH command -v python3)'|" \
		openvswitch/build/tests/atlocal >$@

$(SYSTEM_DIR)/package.m4: Makefile
	@$(MKDIR_P) $(SYSTEM_DIR)
	$(AM_V_GEN)printf 'm4_define([AT_PACKAGE_%s], [%s])\n' \
		NAME $(PACKAGE_NAME) TARNAME $(PACKAGE_TARNAME) \
		VERSION $(PACKAGE_VERSION) STRING '$(PACKAGE_STRING)' \
		BUGREPORT '$(PACKAGE_NAME)' >$@

$(SYSTEM_TESTSUITES): $(SYSTEM_AT) $(OVS_STAMP) \
		$(SYSTEM_DIR)/package.m4
	$(AM_V_GEN)$(AUTOM4TE) --language=autotest -I $(SYSTEM_DIR) \
		-I $(srcdir) -I openvswitch/source -o $@.tmp \
		$(srcdir)/tests/$(@F).at && mv $@.tmp $@

SYSTEM_DEPS = all $(SYSTEM_DIR)/atconfig $(SYSTEM_DIR)/atlocal \
	$(SYSTEM_TESTSUITES)

# run_suite TESTSUITE, with the name in "suite" and --known FILE in "known": in a
# folder of its own, so suites may run at the same time.
run_suite = $(MKDIR_P) $(SYSTEM_DIR)/$$suite && \
	cp $(SYSTEM_DIR)/atconfig $(SYSTEM_DIR)/atlocal $(SYSTEM_DIR)/$$suite && \
	$(srcdir)/utilities/isolate $(srcdir)/tests/run-suite $$known \
		--results $(SYSTEM_DIR)/$$suite.results
TRAFFIC_KNOWN = --known $(srcdir)/tests/system-traffic.known-failures
XDP_KNOWN = --known $(srcdir)/tests/xdp.known-failures

# What a suite needs; so that several can then run at the same time.
system-suites: $(SYSTEM_DEPS)

# With veth ports in TC mode, as they are by default, and (-native) in XDP mode.
check-system-own: $(SYSTEM_DEPS)
	suite=own; known='$(XDP_KNOWN)'; $(run_suite) \
		$(XDP_TESTSUITE) $(SYSTEM_DIR)/$$suite $(TESTSUITEFLAGS)

check-system-own-native: $(SYSTEM_DEPS)
	suite=own-native; known='$(XDP_KNOWN)'; \
	export XDP_TEST_MODE=native; $(run_suite) \
		$(XDP_TESTSUITE) $(SYSTEM_DIR)/$$suite $(TESTSUITEFLAGS)

check-system-traffic: $(SYSTEM_DEPS)
	suite=traffic; known='$(TRAFFIC_KNOWN)'; $(run_suite) \
		$(TRAFFIC_TESTSUITE) $(SYSTEM_DIR)/$$suite $(TESTSUITEFLAGS)

check-system-traffic-native: $(SYSTEM_DEPS)
	suite=traffic-native; known='$(TRAFFIC_KNOWN)'; \
	export XDP_TEST_MODE=native; $(run_suite) \
		$(TRAFFIC_TESTSUITE) $(SYSTEM_DIR)/$$suite $(TESTSUITEFLAGS)

# Not a test of ours: the userspace datapath in the same daemon, to compare with.
check-system-traffic-netdev: $(SYSTEM_DEPS)
	suite=traffic-netdev; known=; $(run_suite) \
		$(NETDEV_TESTSUITE) $(SYSTEM_DIR)/$$suite $(TESTSUITEFLAGS)

# Documentation/system-traffic.md, from these three.
TRAFFIC_SUITES = traffic traffic-native traffic-netdev
traffic-table: $(SYSTEM_DEPS)
	@for suite in $(TRAFFIC_SUITES); do \
		$(MAKE) $(AM_MAKEFLAGS) check-system-$$suite || :; \
	done
	$(srcdir)/tests/traffic-table \
		"$$(vswitchd/ovs-vswitchd --version | sed -n '1s/.* //p')" $(SYSTEM_DIR) \
		>$(srcdir)/Documentation/system-traffic.md

# All, and a failure in one does not hide the others.
SYSTEM_SUITES = own own-native traffic traffic-native
check-system: $(SYSTEM_DEPS)
	@rc=0; \
	for suite in $(SYSTEM_SUITES); do \
		$(MAKE) $(AM_MAKEFLAGS) check-system-$$suite || rc=1; \
	done; \
	exit $$rc

# ---- make check-kernels: stock kernels in qemu ------------------------------------
check-kernels: all
	$(srcdir)/tests/kernels $(abs_top_builddir) $(KERNELS)

# ---- make check-guests: a VM and containers on one bridge ------------------------
check-guests: all
	$(srcdir)/utilities/isolate $(srcdir)/tests/guests $(abs_top_builddir)

# ---- make check-stress: loss and leaks -------------------------------------------------
STRESS_TIME = 300
STRESS_RATE = 100000
STRESS_MODES = native auto
.PHONY: check-stress
EXTRA_PROGRAMS += tests/udp-stream
CLEANFILES += tests/udp-stream
tests_udp_stream_SOURCES = tests/udp-stream.c
EXTRA_DIST += tests/stress

check-stress: all tests/udp-stream
	STRESS_TIME='$(STRESS_TIME)' STRESS_RATE='$(STRESS_RATE)' \
		STRESS_MODES='$(STRESS_MODES)' $(srcdir)/utilities/isolate \
		$(srcdir)/tests/stress $(abs_top_builddir) $(STRESS_TESTS)

clean-tests:
	rm -rf $(SYSTEM_DIR)

FUZZ_TIME = 60

.PHONY: check-guests check-kernels fuzz check-system check-system-own \
	check-system-traffic check-system-own-native check-system-traffic-native \
	check-system-traffic-netdev clean-tests system-suites traffic-table
