/** How fast nodes become what their documents say: beside an Ansible playbook with the same items, where there is Ansible. */
import { join } from 'node:path';
import { folder } from '../fixture/processes.ts';
import { manyNodes } from './converge/many-nodes.ts';
import { atRest, firstApply } from './converge/one-node.ts';
import { ansibleVersion, type Items, Playbook } from './converge/playbook.ts';
import type { BenchOptions, Report } from './report.ts';
import { median, percentile, verdict } from './statistics.ts';
import { figure } from './table.ts';

const items: Items = { files: 50, services: 20 };
const nodes = 100;

export async function run(options: BenchOptions): Promise<Report> {
  const rounds = options.rounds ?? (options.quick ? 1 : 3);
  const is = (name: string) => options.only.length === 0 || options.only.some(only => name.startsWith(only));
  const ansible = ansibleVersion();
  const rows: string[][] = [];
  const raw: Record<string, unknown> = {};
  const row = (what: string, value: number, unit: string, most?: number, scale = 1) =>
    rows.push([
      what,
      `${figure(value * scale)} ${unit}`,
      most === undefined ? '' : `≤ ${most * scale} ${unit}`,
      most === undefined ? '' : verdict(value, most),
    ]);

  if (is('many')) {
    const all: number[] = [];
    for (let round = 0; round < rounds; round++) all.push(...(await manyNodes(nodes)));
    all.sort((a, b) => a - b);
    raw.many = all;
    row(`${nodes} simulated nodes, one changed file each: p50`, percentile(all, 0.5), 's');
    row(`${nodes} simulated nodes, one changed file each: p99`, percentile(all, 0.99), 's', 2);
  }
  if (is('rest')) {
    const rest = await atRest(items, options.quick ? 5 : 20);
    raw.rest = rest;
    const what = `one node, ${items.files} files and ${items.services} services`;
    row(`${what}: nothing to do, median`, median(rest.nothingS), 'ms', 0.05, 1000);
    row(`${what}: nothing to do, bytes written`, rest.writtenBytes, 'B', 0);
    row(`${what}: a changed file put right, longest`, Math.max(...rest.driftS), 's', 2);
  }
  if (is('first')) {
    const [ours, theirs, again]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round < rounds; round++) {
      ours.push(await firstApply(items));
      if (ansible === undefined) continue;
      const target = folder('hearth-converge-');
      const playbook = new Playbook(join(folder('hearth-converge-'), 'play'), target, items);
      try {
        theirs.push(playbook.run().seconds);
        again.push(playbook.run().seconds);
      } finally {
        playbook.stop(items.services);
      }
    }
    Object.assign(raw, { ours, theirs, again });
    row('first apply of the same, from `set` to `is`', median(ours), 's');
    if (theirs.length > 0) {
      row('first apply as an Ansible playbook on localhost', median(theirs), 's');
      row('Ansible again, nothing to do', median(again), 's');
      const ratio = median(theirs) / median(ours);
      rows.push(['Ansible ÷ Hearth, first apply', figure(ratio), '≥ 10', ratio >= 10 ? 'reached' : 'missed']);
    }
  }
  return {
    name: 'converge',
    title: 'Converging',
    versions: ['Hearth', ansible === undefined ? 'no Ansible here' : `ansible-core ${ansible}`],
    conditions: [`median of ${rounds} rounds`, 'supervisor, nodes and Ansible on one machine, not pinned'],
    tables: [{ title: 'From what is said to what is', columns: ['what', 'value', 'target', ''], rows }],
    notes: [
      'Ansible writes the files with its copy module in one loop and starts the services as background processes in another: it looks after them no further.',
      "Nothing to do: one pass of the agent's own reconciler over a document of a new revision that says the same; bytes are those that the kernel counts for the process (write_bytes).",
      'Simulated nodes have the real agent and connection; their files are made up.',
    ],
    raw,
  };
}
