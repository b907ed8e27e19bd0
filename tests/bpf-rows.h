/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * The rows of test-bpf-rows.c; rows-packet.h and rows-model.h say how packets
 * and flows are written.  Rows of struct live_row, inject_row and others are in
 * the test-rows-*.c that runs them. */
#ifndef BPF_ROWS_H
#define BPF_ROWS_H 1

#include "rows-test.h"
#include "rows-words.h"

static const char *const truncated_bases[] = {
    TCP4, UDP4, ICMP4, TCP6, NS, ARP, VLAN, QINQ, MPLS, TCP6 HOP,
    FRAG1_4, FRAG1_6, UDP4 "; opt 01010101; csum",
    TCP4 "; ins 12 0050aaaa03000000",
};

struct match_row {
    const char *name;
    const char *packet;         /* Hits ... */
    const char *match;
    const char *from, *to;      /* ... and misses when changed so. */
    const char *skip;
};

static const struct match_row match_rows[] = {
    /* Metadata. */
    { "in_port", TCP4, M4 "ipv4()", "in_port(1)", "in_port(2)" },
    { "recirc_id", "recirc_id(5)," TCP4, "recirc_id(5)," M4 "ipv4()",
      "recirc_id(5)", "recirc_id(6)" },
    { "recirc_id-0", TCP4, M4 "ipv4()", "in_port", "recirc_id(6),in_port" },
    { "skb_mark", "skb_mark(0x12345678)," TCP4,
      "skb_mark(0x12345678)," M4 "ipv4()", "0x12345678", "0x12345679" },
    { "skb_mark-bits", "skb_mark(0x12345678)," TCP4,
      "skb_mark(0x00340000/0x00ff0000)," M4 "ipv4()", "0x12345", "0x12355" },
    { "skb_mark-0", TCP4, "skb_mark(0)," M4 "ipv4()", "in_port",
      "skb_mark(1),in_port" },
    { "skb_priority", "skb_priority(0x10001)," TCP4,
      "skb_priority(0x10001)," M4 "ipv4()", "0x10001", "0x10002" },
    { "skb_priority-bits", "skb_priority(0x10001)," TCP4,
      "skb_priority(0x10000/0xffff0000)," M4 "ipv4()", "0x10001", "0x1" },
    { "dp_hash", "dp_hash(0xabcdef01)," TCP4,
      "dp_hash(0xabcdef01)," M4 "ipv4()", "0xabcdef01", "0x2bcdef01" },
    { "dp_hash-bits", "dp_hash(0xabcdef01)," TCP4,
      "dp_hash(0x1/0xf)," M4 "ipv4()", "0xabcdef01", "0xabcdef02" },

    /* Ethernet. */
    { "eth.src", TCP4, "in_port(1),eth(src=02:00:00:00:00:01),"
      "eth_type(0x0800),ipv4()", "src=02:00:00:00:00:01",
      "src=02:00:00:00:00:03" },
    { "eth.dst", TCP4, "in_port(1),eth(dst=02:00:00:00:00:02),"
      "eth_type(0x0800),ipv4()", "dst=02:00:00:00:00:02",
      "dst=03:00:00:00:00:02" },
    { "eth.src-bits", TCP4, "in_port(1),eth(src=02:00:00:00:00:00/"
      "02:00:00:00:00:f0),eth_type(0x0800),ipv4()", "src=02:00:00:00:00:01",
      "src=02:00:00:00:00:11" },
    { "eth.dst-multicast-bit", TCP4, "in_port(1),eth(dst=00:00:00:00:00:00/"
      "01:00:00:00:00:00),eth_type(0x0800),ipv4()", "dst=02:00:00:00:00:02",
      "dst=33:33:00:00:00:02" },
    { "eth.src-and-dst", TCP4, "in_port(1),eth(src=02:00:00:00:00:01,"
      "dst=02:00:00:00:00:02),eth_type(0x0800),ipv4()",
      "dst=02:00:00:00:00:02", "dst=02:00:00:01:00:02" },
    { "eth_type", OTHER, "in_port(1),eth(),eth_type(0x88cc)", "0x88cc",
      "0x88cd" },
    { "mpls", MPLS, "in_port(1),eth(),eth_type(0x8847),"
      "mpls(label=100/0xfffff,tc=0/0,ttl=0/0,bos=1/1)", "label=100",
      "label=101" },

    /* VLAN tags. */
    { "vlan.vid", VLAN, MVLAN("vid=100/0xfff,pcp=0/0x0"), "vid=100",
      "vid=101" },
    { "vlan.vid-bits", VLAN, MVLAN("vid=0x4/0x4,pcp=0/0x0"), "vid=100",
      "vid=96" },
    { "vlan.pcp", VLAN, MVLAN("vid=0/0x0,pcp=3/0x7"), "pcp=3", "pcp=7" },
    { "vlan.pcp-bits", VLAN, MVLAN("vid=0/0x0,pcp=2/0x2"), "pcp=3", "pcp=5" },
    { "vlan.present", VLAN "; pad 70", MVLAN("vid=0/0x0,pcp=0/0x0"),
      "; pad 70", "; at 12 0800" },
    { "vlan.tpid", VLAN, MVLAN("vid=100/0xfff,pcp=0/0x0"), "eth_type(0x8100)",
      "eth_type(0x88a8)" },
    { "vlan.outer-vid", QINQ, MQINQ("vid=200,pcp=0/0x0",
                                    "vid=0/0x0,pcp=0/0x0"),
      "vid=200", "vid=201" },
    { "vlan.outer-pcp", QINQ, MQINQ("vid=0/0x0,pcp=5", "vid=0/0x0,pcp=0/0x0"),
      "pcp=5", "pcp=4" },
    { "vlan.inner-vid", QINQ, MQINQ("vid=0/0x0,pcp=0/0x0",
                                    "vid=100,pcp=0/0x0"),
      "vid=100", "vid=200" },
    { "vlan.inner-pcp", QINQ, MQINQ("vid=0/0x0,pcp=0/0x0", "vid=0/0x0,pcp=3"),
      "pcp=3", "pcp=5" },
    { "vlan.inner-tpid", QINQ, MQINQ("vid=200,pcp=5", "vid=100,pcp=3"),
      "0x8100", "0x88a8" },
    { "vlan.inner-ip", VLAN, "in_port(1),eth(),eth_type(0x8100),"
      "vlan(vid=100,pcp=3),encap(eth_type(0x0800),ipv4(dst=10.4.5.6))",
      "dst=10.4.5.6", "dst=10.4.5.7" },

    /* ARP. */
    { "arp.op", ARP, MARP "arp(op=1)", "op=1", "op=2" },
    { "arp.sip", ARP, MARP "arp(sip=10.1.2.3)", "10.1.2.3", "10.1.2.4" },
    { "arp.sip-prefix", ARP, MARP "arp(sip=10.1.0.0/255.255.0.0)", "10.1.2.3",
      "10.2.2.3" },
    { "arp.tip", ARP, MARP "arp(tip=10.4.5.6)", "10.4.5.6", "10.4.5.7" },
    { "arp.sha", ARP, MARP "arp(sha=02:00:00:00:00:01)",
      "sha=02:00:00:00:00:01", "sha=02:00:00:00:00:02" },
    { "arp.tha", ARP, MARP "arp(tha=02:00:00:00:00:0c)",
      "tha=02:00:00:00:00:0c", "tha=02:00:00:00:00:0d" },
    { "arp.tha-bits", ARP, MARP "arp(tha=00:00:00:00:00:08/"
      "00:00:00:00:00:08)", "tha=02:00:00:00:00:0c", "tha=02:00:00:00:00:04" },
    { "rarp.op", RARP, "in_port(1),eth(),eth_type(0x8035),arp(op=3)",
      "op=3", "op=4" },

    /* IPv4. */
    { "ipv4.src", TCP4, M4 "ipv4(src=10.1.2.3)", "10.1.2.3", "10.1.2.4" },
    { "ipv4.src-prefix", TCP4, M4 "ipv4(src=10.0.0.0/255.0.0.0)", "10.1.2.3",
      "11.1.2.3" },
    { "ipv4.src-holes", TCP4, M4 "ipv4(src=0.1.0.3/0.255.0.255)", "10.1.2.3",
      "10.1.2.7" },
    { "ipv4.dst", TCP4, M4 "ipv4(dst=10.4.5.6)", "10.4.5.6", "10.4.5.7" },
    { "ipv4.dst-prefix", TCP4, M4 "ipv4(dst=10.4.4.0/255.255.254.0)",
      "10.4.5.6", "10.4.6.6" },
    { "ipv4.proto", TCP4, M4 "ipv4(proto=6),tcp()", "proto=6", "proto=7" },
    { "ipv4.tos", TCP4, M4 "ipv4(tos=0x24)", "tos=0x24", "tos=0x25" },
    { "ipv4.tos-dscp", TCP4, M4 "ipv4(tos=0x24/0xfc)", "tos=0x24",
      "tos=0x28" },
    { "ipv4.ttl", TCP4, M4 "ipv4(ttl=64)", "ttl=64", "ttl=63" },
    { "ipv4.frag-no", UDP4, M4 "ipv4(frag=no)", "frag=no", "frag=first" },
    { "ipv4.frag-first", FRAG1_4, M4 "ipv4(frag=first)", "frag=first",
      "frag=no" },
    { "ipv4.frag-later", FRAG2_4, M4 "ipv4(frag=later)", "frag=later",
      "frag=first" },

    /* IPv6. */
    { "ipv6.src", TCP6, M6 "ipv6(src=2001:db8::1:2:3:4)", "1:2:3:4",
      "1:2:3:5" },
    { "ipv6.src-prefix", TCP6, M6 "ipv6(src=2001:db8::/"
      "ffff:ffff:ffff:ffff::)", "src=2001:db8::1", "src=2001:db8:0:1:1" },
    { "ipv6.src-low", TCP6, M6 "ipv6(src=::3:4/::ffff:ffff)", "1:2:3:4",
      "1:2:4:4" },
    { "ipv6.dst", TCP6, M6 "ipv6(dst=2001:db8::5:6:7:8)", "5:6:7:8",
      "5:6:7:9" },
    { "ipv6.dst-prefix", TCP6, M6 "ipv6(dst=2001:d00::/ffff:ff00::)",
      "dst=2001:db8", "dst=2001:cb8" },
    { "ipv6.dst-one-bit", TCP6, M6 "ipv6(dst=::8/::8)", "5:6:7:8", "5:6:7:4" },
    { "ipv6.label", TCP6, M6 "ipv6(label=0x12345)", "0x12345", "0x12344" },
    { "ipv6.label-bits", TCP6, M6 "ipv6(label=0x10000/0xf0000)", "0x12345",
      "0x22345" },
    { "ipv6.proto", TCP6, M6 "ipv6(proto=6),tcp()", "proto=6", "proto=7" },
    { "ipv6.tclass", TCP6, M6 "ipv6(tclass=0x24)", "tclass=0x24",
      "tclass=0x34" },
    { "ipv6.tclass-ecn", TCP6, M6 "ipv6(tclass=0/0x3)", "tclass=0x24",
      "tclass=0x25" },
    { "ipv6.hlimit", TCP6, M6 "ipv6(hlimit=64)", "hlimit=64", "hlimit=255" },
    { "ipv6.frag-no", UDP6, M6 "ipv6(frag=no)", "hlimit=64,frag=no)" UDP,
      "hlimit=64,frag=no)" UDP "; ext 44 0000000100abcdef" },
    { "ipv6.frag-first", FRAG1_6, M6 "ipv6(frag=first)", "00000001",
      "00000068" },
    { "ipv6.frag-atomic", UDP6 "; ext 44 0000000000abcdef",
      M6 "ipv6(frag=no,proto=17),udp(dst=53)", "00000000", "00000001" },
    { "ipv6.frag-later", FRAG2_6, M6 "ipv6(frag=later)", "00000068",
      "00000001" },
    { "ipv6.proto-behind-ext", TCP6 HOP DST RH0 AH,
      M6 "ipv6(proto=6),tcp(dst=80)", "dst=80", "dst=81" },

    /* L4. */
    { "tcp.src", TCP4, M4 "ipv4(proto=6),tcp(src=1000)", "src=1000",
      "src=1001" },
    { "tcp.dst", TCP4, M4 "ipv4(proto=6),tcp(dst=80)", "dst=80", "dst=8080" },
    { "tcp.dst-bits", TCP4, M4 "ipv4(proto=6),tcp(dst=0x50/0xfff0)", "dst=80",
      "dst=96" },
    { "tcp.flags", TCP4, M4 "ipv4(proto=6),tcp(),tcp_flags(0x18)",
      "flags(0x18)", "flags(0x10)" },
    { "tcp.flags-syn", TCP4, M4 "ipv4(proto=6),tcp(),tcp_flags(-syn)",
      "flags(0x18)", "flags(0x02)" },
    { "tcp.flags-ns", TCP4, M4 "ipv4(proto=6),tcp(),tcp_flags(0/0x100)",
      "flags(0x18)", "flags(0x118)" },
    { "tcp6.src", TCP6, M6 "ipv6(proto=6),tcp(src=1000)", "src=1000",
      "src=1001" },
    { "tcp6.flags", TCP6, M6 "ipv6(proto=6),tcp(),tcp_flags(0x18)",
      "flags(0x18)", "flags(0x11)" },
    { "udp.src", UDP4, M4 "ipv4(proto=17),udp(src=1000)", "src=1000",
      "src=1001" },
    { "udp.dst", UDP4, M4 "ipv4(proto=17),udp(dst=53)", "dst=53", "dst=54" },
    { "udp6.dst", UDP6, M6 "ipv6(proto=17),udp(dst=53)", "dst=53", "dst=54" },
    { "sctp.src", SCTP4, M4 "ipv4(proto=132),sctp(src=1000)", "src=1000",
      "src=1001" },
    { "sctp.dst", SCTP4, M4 "ipv4(proto=132),sctp(dst=36412)", "36412",
      "36413" },
    { "sctp6.dst", SCTP6, M6 "ipv6(proto=132),sctp(dst=36412)", "36412",
      "36413" },
    { "icmp.type", ICMP4, M4 "ipv4(proto=1),icmp(type=8)", "type=8",
      "type=0" },
    { "icmp.code", ICMP4, M4 "ipv4(proto=1),icmp(code=0)", "code=0",
      "code=1" },
    { "icmpv6.type", ICMP6, M6 "ipv6(proto=58),icmpv6(type=128)", "type=128",
      "type=129" },
    { "icmpv6.code", ICMP6, M6 "ipv6(proto=58),icmpv6(code=0)", "code=0",
      "code=1" },
    { "nd.target", NS, M6 "ipv6(proto=58),icmpv6(type=135,code=0),"
      "nd(target=2001:db8::9)", "db8::9", "db8::a" },
    { "nd.target-low", NS, M6 "ipv6(proto=58),icmpv6(type=135,code=0),"
      "nd(target=::9/::ff)", "db8::9", "db8::a" },
    { "nd.sll", NS, M6 "ipv6(proto=58),icmpv6(type=135,code=0),"
      "nd(sll=02:00:00:00:00:0a)", "sll=02:00:00:00:00:0a",
      "sll=02:00:00:00:01:0a" },
    { "nd.tll", NA, M6 "ipv6(proto=58),icmpv6(type=136,code=0),"
      "nd(tll=02:00:00:00:00:0b)", "tll=02:00:00:00:00:0b",
      "tll=02:00:00:01:00:0b" },

    /* Many words at once. */
    { "five-tuple", TCP4, M4 "ipv4(src=10.1.2.3,dst=10.4.5.6,proto=6),"
      "tcp(src=1000,dst=80)", "src=1000", "src=1010" },
    { "all-of-tcp6", TCP6, "in_port(1),skb_mark(0),skb_priority(0),dp_hash(0),"
      "eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02)," IP6(6) TCP,
      "dst=80", "dst=81" },
};

