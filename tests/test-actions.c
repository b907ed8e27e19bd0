/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright (c) 2026 The ovs-xdp authors.
 *
 * Tests of ofproto-glue/actions.c: Open vSwitch's notation for actions to ops,
 * and back. */

#include <config.h>
#undef NDEBUG
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dp-xdp.h"
#include "netlink.h"
#include "odp-util.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "util.h"

static const char *const op_names[] = {
    [XDP_OP_END] = "end",
    [XDP_OP_OUTPUT] = "output",
    [XDP_OP_OUTPUT_COPY] = "output_copy",
    [XDP_OP_SET_ETH_DST] = "eth_dst",
    [XDP_OP_SET_ETH_SRC] = "eth_src",
    [XDP_OP_PUSH_VLAN] = "push_vlan",
    [XDP_OP_POP_VLAN] = "pop_vlan",
    [XDP_OP_SET_IPV4_SRC] = "ipv4_src",
    [XDP_OP_SET_IPV4_DST] = "ipv4_dst",
    [XDP_OP_SET_IPV4_TOS] = "ipv4_tos",
    [XDP_OP_SET_IPV4_TTL] = "ipv4_ttl",
    [XDP_OP_SET_IPV6_SRC] = "ipv6_src",
    [XDP_OP_SET_IPV6_DST] = "ipv6_dst",
    [XDP_OP_SET_IPV6_TCLASS] = "ipv6_tclass",
    [XDP_OP_SET_IPV6_HLIMIT] = "ipv6_hlimit",
    [XDP_OP_SET_IPV6_LABEL] = "ipv6_label",
    [XDP_OP_SET_TP_SRC] = "tp_src",
    [XDP_OP_SET_TP_DST] = "tp_dst",
    [XDP_OP_SET_MARK] = "mark",
    [XDP_OP_SET_PRIORITY] = "priority",
    [XDP_OP_HASH] = "hash",
    [XDP_OP_RECIRC] = "recirc",
    [XDP_OP_USERSPACE] = "userspace",
    [XDP_OP_GROUP] = "group",
    [XDP_OP_USERSPACE_COPY] = "userspace_copy",
};
BUILD_ASSERT_DECL(ARRAY_SIZE(op_names) == XDP_OP_N);

/* Each op as name:arg:data, in hexadecimal, without zeros at the end. */
static char *
format_ops(const struct xdp_op *ops, size_t n)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < n; i++) {
        const struct xdp_op *op = &ops[i];
        int len = sizeof op->data;

        assert_in_range(op->type, 0, XDP_OP_N - 1);
        ds_put_format(&s, "%s%s:%"PRIx32, i ? " " : "", op_names[op->type],
                      op->arg);
        while (len && !op->data[len - 1]) {
            len--;
        }
        if (len) {
            ds_put_char(&s, ':');
        }
        for (int j = 0; j < len; j++) {
            ds_put_format(&s, "%02x", op->data[j]);
        }
    }
    return ds_steal_cstr(&s);
}

static void
parse(const char *s, struct ofpbuf *actions)
{
    ofpbuf_init(actions, 256);
    if (odp_actions_from_string(s, NULL, actions)) {
        fail_msg("Open vSwitch does not understand: %s", s);
    }
}

/* Compiled, and back: 'back' is what 'actions' become, NULL if ops cannot say
 * what they did. */
struct row {
    const char *actions;
    const char *ops;
    const char *back;
};

