import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CpuMeter } from '../../node-agent/telemetry/cpu.ts';
import { linuxFacts } from '../../node-agent/telemetry/facts.ts';
import { MachineFiles } from '../../node-agent/telemetry/machine-files.ts';
import { createProcTelemetry } from '../../node-agent/telemetry/proc.ts';
import { createSyntheticTelemetry } from '../../node-agent/telemetry/synthetic.ts';
import { loadPayload } from '../../shared/schemas/telemetry.ts';
import { fixedRandom, VirtualClock } from '../fixture/agent-rig.ts';
import { folder } from '../fixture/processes.ts';

const telemetry = suite('telemetry');
type Tree = Record<string, string>;

const write = (root: string, tree: Tree) => {
  for (const [path, text] of Object.entries(tree)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
};

/** user and idle ticks of every core. */
const stat = (cores: readonly (readonly [busy: number, idle: number])[], names = cores.map((_, index) => index)) => {
  const line = (name: string, busy: number, idle: number) => `${name} ${busy} 0 0 ${idle} 0 0 0 0 0 0\n`;
  const sum = (index: 0 | 1) => cores.reduce((total, core) => total + core[index], 0);
  return `${line('cpu ', sum(0), sum(1))}${cores.map(([b, i], n) => line(`cpu${names[n]}`, b, i)).join('')}intr 1 2 3\n`;
};

const netDev = (rows: Record<string, readonly [rx: number, tx: number]>) =>
  `Inter-|   Receive\n face |bytes\n${Object.entries(rows)
    .map(([name, [rx, tx]]) => `${name}: ${rx} 1 0 0 0 0 0 0 ${tx} 1 0 0 0 0 0 0\n`)
    .join('')}`;

const common: Tree = {
  'proc/meminfo': 'MemTotal:        4000000 kB\nMemFree:          100000 kB\nMemAvailable:    3000000 kB\n',
  'proc/loadavg': '0.52 0.58 0.59 1/467 12345\n',
  'proc/uptime': '12345.67 45678.90\n',
};

const machine = (tree: Tree) => {
  const root = folder('hearth-machine-');
  write(root, { ...common, ...tree });
  const clock = new VirtualClock();
  return { root, clock, make: () => createProcTelemetry({ clock, dataFolder: root, root }) };
};

const pi: Tree = {
  'proc/stat': stat([
    [100, 900],
    [100, 900],
    [100, 900],
    [100, 900],
  ]),
  'proc/cpuinfo':
    'processor\t: 0\nBogoMIPS\t: 108.00\nCPU part\t: 0xd08\n\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n',
  'proc/device-tree/cpus/cpu@0/compatible': 'arm,cortex-a72\0',
  'proc/net/dev': netDev({ lo: [5, 5], eth0: [1000, 2000], wlan0: [0, 0], docker0: [9, 9], home: [9, 9] }),
  'sys/class/net/eth0/device/uevent': '',
  'sys/class/net/eth0/address': 'dc:a6:32:00:00:01\n',
  'sys/class/net/wlan0/device/uevent': '',
  'sys/class/net/wlan0/address': 'dc:a6:32:00:00:02\n',
  'sys/class/net/docker0/address': '02:42:00:00:00:01\n',
  'sys/class/thermal/thermal_zone0/type': 'cpu-thermal\n',
  'sys/class/thermal/thermal_zone0/temp': '48312\n',
  'sys/class/hwmon/hwmon0/name': 'cpu_thermal\n',
  'sys/class/hwmon/hwmon0/temp1_input': '48312\n',
  'sys/class/hwmon/hwmon1/name': 'rpi_volt\n',
  'sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq': '1500000\n',
  'etc/os-release': 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
};

telemetry('a Raspberry Pi: every key it can fill, and no other', () => {
  const { root, clock, make } = machine(pi);
  const one = make();
  clock.pass(5000);
  write(root, {
    'proc/stat': stat([
      [200, 1300],
      [350, 1150],
      [100, 1400],
      [600, 900],
    ]),
    'proc/net/dev': netDev({
      lo: [999, 999],
      eth0: [626_000, 64_500],
      wlan0: [0, 0],
      docker0: [999, 999],
      home: [9999, 9999],
    }),
  });
  const { load, cores } = one.sample();
  assert.equal(load, {
    cpu_pct: 42.5,
    load1: 0.52,
    mem_pct: 25,
    mem_mb: 977,
    temp_c: 48.3,
    cpu_mhz: 1500,
    rx_kbps: 1000,
    tx_kbps: 100,
    up_s: 12_346,
    ...('disk_pct' in load ? { disk_pct: load.disk_pct } : {}),
  });
  assert.equal(cores, [20, 50, 0, 100]);
  const facts = linuxFacts(new MachineFiles(root));
  assert.equal(
    { ...facts, caps: '', arch: '' },
    {
      ...{ os: 'Debian GNU/Linux 12 (bookworm)', arch: '', cpu: 'Cortex-A72', cores: 4, mem_mb: 3906, caps: '' },
      macs: 'dc:a6:32:00:00:01,dc:a6:32:00:00:02',
    },
  );
});

telemetry('an old PC without sensors has no keys for them, and never null', () => {
  const { clock, make } = machine({
    'proc/stat': stat([[1, 9]]),
    'proc/cpuinfo': 'model name\t: Intel(R) Pentium(R) 4 CPU 2.80GHz\ncpu MHz\t\t: 2793.018\n',
    'proc/net/dev': netDev({ lo: [0, 0] }),
    'sys/class/hwmon/hwmon0/name': 'nouveau\n',
    'sys/class/hwmon/hwmon0/temp1_input': '60000\n',
  });
  const one = make();
  clock.pass(5000);
  const { load } = one.sample();
  for (const key of ['temp_c', 'watts', 'rx_kbps', 'tx_kbps']) assert.not(key in load, key);
  assert.is(load.cpu_mhz, 2793);
  assert.not(JSON.stringify(load).includes('null'));
});

telemetry('256 cores, two sockets, RAPL: hottest package, packages added up, the counter starting over', () => {
  const cores = Array.from({ length: 256 }, (_, index) => [index, 1000] as const);
  const tree: Tree = { 'proc/stat': stat(cores), 'proc/net/dev': netDev({ lo: [0, 0] }) };
  for (const [socket, at] of [41_000, 57_000].entries()) {
    const chip = `sys/class/hwmon/hwmon${socket}`;
    tree[`${chip}/name`] = 'coretemp\n';
    tree[`${chip}/temp1_input`] = `${at}\n`;
    tree[`${chip}/temp1_label`] = `Package id ${socket}\n`;
    tree[`${chip}/temp2_input`] = '99000\n';
    tree[`${chip}/temp2_label`] = 'Core 0\n';
    tree[`sys/class/powercap/intel-rapl:${socket}/name`] = `package-${socket}\n`;
    tree[`sys/class/powercap/intel-rapl:${socket}/max_energy_range_uj`] = '262143328850\n';
    tree[`sys/class/powercap/intel-rapl:${socket}/energy_uj`] = socket === 0 ? '1000000\n' : '262143000000\n';
  }
  tree['sys/class/powercap/intel-rapl:0:0/energy_uj'] = '5\n';
  for (let index = 0; index < 256; index++) {
    tree[`sys/devices/system/cpu/cpufreq/policy${index}/scaling_cur_freq`] = `${2_000_000 + index * 1000}\n`;
  }
  const { root, clock, make } = machine(tree);
  const one = make();
  clock.pass(5000);
  write(root, {
    'proc/stat': stat(cores.map(([busy, idle]) => [busy + 100, idle + 100] as const)),
    'sys/class/powercap/intel-rapl:0/energy_uj': '501000000\n',
    'sys/class/powercap/intel-rapl:1/energy_uj': '249671150\n',
  });
  const sample = one.sample();
  assert.is(sample.load.temp_c, 57);
  // 500 J in 5 s, and 250 J over the end of the counter.
  assert.is(sample.load.watts, 150);
  assert.is(sample.load.watts_source, 'rapl');
  assert.is(sample.cores?.length, 256);
  assert.ok(sample.cores?.every(share => share === 50));
  assert.ok(Math.abs(Number(sample.load.cpu_mhz) - 2128) < 20);
});

telemetry('in a container its own interface counts, though no device is behind it', () => {
  const { root, clock, make } = machine({
    'proc/stat': stat([[1, 9]]),
    'proc/net/dev': netDev({ lo: [0, 0], eth0: [1000, 1000], docker0: [5, 5] }),
    'sys/class/net/eth0/address': '02:42:ac:11:00:02\n',
  });
  const one = make();
  clock.pass(1000);
  write(root, { 'proc/net/dev': netDev({ lo: [9, 9], eth0: [2000, 1000], docker0: [99_999, 5] }) });
  assert.is(one.sample().load.rx_kbps, 8);
});

telemetry('a machine that shows nothing gives an empty sample', () => {
  const root = folder('hearth-machine-');
  const clock = new VirtualClock();
  const one = createProcTelemetry({ clock, dataFolder: join(root, 'none'), root });
  clock.pass(5000);
  assert.equal(one.sample(), { load: {} });
});

telemetry('a sensor that drops out repeats for 30 s, then its key goes; it comes back within a minute', () => {
  const { root, clock, make } = machine(pi);
  const one = make();
  const temp = 'sys/class/hwmon/hwmon0/temp1_input';
  const seen: (number | undefined)[] = [];
  for (let second = 0; second <= 50; second += 5) {
    clock.pass(5000);
    if (second === 5) write(root, { [temp]: '', 'sys/class/thermal/thermal_zone0/temp': '' });
    seen.push(one.sample().load.temp_c);
  }
  assert.equal(seen.slice(0, 7), Array(7).fill(48.3));
  assert.equal(seen.slice(-3), [undefined, undefined, undefined]);
  write(root, { [temp]: '51000' });
  clock.pass(60_000);
  assert.is(one.sample().load.temp_c, 51);
});

telemetry('cores that are switched off and on again, and counters that step back, never leave 0 to 100', () => {
  const meter = new CpuMeter();
  meter.look(
    stat([
      [10, 90],
      [10, 90],
    ]),
  );
  assert.equal(meter.look(stat([[20, 180]])).cores, [10]);
  assert.equal(
    meter.look(
      stat([
        [30, 270],
        [5, 5],
      ]),
    ).cores,
    [10, 0],
  );
  const back = meter.look(
    stat([
      [30, 260],
      [105, 5],
    ]),
  );
  assert.equal(back.cores, [10, 100]);
  assert.ok(Number(back.pct) >= 0 && Number(back.pct) <= 100);
});

telemetry('a 32-bit byte counter that starts over is no gap, and one that was reset is no flood', () => {
  const eth = (bytes: number): Tree => ({
    'proc/net/dev': netDev({ eth0: [bytes, 0] }),
    'sys/class/net/eth0/device/x': '',
  });
  const { root, clock, make } = machine({ 'proc/stat': stat([[1, 9]]), ...eth(2 ** 32 - 500) });
  const one = make();
  clock.pass(1000);
  write(root, eth(500));
  assert.is(one.sample().load.rx_kbps, 8);
  clock.pass(1000);
  write(root, eth(100));
  assert.is(one.sample().load.rx_kbps, 0);
});

telemetry('synthetic telemetry fits the schema', () => {
  const clock = new VirtualClock();
  const one = createSyntheticTelemetry({ clock, random: fixedRandom(0.3) });
  for (let count = 0; count < 100; count++) {
    clock.pass(5000);
    loadPayload.parse({ node: 'n', epoch: 1, seq: count, ...one.sample().load });
  }
});

telemetry.run();
