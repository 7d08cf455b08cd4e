/**
 * The dispatch core killed after every single effect of a whole story: what was said before stays true, what was not said is
 * asked again, and in the end every job has ended with every task committed once.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Committed } from '../../broker/jobs/core/events.ts';
import { Placement } from '../../broker/jobs/placement/placement.ts';
import type { End } from '../../shared/schemas/work.ts';
import type { FakeTask } from '../fixture/jobs-core-node.ts';
import { World } from '../fixture/jobs-core-world.ts';

const test = suite('jobs: killed at every effect');

const jobs: readonly (readonly [id: string, document: Record<string, unknown>, tasks: number])[] = [
  ['plain', { run: 'x', array: '1-5', batch: 2 }, 5],
  ['flaky', { run: 'flaky', array: '1-3', retries: 2, backoff_s: 0.5 }, 3],
  ['sum', { plugin: 'sum', items: [1, 2, 3, 4, 5], reduce: { plugin: 'sum', fan_in: 2 } }, 5],
  ['twice', { run: 'x', array: '1-2', replicas: 2, agree: 2 }, 2],
  ['after', { run: 'x', array: '1-2', needs: ['plain'] }, 2],
  ['warm', { run: 'x', array: '1-4', class: 'heat' }, 4],
  ['warm-sum', { plugin: 'sum', items: [1, 2], reduce: { plugin: 'sum', fan_in: 2 }, class: 'heat' }, 2],
  ['never', { run: 'x', array: '1-2', paused: true }, 2],
];

/** One world, and what has been promised in it. */
class Story {
  readonly world = new World(() => new Placement());
  readonly promised = new Set<string>();

  constructor() {
    for (const id of ['n1', 'n2']) this.world.node(id, 4);
  }

  submitAll(): void {
    for (const [id, document] of jobs) {
      if (this.promised.has(id)) continue;
      const answer = this.world.submit(id, document);
      if (answer && !answer.error) this.promised.add(id);
    }
  }

  /** What nodes and time do until nothing more happens. */
  go(rounds = 60): void {
    const { world } = this;
    for (let round = 0; round < rounds && !world.dead && this.open().length > 0; round++) {
      for (const node of world.nodes.values()) {
        // Heat comes and goes; what is begun in between is frozen.
        node.heats((round + (node.id === 'n1' ? 1 : 0)) % 3);
        if (round % 4 === 2) node.start(node.list(0).slice(0, 1));
        if (round % 4 === 3) node.heats(0);
        const [saved] = node.list(1);
        if (saved && round % 7 === 1) node.report({ checkpoints: [[saved.token, 'YQ==']] });
        // What it was asked for goes back.
        const asked = node.asked.splice(0).filter(token => node.tasks.get(token)?.state === 0);
        if (asked.length > 0) node.returnAll(asked);
        if (node.list(1).length > 0) node.end(node.list(1), task => this.end(task));
        node.work(task => this.end(task));
      }
      world.pass(300);
    }
  }

  open(): string[] {
    return jobs.map(([id]) => id).filter(id => id !== 'never' && !/succeeded/.test(this.world.state(id) ?? ''));
  }

  end({ r, v, a }: FakeTask): End | undefined {
    const recipe = this.world.recipes.get(r);
    if (recipe?.run === 'flaky' && a === 1) return { why: 'exit', exit: 1, err: 'exit status 1' };
    if (recipe?.plugin !== 'sum') return undefined;
    return { value: Array.isArray(v) ? v.reduce((x: number, y: number) => x + y, 0) : v };
  }

  stored(job: string, reduced: boolean): Committed[] {
    const batches = [...this.world.disk].filter(([key]) => key.startsWith(`jobout/${job}/`)).sort();
    return batches.flatMap(([, text]) => {
      const batch = JSON.parse(text) as { results: Committed[]; reduced?: boolean };
      return (batch.reduced ?? false) === reduced ? batch.results : [];
    });
  }

  verdict(when: string): void {
    const { world } = this;
    assert.equal(this.open(), [], `${when}: not ended`);
    for (const [id, , tasks] of jobs) {
      const results = this.stored(id, false).map(({ index }) => index);
      if (id === 'never') assert.equal(results, [], `${when}: a paused job ran`);
      else assert.equal(results.sort(), [...Array(tasks).keys()], `${when}: tasks of ${id} in the store`);
      const said = (world.outs.get(id) ?? []).filter(({ reduced }) => !reduced);
      const bySeq = new Map<number, string>();
      for (const { seq, results: each } of said) {
        const text = JSON.stringify(each);
        assert.is(bySeq.get(seq) ?? text, text, `${when}: batch ${seq} of ${id} was said in two ways`);
        bySeq.set(seq, text);
      }
    }
    assert.equal(
      this.stored('sum', true).map(({ end }) => end?.value),
      [15],
      `${when}: the reduction`,
    );
  }
}

function whole(): number {
  const story = new Story();
  story.submitAll();
  story.go();
  story.verdict('nobody was killed');
  return story.world.effects;
}

const effects = whole();

for (const reached of [false, true]) {
  const what = reached ? 'had reached the disk all the same' : 'is gone';
  test(`after each of ${effects} effects; what was being written ${what}`, () => {
    assert.ok(effects > 80, `${effects} effects: not much of a story`);
    for (let at = 1; at <= effects; at++) {
      const story = new Story();
      const { world } = story;
      world.killAt = at;
      story.submitAll();
      story.go();
      if (world.dead) {
        world.killAt = Number.POSITIVE_INFINITY;
        for (const { ops } of reached ? world.writes : []) {
          for (const op of ops) 'put' in op ? world.disk.set(op.put, op.value) : world.disk.delete(op.del);
        }
        world.crash();
        for (const node of world.nodes.values()) if (!node.isOnline) node.connect();
      }
      for (const id of story.promised) assert.ok(world.core.job(id), `${id} was accepted, and is gone at effect ${at}`);
      story.submitAll();
      story.go();
      story.verdict(`killed after effect ${at}`);
    }
  });
}

test.run();
