/** A folder that came with a copied disk: what made it another machine goes, and what shows where it came from stays. */
import { join } from 'node:path';
import { readBounded, removeFiles } from '../replace-file.ts';
import { replaceSealKey } from '../seal-key.ts';
import type { Former, Membership, MembershipFiles } from './membership.ts';
import { pemOf } from './membership.ts';

/**
 * Makes the folder one of a machine that has not joined yet. Every step may be the last one before the power goes: `former.json`
 * comes first, the old key goes last, and as long as it is there the rest is done again.
 */
export function startOver(folder: string, files: MembershipFiles, copied: Membership | undefined): Former {
  const former = copied ? { membership: copied, key: pemOf(files.key()) } : files.former();
  if (!former) throw new Error('there is no membership to start over from');
  if (copied) files.saveFormer(former);
  const own = readBounded(join(folder, 'node-key.pem'), 4096);
  if (copied || own?.trim() === former.key.trim()) {
    replaceSealKey(folder);
    // Who it was, what it was to do, and a token that was another machine's.
    removeFiles(folder, 'identity.json', 'want.json');
    files.forget('member');
    files.forget('key');
  }
  return former;
}