struct key_row {
    const char *name;
    const char *packet;
    const char *skip;
};

/* Packets whose key has to be what flow_extract() makes of them. */
static const struct key_row key_rows[] = {
    { "key-tcp4", TCP4 },
    { "key-udp4", UDP4 },
    { "key-udp4-without-checksum", UDP4 "; at 40 0000" },
    { "key-sctp4", SCTP4 },
    { "key-icmp4", ICMP4 },
    { "key-igmp4", IGMP4 },
    { "key-ipv4-options", TCP4 "; opt 0101010101010101; csum" },
    { "key-ipv4-options-40", UDP4 "; opt 44280d01000000000000000000000000"
      "000000000000000000000000000000000000000000000000; csum" },
    { "key-ipv4-ihl-4", TCP4 "; at 14 44" },
    { "key-ipv4-ihl-0", TCP4 "; at 14 40" },
    { "key-ipv4-ihl-beyond-total", TCP4 "; at 14 4f; at 16 0028" },
    { "key-ipv4-total-beyond-frame", TCP4 "; at 16 0200" },
    { "key-ipv4-total-below-header", TCP4 "; at 16 0010" },
    { "key-ipv4-total-0", TCP4 "; at 16 0000" },
    { "key-ipv4-padded", UDP4 "; pay 1; pad 60" },
    { "key-ipv4-padded-much", UDP4 "; pay 1; pad 1000" },
    { "key-ipv4-version-6", TCP4 "; at 14 65" },
    { "key-ipv4-first-fragment", FRAG1_4 },
    { "key-ipv4-later-fragment", FRAG2_4 },
    { "key-ipv4-last-fragment", FRAG2_4 "; at 20 0064" },
    { "key-ipv4-dont-fragment", UDP4 "; at 20 4000; csum" },
    { "key-ipv4-reserved-bit", UDP4 "; at 20 8000; csum" },
    { "key-tcp-doff-4", TCP4 "; at 46 40" },
    { "key-tcp-doff-15", TCP4 "; at 46 f0" },
    { "key-tcp-options", TCP4 "; pay 40; at 46 a0" },
    { "key-tcp-reserved-flags", TCP4 "; at 46 5fff" },
    { "key-udp-length-beyond-frame", UDP4 "; at 38 1000" },
    { "key-tcp6", TCP6 },
    { "key-udp6", UDP6 },
    { "key-sctp6", SCTP6 },
    { "key-icmp6", ICMP6 },
    { "key-ipv6-class-and-label-ones", TCP6 "; at 14 6fffffff" },
    { "key-ipv6-hop-by-hop", TCP6 HOP },
    { "key-ipv6-destination", UDP6 DST },
    { "key-ipv6-authentication", TCP6 AH },
    { "key-ipv6-routing", UDP6 RH1 },
    { "key-ipv6-four-headers", TCP6 HOP DST RH0 AH },
    { "key-ipv6-five-headers", TCP6 HOP DST RH0 DST DST },
    { "key-ipv6-six-headers", UDP6 HOP DST RH0 DST DST DST },
    { "key-ipv6-extension-of-512", TCP6 "; ext 0 003f" ZEROS_510 },
    { "key-ipv6-first-fragment", FRAG1_6 },
    { "key-ipv6-later-fragment", FRAG2_6 },
    { "key-ipv6-atomic-fragment", UDP6 "; ext 44 0000000000abcdef" },
    { "key-ipv6-header-behind-fragment", FRAG1_6 DST },
    { "key-ipv6-no-next-header", ETH IP6(59) },
    { "key-ipv6-header-beyond-payload", TCP6 "; ext 0 00ff000000000000" },
    { "key-ipv6-length-beyond-frame", TCP6 "; at 18 0200" },
    { "key-ipv6-length-0", TCP6 "; at 18 0000" },
    { "key-ipv6-padded", UDP6 "; pay 1; pad 200" },
    { "key-nd-solicitation", NS },
    { "key-nd-advertisement", NA },
    { "key-nd-both-options", NS "; more 0; at 78 0102020000000001" },
    { "key-nd-option-length-0", NS "; at 79 00" },
    { "key-nd-option-twice", NS "; more 8; at 86 0101020000000001" },
    { "key-nd-option-unknown", NS "; at 78 0e" },
    { "key-nd-code-1", NS "; at 55 01" },
    { "key-nd-two-more-options",
      NS "; more 16; at 86 05010000000005dc; at 94 0201020000000009" },
    { "key-nd-fourth-option", NS "; more 24; at 86 0501000000000000"
      "0501000000000000; at 102 0201020000000009" },
    { "key-nd-long-option", NS "; more 24; at 86 0502; "
      "at 102 0201020000000009" },
    { "key-arp", ARP },
    { "key-rarp", RARP },
    { "key-arp-opcode-256", ARP "; at 20 0100" },
    { "key-arp-hardware-2", ARP "; at 14 0002" },
    { "key-arp-address-length", ARP "; at 18 08" },
    { "key-arp-padded", ARP "; pad 60" },
    { "key-vlan", VLAN },
    { "key-vlan-priority-only", VLAN "; at 14 6000" },
    { "key-vlan-cfi", VLAN "; at 14 f064" },
    { "key-vlan-8021ad", VLAN "; at 12 88a8" },
    { "key-qinq", QINQ },
    { "key-qinq-8100", QINQ "; at 12 8100" },
    { "key-three-tags", QINQ "; ins 12 81000005" },
    { "key-vlan-arp", ETH TAG(0x8100, 7, 0, "eth_type(0x0806),"
      "arp(sip=10.1.2.3,tip=10.4.5.6,op=2,sha=02:00:00:00:00:01,"
      "tha=02:00:00:00:00:0c)") },
    { "key-vlan-ipv6", ETH TAG(0x8100, 7, 0, IP6(6) TCP) },
    { "key-vlan-9100", TCP4 "; ins 12 91000005" },
    { "key-llc", LLC },
    { "key-snap", TCP4 "; ins 12 0043aaaa03000000" },
    { "key-snap-oui", TCP4 "; ins 12 0043aaaa030000f8" },
    { "key-snap-low-type", TCP4 "; ins 12 0043aaaa03000000; at 20 0500" },
    { "key-vlan-snap", UDP4 "; ins 12 81000005003baaaa03000000" },
    { "key-eth-type-05ff", OTHER "; at 12 05ff" },
    { "key-eth-type-0600", OTHER "; at 12 0600" },
    { "key-mpls", MPLS },
    { "key-mpls-two-labels", MPLS "; ins 14 00064000" },
    { "key-mpls-three-labels", MPLS "; ins 14 0006400000065000" },
    { "key-mpls-four-labels", MPLS "; ins 14 000640000006500000066000" },
    { "key-zero-macs", TCP4 "; at 0 000000000000000000000000" },
    { "key-frame-of-1514", UDP4 "; pay 1472" },
    { "key-frame-of-9000", UDP4 "; pay 8958" },
    { "key-frame-of-9000-ipv6", TCP6 HOP "; pay 8918" },
    { "key-frame-of-9000-padded", UDP4 "; pad 9000" },
    { "key-frame-of-9000-ipv6-padded", UDP6 "; pad 9000" },
    { "key-frame-of-9000-nd-padded", NS "; pad 9000" },
    { "key-frame-of-9000-half-padded", UDP4 "; pay 5000; pad 9000" },
    { "key-frame-of-9000-vlan", QINQ "; pay 8950" },
    { "key-frame-of-9000-vlan-padded", VLAN "; pad 9000" },
    { "key-frame-of-9000-fragment", FRAG2_4 "; pad 9000" },
    { "key-frame-of-9000-ipv4-total-beyond", UDP4 "; at 16 ffff; pad 9000" },
    { "key-frame-of-9000-ipv4-total-0", UDP4 "; at 16 0000; pad 9000" },
    { "key-frame-of-9000-ipv4-ihl-0", UDP4 "; at 14 40; pad 9000" },
    { "key-frame-of-9000-ipv6-length-beyond", UDP6 "; at 18 ffff; pad 9000" },
    { "key-frame-of-9000-arp", ARP "; pad 9000" },
    { "key-frame-of-9000-mpls", MPLS "; pad 9000" },
    { "key-frame-of-9000-llc", LLC "; pad 9000" },
    { "key-frame-of-9000-snap", TCP4 "; ins 12 0043aaaa03000000; pad 9000" },
    { "key-frame-of-9000-other", OTHER "; pad 9000" },
    { "key-frame-of-9000-three-tags", QINQ "; ins 12 81000005; pad 9000" },
};

