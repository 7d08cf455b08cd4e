/** One real node: what it takes to become what its document says, to find that it is, and to see that it no longer is. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createReconciler } from '../../../node-agent/reconcile/index.ts';
import { realFiles } from '../../../node-agent/reconcile/real-kinds.ts';
import type { Document } from '../../../node-agent/reconcile/reconciler.ts';
import { createRealHost } from '../../../node-agent/reconcile/services/real-host.ts';
import { silentLog } from '../../../shared/log.ts';
import { systemClock, systemRandom } from '../../../shared/system-clock.ts';
import { up } from '../../fixture/cluster.ts';
import { connectClient, type TestClient } from '../../fixture/mqtt-client.ts';
import { folder } from '../../fixture/processes.ts';
import { commandOf, contentOf, type Items } from './playbook.ts';

const now = (): number => performance.now() / 1000;
const node = 'bench';

export function itemsIn(target: string, items: Items) {
  const files = Array.from({ length: items.files }, (_, index) => [
    `f${index}`,
    { path: join(target, `etc/file-${index}.conf`), content: contentOf(index) },
  ]);
  const services = Array.from({ length: items.services }, (_, index) => [`s${index}`, { run: commandOf(index) }]);
  return { files: Object.fromEntries(files), services: Object.fromEntries(services) };
}

const attempted = (watcher: TestClient, rev: number) =>
  watcher.wait(`revision ${rev} is attempted`, ({ topic, text }) => {
    if (!topic.endsWith('/is')) return false;
    const is = JSON.parse(text) as { rev: number; err: string };
    if (is.rev >= rev && is.err !== '') throw new Error(`the node says: ${is.err}`);
    return is.rev >= rev;
  });

async function accepted(watcher: TestClient, topic: string, payload: string): Promise<number> {
  const since = performance.now();
  await watcher.publish(topic, payload);
  const answer = await watcher.wait('an answer', one => one.topic.endsWith('/result') && one.at >= since);
  const { rev, error } = JSON.parse(answer.text) as { rev?: number; error?: string };
  if (rev === undefined) throw new Error(`the set was refused: ${error}`);
  return rev;
}

/** A `set` of everything, through a supervisor, to its node's `is`: seconds. */
export async function firstApply(items: Items): Promise<number> {
  const cluster = await up({ flags: ['--node', node, '--stop-services'] });
  const watcher = await connectClient(cluster.url, [`hearth/node/${node}/is`, `hearth/node/${node}/result`]);
  try {
    const at = now();
    const document = JSON.stringify(itemsIn(folder('hearth-converge-'), items));
    await attempted(watcher, await accepted(watcher, `hearth/node/${node}/set`, document));
    return now() - at;
  } finally {
    await watcher.close();
    await cluster.process.stop();
  }
}

export interface Rest {
  /** Seconds of a pass over a document of which all is so already. */
  readonly nothingS: readonly number[];
  /** Bytes that the kernel had to write to disks because of each pass (write_bytes of proc(5)). */
  readonly writtenBytes: number;
  /** Seconds from a change by somebody else until it is put right. */
  readonly driftS: readonly number[];
}

/** The agent's own reconciler on this machine, without what is around it. */
export async function atRest(items: Items, rounds: number): Promise<Rest> {
  const [data, target] = [folder('hearth-converge-'), folder('hearth-converge-')];
  const [clock, random] = [systemClock(), systemRandom()];
  const never = { fetch: () => ({ cancel() {} }) };
  const kinds = { data, clock, random, log: silentLog, fetching: never, facts: () => ({}) };
  const host = createRealHost({ folder: data, log: silentLog });
  const reconciler = createReconciler({ host, clock, random, files: realFiles(kinds) });
  let look = () => {};
  reconciler.start(undefined, { changed: () => look(), output() {}, notice() {} });
  const said = itemsIn(target, items);
  const from = `node/${node}`;
  const wanted = (all: object) =>
    Object.fromEntries(Object.entries(all).map(([name, item]) => [name, { ...item, from }]));
  const document = (rev: number) =>
    ({ rev, files: wanted(said.files), services: wanted(said.services) }) as unknown as Document;
  const apply = (rev: number) =>
    new Promise<number>(resolve => {
      const at = now();
      look = () => {
        if (reconciler.attempted().rev === rev) resolve(now() - at);
      };
      reconciler.apply(document(rev));
    });
  try {
    await apply(1);
    // What the first apply began is written meanwhile.
    await pause();
    const nothingS: number[] = [];
    const before = writtenBytes();
    for (let round = 0; round < rounds; round++) nothingS.push(await apply(2 + round));
    const written = writtenBytes() - before;
    const driftS: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const index = round % items.files;
      const file = join(target, `etc/file-${index}.conf`);
      await pause();
      const at = now();
      writeFileSync(file, 'somebody was here\n');
      while (readFileSync(file, 'utf8') !== contentOf(index)) await new Promise(done => setTimeout(done, 2));
      driftS.push(now() - at);
    }
    return { nothingS, writtenBytes: written, driftS };
  } finally {
    await new Promise<void>(done => reconciler.stopAll(done));
    reconciler.close();
  }
}

const writtenBytes = (): number =>
  Number(/^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? Number.NaN);
const pause = () => new Promise(done => setTimeout(done, 1000));
