/**
 * Rules over what a machine says about itself: who is let in without a token, and what a node is called and where it
 * stands. Pure. Facts are unproven (only the subnet is the connection's own address), so a rule is for a network one trusts.
 */
import { BlockList, isIP } from 'node:net';
import type { JoinFacts } from '../../../shared/schemas/trust.ts';
import { readMacs } from '../../../shared/wake/magic-packet.ts';
import { joiningLimits, type Place, type RuleRecord } from './records.ts';

export interface Ruled extends Place {
  /** Number of the first rule that lets the machine in. */
  readonly approvedBy?: number;
  /** Template of the id. */
  readonly node?: string;
}

/** Every attribute comes from the first rule, by number, that fits and names it. */
export function applyRules(rules: Iterable<RuleRecord>, facts: JoinFacts, address: string): Ruled {
  const ruled: { -readonly [K in keyof Ruled]: Ruled[K] } = {};
  for (const rule of [...rules].sort((a, b) => a.rule - b.rule)) {
    if (!fits(rule, facts, address)) continue;
    if (rule.approve) ruled.approvedBy ??= rule.rule;
    if (rule.node !== undefined) ruled.node ??= rule.node;
    if (rule.room !== undefined) ruled.room ??= rule.room;
    if (rule.zone !== undefined) ruled.zone ??= rule.zone;
    if (rule.roles !== undefined) ruled.roles ??= rule.roles;
  }
  return ruled;
}

type Conditions = Pick<RuleRecord, 'mac' | 'arch' | 'subnet' | 'hostname'>;

export function fits({ mac, arch, subnet, hostname }: Conditions, facts: JoinFacts, address: string): boolean {
  if (mac !== undefined && !macsOf(facts).some(own => own.startsWith(mac))) return false;
  if (arch !== undefined && plainArch(facts.arch) !== arch) return false;
  if (hostname !== undefined && !matches(hostname, facts.hostname.toLowerCase())) return false;
  return subnet === undefined || isInside(subnet, address);
}

export const macsOf = (facts: Pick<JoinFacts, 'macs'>): string[] => readMacs(facts.macs);

/** `DC-A6-32` or `dc:a6:32` as it is compared: whole bytes with colons. Undefined where it is no MAC address's start. */
export function plainMacPrefix(text: string): string | undefined {
  const plain = text.trim().toLowerCase().replaceAll('-', ':');
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){0,5}$/.test(plain) ? plain : undefined;
}

const aliases: Readonly<Record<string, string>> = {
  x86_64: 'x64',
  amd64: 'x64',
  aarch64: 'arm64',
  armv7l: 'arm',
  armv6l: 'arm',
  armhf: 'arm',
};
/** Architectures as Node calls them, whoever names them. */
export function plainArch(text: string): string {
  const lower = text.trim().toLowerCase();
  return Object.hasOwn(aliases, lower) ? (aliases[lower] ?? lower) : lower;
}

/** IPv4 within IPv6, as dual-stack sockets tell it, is IPv4. */
export const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');

/** Of the rules there are: reading one costs more than all that is asked of it. */
const subnets = new Map<string, BlockList>();

/** `ADDRESS/BITS`; undefined where it is none. */
export function readSubnet(text: string): BlockList | undefined {
  const known = subnets.get(text);
  if (known) return known;
  const [, net = '', bits = ''] = /^([0-9a-fA-F.:]{2,45})\/(\d{1,3})$/.exec(text) ?? [];
  const version = isIP(net);
  if (version === 0 || Number(bits) > (version === 4 ? 32 : 128)) return undefined;
  const list = new BlockList();
  list.addSubnet(net, Number(bits), version === 4 ? 'ipv4' : 'ipv6');
  if (subnets.size >= joiningLimits.rules) subnets.clear();
  subnets.set(text, list);
  return list;
}

function isInside(subnet: string, address: string): boolean {
  const plain = plainAddress(address);
  const version = isIP(plain);
  return version !== 0 && readSubnet(subnet)?.check(plain, version === 4 ? 'ipv4' : 'ipv6') === true;
}

/** `*` stands for any text. Without backtracking over more than the last star, so that no pattern takes long. */
function matches(pattern: string, text: string): boolean {
  let at = 0;
  let inText = 0;
  let star = -1;
  let resume = 0;
  while (inText < text.length) {
    if (pattern[at] === '*') {
      star = at++;
      resume = inText;
    } else if (pattern[at] === text[inText]) {
      at++;
      inText++;
    } else if (star >= 0) {
      at = star + 1;
      inText = ++resume;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