static const struct edit_row edit_rows[] = {
    { "set-eth-src", TCP4, "set(eth(src=02:11:22:33:44:55))" },
    { "set-eth-dst", ARP, "set(eth(dst=02:11:22:33:44:55))" },
    { "set-eth-both", TCP6,
      "set(eth(src=02:11:22:33:44:55,dst=02:66:77:88:99:aa))" },
    { "set-eth-bytes", TCP4,
      "set(eth(src=02:11:00:00:00:55/ff:ff:00:00:00:ff))" },
    { "set-eth-llc", LLC, "set(eth(dst=02:11:22:33:44:55))" },
    { "set-eth-9000", UDP4 "; pay 8958", "set(eth(dst=02:11:22:33:44:55))" },

    { "push-vlan", TCP4, "push_vlan(vid=5,pcp=3)" },
    { "push-vlan-8021ad", TCP6, "push_vlan(tpid=0x88a8,vid=4095,pcp=7)" },
    { "push-vlan-on-vlan", VLAN, "push_vlan(tpid=0x88a8,vid=1,pcp=0)" },
    { "push-vlan-twice", ARP,
      "push_vlan(vid=5,pcp=3),push_vlan(tpid=0x88a8,vid=6,pcp=1)" },
    { "push-vlan-llc", LLC, "push_vlan(vid=5,pcp=3)" },
    { "push-vlan-shortest", OTHER "; cut 14", "push_vlan(vid=5,pcp=3)" },
    { "push-vlan-9000", UDP4 "; pay 8958", "push_vlan(vid=5,pcp=3)" },
    { "pop-vlan", VLAN, "pop_vlan" },
    { "pop-vlan-outer", QINQ, "pop_vlan" },
    { "pop-vlan-twice", QINQ, "pop_vlan,pop_vlan" },
    { "pop-vlan-three-tags", QINQ "; ins 12 81000005", "pop_vlan" },
    { "pop-vlan-none", TCP4, "pop_vlan" },
    { "pop-vlan-shortest", OTHER "; cut 14; at 12 8100; pad 18", "pop_vlan" },
    { "pop-vlan-9000", VLAN "; pay 8954", "pop_vlan" },
    { "pop-push-vlan", VLAN, "pop_vlan,push_vlan(vid=9,pcp=1)" },

    { "set-ipv4-src", TCP4, "set(ipv4(src=99.88.77.66))" },
    { "set-ipv4-src-udp", UDP4, "set(ipv4(src=99.88.77.66))" },
    { "set-ipv4-src-sctp", SCTP4, "set(ipv4(src=99.88.77.66))" },
    { "set-ipv4-src-icmp", ICMP4, "set(ipv4(src=99.88.77.66))" },
    { "set-ipv4-src-even", TCP4 "; pay 20", "set(ipv4(src=99.88.77.66))" },
    { "set-ipv4-src-bits", TCP4, "set(ipv4(src=10.9.0.0/255.255.0.0))" },
    { "set-ipv4-src-same", UDP4, "set(ipv4(src=10.1.2.3))" },
    { "set-ipv4-src-zero", UDP4, "set(ipv4(src=0.0.0.0))" },
    { "set-ipv4-src-ones", UDP4, "set(ipv4(src=255.255.255.255))" },
    { "set-ipv4-dst", TCP4, "set(ipv4(dst=99.88.77.66))" },
    { "set-ipv4-dst-bits", UDP4, "set(ipv4(dst=0.0.0.99/0.0.0.255))" },
    { "set-ipv4-options", TCP4 "; opt 0101010101010101; csum",
      "set(ipv4(src=99.88.77.66,dst=1.2.3.4,ttl=3))" },
    { "set-ipv4-udp-checksum-0", UDP4 "; at 40 0000",
      "set(ipv4(src=99.88.77.66,dst=1.2.3.4))" },
    { "set-ipv4-udp-checksum-wrong", UDP4 "; at 40 1234",
      "set(ipv4(src=99.88.77.66))" },
    { "set-ipv4-checksum-wrong", UDP4 "; at 24 1234",
      "set(ipv4(src=99.88.77.66,ttl=3))" },
    { "set-ipv4-first-fragment", FRAG1_4, "set(ipv4(dst=99.88.77.66))" },
    { "set-ipv4-later-fragment", FRAG2_4,
      "set(ipv4(src=99.88.77.66,dst=1.2.3.4,tos=0xb8,ttl=1))",
      "in_port(1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),"
      "eth_type(0x0800),ipv4(src=99.88.77.66,dst=1.2.3.4,proto=17,tos=0xb8,"
      "ttl=1,frag=later); more 40; csum" },
    { "set-ipv4-tcp-doff-4", TCP4 "; at 46 40", "set(ipv4(src=99.88.77.66))" },
    { "set-ipv4-tcp-doff-15", TCP4 "; at 46 f0", "set(ipv4(dst=99.88.77.66))" },
    { "set-ipv6-tcp-doff-4", TCP6 "; at 66 40",
      "set(ipv6(src=2001:db8:2::88))" },
    { "set-ipv4-tcp-short", TCP4 "; at 16 0027; csum",
      "set(ipv4(src=99.88.77.66))" },
    { "set-ipv4-padded", UDP4 "; pay 1; pad 60",
      "set(ipv4(src=99.88.77.66,dst=1.2.3.4))" },
    { "set-ipv4-tos", TCP4, "set(ipv4(tos=0xff))" },
    { "set-ipv4-dscp", UDP4, "set(ipv4(tos=0xb8/0xfc))" },
    { "set-ipv4-ecn", UDP4, "set(ipv4(tos=0x3/0x3))" },
    { "set-ipv4-ttl", TCP4, "set(ipv4(ttl=63))" },
    { "set-ipv4-ttl-0", UDP4, "set(ipv4(ttl=0))" },
    { "set-ipv4-ttl-255", UDP4, "set(ipv4(ttl=255))" },
    { "set-ipv4-all", TCP4,
      "set(ipv4(src=1.2.3.4,dst=5.6.7.8,tos=0x10,ttl=9))" },
    { "set-ipv4-unmasked", TCP4, "set(ipv4(src=1.2.3.4,dst=5.6.7.8,proto=6,"
      "tos=0x10,ttl=9,frag=no))" },
    { "set-ipv4-vlan", VLAN, "set(ipv4(src=1.2.3.4,dst=5.6.7.8))" },
    { "set-ipv4-qinq", QINQ, "set(ipv4(src=1.2.3.4,dst=5.6.7.8))" },
    { "set-ipv4-snap", TCP4 "; ins 12 0043aaaa03000000",
      "set(ipv4(src=1.2.3.4,dst=5.6.7.8))" },
    { "set-ipv4-9000", UDP4 "; pay 8958",
      "set(ipv4(src=1.2.3.4,dst=5.6.7.8,ttl=3))" },
    { "route-ipv4", TCP4, "set(eth(src=02:11:22:33:44:55,"
      "dst=02:66:77:88:99:aa)),set(ipv4(ttl=63))" },
    { "nat-pop-push", VLAN, "pop_vlan,set(ipv4(src=1.2.3.4)),set(udp(src=9)),"
      "push_vlan(vid=6,pcp=0),set(ipv4(dst=5.6.7.8)),set(udp(dst=8))" },

    { "set-ipv6-src", TCP6, "set(ipv6(src=2001:db8:1::99))" },
    { "set-ipv6-src-udp", UDP6, "set(ipv6(src=2001:db8:1::99))" },
    { "set-ipv6-src-icmpv6", ICMP6, "set(ipv6(src=2001:db8:1::99))" },
    { "set-ipv6-src-nd", NS, "set(ipv6(src=2001:db8:1::99))" },
    { "set-ipv6-src-sctp", SCTP6, "set(ipv6(src=2001:db8:1::99))" },
    { "set-ipv6-src-bits", TCP6, "set(ipv6(src=2001:db9::/ffff:ffff::))" },
    { "set-ipv6-dst", TCP6, "set(ipv6(dst=2001:db8:1::99))" },
    { "set-ipv6-dst-bits", UDP6, "set(ipv6(dst=::99/::ff))" },
    { "set-ipv6-both", UDP6,
      "set(ipv6(src=2001:db8:1::99,dst=2001:db8:2::88))" },
    { "set-ipv6-tclass", TCP6, "set(ipv6(tclass=0xff))" },
    { "set-ipv6-dscp", TCP6, "set(ipv6(tclass=0xb8/0xfc))" },
    { "set-ipv6-hlimit", UDP6, "set(ipv6(hlimit=1))" },
    { "set-ipv6-label", UDP6, "set(ipv6(label=0xabcde))" },
    { "set-ipv6-label-bits", UDP6, "set(ipv6(label=0xab000/0xff000))" },
    { "set-ipv6-all", TCP6, "set(ipv6(src=2001:db8:1::99,dst=2001:db8:2::88,"
      "label=0xabcde,tclass=0xb8,hlimit=3))" },
    { "set-ipv6-extension", TCP6 HOP DST, "set(ipv6(dst=2001:db8:2::88))" },
    { "set-ipv6-first-fragment", FRAG1_6, "set(ipv6(src=2001:db8:2::88))" },
    { "set-ipv6-later-fragment", FRAG2_6, "set(ipv6(src=2001:db8:2::88,"
      "dst=2001:db8:1::99))" },
    { "set-ipv6-udp-checksum-0", UDP6 "; at 60 0000",
      "set(ipv6(src=2001:db8:2::88))" },
    { "set-ipv6-vlan", ETH TAG(0x8100, 7, 0, IP6(6) TCP),
      "set(ipv6(src=2001:db8:1::99,dst=2001:db8:2::88))" },
    { "set-ipv6-9000", TCP6 "; pay 8926",
      "set(ipv6(src=2001:db8:1::99,dst=2001:db8:2::88))" },
    { "set-ipv6-atomic-fragment", UDP6 "; ext 44 0000000000abcdef",
      "set(ipv6(src=2001:db8:2::88))",
      SRC6(2001:db8:2::88, 17) UDP "; ext 44 0000000000abcdef; csum" },
    /* The checksum covers the last destination: net/openvswitch/actions.c,
     * set_ipv6(). */
    { "set-ipv6-dst-routing-done", TCP6 RH0, "set(ipv6(dst=2001:db8:2::88))" },
    { "set-ipv6-dst-routing", TCP6 RH1 "; csum",
      "set(ipv6(dst=2001:db8:2::88))" },
    { "set-ipv6-dst-routing-behind", UDP6 RH1 HOP "; csum",
      "set(ipv6(dst=2001:db8:2::88))" },
    { "set-ipv6-src-routing", TCP6 RH1 "; csum",
      "set(ipv6(src=2001:db8:2::88))",
      SRC6(2001:db8:2::88, 6) TCP RH1 "; csum" },

    { "set-tcp-src", TCP4, "set(tcp(src=2000))" },
    { "set-tcp-dst", TCP4, "set(tcp(dst=8080))" },
    { "set-tcp-both", TCP6, "set(tcp(src=2000,dst=8080))" },
    { "set-tcp-bits", TCP4, "set(tcp(dst=0x1f00/0xff00))" },
    { "set-tcp-options", TCP4 "; opt 01010101; csum", "set(tcp(src=2000))" },
    { "set-udp-src", UDP4, "set(udp(src=2000))" },
    { "set-udp-dst", UDP6, "set(udp(dst=5353))" },
    { "set-udp-both", UDP4, "set(udp(src=2000,dst=5353))" },
    { "set-udp-checksum-0", UDP4 "; at 40 0000", "set(udp(src=2000,dst=1))" },
    { "set-udp-extension", UDP6 HOP DST AH, "set(udp(src=2000))" },
    { "set-udp-first-fragment", FRAG1_4, "set(udp(dst=5353))" },
    { "set-udp6-first-fragment", FRAG1_6, "set(udp(dst=5353))" },
    { "set-udp-vlan", QINQ, "set(udp(dst=5353))" },
    { "set-tcp-9000", TCP4 "; pay 8946", "set(tcp(src=2000,dst=8080))" },
    { "set-mark-and-priority", TCP4, "set(skb_mark(5)),set(skb_priority(6))" },
    { "thirty-actions", UDP4,
#define FIVE_SETS "set(ipv4(ttl=1)),set(ipv4(ttl=2)),set(ipv4(ttl=3)),"      \
                  "set(udp(src=5)),set(udp(dst=6))"
      FIVE_SETS "," FIVE_SETS "," FIVE_SETS "," FIVE_SETS "," FIVE_SETS ","
      FIVE_SETS },
};