static const struct row rows[] = {
    { "", "", "drop" },
    { "drop", "end:0", "drop" },
    { "3", "output:3", "3" },
    { "recirc(23)", "recirc:17", "recirc(0x17)" },
    { "set(eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02)),3",
      "eth_src:3f:020000000001 eth_dst:3f:020000000002 output:3",
      "set(eth(src=02:00:00:00:00:01)),set(eth(dst=02:00:00:00:00:02)),3" },
    { "set(eth(dst=02:00:00:00:00:02/ff:ff:ff:00:00:ff)),3",
      "eth_dst:27:020000000002 output:3",
      "set(eth(dst=02:00:00:00:00:02/ff:ff:ff:00:00:ff)),3" },
    { "set(eth(dst=02:00:00:00:00:02/ff:ff:ff:00:00:f0)),3",
      "userspace:0",
      NULL },
    { "push_vlan(vid=5,pcp=1),3",
      "push_vlan:0:81003005 output:3",
      "push_vlan(vid=5,pcp=1),3" },
    { "push_vlan(tpid=0x88a8,vid=4095,pcp=7,cfi=0),3",
      "push_vlan:0:88a8efff output:3",
      "push_vlan(tpid=0x88a8,vid=4095,pcp=7,cfi=0),3" },
    { "pop_vlan,3", "pop_vlan:0 output:3", "pop_vlan,3" },
    { "set(ipv4(src=1.2.3.4,dst=5.6.7.8,tos=0x10,ttl=64)),3",
      "ipv4_src:0:01020304ffffffff ipv4_dst:0:05060708ffffffff "
      "ipv4_tos:0:10ff ipv4_ttl:0:40ff output:3",
      "set(ipv4(src=1.2.3.4)),set(ipv4(dst=5.6.7.8)),set(ipv4(tos=0x10)),"
      "set(ipv4(ttl=64)),3" },
    { "set(ipv4(src=10.1.2.3/255.255.0.0)),3",
      "ipv4_src:0:0a010203ffff output:3",
      "set(ipv4(src=10.1.2.3/255.255.0.0)),3" },
    { "set(ipv4(tos=0x4/0xfc)),3",
      "ipv4_tos:0:04fc output:3",
      "set(ipv4(tos=0x4/0xfc)),3" },
    { "set(ipv6(src=2001:db8::1,dst=2001:db8::2)),3",
      "ipv6_src:0:20010db8ffffffff ipv6_dst:0:20010db8ffffffff "
      "ipv6_src:1:00000000ffffffff ipv6_dst:1:00000000ffffffff "
      "ipv6_src:2:00000000ffffffff ipv6_dst:2:00000000ffffffff "
      "ipv6_src:3:00000001ffffffff ipv6_dst:3:00000002ffffffff output:3",
      "set(ipv6(src=2001:db8::/ffff:ffff::)),"
      "set(ipv6(dst=2001:db8::/ffff:ffff::)),"
      "set(ipv6(src=::/0:0:ffff:ffff::)),set(ipv6(dst=::/0:0:ffff:ffff::)),"
      "set(ipv6(src=::/::ffff:ffff:0:0)),set(ipv6(dst=::/::ffff:ffff:0:0)),"
      "set(ipv6(src=::1/::255.255.255.255)),"
      "set(ipv6(dst=::2/::255.255.255.255)),3" },
    { "set(ipv6(dst=::1/::ffff)),3",
      "ipv6_dst:3:000000010000ffff output:3",
      "set(ipv6(dst=::1/::ffff)),3" },
    { "set(ipv6(label=0x12345,tclass=0x70,hlimit=128)),3",
      "ipv6_tclass:0:70ff ipv6_hlimit:0:80ff ipv6_label:0:00012345000fffff "
      "output:3",
      "set(ipv6(tclass=0x70)),set(ipv6(hlimit=128)),"
      "set(ipv6(label=0x12345)),3" },
    { "set(tcp(src=80,dst=8080)),3",
      "tp_src:0:0050ffff tp_dst:0:1f90ffff output:3",
      "set(tcp(src=80)),set(tcp(dst=8080)),3" },
    { "set(tcp(dst=0x1f00/0xff00)),3",
      "tp_dst:0:1f00ff output:3",
      "set(tcp(dst=7936/0xff00)),3" },
    { "set(udp(src=53)),3",
      "tp_src:0:0035ffff output:3",
      "set(udp(src=53)),3" },
    { "set(udp(dst=0x1f00/0xff00)),3",
      "tp_dst:0:1f00ff output:3",
      "set(udp(dst=7936/0xff00)),3" },
    { "set(skb_mark(0x12345678)),3",
      "mark:12345678:ffffffff output:3",
      "set(skb_mark(0x12345678)),3" },
    { "set(skb_mark(0x1/0xff)),3",
      "mark:1:ff output:3",
      "set(skb_mark(0x1/0xff)),3" },
    { "set(skb_priority(0x10001)),3",
      "priority:10001:ffffffff output:3",
      "set(skb_priority(0x10001)),3" },
    { "pop_vlan,set(ipv4(ttl=1)),push_vlan(vid=7,pcp=0),recirc(2)",
      "pop_vlan:0 ipv4_ttl:0:01ff push_vlan:0:81001007 recirc:2",
      "pop_vlan,set(ipv4(ttl=1)),push_vlan(vid=7,pcp=0),recirc(0x2)" },

    /* What BPF does not do: from there on it is userspace's. */
    { "userspace(pid=0)", "userspace:0", NULL },
    { "pop_vlan,set(ipv4(ttl=1)),userspace(pid=0)",
      "pop_vlan:0 ipv4_ttl:0:01ff userspace:2",
      NULL },
    { "trunc(100),3", "userspace:0", NULL },
    { "pop_vlan,pop_nsh(),3", "pop_vlan:0 userspace:1", NULL },
    { "set(sctp(src=1)),3", "userspace:0", NULL },
    { "set(arp(sip=1.2.3.4)),3", "userspace:0", NULL },
    { "set(ipv4(src=1.2.3.4,proto=6)),3", "userspace:0", NULL },
    { "sample(sample=50.0%,actions(userspace(pid=0))),3",
      "userspace:0",
      NULL },
    { "check_pkt_len(size=200,gt(3),le(4))", "userspace:0", NULL },
};

