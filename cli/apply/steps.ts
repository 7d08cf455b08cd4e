/** What a node would do to become what another document says, in words. Pure. */
import { isObject } from '../../shared/merge-patch.ts';
import { printable } from '../../shared/names.ts';
import { sameJson } from '../../shared/same-json.ts';
import { type Check, kindOf } from '../../shared/schemas/check.ts';
import type { FileItem } from '../../shared/schemas/file.ts';
import { itemKinds } from '../../shared/schemas/item.ts';
import type { Package } from '../../shared/schemas/package.ts';
import type { Service } from '../../shared/schemas/service.ts';
import { diffOf, type FileDiff } from './file-diff.ts';
import type { NodeChange } from './simulate.ts';

export interface Step {
  /** Such as `services/web`. */
  readonly item: string;
  readonly change: 'added' | 'changed' | 'removed' | 'follows';
  /** What is done about it: `install htop`. */
  readonly text: string;
  readonly diff?: FileDiff;
}

export interface NodeSteps {
  readonly node: string;
  readonly steps: readonly Step[];
  /** Items about which its roles differ, a sentence each. */
  readonly conflicts: readonly string[];
}

type Items = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
type Words = (name: string, before: object | undefined, after: object | undefined) => string;

export function stepsOf({ node, before, after }: NodeChange): NodeSteps {
  const steps: Step[] = [];
  for (const kind of itemKinds) {
    const old = (before[kind] ?? {}) as Items;
    const next = (after[kind] ?? {}) as Items;
    for (const name of [...new Set([...Object.keys(old), ...Object.keys(next)])].sort()) {
      const [was, is] = [plain(old[name]), plain(next[name])];
      if (sameJson(was, is)) continue;
      const change = was === undefined ? 'added' : is === undefined ? 'removed' : 'changed';
      const diff = kind === 'files' && change === 'changed' ? diffOf(was as FileItem, is as FileItem) : undefined;
      const text = (words[kind] ?? wordsOf(kind))(name, was, is);
      steps.push({ item: `${kind}/${name}`, change, text: printable(text, 300), ...(diff ? { diff } : {}) });
    }
  }
  steps.push(...ofItself(before, after), ...following(before, after, new Set(steps.map(({ item }) => item))));
  return { node, steps, conflicts: after.conflicts.map(one => printable(one, 300)) };
}

/** Whose word it is makes no difference to a node. */
function plain(item: Readonly<Record<string, unknown>> | undefined): Readonly<Record<string, unknown>> | undefined {
  if (item === undefined) return undefined;
  const { from: _, ...rest } = item;
  return rest;
}

/** Kinds that this page knows no better words for. */
const wordsOf =
  (kind: string): Words =>
  (name, before, after) => {
    const what = `${kind.replace(/s$/, '')} ${name}`;
    return before === undefined ? `begin with ${what}` : after === undefined ? `end ${what}` : `change ${what}`;
  };

const words: Readonly<Record<string, Words>> = {
  packages: (name, before, after) => packageWords(name, before as Package | undefined, after as Package | undefined),
  files: (_, before, after) => fileWords(before as FileItem | undefined, after as FileItem | undefined),
  services: (name, before, after) => serviceWords(name, before as Service | undefined, after as Service | undefined),
  checks: (name, before, after) => checkWords(name, before as Check | undefined, after as Check | undefined),
};

function packageWords(name: string, before: Package | undefined, after: Package | undefined): string {
  const { name: said, version, state, provider, hold } = (after ?? before) as Package;
  const what = [said ?? name, ...(provider === undefined ? [] : [`(${provider})`])].join(' ');
  if (after === undefined)
    return before?.state === 'absent' ? `let ${what} be, as it is` : `remove ${what}, if Hearth installed it`;
  if (state === 'absent') return `remove ${what}`;
  const held =
    hold === true && before?.hold !== true ? ', and hold it' : before?.hold && !hold ? ', and hold it no more' : '';
  if (version !== undefined && version !== before?.version) return `install ${what} ${version}${held}`;
  if (before === undefined || before.state === 'absent') return `install ${what}${held}`;
  if (version === undefined && before.version !== undefined)
    return `keep ${what} at whichever version is installed${held}`;
  return held === '' ? `look at ${what} again (${differing(before, after)})` : `${what}${held.replace(/^, and/, ':')}`;
}

