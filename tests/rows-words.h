/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Short names of packets and matches for rows; rows-packet.h and rows-model.h
 * say how they are written. */
#ifndef ROWS_WORDS_H
#define ROWS_WORDS_H 1

/* Packets. */

#define ETH "in_port(1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),"
#define IP4(PROTO)                                                           \
    "eth_type(0x0800),ipv4(src=10.1.2.3,dst=10.4.5.6,proto=" #PROTO          \
    ",tos=0x24,ttl=64,frag=no)"
#define IP6(PROTO)                                                           \
    "eth_type(0x86dd),ipv6(src=2001:db8::1:2:3:4,dst=2001:db8::5:6:7:8,"     \
    "label=0x12345,proto=" #PROTO ",tclass=0x24,hlimit=64,frag=no)"
#define SRC6(SRC, PROTO)                                                     \
    ETH "eth_type(0x86dd),ipv6(src=" #SRC ",dst=2001:db8::5:6:7:8,"          \
    "label=0x12345,proto=" #PROTO ",tclass=0x24,hlimit=64,frag=no)"
#define TCP ",tcp(src=1000,dst=80),tcp_flags(0x18)"
#define UDP ",udp(src=1000,dst=53)"
#define TCP4  ETH IP4(6) TCP
#define TCP4B ETH IP4(6) ",tcp(src=1001,dst=80),tcp_flags(0x18)"
#define UDP4  ETH IP4(17) UDP
#define SCTP4 ETH IP4(132) ",sctp(src=1000,dst=36412)"
#define ICMP4 ETH IP4(1) ",icmp(type=8,code=0)"
#define IGMP4 ETH IP4(2)
#define TCP6  ETH IP6(6) TCP
#define UDP6  ETH IP6(17) UDP
#define SCTP6 ETH IP6(132) ",sctp(src=1000,dst=36412)"
#define ICMP6 ETH IP6(58) ",icmpv6(type=128,code=0)"
#define NS    ETH IP6(58) ",icmpv6(type=135,code=0),nd(target=2001:db8::9,"   \
    "sll=02:00:00:00:00:0a,tll=00:00:00:00:00:00)"
#define NA    ETH IP6(58) ",icmpv6(type=136,code=0),nd(target=2001:db8::9,"   \
    "sll=00:00:00:00:00:00,tll=02:00:00:00:00:0b)"
#define ARP   ETH "eth_type(0x0806),arp(sip=10.1.2.3,tip=10.4.5.6,op=1,"      \
    "sha=02:00:00:00:00:01,tha=02:00:00:00:00:0c)"
#define RARP  ETH "eth_type(0x8035),arp(sip=10.1.2.3,tip=10.4.5.6,op=3,"      \
    "sha=02:00:00:00:00:01,tha=02:00:00:00:00:0c)"
#define TAG(TYPE, VID, PCP, INNER)                                           \
    "eth_type(" #TYPE "),vlan(vid=" #VID ",pcp=" #PCP "),encap(" INNER ")"
#define VLAN  ETH TAG(0x8100, 100, 3, IP4(17) UDP)
#define QINQ  ETH TAG(0x88a8, 200, 5, TAG(0x8100, 100, 3, IP4(17) UDP))
#define LLC   ETH "; pad 14; more 0; pad 60"
#define MPLS  ETH "eth_type(0x8847),mpls(label=100,tc=3,ttl=64,bos=1)"
#define OTHER ETH "eth_type(0x88cc); pad 60"

/* Later fragments, without an L4 header.  A first fragment has one. */
#define FRAG1_4 ETH "eth_type(0x0800),ipv4(src=10.1.2.3,dst=10.4.5.6,"        \
    "proto=17,tos=0x24,ttl=64,frag=first)" UDP
#define FRAG2_4 ETH "eth_type(0x0800),ipv4(src=10.1.2.3,dst=10.4.5.6,"        \
    "proto=17,tos=0x24,ttl=64,frag=later); more 40; csum"
#define FRAG1_6 UDP6 "; ext 44 0000000100abcdef"
#define FRAG2_6 UDP6 "; ext 44 0000006800abcdef"
/* Extension headers: hop by hop, destination, authentication, routing with
 * and without segments left. */
#define HOP   "; ext 0 0000010400000000"
#define DST   "; ext 60 0001010c000000000000000000000000"
#define AH    "; ext 51 0004000000000001000000010102030405060708090a0b0c"
#define RH0   "; ext 43 0002000000000000" "20010db8000000000000000000000099"
#define RH1   "; ext 43 0002000100000000" "20010db8000000000000000000000099"

#define ZEROS_10  "00000000000000000000"
#define ZEROS_102 ZEROS_10 ZEROS_10 ZEROS_10 ZEROS_10 ZEROS_10               \
    ZEROS_10 ZEROS_10 ZEROS_10 ZEROS_10 ZEROS_10 "0000"
#define ZEROS_8   "0000000000000000"
#define ZEROS_190 ZEROS_102 ZEROS_10 ZEROS_10 ZEROS_10 ZEROS_10 ZEROS_10      \
    ZEROS_10 ZEROS_10 ZEROS_10 ZEROS_8
#define ZEROS_510 ZEROS_102 ZEROS_102 ZEROS_102 ZEROS_102 ZEROS_102

/* Matches. */

#define M4 "in_port(1),eth(),eth_type(0x0800),"
#define M6 "in_port(1),eth(),eth_type(0x86dd),"
#define MARP "in_port(1),eth(),eth_type(0x0806),"
#define MVLAN(FIELDS) "in_port(1),eth(),eth_type(0x8100),vlan(" FIELDS        \
    "),encap(eth_type(0x0800),ipv4())"
#define MQINQ(OUTER, INNER) "in_port(1),eth(),eth_type(0x88a8),vlan(" OUTER   \
    "),encap(eth_type(0x8100),vlan(" INNER "),encap(eth_type(0x0800),ipv4()))"
#define FROM(PORT) "in_port(" #PORT "),eth(),eth_type(0x0800),"
#define SRC(LAST) M4 "ipv4(src=10.1.2." #LAST ")"
#define TCP4_SRC(LAST) ETH "eth_type(0x0800),ipv4(src=10.1.2." #LAST          \
    ",dst=10.4.5.6,proto=6,tos=0x24,ttl=64,frag=no)" TCP

#endif /* rows-words.h */