static void
check_row(const struct ofpbuf *actions, bool copies, const char *ops_,
          const char *back_)
{
    struct xdp_op ops[XDP_FLOW_MAX_OPS], ops2[XDP_FLOW_MAX_OPS];
    struct ds s = DS_EMPTY_INITIALIZER;
    /* The protocol that the flow of such actions matches. */
    uint8_t nw_proto = (back_ && strstr(back_, "udp") ? IPPROTO_UDP
                        : IPPROTO_TCP);
    size_t n_ops, n_ops2;
    struct ofpbuf back;
    char *text;

    assert_int_equal(compile_actions(actions->data, actions->size, copies, ops,
                                     &n_ops), 0);
    text = format_ops(ops, n_ops);
    assert_string_equal(text, ops_);
    free(text);

    ofpbuf_init(&back, 256);
    assert_int_equal(decompile_actions(ops, n_ops, nw_proto, &back),
                     back_ != NULL);
    if (back_) {
        format_odp_actions(&s, back.data, back.size, NULL);
        assert_string_equal(ds_cstr(&s), back_);

        /* What comes back does the same. */
        assert_int_equal(compile_actions(back.data, back.size, copies, ops2,
                                         &n_ops2), 0);
        assert_int_equal(n_ops2, n_ops);
        assert_memory_equal(ops2, ops, n_ops * sizeof *ops);
    }
    ds_destroy(&s);
    ofpbuf_uninit(&back);
}

static void
test_rows(void **state OVS_UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct ofpbuf actions;

        parse(rows[i].actions, &actions);
        check_row(&actions, false, rows[i].ops, rows[i].back);
        check_row(&actions, true, rows[i].ops, rows[i].back);
        ofpbuf_uninit(&actions);
    }
}

/* Where the datapath can send copies. */
static void
test_copies(void **state OVS_UNUSED)
{
    static const struct row copy_rows[] = {
        { "1,2", "group:0 output_copy:1 output:2", "1,2" },
        { "1,push_vlan(vid=5,pcp=0),2,pop_vlan,3",
          "group:0 output_copy:1 push_vlan:0:81001005 output_copy:2 "
          "pop_vlan:0 output:3",
          "1,push_vlan(vid=5,pcp=0),2,pop_vlan,3" },
        { "1,pop_vlan,userspace(pid=0)",
          "group:0 output_copy:1 pop_vlan:0 userspace_copy:2", NULL },
        { "userspace(pid=0),1", "group:0 userspace_copy:0 output:1", NULL },
        /* All or nothing. */
        { "1,1", "userspace:0", NULL },
        { "1,trunc(100),2", "userspace:0", NULL },
        { "pop_vlan,1,recirc(3)", "pop_vlan:0 userspace:1", NULL },
    };

    for (size_t i = 0; i < ARRAY_SIZE(copy_rows); i++) {
        struct ofpbuf actions;

        parse(copy_rows[i].actions, &actions);
        check_row(&actions, true, copy_rows[i].ops, copy_rows[i].back);
        ofpbuf_uninit(&actions);
    }
}

/* What Open vSwitch's notation has no way to say. */

static void
test_hash(void **state OVS_UNUSED)
{
    struct ovs_action_hash hash = { OVS_HASH_ALG_L4, 5 };
    struct ofpbuf actions;

    ofpbuf_init(&actions, 64);
    nl_msg_put_unspec(&actions, OVS_ACTION_ATTR_HASH, &hash, sizeof hash);
    nl_msg_put_u32(&actions, OVS_ACTION_ATTR_RECIRC, 1);
    check_row(&actions, false, "hash:5 recirc:1", "hash(l4(5)),recirc(0x1)");

    ofpbuf_clear(&actions);
    hash.hash_alg = OVS_HASH_ALG_SYM_L4;
    nl_msg_put_unspec(&actions, OVS_ACTION_ATTR_HASH, &hash, sizeof hash);
    nl_msg_put_u32(&actions, OVS_ACTION_ATTR_RECIRC, 1);
    check_row(&actions, false, "userspace:0", NULL);
    ofpbuf_uninit(&actions);
}