function fileWords(before: FileItem | undefined, after: FileItem | undefined): string {
  if (after === undefined) {
    const path = before?.path ?? '';
    return before?.state === 'absent'
      ? `put back what was at ${path} before Hearth, if there was something`
      : `put back what was at ${path} before Hearth, or remove it`;
  }
  const moved = before !== undefined && before.path !== after.path ? `, and put back what was at ${before.path}` : '';
  if (after.state === 'absent') return `remove ${after.path}${moved}`;
  if (after.unpack === true) return `unpack ${after.source ?? ''} to ${after.path}${moved}`;
  if (before === undefined || before.state === 'absent' || moved !== '') return `write ${after.path}${moved}`;
  const isBytes = ['content', 'source', 'sha256', 'template', 'unpack', 'strip'].some(key =>
    differs(before, after, key),
  );
  return isBytes ? `write ${after.path}` : `change ${after.path} (${differing(before, after)})`;
}

/** Of which a process is made (node-agent/reconcile/services/spec.ts): these are not changed while it runs. */
const ofProcess = ['run', 'cwd', 'env', 'user', 'image', 'volumes', 'ports'];

function serviceWords(name: string, before: Service | undefined, after: Service | undefined): string {
  if (after === undefined) return `stop ${name}`;
  const { schedule } = after;
  const times = schedule === undefined ? undefined : typeof schedule === 'string' ? schedule : schedule.cron;
  if (before === undefined) return times === undefined ? `start ${name}` : `run ${name} at its times (${times})`;
  const keys = differing(before, after);
  const isContainer = after.image !== undefined;
  const isOther = [...ofProcess, ...(isContainer ? ['limits'] : [])].some(key => differs(before, after, key));
  return isOther ? `replace ${name} (${keys})` : `change ${name} without a restart (${keys})`;
}

function checkWords(name: string, before: Check | undefined, after: Check | undefined): string {
  const said = after ?? before;
  const what = said?.set === undefined ? name : `${name} (the set ${said.set})`;
  if (after === undefined) return `check ${what} no more`;
  if (before !== undefined) return `check ${what} otherwise (${differing(before, after)})`;
  const kind = kindOf(after);
  return `check ${what}${kind === undefined ? '' : ` (${kind})`}`;
}

const at = (item: object, key: string): unknown => (item as Readonly<Record<string, unknown>>)[key];
const differs = (before: object, after: object, key: string): boolean => !sameJson(at(before, key), at(after, key));
const differing = (before: object, after: object): string =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(key => differs(before, after, key)).join(', ');

/** What is said of the machine as a whole. */
function ofItself(before: NodeChange['before'], after: NodeChange['after']): readonly Step[] {
  const about = new Set<string>(['rev', 'roles', 'labels', 'conflicts', ...itemKinds]);
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(key => !about.has(key));
  return keys.flatMap(key => {
    const [was, is] = [at(before, key), at(after, key)];
    if (sameJson(was, is)) return [];
    const change = was === undefined ? 'added' : is === undefined ? 'removed' : 'changed';
    return [{ item: key, change, text: printable(aboutWords(key, is), 300) } as const];
  });
}

function aboutWords(key: string, is: unknown): string {
  if (key === 'drain') return is === true ? 'take no new work (drain)' : 'take work again (resume)';
  if (key !== 'agent') return is === undefined ? `have no ${key} any more` : `have another ${key}`;
  const ver = isObject(is) && typeof is.ver === 'string' ? is.ver : undefined;
  return ver === undefined ? 'keep the agent that it has' : `become agent ${ver}`;
}

/** Services that need what changes, and templates over facts that change. */
function following(
  before: NodeChange['before'],
  after: NodeChange['after'],
  done: ReadonlySet<string>,
): readonly Step[] {
  const steps: Step[] = [];
  const facts = !sameJson([before.labels, before.roles], [after.labels, after.roles]);
  const filled = new Set<string>();
  for (const [name, file] of Object.entries(after.files)) {
    const item = `files/${name}`;
    if (!facts || file.template !== true || done.has(item)) continue;
    filled.add(item);
    const text = printable(`fill in ${file.path} again, as labels or roles are others`, 300);
    steps.push({ item, change: 'follows', text });
  }
  for (const [name, service] of Object.entries(after.services)) {
    const item = `services/${name}`;
    const needed = (service.needs ?? []).filter(
      path => !path.startsWith('services/') && (done.has(path) || filled.has(path)),
    );
    if (needed.length === 0 || done.has(item)) continue;
    const onlyFiles = needed.every(path => path.startsWith('files/'));
    const how = service.reload !== undefined && onlyFiles ? 'reload' : 'restart';
    const text = printable(`${how} ${name}, if ${needed.join(', ')} is changed by it`, 300);
    steps.push({ item, change: 'follows', text });
  }
  return steps;
}
