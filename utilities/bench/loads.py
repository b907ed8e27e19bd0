# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The ovs-xdp authors.
"""What is done to the subjects.  A load is an entry of LOADS; it returns
{metric: value} for a subject, or raises Skip.  The first metric of a load is what
its table and the ratios are about."""

import json
import os
import random
import subprocess
import time

from subjects import Skip, run

STRIDE = 2654435761     # Far from one 5-tuple to the next: no help to caches.


# ---- OpenFlow tables -------------------------------------------------------------

def table_normal():
    return ['actions=NORMAL']


def table_rules():
    """1,000 rules under 10 masks, each met by one of 1,000 destinations."""
    for i in range(1000):
        address = (10 << 24 | 64 << 16) + i * 512
        text = '.'.join(str(address >> shift & 255) for shift in (24, 16, 8, 0))
        yield f'priority=100,ip,nw_dst={text}/{23 + i % 10},actions=output:2'
    yield 'priority=0,actions=NORMAL'


def table_exact():
    """Reads every field of the 5-tuple: each gets a megaflow of its own."""
    yield ('priority=10,udp,in_port=1,actions=move:NXM_OF_IP_SRC[]->NXM_NX_REG0[],'
           'move:NXM_OF_IP_DST[]->NXM_NX_REG1[],'
           'move:NXM_OF_UDP_SRC[]->NXM_NX_REG2[0..15],'
           'move:NXM_OF_UDP_DST[]->NXM_NX_REG3[0..15],output:2')
    yield 'priority=0,actions=NORMAL'


