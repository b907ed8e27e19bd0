# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The ovs-xdp authors.
"""What is measured: forwarders between a source and a destination namespace.

A subject is an entry of SUBJECTS.  Each has three network namespaces of its own:

    <name>-src                <name>-sw                    <name>-dst
    eth0 10.0.0.1 ------- p1  forwarder  p2 ------- eth0 10.0.0.2
                                         p3...p17 - eth1...eth15

all veth; p3 and so on are given to the forwarder only while a load needs them.
"""

import os
import re
import signal
import subprocess
import time

MAX_OUTPUTS = 16
SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema'


class Skip(Exception):
    """This subject cannot do this load; the reason."""


def run(*command, **options):
    """Runs a command; its output, or an error that has it."""
    done = subprocess.run([str(word) for word in command], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=90, **options)
    if done.returncode:
        raise RuntimeError(f'{" ".join(str(w) for w in command)}: '
                           f'{done.stdout.strip()[-800:]}')
    return done.stdout


class Subject:
    """The namespaces; a derived class adds the forwarder."""
    openflow = False        # Has OpenFlow tables.
    offloads = True         # Forwards frames with offloads that are due.
    merged = True           # Forwards frames that GRO has merged.
    many_ports = True       # 100 ports are no problem.

    def __init__(self, bench, name, title):
        self.bench = bench
        self.name = name
        self.title = title
        self.src, self.sw, self.dst = (f'{name}-{end}'
                                       for end in ('src', 'sw', 'dst'))
        self.outputs = 1
        self.processes = []

    def at(self, namespace, *command, **options):
        return run('nsenter', f'--net=/run/netns/{namespace}', *command, **options)

    def spawn(self, *command, namespace=None, **options):
        """Starts a process that ends with the subject."""
        command = [str(word) for word in command]
        if namespace:
            command = ['nsenter', f'--net=/run/netns/{namespace}'] + command
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
        self.processes.append(process)
        return process

    def end(self, process):
        self.processes.remove(process)
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def start(self):
        for namespace in (self.src, self.sw, self.dst):
            run('ip', 'netns', 'add', namespace)
            self.at(namespace, 'ip', 'link', 'set', 'lo', 'up')
        self.add_links()
        self.at(self.src, 'ip', 'address', 'add', '10.0.0.1/24', 'dev', 'eth0')
        self.at(self.dst, 'ip', 'address', 'add', '10.0.0.2/24', 'dev', 'eth0')
        self.start_switch()
        self.at(self.src, 'ping', '-q', '-c', 3, '-i', '0.2', '-w', 10, '10.0.0.2')

    def add_links(self):
        for namespace in (self.src, self.sw, self.dst):
            self.at(namespace, 'sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1',
                    'net.ipv6.conf.default.disable_ipv6=1')
        ends = [('p1', self.src, 'eth0')]
        ends += [(f'p{i + 2}', self.dst, f'eth{i}') for i in range(MAX_OUTPUTS)]
        queues = self.bench.n_cpus
        for port, namespace, device in ends:
            # GRO before the port comes up: veth looks at it then, to say
            # whether the port can take redirected frames.
            self.at(self.sw, 'ip', 'link', 'add', port,
                    'numtxqueues', queues, 'numrxqueues', queues, 'type', 'veth',
                    'peer', 'name', device, 'numtxqueues', queues,
                    'numrxqueues', queues, 'netns', namespace)
            # A queue for each CPU.  Now, too: veth gives queues that come later
            # no XDP program.
            for where, end in ((namespace, device), (self.sw, port)):
                self.at(where, 'ethtool', '-L', end, 'rx', queues, 'tx', queues)
            self.at(self.sw, 'ethtool', '-K', port, 'gro', 'on')
            self.at(namespace, 'ethtool', '-K', device, 'tx', 'off',
                    'txvlan', 'off', 'gro', 'on')
            self.at(namespace, 'ip', 'link', 'set', device, 'up')
            self.at(self.sw, 'ip', 'link', 'set', port, 'up')

    def stop(self):
        for process in reversed(list(self.processes)):
            self.end(process)

    def traffic(self, command, *arguments):
        """Runs the generator; its results as a dictionary."""
        output = run(self.bench.traffic, command, *arguments)
        return {name: float(value) for name, value in
                (line.split() for line in output.splitlines())}

    def udp(self, **options):
        devices = ','.join(f'eth{i}' for i in range(self.outputs))
        arguments = ['--from', f'{self.src}:eth0', '--to', f'{self.dst}:{devices}']
        for name, value in options.items():
            arguments += ['--' + name.replace('_', '-'), value]
        return self.traffic('udp', *arguments)

    def set_offloads(self, on):
        """Of the ends: segmentation and checksums, for TCP."""
        word = 'on' if on else 'off'
        for namespace in (self.src, self.dst):
            self.at(namespace, 'ethtool', '-K', 'eth0', 'tx', word,
                    'txvlan', word, 'gro', 'on')

    def set_port_gro(self, on):
        for port in ('p1', 'p2'):
            self.at(self.sw, 'ethtool', '-K', port, 'gro', 'on' if on else 'off')

    def set_outputs(self, n):
        if n != self.outputs:
            self.switch_outputs(n)
            self.outputs = n

    # What a derived class may have to do.
    def start_switch(self):
        raise NotImplementedError

    def pause(self):
        """Uses no CPU until resume()."""

    def resume(self):
        pass

    def switch_outputs(self, n):
        raise Skip('no several outputs')

    def set_table(self, table):
        """Makes 'table' of loads.TABLES the OpenFlow table; True if new."""
        if table != 'normal':
            raise Skip('no OpenFlow')
        return False


