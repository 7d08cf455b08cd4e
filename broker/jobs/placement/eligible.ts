/** Who may run what, whatever there is to do: gates, with their answers kept; and the same in words. */
import type { Facts } from '../../../shared/jobs/where.ts';
import { nearest, printable } from '../../../shared/names.ts';
import type { NodeView } from '../core/events.ts';
import { compiled, type Gate } from './classes.ts';
import type { Node } from './nodes.ts';
import type { RecipeView, WhyNot } from './placer.ts';

/** Whether the gate lets the node in; asked once, until the node changes. */
export function allows(gate: Gate, node: Node): boolean {
  const word = gate.bit >>> 5;
  const mask = 1 << (gate.bit & 31);
  if (((node.yes[word] ?? 0) & mask) !== 0) return true;
  if (((node.no[word] ?? 0) & mask) !== 0) return false;
  if (word >= node.yes.length) {
    node.yes = grown(node.yes, word);
    node.no = grown(node.no, word);
  }
  const allowed = node.view !== undefined && judge(gate, node.view);
  const bits = allowed ? node.yes : node.no;
  bits[word] = (bits[word] ?? 0) | mask;
  return allowed;
}

/** A new gate has this position: what nodes answered to an earlier one is void. */
export function forgetBit(bit: number, nodes: Iterable<Node>): void {
  const word = bit >>> 5;
  const others = ~(1 << (bit & 31));
  for (const node of nodes) {
    if (word >= node.yes.length) continue;
    node.yes[word] = (node.yes[word] ?? 0) & others;
    node.no[word] = (node.no[word] ?? 0) & others;
  }
}

export function grown(bits: Uint32Array<ArrayBuffer>, word: number): Uint32Array<ArrayBuffer> {
  const more = new Uint32Array(Math.max(word + 1, bits.length * 2));
  more.set(bits);
  return more;
}

function judge({ where, needs, plugin }: Gate, { can, plugins, inline, facts }: NodeView): boolean {
  if (!can.includes(needs)) return false;
  if (needs === 'plugin' && (plugin === undefined || !plugins.includes(plugin))) return false;
  if (needs === 'code' && !inline) return false;
  return where === undefined || (!('error' in where) && where.test(facts));
}

/** For each node, by its id, why it gets none of this; the reason that lasts longest first. */
export function explain(view: RecipeView, nodes: Iterable<Node>): readonly WhyNot[] {
  const where = compiled(view.where);
  const seen = [...nodes].filter(node => node.view !== undefined).sort((a, b) => (a.id < b.id ? -1 : 1));
  const hint = hints(seen);
  return seen.map(node => {
    const why = because(view, where, node, hint);
    return why === undefined ? { node: node.id } : { node: node.id, why };
  });
}

type Hint = (name: string) => string | undefined;

function because(view: RecipeView, where: Gate['where'], node: Node, hint: Hint): string | undefined {
  if (where && 'error' in where) return where.error;
  const { facts, can, plugins, inline, closed, load, maxTempC } = node.view as NodeView;
  const placed = where?.why(facts, hint);
  if (placed !== undefined) return placed;
  if (!can.includes(view.needs)) return `cannot run ${workOf[view.needs]}`;
  if (view.needs === 'plugin' && (view.plugin === undefined || !plugins.includes(view.plugin))) {
    return `has no plugin "${printable(view.plugin ?? '')}"`;
  }
  if (view.needs === 'code' && !inline) return 'does not allow inline code';
  if (closed !== undefined) return closed;
  if (!node.online) return 'is offline';
  if (view.heat && node.heat === 0) return 'heat is not asked of it';
  if (view.cpus > node.slots) return `has ${node.slots} slots, needs ${view.cpus}`;
  if (node.hot) return `is ${load.temp_c ?? 'too hot'}${load.temp_c === undefined ? '' : ` °C, limit ${maxTempC}`}`;
  const memory = node.memory();
  if (view.memMb !== undefined && memory !== undefined && view.memMb > memory) {
    return `has ${Math.floor(memory)} MB free, needs ${view.memMb}`;
  }
  return undefined;
}

const workOf = { run: 'commands', plugin: 'plugins', package: 'packages', code: 'inline code' } as const;

/** A name that no node knows may be one that is misspelled: the nearest that some node has. */
function hints(nodes: readonly Node[]): Hint {
  let known: Set<string> | undefined;
  const found = new Map<string, string | undefined>();
  return name => {
    known ??= new Set(nodes.flatMap(node => Object.keys((node.view as NodeView).facts satisfies Facts)));
    if (known.has(name)) return undefined;
    if (!found.has(name)) found.set(name, nearest(name, known));
    return found.get(name);
  };
}