/* OVS_ACTION_ATTR_DROP with a reason, which userspace gets back, behind
 * 'before' and in front of 'after'. */
static void
check_drop(const char *before, const char *after, const char *ops,
           const char *back)
{
    struct ofpbuf actions, more;

    parse(before, &actions);
    parse(after, &more);
    nl_msg_put_u32(&actions, OVS_ACTION_ATTR_DROP, 7);
    ofpbuf_put(&actions, more.data, more.size);
    check_row(&actions, false, ops, back);
    check_row(&actions, true, ops, back);
    ofpbuf_uninit(&actions);
    ofpbuf_uninit(&more);
}

static void
test_drop(void **state OVS_UNUSED)
{
    check_drop("", "", "end:7", "drop");
    check_drop("pop_vlan", "", "pop_vlan:0 end:7", "pop_vlan,drop");
    /* What is behind it does not run. */
    check_drop("", "3", "end:7", "drop");
    check_drop("", "1,2", "end:7", "drop");
    check_drop("", "userspace(pid=0)", "end:7", "drop");
    /* It does not count what left. */
    check_drop("1,2", "", "userspace:0", NULL);
}

static void
put_set(struct ofpbuf *actions, uint16_t type, const void *key, size_t size)
{
    size_t ofs = nl_msg_start_nested(actions, OVS_ACTION_ATTR_SET);

    nl_msg_put_unspec(actions, type, key, size);
    nl_msg_end_nested(actions, ofs);
}

/* A set without a mask sets all that can be set. */
static void
test_set_unmasked(void **state OVS_UNUSED)
{
    struct ovs_key_ipv4 ipv4 = { .ipv4_src = htonl(0x01020304), .ipv4_ttl = 5,
                                 .ipv4_proto = 6 };
    struct ovs_key_ipv6 ipv6 = { .ipv6_label = htonl(1), .ipv6_hlimit = 6 };
    struct ovs_key_udp udp = { htons(1), htons(2) };
    struct ofpbuf actions;

    ofpbuf_init(&actions, 256);
    put_set(&actions, OVS_KEY_ATTR_IPV4, &ipv4, sizeof ipv4);
    check_row(&actions, false, "ipv4_src:0:01020304ffffffff "
              "ipv4_dst:0:00000000ffffffff ipv4_tos:0:00ff ipv4_ttl:0:05ff",
              "set(ipv4(src=1.2.3.4)),set(ipv4(dst=0.0.0.0)),"
              "set(ipv4(tos=0)),set(ipv4(ttl=5))");

    ofpbuf_clear(&actions);
    put_set(&actions, OVS_KEY_ATTR_IPV6, &ipv6, sizeof ipv6);
    put_set(&actions, OVS_KEY_ATTR_UDP, &udp, sizeof udp);
    check_row(&actions, false, "ipv6_src:0:00000000ffffffff "
              "ipv6_dst:0:00000000ffffffff ipv6_src:1:00000000ffffffff "
              "ipv6_dst:1:00000000ffffffff ipv6_src:2:00000000ffffffff "
              "ipv6_dst:2:00000000ffffffff ipv6_src:3:00000000ffffffff "
              "ipv6_dst:3:00000000ffffffff ipv6_tclass:0:00ff "
              "ipv6_hlimit:0:06ff ipv6_label:0:00000001000fffff "
              "tp_src:0:0001ffff tp_dst:0:0002ffff",
              "set(ipv6(src=::/ffff:ffff::)),set(ipv6(dst=::/ffff:ffff::)),"
              "set(ipv6(src=::/0:0:ffff:ffff::)),"
              "set(ipv6(dst=::/0:0:ffff:ffff::)),"
              "set(ipv6(src=::/::ffff:ffff:0:0)),"
              "set(ipv6(dst=::/::ffff:ffff:0:0)),"
              "set(ipv6(src=::/::255.255.255.255)),"
              "set(ipv6(dst=::/::255.255.255.255)),set(ipv6(tclass=0)),"
              "set(ipv6(hlimit=6)),set(ipv6(label=0x1)),set(udp(src=1)),"
              "set(udp(dst=2))");
    ofpbuf_uninit(&actions);
}