/* The packet gets a last word with which the UDP checksum turns to 0. */
static const struct edit_row udp_zero_rows[] = {
    { "udp-zero-ipv4-src", UDP4 "; pay 20", "set(ipv4(src=99.1.2.3))" },
    { "udp-zero-ipv4-dst", UDP4 "; pay 20", "set(ipv4(dst=99.1.2.3))" },
    { "udp-zero-src", UDP4 "; pay 20", "set(udp(src=7))" },
    { "udp-zero-dst", UDP4 "; pay 20", "set(udp(dst=7))" },
    { "udp-zero-ipv6-src", UDP6 "; pay 20", "set(ipv6(src=2001:db8::77))" },
    { "udp-zero-ipv6-dst", UDP6 "; pay 20", "set(ipv6(dst=2001:db8::77))" },
    { "udp-zero-src-ipv6", UDP6 "; pay 20", "set(udp(src=7))" },
};

struct row {
    const char *name;
    const char *packet;
    const char *want;           /* Port, "miss", "up:ACTION", "drop:REASON". */
    const char *flows[8];
    const char *expect;         /* As in struct edit_row. */
    const char *skip;
};

/* Rounds: the flow of round I sends on to round TO. */
#define ROUND(I, TO) "recirc_id(" #I ")," M4 "ipv4() => recirc(" #TO ")"
#define R "recirc_id(1)," M4 "ipv4()"