class Forwarder(Subject):
    """A few lines of BPF: no lookup at all."""

    def __init__(self, bench, name, title, hook):
        super().__init__(bench, name, title)
        self.hook = hook
        self.offloads = hook != 'xdp'
        self.process = None

    def start_switch(self):
        self.switch_outputs(1)

    def switch_outputs(self, n):
        if self.process:
            self.end(self.process)
            if self.hook == 'tc':
                for port in ['p1', 'p2']:
                    run('nsenter', f'--net=/run/netns/{self.sw}', 'sh', '-c',
                        f'tc qdisc del dev {port} clsact 2>/dev/null || :')
        ports = [f'p{i + 1}' for i in range(n + 1)]
        self.process = self.spawn(self.bench.traffic, 'forward', self.hook,
                                  self.sw, *ports, stdout=subprocess.PIPE)
        if not self.process.stdout.readline():
            raise RuntimeError(f'{self.name}: forwarder did not start')


class Bridge(Subject):
    """The kernel's bridge."""

    def start_switch(self):
        self.at(self.sw, 'ip', 'link', 'add', 'br0', 'type', 'bridge',
                'forward_delay', 0, 'mcast_snooping', 0)
        for port in ('p1', 'p2'):
            self.at(self.sw, 'ip', 'link', 'set', port, 'master', 'br0')
        self.at(self.sw, 'ip', 'link', 'set', 'br0', 'up')

    def switch_outputs(self, n):
        for i in range(2, MAX_OUTPUTS + 1):
            if (i <= n) != (i <= self.outputs):
                where = ['master', 'br0'] if i <= n else ['nomaster']
                self.at(self.sw, 'ip', 'link', 'set', f'p{i + 1}', *where)


