/** Which machine this is: what it tells when it joins, and what a folder remembers it by. */
import { createHash } from 'node:crypto';
import type { Info } from '../../shared/schemas/telemetry.ts';
import type { JoinFacts } from '../../shared/schemas/trust.ts';
import { MachineFiles } from '../telemetry/machine-files.ts';
import { realInterfaces } from '../telemetry/network.ts';

export interface Machine {
  /** Hash of the machine-id; absent where there is none. */
  readonly id?: string;
  /** Hardware addresses that stay, sorted. */
  readonly macs: readonly string[];
}

export const thisMachine = (): Machine => machineOf(new MachineFiles('/'));

export function machineOf(files: MachineFiles): Machine {
  const text = files.text('etc/machine-id', 64)?.trim() || files.text('var/lib/dbus/machine-id', 64)?.trim();
  // A container is given new addresses whenever it is made anew.
  const names = contained(files) ? [] : files.names('sys/class/net');
  const macs = realInterfaces(files, names)
    .filter(name => staysItself(files, name))
    .map(name => files.text(`sys/class/net/${name}/address`, 64)?.trim() ?? '')
    .filter(address => /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(address) && address !== '00:00:00:00:00:00');
  // machine-id(5): told only as a hash, so that it cannot be used to follow the machine elsewhere.
  const id =
    text && /^[0-9a-f]{32}$/.test(text)
      ? createHash('sha256').update(`hearth/machine\n${text}`).digest('hex')
      : undefined;
  return { macs: [...new Set(macs)].sort().slice(0, 14), ...(id === undefined ? {} : { id }) };
}

const contained = (files: MachineFiles): boolean =>
  ['run/systemd/container', '.dockerenv', 'run/.containerenv'].some(path => files.exists(path));

/** Phones and laptops make up an address for every wireless network (bit 1 of the first byte); wires keep theirs. */
function staysItself(files: MachineFiles, name: string): boolean {
  const wireless = files.exists(`sys/class/net/${name}/wireless`) || files.exists(`sys/class/net/${name}/phy80211`);
  const first = Number.parseInt(files.text(`sys/class/net/${name}/address`, 64)?.slice(0, 2) ?? '', 16);
  return !wireless || (first & 2) === 0;
}

/**
 * Whether a folder that remembers `before` lies on another machine now: another machine-id, or, under one that was cloned with
 * the disk, none of the hardware addresses. What is not known is not different.
 */
export function isAnother(before: Machine, now: Machine): boolean {
  if (before.id !== undefined && now.id !== undefined && before.id !== now.id) return true;
  if (before.macs.length === 0 || now.macs.length === 0) return false;
  return !before.macs.some(mac => now.macs.includes(mac));
}

export function joinFactsOf(hostname: string, machine: Machine, facts: Partial<Info>, ver: string): JoinFacts {
  const { macs = '', os = '', arch = '', cores, mem_mb } = facts;
  return {
    ...{ hostname: hostname.slice(0, 256), macs, os, arch, ver: ver.slice(0, 32) },
    ...(machine.id === undefined ? {} : { machine: machine.id }),
    ...(cores === undefined ? {} : { cores }),
    ...(mem_mb === undefined ? {} : { mem_mb }),
  };
}
