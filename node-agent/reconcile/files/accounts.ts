/** Owners by name, as /etc/passwd and /etc/group say (passwd(5), group(5)). Pure. */
import { nearest, printable } from '../../../shared/names.ts';

export interface Accounts {
  readonly passwd: string;
  readonly group: string;
  /** Of the agent's process. */
  readonly uid: number;
  /** All groups of the agent's process. */
  readonly groups: readonly number[];
}

export interface Owner {
  readonly uid: number;
  /** Undefined: a user by number that has no entry, and no group was said. */
  readonly gid: number | undefined;
}

/** @returns the owner, or one sentence why there is none such, or why the agent may not make it so. */
export function ownerOf(text: string, accounts: Accounts): Owner | string {
  const [user = '', group] = text.split(':');
  const users = entries(accounts.passwd);
  const entry = users.get(user);
  const uid = entry ? numberOf(entry[2]) : numberOf(user);
  if (uid === undefined) return unknown('user', user, users, '/etc/passwd');
  const byNumber = entry ?? [...users.values()].find(fields => numberOf(fields[2]) === uid);
  let gid = byNumber && numberOf(byNumber[3]);
  if (group !== undefined) {
    const groups = entries(accounts.group);
    const found = groups.get(group);
    gid = found ? numberOf(found[2]) : numberOf(group);
    if (gid === undefined) return unknown('group', group, groups, '/etc/group');
  }
  if (accounts.uid !== 0 && (uid !== accounts.uid || (gid !== undefined && !accounts.groups.includes(gid))))
    return `owner ${printable(text)}: needs root`;
  return { uid, gid };
}

const unknown = (what: string, name: string, known: ReadonlyMap<string, unknown>, file: string): string => {
  const near = nearest(
    name,
    [...known.keys()].filter(other => other !== name),
  );
  return `there is no ${what} "${printable(name)}" in ${file}${near === undefined ? ': make it, or use a number' : `: is it "${near}"?`}`;
};

/** Name -> fields. The first of a name counts, as for the system. */
function entries(text: string): Map<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const line of text.split('\n')) {
    const fields = line.split(':');
    const [name = ''] = fields;
    if (fields.length >= 4 && name !== '' && !found.has(name)) found.set(name, fields);
  }
  return found;
}

/** An id of 32 bits, less the one that means "leave it" to chown(2). */
const numberOf = (text: string | undefined): number | undefined => {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id < 2 ** 32 - 1 ? id : undefined;
};