class OpenvSwitch(Subject):
    """Open vSwitch, with the datapath that the arguments choose."""
    openflow = True

    def __init__(self, bench, name, title, daemon, datapath, port_type=None,
                 offloads=False, polls=False, settings=(), port_options=()):
        super().__init__(bench, name, title)
        self.daemon = daemon
        self.datapath = datapath
        self.port_type = port_type
        self.offloads = offloads
        self.merged = port_type is not None or datapath != 'netdev'
        self.polls = polls              # A thread polls the ports' queues.
        self.many_ports = not polls
        self.settings = settings        # Of table Open_vSwitch.
        self.port_options = port_options
        self.dir = None
        self.vswitchd = None
        self.table = None

    def start_switch(self):
        if not os.access(self.daemon, os.X_OK):
            raise Skip(f'no {self.daemon}')
        if self.port_type == 'afxdp' and b'afxdp-nonpmd' not in open(
                self.daemon, 'rb').read():
            raise Skip('Open vSwitch was built without AF_XDP')
        self.dir = os.path.join(self.bench.run_dir, self.name)
        if self.datapath == 'system':
            subprocess.run(['modprobe', 'openvswitch'], stderr=subprocess.DEVNULL)
            if not os.path.exists('/sys/module/openvswitch'):
                raise Skip('this kernel has no openvswitch.ko')
        os.mkdir(self.dir)
        self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_DBDIR=self.dir,
                        OVS_LOGDIR=self.dir, OVS_SYSLOG_METHOD='null')
        run('ovsdb-tool', 'create', f'{self.dir}/conf.db', SCHEMA, env=self.env)
        self.spawn('ovsdb-server', f'{self.dir}/conf.db', '--pidfile',
                   f'--remote=punix:{self.dir}/db.sock', '--log-file',
                   '-vconsole:off', stderr=subprocess.DEVNULL, env=self.env)
        while not os.path.exists(f'{self.dir}/db.sock'):
            time.sleep(0.02)
        self.vsctl('--no-wait', 'init', '--', 'set', 'Open_vSwitch', '.',
                   'other_config:flow-limit=250000',
                   'other_config:max-idle=60000',
                   'other_config:min-revalidate-pps=0', *self.settings)
        # In the switch's network namespace, with /sys and bpffs to match, and on
        # other CPUs than the generator's first.
        self.vswitchd = self.spawn(
            'unshare', '--mount', '--propagation', 'private', 'sh', '-c',
            'mount -t sysfs sysfs /sys; mount -t bpf bpf /sys/fs/bpf; exec "$@"',
            'sh', 'taskset', '-c', self.bench.daemon_cpus, self.daemon,
            '--pidfile', f'--unixctl={self.dir}/ctl', '--log-file',
            '-vconsole:off',
            env=self.env, namespace=self.sw, stderr=subprocess.DEVNULL)
        self.vsctl('add-br', 'br0', '--', 'set', 'bridge', 'br0',
                   f'datapath_type={self.datapath}')
        self.add_ports(range(1, 3))
        self.set_table('normal')

    def add_ports(self, numbers):
        command = []
        for i in numbers:
            command += ['--', 'add-port', 'br0', f'p{i}', '--', 'set',
                        'interface', f'p{i}', f'ofport_request={i}']
            if self.port_type:
                command += [f'type={self.port_type}']
            if self.polls and i <= 2:
                command += [f'options:n_rxq={self.bench.n_cpus}']
            command += self.port_options
        self.vsctl(*command)
        error = self.vsctl('--columns=name,error', 'find', 'interface',
                           'error!=[]').strip()
        if error:
            raise RuntimeError(error)

    def vsctl(self, *command):
        return run('ovs-vsctl', '--timeout=60', f'--db=unix:{self.dir}/db.sock',
                   *command, env=self.env)

    def appctl(self, *command):
        return run('ovs-appctl', '-t', f'{self.dir}/ctl', *command, env=self.env)

    def configure(self, name, value):
        self.vsctl('set', 'Open_vSwitch', '.', f'other_config:{name}={value}')

    def pause(self):
        if self.vswitchd:
            # A dump of many flows that is stopped half-way would look slow, and
            # Open vSwitch would allow fewer flows from then on.
            self.forget_flows()
            self.vswitchd.send_signal(signal.SIGSTOP)

    def resume(self):
        if self.vswitchd:
            self.vswitchd.send_signal(signal.SIGCONT)

    def switch_outputs(self, n):
        if n > self.outputs:
            self.add_ports(range(self.outputs + 2, n + 2))
        else:
            command = []
            for i in range(n + 2, self.outputs + 2):
                command += ['--', 'del-port', 'br0', f'p{i}']
            self.vsctl(*command)

    def set_table(self, table):
        if table == self.table:
            return False
        rules = os.path.join(self.dir, 'rules')
        with open(rules, 'w', encoding='ascii') as file:
            file.write('\n'.join(self.bench.tables[table]()) + '\n')
        bridge = f'unix:{self.dir}/br0.mgmt'
        run('ovs-ofctl', 'del-flows', bridge, env=self.env)
        run('ovs-ofctl', 'add-flows', bridge, rules, env=self.env)
        self.forget_flows()
        self.table = table
        return True

    def forget_flows(self):
        """Removes the megaflows."""
        self.appctl('revalidator/purge')

    def flow_limit(self):
        """What revalidation at its present speed allows."""
        return int(re.search(r'limit (\d+)', self.appctl('upcall/show'))[1])

    def n_flows(self):
        return int(re.search(r'current (\d+)', self.appctl('upcall/show'))[1])

    def memory(self):
        """Bytes: of the process's own, and of its BPF maps."""
        pid = self.vswitchd.pid
        with open(f'/proc/{pid}/status', encoding='ascii') as file:
            anonymous = int(re.search(r'RssAnon:\s+(\d+)', file.read())[1]) * 1024
        maps = {}
        for fd in os.listdir(f'/proc/{pid}/fdinfo'):
            try:
                with open(f'/proc/{pid}/fdinfo/{fd}', encoding='ascii') as file:
                    text = file.read()
            except OSError:
                continue
            if 'map_id' in text:
                maps[re.search(r'map_id:\s+(\d+)', text)[1]] = int(
                    re.search(r'memlock:\s+(\d+)', text)[1])
        return anonymous, sum(maps.values())

    def cpu_seconds(self):
        """CPU time that the daemon used."""
        with open(f'/proc/{self.vswitchd.pid}/stat', encoding='ascii') as file:
            fields = file.read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