def table_masks(n):
    """Gives packets to destination port 2000 + i the i-th of n masks: only the
    rule with the right register unwildcards addresses."""
    for i in range(n):
        src = f'10.1.0.0/{1 + i % 15}'
        dst = f'10.64.0.0/{1 + i // 15 % 32}'
        ttl = ['', ',nw_ttl=64', ',nw_tos=0'][i // 480]
        yield (f'priority=10,udp,in_port=1,tp_dst={2000 + i},'
               f'actions=load:{i}->NXM_NX_REG0[],resubmit(,1)')
        yield (f'table=1,priority=10,reg0={i},ip,nw_src={src},nw_dst={dst}{ttl},'
               'actions=output:2')
    yield 'priority=0,actions=NORMAL'


ATTACK_MASKS = 8000


def table_attack():
    """Port 3's packets make that many masks, as table_masks() does for port 1."""
    for i in range(ATTACK_MASKS):
        src = f'10.1.0.{i >> 10}/{1 + i % 32}'
        dst = f'10.64.0.0/{1 + i // 32 % 32}'
        more = ''.join(field for bit, field in
                       enumerate((',nw_ttl=64', ',nw_tos=0', ',nw_ecn=0'))
                       if i // 1024 >> bit & 1)
        yield (f'priority=10,udp,in_port=3,tp_dst={2000 + i},'
               f'actions=load:{i}->NXM_NX_REG0[],resubmit(,1)')
        yield (f'table=1,priority=10,reg0={i},ip,nw_src={src},nw_dst={dst}{more},'
               'actions=drop')
    yield 'priority=0,actions=NORMAL'


def table_outputs(n):
    ports = ','.join(str(i + 2) for i in range(n))
    return [f'priority=10,udp,in_port=1,actions={ports}',
            'priority=0,actions=NORMAL']


TABLES = {'normal': table_normal, 'rules': table_rules, 'exact': table_exact,
          'attack': table_attack}
for count in (1, 10, 100, 1000):
    TABLES[f'masks-{count}'] = lambda count=count: table_masks(count)
for count in (2, 4, 16):
    TABLES[f'outputs-{count}'] = lambda count=count: table_outputs(count)


# ---- Loads -----------------------------------------------------------------------

class Load:
    group = ''
    unit = ''
    scale = 1.0             # From metric to what tables show.
    reference = None        # Load of the reference subject to compare with.
    higher_is_better = True
    outputs = 1             # Ports that receive.

    def __init__(self, name, title):
        self.name = name
        self.title = title
        if not self.reference:
            self.reference = name

    def measure(self, subject, bench):
        raise NotImplementedError


class Udp(Load):
    """As many frames of 64 bytes as the generator can send."""
    unit = 'Mpps'
    scale = 1e-6
    LAP = 50000             # Packets per second while flows are set up.
    LIMIT = 10              # Seconds for that.
    TRIES = 2               # If something else uses the generator's CPU; the least
                            # disturbed one counts.

    def __init__(self, name, title, group, flows=1, table='normal', n_dst=1,
                 n_dport=1, megaflows=0, cpus=1, outputs=1, reference=None):
        self.group = group
        self.reference = reference
        super().__init__(name, title)
        self.tuples = {'flows': flows, 'n_dst': n_dst, 'n_dport': n_dport}
        self.table = table
        self.megaflows = megaflows
        self.cpus = cpus
        self.outputs = outputs

    def measure(self, subject, bench):
        if self.cpus > bench.n_cpus:
            raise Skip(f'{bench.n_cpus} CPUs')
        memory = None
        if subject.openflow:
            subject.set_table(self.table)
            if self.megaflows:
                if bench.round == 1:
                    memory = subject.memory()
                self.set_up(subject)
        elif self.table not in ('normal', f'outputs-{self.outputs}'):
            raise Skip('no OpenFlow')
        result = {}
        for _ in range(self.TRIES):
            again = subject.udp(
                **self.tuples, stride=STRIDE, warm=bench.warm, time=bench.seconds,
                cpus=','.join(str(i) for i in range(self.cpus)),
                broadcast=int(self.outputs > 1))
            if again['share'] > result.get('share', 0):
                result = again
            if result['share'] > 0.97:
                break
        return self.results(subject, result, memory)

    def set_up(self, subject):
        """Sends each 5-tuple until (nearly) all have their megaflow.  Open vSwitch
        starts with a limit of 10,000 and raises it slowly: do it for it."""
        packets = min(self.tuples['flows'], self.megaflows)
        end = time.monotonic() + self.LIMIT
        subject.appctl('upcall/set-flow-limit', 250000)
        while time.monotonic() < end:
            subject.udp(**self.tuples, stride=1, rate=self.LAP, warm=0, time=5,
                        count=packets)
            if subject.n_flows() >= self.megaflows * 0.99:
                return

    def results(self, subject, result, memory):
        values = {'pps': result['received'] / result['seconds'],
                  'offered_pps': result['sent'] / result['seconds'],
                  'busy_cpus': result['busy_cpus'], 'share': result['share']}
        if subject.openflow:
            values['megaflows'] = subject.n_flows()
            values['flow_limit'] = subject.flow_limit()
            if memory and values['megaflows'] > 10000:
                heap, maps = subject.memory()
                values['heap_bytes_per_flow'] = ((heap - memory[0])
                                                 / values['megaflows'])
                values['map_bytes'] = maps
        return values


class Attack(Udp):
    """What is left of one port's throughput once another port has made Open vSwitch
    install thousands of masks.  The victim's source changes its port, so that no
    cache of single packets helps."""
    unit = 'of before'
    scale = 1
    outputs = 2             # Port 3, where the attacker is.

    def __init__(self, name, title):
        super().__init__(name, title, 'Masks', flows=1000)
        self.outputs = 2

    def measure(self, subject, bench):
        if not subject.openflow:
            raise Skip('no OpenFlow')
        subject.set_table('normal')
        subject.forget_flows()
        victim = dict(self.tuples, stride=STRIDE, warm=bench.warm, time=bench.seconds,
                      cpus='0')
        before = subject.udp(**victim)
        subject.set_table('attack')
        subject.appctl('upcall/set-flow-limit', 250000)
        end = time.monotonic() + self.LIMIT
        while subject.n_flows() < ATTACK_MASKS and time.monotonic() < end:
            subject.udp(source=f'{subject.dst}:eth1', flows=ATTACK_MASKS, n_dst=1,
                        n_dport=ATTACK_MASKS, stride=1, rate=5000, warm=0, time=5,
                        count=ATTACK_MASKS)
        after = subject.udp(**victim)
        rates = [r['received'] / r['seconds'] for r in (before, after)]
        return {'ratio': rates[1] / rates[0], 'before_pps': rates[0],
                'after_pps': rates[1], 'megaflows': subject.n_flows(),
                'masks': subject.n_masks()}


class Tcp(Load):
    """iperf3; offloads at the ends as said."""
    group = 'TCP streams'
    unit = 'Gbit/s'

    def __init__(self, name, title, streams, offloads):
        super().__init__(name, title)
        self.streams = streams
        self.offloads = offloads

    def measure(self, subject, bench):
        if self.offloads and not subject.offloads:
            raise Skip('offloads are lost')
        subject.set_table('normal')
        subject.set_offloads(self.offloads)
        if not subject.merged:
            subject.set_port_gro(False)
        server = subject.spawn('taskset', '-c', min(2, bench.n_cpus - 1), 'iperf3',
                               '-s', '-1', namespace=subject.dst,
                               stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                if ':5201' in subject.at(subject.dst, 'ss', '-ltn'):
                    break
                time.sleep(0.02)
            output = subject.at(subject.src, 'taskset', '-c', 0, 'iperf3', '-J',
                                '-c', '10.0.0.2', '-P', self.streams, '-O', '0.3',
                                '-t', max(1, round(bench.seconds)))
        finally:
            subject.end(server)
            subject.set_offloads(False)
            if not subject.merged:
                subject.set_port_gro(True)
        received = json.loads(output)['end']['sum_received']
        return {'gbit_per_second': received['bits_per_second'] / 1e9}


class Connections(Load):
    group = 'TCP connections'
    unit = '1,000/s'
    scale = 1e-3

    def measure(self, subject, bench):
        subject.set_table('normal')
        result = subject.traffic('crr', '--from', subject.src,
                                 '--to', f'{subject.dst}:10.0.0.2',
                                 '--warm', bench.warm, '--time', bench.seconds)
        return {'connections_per_second': result['per_second'],
                'failed': result['failed']}


class PingPong(Load):
    group = 'Latency'
    unit = 'us'
    higher_is_better = False

    def measure(self, subject, bench):
        subject.set_table('normal')
        result = subject.traffic('rr', '--from', subject.src,
                                 '--to', f'{subject.dst}:10.0.0.2',
                                 '--warm', bench.warm, '--time', bench.seconds,
                                 '--cpus', f'0,{min(2, bench.n_cpus - 1)}')
        return {'p50_us': result['p50_us'], 'p99_us': result['p99_us'],
                'lost': result['failed']}


class SetUp(Load):
    """Every packet is the first of its flow: how many get through, at the best of
    several offered rates."""
    group = 'Flow set-up'
    unit = '1,000/s'
    scale = 1e-3
    RATES = (10000, 30000, 100000, 300000)

    def measure(self, subject, bench):
        subject.set_table('exact')
        subject.appctl('upcall/set-flow-limit', 250000)
        best = {}
        for rate in self.RATES:
            subject.forget_flows()
            result = subject.udp(flows=1 << 24, first=random.randrange(1 << 24),
                                 rate=rate, warm=0.1, time=bench.seconds / 2)
            if not best or result['pps'] > best['flows_per_second']:
                best = {'flows_per_second': result['pps'], 'offered_pps': rate}
        return best


class Miss(Load):
    """What the first packet of a flow waits for, at 1,000 new flows a second."""
    group = 'Latency'
    unit = 'us'
    higher_is_better = False

    def measure(self, subject, bench):
        subject.set_table('exact')
        subject.forget_flows()
        result = subject.udp(flows=1 << 24, first=random.randrange(1 << 24),
                             rate=1000, warm=0.1, time=bench.seconds, latency=1,
                             batch=1)
        return {'p50_us': result['p50_us'], 'p99_us': result['p99_us'],
                'lost': result['sent'] - result['received']}


class Idle(Load):
    """CPU time of the daemon with 100 more ports and no traffic."""
    group = 'Idle'
    unit = '% of a CPU'
    higher_is_better = False
    PORTS = 100
    WINDOW = 5              # Seconds.

    def measure(self, subject, bench):
        if not subject.openflow:
            raise Skip('no daemon')
        subject.set_table('normal')
        ports = self.PORTS if subject.many_ports else 0
        names = [f'i{i}' for i in range(ports)]
        batch = os.path.join(bench.run_dir, 'links')
        with open(batch, 'w', encoding='ascii') as file:
            for name in names:
                file.write(f'link add {name} type veth peer name {name}b\n'
                           f'link set {name} up\nlink set {name}b up\n')
        if names:
            subject.at(subject.sw, 'ip', '-batch', batch)
        add, remove = [], []
        for name in names:
            add += ['--', 'add-port', 'br0', name]
            remove += ['--', 'del-port', 'br0', name]
        if add:
            subject.vsctl(*add)
        try:
            time.sleep(1)
            used, start = subject.cpu_seconds(), time.monotonic()
            time.sleep(self.WINDOW)
            used = subject.cpu_seconds() - used
            return {'percent': 100 * used / (time.monotonic() - start),
                    'ports': ports + 2}
        finally:
            if remove:
                subject.vsctl(*remove)
            for name in names:
                run('nsenter', f'--net=/run/netns/{subject.sw}', 'ip', 'link', 'del',
                    name)


def name_of(n):
    return f'{n // 1000000}M' if n >= 1000000 else (
        f'{n // 1000}k' if n >= 1000 else str(n))


def loads(bench):
    """The table of loads."""
    table = []
    counts = (1, 1000, 100000, 1000000)
    for n in counts:
        table.append(Udp(f'udp-{name_of(n)}', f'{n:,} 5-tuples, NORMAL',
                         'UDP, 64 bytes', flows=n))
    for n in counts:
        table.append(Udp(f'rules-{name_of(n)}',
                         f'{n:,} 5-tuples, 1,000 rules, 10 masks',
                         'UDP, 64 bytes', flows=n, table='rules', n_dst=1000,
                         megaflows=min(n, 1000), reference=f'udp-{name_of(n)}'))
    table.append(Udp('exact-100k', '100,000 exact-match megaflows',
                     'UDP, 64 bytes', flows=100000, table='exact',
                     megaflows=100000, reference='udp-100k'))
    for n in (1, 10, 100, 1000):
        table.append(Udp(f'masks-{name_of(n)}', f'100,000 5-tuples, {n:,} masks',
                         'Masks', flows=100000, table=f'masks-{n}', n_dport=n,
                         megaflows=n, reference='udp-100k'))
    table.append(Attack('attack', f'another port has made {ATTACK_MASKS:,} masks'))
    for n in (2, 4, 16):
        table.append(Udp(f'outputs-{n}', f'1 5-tuple to {n} ports (copies)',
                         'Several outputs', table=f'outputs-{n}', outputs=n))
    for n in range(2, bench.n_cpus + 1):
        table.append(Udp(f'cpus-{n}', f'100,000 5-tuples, NORMAL, {n} CPUs',
                         'CPUs', flows=100000, cpus=n))
    table += [
        Tcp('tcp-1', '1 stream, offloads off', 1, False),
        Tcp('tcp-4', '4 streams, offloads off', 4, False),
        Tcp('tcp-1-offloads', '1 stream, offloads on', 1, True),
        Tcp('tcp-4-offloads', '4 streams, offloads on', 4, True),
        Connections('connections', 'connect, request, close: 32 at once'),
        PingPong('ping-pong', 'UDP request and response'),
        Miss('miss', 'first packet of a flow'),
        SetUp('set-up', 'new flows'),
        Idle('idle', '102 ports (2 with AF_XDP), no traffic'),
    ]
    return table


QUICK = ('udp-1', 'udp-100k', 'rules-100k', 'exact-100k', 'masks-100', 'tcp-1',
         'connections', 'ping-pong', 'miss', 'set-up')