/* What neither side can run. */
static void
test_refused(void **state OVS_UNUSED)
{
    static const char *const refused[] = {
        "ct",
        "ct(commit,zone=1),3",
        "pop_vlan,ct(commit,nat),recirc(1)",
        "meter(1),3",
        "lb_output(1)",
        "tnl_pop(4)",
        "tnl_push(tnl_port(4),header(size=50,type=4,"
            "eth(dst=02:00:00:00:00:02,src=02:00:00:00:00:01,dl_type=0x0800),"
            "ipv4(src=1.1.1.1,dst=1.1.1.2,proto=17,tos=0,ttl=64,frag=0x4000),"
            "udp(src=0,dst=4789,csum=0x0),vxlan(flags=0x8000000,vni=0x7b)),"
            "out_port(1))",
        "set(tunnel(tun_id=0x1,dst=1.1.1.2,ttl=64,flags(df|key))),3",
        "set(nd_ext(nd_reserved=0x1,nd_options_type=1)),3",
        "clone(ct,3),4",
        "sample(sample=50.0%,actions(meter(1),3))",
        "clone(clone(lb_output(1)))",
        "check_pkt_len(size=200,gt(ct,3),le(4))",
        "check_pkt_len(size=200,gt(3),le(meter(1),4))",
        "pop_vlan,check_pkt_len(size=200,gt(3),"
            "le(check_pkt_len(size=100,gt(clone(lb_output(1))),le(4))))",
    };
    struct { struct nlattr nla; } unknown = {
        { .nla_len = NLA_HDRLEN, .nla_type = OVS_ACTION_ATTR_MAX + 1 },
    };
    struct xdp_op ops[XDP_FLOW_MAX_OPS];
    size_t n_ops;

    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        struct ofpbuf actions;
        int error;

        parse(refused[i], &actions);
        error = compile_actions(actions.data, actions.size, true, ops, &n_ops);
        if (error != EOPNOTSUPP) {
            fail_msg("%s: not refused (%d)", refused[i], error);
        }
        ofpbuf_uninit(&actions);
    }
    assert_int_equal(compile_actions(&unknown.nla, sizeof unknown, true, ops,
                                     &n_ops), EOPNOTSUPP);
}

/* 'n' times 'action', then 'last': 'n_ops' ops come out, whose last is 'type'
 * with 'arg'. */
static void
check_long(const char *action, size_t n, const char *last, size_t n_ops_,
           enum xdp_op_type type, uint32_t arg)
{
    struct xdp_op ops[XDP_FLOW_MAX_OPS + 1];
    struct ds s = DS_EMPTY_INITIALIZER;
    struct ofpbuf actions;
    size_t n_ops;

    for (size_t i = 0; i < n; i++) {
        ds_put_format(&s, "%s,", action);
    }
    ds_put_cstr(&s, last);
    memset(ops, 0xee, sizeof ops);
    parse(ds_cstr(&s), &actions);
    assert_int_equal(compile_actions(actions.data, actions.size, true, ops,
                                     &n_ops), 0);
    assert_int_equal(n_ops, n_ops_);
    assert_int_equal(ops[n_ops - 1].type, type);
    assert_int_equal(ops[n_ops - 1].arg, arg);
    assert_int_equal(ops[XDP_FLOW_MAX_OPS].type, 0xee);
    ofpbuf_uninit(&actions);
    ds_destroy(&s);
}

/* An action that has no room is left to userspace as a whole. */
static void
test_long(void **state OVS_UNUSED)
{
    const char *four = "set(ipv6(src=1:2:3:4:5:6:7:8))";

    check_long("pop_vlan", 30, "3", 31, XDP_OP_OUTPUT, 3);
    check_long("pop_vlan", 31, "3", 32, XDP_OP_USERSPACE, 31);
    check_long("pop_vlan", 32, "3", 32, XDP_OP_USERSPACE, 31);
    check_long("pop_vlan", 100, "3", 32, XDP_OP_USERSPACE, 31);
    check_long("pop_vlan", 31, "userspace(pid=0)", 32, XDP_OP_USERSPACE, 31);
    check_long("pop_vlan", 27, four, 31, XDP_OP_SET_IPV6_SRC, 3);
    check_long("pop_vlan", 28, four, 29, XDP_OP_USERSPACE, 28);
    check_long("pop_vlan", 31, four, 32, XDP_OP_USERSPACE, 31);
    check_long(four, 7, "pop_vlan,3", 30, XDP_OP_OUTPUT, 3);
    check_long(four, 8, "3", 29, XDP_OP_USERSPACE, 7);
}

/* Ops that no process of ours wrote. */
static void
test_unknown_ops(void **state OVS_UNUSED)
{
    struct xdp_op op = { .type = XDP_OP_N };
    struct ofpbuf actions;

    ofpbuf_init(&actions, 64);
    assert_false(decompile_actions(&op, 1, 0, &actions));
    ofpbuf_uninit(&actions);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_set_unmasked),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_unknown_ops),
    };

    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    return cmocka_run_group_tests_name("actions", tests, NULL, NULL);
}
