/** What of a node matters to jobs, from what it says of itself and what its documents say of it. Pure. */
import type { NodeView as Shown } from '../../shared/fleet-view.ts';
import type { NodeJobs } from '../../shared/schemas/job.ts';
import type { Info, Load } from '../../shared/schemas/telemetry.ts';
import type { NodeView } from './core/events.ts';

/** What the supervisor's documents say. */
export interface NodeSaid {
  readonly roles: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly drain: boolean;
  readonly jobs: NodeJobs;
}

/** What heating says of a node. */
export interface OfHeating {
  readonly slots?: number;
  readonly drawnW?: number | undefined;
}

const defaultMaxTempC = 85;
/** Facts of one node; a machine says some thirty. */
const mostFacts = 200;
const works = ['run', 'plugin', 'package', 'code'] as const;
type Facts = NodeView['facts'];

/** Keys of `info` that are lists to a machine and no fact to ask for. */
const left = new Set(['node', 'roles', 'macs', 'nets', 'seal_key', 'plugins', 'work']);

/**
 * Facts as `where` sees them: those of `info`, over them the labels that the cluster gave it (`label_x` and `x`; a node cannot say
 * otherwise of these), its roles, and its id as `node`.
 */
function factsOf(node: string, info: Info | undefined, said: NodeSaid): Facts {
  const facts: Record<string, string | number | boolean | readonly string[]> = {};
  for (const [key, value] of Object.entries(info ?? {})) {
    if (left.has(key) || Object.keys(facts).length >= mostFacts) continue;
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') continue;
    facts[key] = value;
  }
  for (const [name, value] of Object.entries(said.labels)) {
    facts[`label_${name}`] = value;
    // A label does not hide what the machine is.
    if (!Object.hasOwn(facts, name) || name === 'zone' || name === 'room') facts[name] = value;
  }
  facts.node = node;
  facts.roles = said.roles;
  return facts;
}

const listed = (text: unknown): readonly string[] =>
  typeof text === 'string'
    ? text
        .split(',')
        .map(one => one.trim())
        .filter(one => one !== '')
    : [];

/** Watts by the labels `watts_idle` and `watts_max`, between them by how busy it is. */
function labelWatts(labels: NodeSaid['labels'], cpuPct: number | undefined): number | undefined {
  const [idle, most] = [Number(labels.watts_idle), Number(labels.watts_max)];
  const given = [idle, most].map(watts => Number.isFinite(watts) && watts >= 0);
  if (given[0] && given[1])
    return cpuPct === undefined ? undefined : idle + ((most - idle) * Math.min(cpuPct, 100)) / 100;
  return undefined;
}

function loadOf(
  load: Load | undefined,
  info: Info | undefined,
  labels: NodeSaid['labels'],
  drawnW: number | undefined,
): NodeView['load'] {
  const watts = drawnW ?? load?.watts ?? labelWatts(labels, load?.cpu_pct);
  const free =
    load?.mem_mb === undefined || info?.mem_mb === undefined ? undefined : Math.max(0, info.mem_mb - load.mem_mb);
  return {
    ...(load?.cpu_pct === undefined ? {} : { cpu_pct: load.cpu_pct }),
    ...(free === undefined ? {} : { mem_free_mb: free }),
    ...(load?.temp_c === undefined ? {} : { temp_c: load.temp_c }),
    ...(watts === undefined ? {} : { watts }),
  };
}

/** Why it takes nothing new. */
function closedBy(is: Shown['is'], said: NodeSaid): string | undefined {
  if (said.jobs.slots === 0) return 'its document gives it no slots for jobs ("slots" of "jobs")';
  if (said.drain) return 'it is drained: do/resume ends that';
  if (is?.state === 'draining') return 'it is drained';
  if (is?.state === 'failed') return `it is in safe mode${is.err === '' ? '' : `: ${is.err.slice(0, 100)}`}`;
  return is?.state === 'sleeping' || is?.state === 'left' ? `it is ${is.state}` : undefined;
}

/** Views of all nodes; the facts of one stay the same object until one of them changes. */
export class NodeViews {
  readonly #facts = new Map<
    string,
    { readonly info: Info | undefined; readonly said: NodeSaid; readonly facts: Facts }
  >();

  /**
   * @param said the same object while the node's documents are the same.
   * @param heating slots for tasks of class heat, and what the machine draws by the best that is known of it, W.
   */
  of(node: string, shown: Shown | undefined, said: NodeSaid, heating: OfHeating = {}): NodeView {
    const { slots: heat = 0, drawnW } = heating;
    const info = shown?.info;
    let known = this.#facts.get(node);
    if (!known || known.said !== said || known.info !== info) {
      const facts = factsOf(node, info, said);
      known = { info, said, facts: known && sameFacts(known.facts, facts) ? known.facts : facts };
      this.#facts.set(node, known);
    }
    const can = listed(info?.work);
    const closed = closedBy(shown?.is, said);
    const { jobs } = said;
    return {
      node,
      facts: known.facts,
      plugins: [...new Set([...listed(info?.plugins), ...Object.keys(jobs.plugins ?? {})])],
      can: info?.work === undefined ? works : works.filter(one => can.includes(one)),
      load: loadOf(shown?.load, info, said.labels, drawnW),
      maxTempC: jobs.max_temp_c ?? defaultMaxTempC,
      inline: jobs.inline === true,
      ...(heat > 0 ? { heat } : {}),
      ...(closed === undefined ? {} : { closed }),
    };
  }

  forget(node: string): void {
    this.#facts.delete(node);
  }
}

function sameFacts(a: Facts, b: Facts): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every(key => Object.hasOwn(b, key) && same(a[key], b[key]));
}

const same = (a: Facts[string] | undefined, b: Facts[string] | undefined): boolean =>
  a === b || (Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((one, at) => one === b[at]));