static const struct row rows[] = {
    /* Upcalls. */
    { "miss", TCP4, "miss", { NULL } },
    { "miss-other-flow", TCP4, "miss", { M6 "ipv6() => 9" } },
    { "miss-metadata", "recirc_id(3),skb_mark(4),skb_priority(5),dp_hash(6),"
      TCP4, "miss", { NULL } },
    { "miss-port-0", "in_port(0)," IP4(6) TCP, "miss", { NULL } },
    { "miss-vlan", VLAN, "miss", { NULL } },
    { "miss-vlan-cfi", VLAN "; at 14 f064", "miss", { NULL } },
    { "miss-qinq", QINQ, "miss", { NULL } },
    { "miss-three-tags", QINQ "; ins 12 81000005", "miss", { NULL } },
    { "miss-four-tags", QINQ "; ins 12 8100000588a80006", "miss", { NULL } },
    { "userspace-vlan", VLAN, "up:0", { "exact => userspace(pid=0),9" } },
    { "userspace-pop-vlan", VLAN, "up:1",
      { "exact => pop_vlan,userspace(pid=0),9" } },
    { "userspace-pop-outer", QINQ, "up:1",
      { "exact => pop_vlan,userspace(pid=0),9" } },
    { "userspace-push-on-qinq", QINQ, "up:1",
      { "exact => push_vlan(vid=4,pcp=0),userspace(pid=0),9" } },
    { "miss-shortest", OTHER "; cut 14", "miss", { NULL } },
    { "miss-1514", UDP4 "; pay 1472", "miss", { NULL } },
    { "miss-9000", UDP4 "; pay 8958", "miss", { NULL } },
    { "userspace", TCP4, "up:0", { M4 "ipv4() => userspace(pid=0)" } },
    { "userspace-more", TCP4, "up:0",
      { M4 "ipv4() => userspace(pid=0),9" } },
    { "userspace-after-edits", UDP4, "up:2",
      { M4 "ipv4() => set(ipv4(src=1.2.3.4,ttl=2)),"
        "push_vlan(vid=4,pcp=0),userspace(pid=0),9" } },
    { "userspace-metadata", TCP4, "up:2",
      { M4 "ipv4() => set(skb_mark(0x11)),set(skb_priority(0x22)),"
        "userspace(pid=0)" } },
    { "userspace-metadata-bits", "skb_mark(0xffff)," TCP4, "up:1",
      { "skb_mark(0xffff)," M4 "ipv4() => "
        "set(skb_mark(0x10/0xf0)),userspace(pid=0)" } },
    { "userspace-9000", UDP4 "; pay 8958", "up:1",
      { M4 "ipv4() => push_vlan(vid=4,pcp=0),userspace(pid=0)" } },
    { "userspace-set-sctp", SCTP4, "up:1",
      { "exact => set(ipv4(ttl=5)),set(sctp(src=5)),9" } },
    { "userspace-set-eth-bits", TCP4, "up:0",
      { "exact => set(eth(src=02:00:00:00:00:10/00:00:00:00:00:f0)),9" } },
    { "userspace-check-pkt-len", TCP4, "up:1",
      { "exact => set(ipv4(ttl=5)),"
        "check_pkt_len(size=100,gt(drop),le(9))" } },
    { "userspace-trunc", UDP4, "up:0", { "exact => trunc(20),9" } },
    { "userspace-too-many-actions", UDP4, "up:31",
      { "exact => " FIVE_SETS "," FIVE_SETS "," FIVE_SETS "," FIVE_SETS ","
        FIVE_SETS "," FIVE_SETS "," FIVE_SETS ",9" } },

    /* Headers nested deeper than BPF looks. */
    { "deep-ipv6-seven-headers", UDP6 HOP DST RH0 DST DST DST DST, "deep",
      { "exact => 9" } },
    { "deep-ipv6-extension-of-1024",
      TCP6 "; ext 0 007f" ZEROS_510 "0000" ZEROS_510, "deep",
      { "exact => 9" } },
    { "deep-nd-fifth-option", NS "; more 32; at 86 0501000000000000"
      "05010000000000000501000000000000; at 110 0201020000000009", "deep",
      { "exact => 9" } },

    /* Drops. */
    { "drop", TCP4, "drop:ACTION", { M4 "ipv4() => " } },
    { "drop-explicit", TCP4, "drop:ACTION", { M4 "ipv4() => drop" } },
    { "drop-after-edit", TCP4, "drop:ACTION",
      { M4 "ipv4() => set(ipv4(ttl=5))" } },
    { "drop-9000", UDP4 "; pay 8958", "drop:ACTION",
      { M4 "ipv4() => " } },
    { "output-no-port", TCP4, "drop:NO_PORT", { M4 "ipv4() => 8" } },
    { "output-no-port-0", TCP4, "drop:NO_PORT", { M4 "ipv4() => 0" } },
    { "output-port-too-high", TCP4, "drop:NO_PORT",
      { M4 "ipv4() => 70000" } },
    { "set-ipv4-on-ipv6", TCP6, "!drop:MALFORMED",
      { "exact => set(ipv4(ttl=5)),9" } },
    { "set-ipv6-on-ipv4", TCP4, "!drop:MALFORMED",
      { "exact => set(ipv6(hlimit=5)),9" } },
    { "set-tcp-on-icmp", ICMP4, "!drop:MALFORMED",
      { "exact => set(tcp(src=5)),9" } },
    { "set-udp-later-fragment", FRAG2_4, "!drop:MALFORMED",
      { "exact => set(udp(src=5)),9" } },
    { "set-tcp-truncated", TCP4 "; cut 40", "!drop:MALFORMED",
      { "exact => set(tcp(src=5)),9" } },
    { "set-ipv4-truncated", TCP4 "; cut 33", "!drop:MALFORMED",
      { "exact => set(ipv4(ttl=5)),9" } },
    { "headroom", TCP4, "~drop:HEADROOM",
#define PUSH5 "push_vlan(vid=1,pcp=0),push_vlan(vid=1,pcp=0),"               \
              "push_vlan(vid=1,pcp=0),push_vlan(vid=1,pcp=0),"               \
              "push_vlan(vid=1,pcp=0)"
#define PUSH30 PUSH5 "," PUSH5 "," PUSH5 "," PUSH5 "," PUSH5 "," PUSH5
      { M4 "ipv4() => " PUSH30 ",recirc(1)",
        "recirc_id(1),in_port(1),eth(),eth_type(0x8100),vlan(vid=1,pcp=0),"
        "encap(eth_type(0x8100),vlan(vid=1,pcp=0),encap(eth_type(0x8100))) => "
        PUSH30 ",9" } },

    /* The right one of several masks. */
    { "masks-first", TCP4, "9",
      { M4 "ipv4(proto=6),tcp(dst=80) => 9", M4 "ipv4(proto=17),udp() => ",
        M6 "ipv6() => " } },
    { "masks-last", TCP6, "9",
      { M4 "ipv4(proto=6),tcp(dst=80) => ", M4 "ipv4(proto=17),udp() => ",
        M6 "ipv6() => 9" } },
    { "masks-same-words", TCP4, "9",
      { M4 "ipv4(src=10.0.0.0/255.255.0.0) => ",
        M4 "ipv4(src=10.1.2.0/255.255.255.0) => 9",
        M4 "ipv4(src=10.2.2.3) => " } },
    { "masks-same-mask", TCP4, "9",
      { M4 "ipv4(proto=6),tcp(dst=81) => ",
        M4 "ipv4(proto=6),tcp(dst=80) => 9",
        M4 "ipv4(proto=6),tcp(dst=82) => " } },
    { "masks-in_port", TCP4, "9",
      { "in_port(2),eth(),eth_type(0x0800),ipv4() => ",
        "in_port(3),eth(),eth_type(0x0800),ipv4() => ",
        M4 "ipv4() => 9" } },
    { "masks-field-zero", UDP4, "9",
      { "in_port(1),eth(),eth_type(0x8100),vlan(vid=0/0x0,pcp=0/0x0),"
        "encap(eth_type(0x0800),ipv4()) => ",
        M4 "ipv4() => 9" } },

    /* Recirculation. */
    { "recirc", TCP4, "9", { ROUND(0, 1), R " => 9" } },
    { "recirc-miss", TCP4, "miss", { ROUND(0, 1) } },
    { "recirc-miss-id", TCP4, "miss", { ROUND(0, 1), ROUND(2, 3) } },
    { "recirc-drop", TCP4, "drop:ACTION",
      { ROUND(0, 1), R " => " } },
    { "recirc-userspace", TCP4, "up:1",
      { ROUND(0, 1), R " => set(ipv4(ttl=5)),userspace(pid=0)" } },
    { "recirc-edited", TCP4, "9",
      { M4 "ipv4(src=10.1.2.3) => set(ipv4(src=1.2.3.4)),"
        "set(tcp(dst=81)),recirc(1)",
        "recirc_id(1)," M4 "ipv4(src=1.2.3.4,proto=6),tcp(dst=81) => "
        "set(ipv4(dst=5.6.7.8)),9" } },
    { "recirc-pushed-vlan", UDP4, "9",
      { M4 "ipv4() => push_vlan(vid=100,pcp=0),recirc(1)",
        "recirc_id(1)," MVLAN("vid=100,pcp=0") " => pop_vlan,"
        "set(ipv4(ttl=5)),9" } },
    { "recirc-popped-vlan", VLAN, "9",
      { MVLAN("vid=100,pcp=3") " => pop_vlan,recirc(1)",
        R " => set(udp(dst=5)),9" } },
    { "recirc-metadata", TCP4, "miss",
      { M4 "ipv4() => set(skb_mark(7)),set(skb_priority(8)),"
        "recirc(1)" } },
    { "recirc-metadata-match", TCP4, "9",
      { M4 "ipv4() => set(skb_mark(7)),recirc(1)",
        "skb_mark(7)," R " => 9" } },
    { "recirc-from-userspace", "recirc_id(1)," TCP4, "9",
      { ROUND(0, 1), R " => 9" } },
    { "recirc-9000", TCP4 "; pay 8946", "9", { ROUND(0, 1), R " => 9" } },
    { "recirc-seven-rounds", TCP4, "9",
      { ROUND(0, 1), ROUND(1, 2), ROUND(2, 3), ROUND(3, 4), ROUND(4, 5),
        ROUND(5, 6), "recirc_id(6)," M4 "ipv4() => 9" } },
    { "recirc-eight-rounds", TCP4, "miss",
      { ROUND(0, 1), ROUND(1, 2), ROUND(2, 3), ROUND(3, 4), ROUND(4, 5),
        ROUND(5, 6), ROUND(6, 20) } },
    { "recirc-limit", TCP4, "drop:RECIRC_LIMIT",
      { ROUND(0, 1), ROUND(1, 0) } },
    { "recirc-hash", TCP4, "miss",
      { M4 "ipv4() => hash(5),recirc(1)" } },
    { "recirc-hash-output", UDP6, "9",
      { M6 "ipv6() => hash(5),recirc(1)",
        "recirc_id(1)," M6 "ipv6() => 9" } },
    { "hash-userspace", UDP4, "up:1",
      { M4 "ipv4() => hash(5),userspace(pid=0)" } },
};

struct truncated_row {
    char name[16];
    size_t len;
};

#endif /* bpf-rows.h */
