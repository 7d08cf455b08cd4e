/** What a new version does before it takes over: reads what this node has on disk, and changes nothing. */
import { sentence } from '../shared/errors.ts';
import { UserError } from '../shared/user-error.ts';
import { createFilesDisk } from './files-disk.ts';
import { membershipFiles } from './join/membership.ts';
import { readKeptWant } from './session/orders.ts';

/** @returns what was found, in words. @throws UserError naming what this version does not understand. */
export function checkFolder(data: string): string {
  const disk = createFilesDisk(data);
  const memory = disk.load();
  const member = membershipFiles(data).member();
  const text = disk.loadWant();
  if (text === undefined || text === '' || !memory?.cluster) return memory ? `node ${memory.node}` : 'no node yet';
  const want = readKeptWant(text, memory.node, memory.cluster);
  if (!want.ok) throw new UserError(`the kept document in ${data} cannot be read: ${sentence(want.error)}`);
  return `node ${memory.node}, document ${want.value.rev}${member ? ', with a certificate' : ''}`;
}