DEBIAN_OVS = '/usr/lib/openvswitch-switch/ovs-vswitchd'


def subjects(bench):
    """The table of subjects.  The first is what the others are compared with."""
    ours = os.path.join(bench.build, 'vswitchd/ovs-vswitchd')
    native = ['options:xdp-mode=native']
    poll = f'other_config:pmd-cpu-mask={1 << min(1, bench.n_cpus - 1):#x}'
    return [
        Forwarder(bench, 'xdp-redirect', 'raw XDP_REDIRECT', 'xdp'),
        OpenvSwitch(bench, 'ovs-xdp', 'ovs-xdp, XDP mode', ours, 'xdp',
                    port_options=native),
        *[OpenvSwitch(bench, name, name, os.path.abspath(path), 'xdp',
                      port_options=native)
          for name, path in bench.daemons],
        OpenvSwitch(bench, 'ovs-xdp-tc', 'ovs-xdp, TC mode', ours, 'xdp',
                    port_options=['options:xdp-mode=tc'], offloads=True),
        Forwarder(bench, 'tc-redirect', 'bare TC redirect', 'tc'),
        Bridge(bench, 'bridge', 'Linux bridge'),
        OpenvSwitch(bench, 'kernel', 'openvswitch.ko', DEBIAN_OVS, 'system',
                    offloads=True),
        OpenvSwitch(bench, 'netdev-afxdp', 'OVS userspace, AF_XDP', DEBIAN_OVS,
                    'netdev', port_type='afxdp', polls=True, settings=[poll]),
        OpenvSwitch(bench, 'netdev', 'OVS userspace, AF_PACKET', DEBIAN_OVS,
                    'netdev'),
    ]
