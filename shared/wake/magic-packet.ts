/**
 * Wake-on-LAN's packet, and which network cards it is worth being sent to. Pure.
 *
 * Format: AMD, "Magic Packet Technology", white paper 20213, November 1995: anywhere in a frame six bytes FF, then the card's
 * address sixteen times without a break. UDP to port 9 (discard) is what everybody wraps it in; the card looks at no header.
 */

/** `discard` of RFC 863. */
export const wakePort = 9;
/** Bytes. */
export const magicBytes = 6 + 16 * 6;

const macPattern = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/;

/** MAC addresses in a comma-joined text, in lower case; what is none is left out. */
export const readMacs = (text: string): string[] =>
  text
    .toLowerCase()
    .split(',')
    .map(mac => mac.trim())
    .filter(mac => macPattern.test(mac));

/** @param mac as {@link readMacs} gives it. */
export function magicPacket(mac: string): Uint8Array {
  const packet = new Uint8Array(magicBytes).fill(0xff, 0, 6);
  const address = mac.split(':').map(byte => Number.parseInt(byte, 16));
  for (let at = 6; at < magicBytes; at += 6) packet.set(address, at);
  return packet;
}

/**
 * Universally administered prefixes of hypervisors (IEEE registry): VMware, VirtualBox, Hyper-V, Xen, Parallels. Their
 * guests have them, and hosts for networks with their guests.
 */
const hypervisors = ['00:05:69', '00:0c:29', '00:50:56', '08:00:27', '00:15:5d', '00:16:3e', '00:1c:42'];

/** 0: of a card; 1: made up (IEEE 802c, bit 1 of the first byte), or a virtual machine's; undefined: of nothing that can be woken. */
function rank(mac: string): 0 | 1 | undefined {
  const first = Number.parseInt(mac.slice(0, 2), 16);
  // A group's address, all zeros, and what Docker gives its containers.
  if ((first & 1) !== 0 || /^[0:]+$/.test(mac) || mac.startsWith('02:42:')) return undefined;
  return (first & 2) !== 0 || hypervisors.includes(mac.slice(0, 8)) ? 1 : 0;
}

/** Cards of one machine that are tried. */
export const mostCards = 4;
/** Cards that a node is asked in one order to send for. */
export const mostRelayed = 32;
/** What agents call it in `caps` that send for others. */
export const relayCap = 'wol';

/**
 * Of a machine's addresses those worth a packet: what the makers of cards gave, and only where there is none of these what a
 * system or a hypervisor made up. @param virtual a container, or simulated: what is made up there belongs to no card.
 */
export function wakeable(macs: readonly string[], virtual = false): readonly string[] {
  const unique = [...new Set(macs)];
  const cards = unique.filter(mac => rank(mac) === 0);
  if (cards.length > 0 || virtual) return cards.slice(0, mostCards);
  return unique.filter(mac => rank(mac) === 1).slice(0, mostCards);
}
