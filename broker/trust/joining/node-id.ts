/** What a node is called for ever: chosen once, when it joins, and never the name of another. Pure. */
import { createHash } from 'node:crypto';
import { idFromHostname, isId } from '../../../shared/names.ts';
import type { JoinFacts } from '../../../shared/schemas/trust.ts';
import { macsOf, plainArch } from './rules.ts';

const words = ['hostname', 'mac', 'machine', 'arch', 'n'] as const;
const word = new RegExp(`\\{(${words.join('|')})\\}`, 'g');
/** A template stays findable however many nodes are called by it. */
const mostNumbers = 20_000;

/** @returns what is wrong with a template of ids; undefined: nothing. */
export function templateProblem(template: string): string | undefined {
  const plain = template.replaceAll(word, 'x');
  if (isId(plain)) return undefined;
  const known = words.map(name => `{${name}}`).join(' ');
  return `an id is 1 to 20 of a-z, 0-9 and "-", and may hold ${known}`;
}

export interface Naming {
  readonly facts: JoinFacts;
  /** Hash of the machine's key, hex. */
  readonly key: string;
  taken(id: string): boolean;
}

/** @param template of a rule; the host name otherwise. */
export function chooseId(template: string | undefined, naming: Naming): string {
  const { facts, taken } = naming;
  const known = {
    machine: facts.machine?.slice(0, 6) ?? '',
    mac: macsOf(facts)[0]?.replaceAll(':', '').slice(6) ?? '',
  };
  const fill = (n: number) =>
    (template ?? '{hostname}').replaceAll(word, (_, name: (typeof words)[number]) => {
      if (name === 'n') return String(n);
      if (name === 'arch') return cleaned(plainArch(facts.arch));
      return name === 'hostname' ? idFromHostname(facts.hostname) : known[name] || naming.key.slice(0, 6);
    });
  if (template?.includes('{n}')) {
    for (let n = 1; n <= mostNumbers; n++) {
      const id = cleaned(fill(n), String(n).length);
      if (isId(id) && !taken(id)) return id;
    }
  }
  return freeId(cleaned(fill(1)), naming);
}

/**
 * `base`, else with four digits of the machine-id's hash, so that machines from one image are called alike on every try; of the
 * key's hash where that is cloned; at last by number.
 */
export function freeId(base: string, { facts, key, taken }: Naming): string {
  if (!taken(base)) return base;
  for (const mark of [facts.machine?.slice(0, 4), key.slice(0, 4), key.slice(0, 8)]) {
    const id = mark === undefined ? base : `${base.slice(0, 19 - mark.length)}-${mark}`;
    if (!taken(id)) return id;
  }
  for (let n = 0; ; n++) {
    const id = createHash('sha256').update(`${key}/${n}`).digest('hex').slice(0, 12);
    if (!taken(`node-${id}`)) return `node-${id}`;
  }
}

/** An id made of any text, its last `keep` characters kept where it is too long. */
function cleaned(text: string, keep = 0): string {
  const plain = text.toLowerCase().replace(/[^a-z0-9-]/g, '-');
  const cut = plain.length <= 20 ? plain : plain.slice(0, 20 - keep) + plain.slice(plain.length - keep);
  const trimmed = cut.replace(/^-+|-+$/g, '');
  return isId(trimmed) ? trimmed : 'node';
}
