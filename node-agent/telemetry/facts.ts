/**
 * Facts about the machine, gathered once. On Linux they stand in /proc, /sys and /etc; only what is missing there is asked
 * of systeminformation, which starts processes and costs the agent 9 MB for ever once it is loaded.
 */
import { arch, networkInterfaces, platform } from 'node:os';
import type { Info } from '../../shared/schemas/telemetry.ts';
import { MachineFiles } from './machine-files.ts';
import { memoryOf } from './memory.ts';
import { realInterfaces } from './network.ts';

export type Facts = Omit<Info, 'node' | 'ver'>;

/** systeminformation has this long; then the facts go out without its share. */
const deadlineMs = 5000;

/** A value of os-release(5): shell quoting, of which only the quotes matter in a name. */
function osName(files: MachineFiles): string | undefined {
  const text = files.text('etc/os-release') ?? files.text('usr/lib/os-release');
  const value = /^PRETTY_NAME=(.*)$/m.exec(text ?? '')?.[1]?.trim();
  return value?.replace(/^(["'])(.*)\1$/, '$2') || undefined;
}

/** x86 names its processor in /proc/cpuinfo; ARM in the device tree, as `arm,cortex-a72`. */
function cpuName(files: MachineFiles): string | undefined {
  const info = files.text('proc/cpuinfo', 8192) ?? '';
  const model = /^model name\s*:\s*(.+)$/m.exec(info)?.[1];
  if (model)
    return model
      .replace(/\((R|TM|tm|r)\)/g, '')
      .replace(/\s+/g, ' ')
      .trim();
  const cpu = files.names('proc/device-tree/cpus').find(name => name.startsWith('cpu@'));
  const compatible = cpu && files.text(`proc/device-tree/cpus/${cpu}/compatible`, 256)?.split('\0')[0];
  const core = compatible?.split(',')[1];
  if (core) return core.replace(/^./, first => first.toUpperCase()).replace(/-a(\d)/, '-A$1');
  return /^(?:Hardware|cpu model)\s*:\s*(.+)$/m.exec(info)?.[1]?.trim();
}

function coreCount(files: MachineFiles): number | undefined {
  const count = (files.text('proc/stat') ?? '').match(/^cpu\d+ /gm)?.length ?? 0;
  return count > 0 ? Math.min(4096, count) : undefined;
}

function macs(files: MachineFiles): string | undefined {
  const names = files.names('sys/class/net');
  const addresses = realInterfaces(files, names)
    .map(name => files.text(`sys/class/net/${name}/address`, 64)?.trim() ?? '')
    .filter(address => /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(address) && address !== '00:00:00:00:00:00');
  const unique = [...new Set(addresses)].slice(0, 14);
  return unique.length > 0 ? unique.join(',') : undefined;
}

export const isContained = (files = new MachineFiles('/')): boolean =>
  files.exists('run/systemd/container') || files.exists('.dockerenv') || files.exists('run/.containerenv');

/** What this agent may do on this machine. */
function caps(files: MachineFiles): string {
  const root = process.getuid?.() === 0;
  const contained = isContained(files);
  const have: readonly [string, boolean][] = [
    ['root', root],
    ['apt', root && files.exists('usr/bin/apt-get')],
    ['cgroup2', files.exists('sys/fs/cgroup/cgroup.controllers')],
    ['systemd', files.exists('run/systemd/system')],
    ['container', contained],
    ['reboot', root && !contained],
    ['rapl', files.number('sys/class/powercap/intel-rapl:0/energy_uj') !== undefined],
  ];
  return have
    .filter(([, yes]) => yes)
    .map(([name]) => name)
    .join(',');
}

export function linuxFacts(files: MachineFiles): Facts {
  const found = {
    os: osName(files),
    arch: arch(),
    cpu: cpuName(files),
    cores: coreCount(files),
    mem_mb: memoryOf(files.text('proc/meminfo')).totalMb,
    macs: macs(files),
    caps: caps(files),
    boot: files.text('proc/sys/kernel/random/boot_id', 64)?.trim(),
  };
  const entries = Object.entries(found).map(([key, value]) => [
    key,
    typeof value === 'string' ? value.slice(0, 256) : value,
  ]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined && value !== ''));
}

/** The rest, where the machine is no Linux or a bare one. */
async function furtherFacts(): Promise<Facts> {
  const { cpu, mem, osInfo } = await import('systeminformation');
  const [processor, memory, os] = await Promise.all([cpu(), mem(), osInfo()]);
  const addresses = Object.values(networkInterfaces()).flatMap(list => list ?? []);
  const real = addresses.filter(address => !address.internal && address.mac !== '00:00:00:00:00:00');
  const facts = {
    os: [os.distro, os.release].filter(Boolean).join(' '),
    cpu: [processor.manufacturer, processor.brand].filter(Boolean).join(' '),
    cores: processor.cores,
    mem_mb: Math.round(memory.total / 2 ** 20),
    macs: [...new Set(real.map(address => address.mac))].slice(0, 14).join(','),
  };
  return Object.fromEntries(
    Object.entries(facts)
      .filter(([, value]) => value !== '' && value !== 0)
      .map(([key, value]) => [key, typeof value === 'string' ? value.slice(0, 256) : value]),
  );
}

const needed = ['os', 'cpu', 'cores', 'mem_mb'] as const;

/** `done` runs once, within the deadline, on a later turn of the loop. */
export function gatherFacts(files: MachineFiles, done: (facts: Facts) => void): void {
  const found = linuxFacts(files);
  if (needed.every(key => found[key] !== undefined) || platform() === 'android') {
    setImmediate(() => done(found));
    return;
  }
  let told = false;
  const tell = (more: Facts) => {
    if (told) return;
    told = true;
    clearTimeout(late);
    done({ ...more, ...found });
  };
  const late = setTimeout(() => tell({}), deadlineMs);
  furtherFacts().then(tell, () => tell({}));
}
