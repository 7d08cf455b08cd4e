/**
 * The dispatch core under random events: copies, late and lost messages, nodes that go, a supervisor that is killed and
 * forgets what was not synced, a disk that refuses, people who change their mind. In the end all is healed, and then
 * every job must have ended with every task committed once.
 */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Committed } from '../../broker/jobs/core/events.ts';
import { Placement } from '../../broker/jobs/placement/placement.ts';
import type { Placer } from '../../broker/jobs/placement/placer.ts';
import type { End } from '../../shared/schemas/work.ts';
import type { FakeNode, FakeTask } from '../fixture/jobs-core-node.ts';
import { FirstCome } from '../fixture/jobs-core-placer.ts';
import { World } from '../fixture/jobs-core-world.ts';

const test = suite('jobs: random faults');

const documents: readonly Record<string, unknown>[] = [
  { run: 'true', array: '1-30' },
  { run: 'true' },
  { run: 'flaky', array: '1-8', retries: 1, backoff_s: 0.5 },
  { plugin: 'sum', items: [1, 2, 3, 4, 5, 6, 7], reduce: { plugin: 'sum', fan_in: 3 } },
  { run: 'true', array: '1-5', replicas: 2, agree: 2 },
  { run: 'true', array: '1-12', max_parallel: 3, batch: 2, speculate: true },
  { run: 'true', array: '1-4', needs: ['j0'] },
  { run: 'flaky', array: '1-6', retries: 0, needs: ['j2'] },
  { run: 'true', array: '1-9', class: 'heat' },
  { run: 'flaky', array: '1-5', class: 'heat', retries: 1, speculate: true, max_parallel: 2 },
  { run: 'true', array: '1-3', class: 'heat', replicas: 2, agree: 2 },
];
const names = ['n1', 'n2', 'n3'] as const;

class Run {
  readonly world: World;
  readonly accepted = new Set<string>();
  /** Attempts after which something happened that may have ended them: no promise is made for their results. */
  readonly doubtful = new Set<number>();
  /** By recipe and index the last attempt that was sent. */
  readonly last = new Map<string, number>();
  readonly tokens = new Map<number, FakeTask>();

  constructor(newPlacer?: () => Placer) {
    this.world = new World(newPlacer);
    this.world.autoSync = false;
    for (const name of names) this.world.node(name, 6);
  }

  node(n: number): FakeNode {
    return this.world.nodes.get(names[n % names.length] as string) as FakeNode;
  }

  some(tasks: FakeTask[], n: number): FakeTask[] {
    return tasks.slice(0, 1 + (n % 5));
  }

  /** Numbers say what happens: which, and two for how. */
  act([what, a, b]: readonly [number, number, number]): void {
    const { world } = this;
    const node = this.node(a);
    const doubt = () => {
      for (const { token } of node.tasks.values()) this.doubtful.add(token);
    };
    const doubtAll = () => {
      for (const { tasks } of world.nodes.values()) for (const token of tasks.keys()) this.doubtful.add(token);
    };
    const job = `j${a % documents.length}`;
    if (what >= 108) {
      // Another life in the same session, as of a copied disk; what is held back was said in the one before.
      doubt();
      node.lossy = true;
      if (b % 3 > 0) for (const [token, { state }] of [...node.tasks]) if (state < b % 3) node.tasks.delete(token);
      if (node.isOnline) node.begin();
    } else if (what >= 100) {
      if (what < 106) node.heats(b % 4);
      // Long enough for what is frozen to be moved.
      else world.pass(310_000);
    } else if (what < 14) {
      if (!world.core.job(job) || b % 4 === 0) world.submit(job, { keep_h: 720, ...documents[a % documents.length] });
    } else if (what < 30) world.sync();
    else if (what < 45) {
      if (node.isOnline) node.start(this.some(node.list(0), b));
    } else if (what < 62) {
      const tasks = this.some(node.list(1), b);
      if (node.isOnline && tasks.length > 0) node.end(tasks, task => this.end(node, task, b));
      if (node.isOnline) node.report({});
    } else if (what < 65) {
      const copy = node.said[node.said.length - 1 - (b % 4)];
      if (copy) world.tell(copy);
    } else if (what < 68) {
      // Later ones overtake what is held back.
      if (node.late) {
        const late = node.late;
        node.late = undefined;
        node.report({});
        for (const event of late) world.tell(event);
      } else node.late = [];
    } else if (what < 71) {
      const { asked } = node;
      const given = asked.splice(0).filter(token => node.tasks.get(token)?.state === 0);
      const waiting =
        given.length > 0
          ? given
          : node
              .list(0)
              .slice(0, b % 3)
              .map(({ token }) => token);
      if (node.isOnline && waiting.length > 0) node.returnAll(waiting);
    } else if (what < 73) {
      const [task] = node.list(1);
      if (node.isOnline && task)
        node.report({ checkpoints: [[task.token, Buffer.from(`${task.index}`).toString('base64')]] });
    } else if (what < 78) {
      doubt();
      node.late = undefined;
      if (node.isOnline) node.disconnect();
      // The machine was restarted: what it held is gone, but for what had ended.
      if (b % 3 === 0) for (const [token, { state }] of [...node.tasks]) if (state < 2) node.tasks.delete(token);
    } else if (what < 84) {
      if (!node.isOnline) node.connect();
    } else if (what < 87) {
      doubtAll();
      world.crash();
      for (const { id } of world.nodes.values()) this.node(names.indexOf(id as 'n1')).late = undefined;
    } else if (what < 89) {
      doubtAll();
      world.order(job, b % 2 === 0 ? 'cancel' : 'retry');
    } else if (what < 91) world.order(job, b % 2 === 0 ? 'pause' : 'resume');
    else if (what < 92) world.priority(job, (b % 9) - 4);
    else if (what < 93) {
      const [first] = world.writes;
      if (first) world.tell({ type: 'unsynced', write: first.write, error: { code: 'journal', message: 'no space' } });
    } else if (what < 94) {
      node.loseNext = true;
      doubt();
    } else if (what < 96) world.wallOffset += (b % 2 === 0 ? 1 : -1) * 86_400_000;
    else if (what < 97) {
      if (world.placer instanceof FirstCome)
        world.placer.moves = [...node.tasks.values()].map(({ r }) => ({ node: node.id, r, n: 1 + (b % 2) }));
    } else if (what < 98) world.tell({ type: 'pardon', node: node.id });
    else world.pass(b % 3 === 0 ? 20_000 : 300);
    for (const each of world.nodes.values()) each.answer();
    this.check();
  }

  end(node: FakeNode, { r, index, a, v }: FakeTask, b: number): End | undefined {
    const recipe = this.world.recipes.get(r);
    const { job } = recipe ?? {};
    if (recipe?.run === 'flaky' && (index + a + b) % 3 === 0) return { why: 'exit', exit: 1, err: 'exit status 1' };
    if (job === 'j4' && b % 7 === 0) return { value: `wrong ${node.id}` };
    if (b % 11 === 0) return { why: 'lost', err: 'its process is gone' };
    return this.sum({ v, r } as FakeTask);
  }

  check(): void {
    const { world } = this;
    for (const { answer, error, job, fresh } of world.answers.splice(0)) {
      assert.ok(answer > 0);
      if (!error && job !== undefined && fresh !== undefined) this.accepted.add(job);
    }
    for (const job of this.accepted) assert.ok(world.core.job(job), `${job} was accepted and is not there`);
    for (const { body } of world.sends.splice(0)) {
      for (const { t, r, i, n } of body.spans ?? []) for (let k = 0; k < n; k++) this.last.set(`${r} ${i + k}`, t + k);
    }
    for (const node of world.nodes.values()) {
      for (const task of node.tasks.values()) this.tokens.set(task.token, task);
      for (const token of node.acked.splice(0)) this.acked(token);
    }
  }

  /** A result was acknowledged: its attempt was the task's last and nothing had ended it, so the store has it. */
  acked(token: number): void {
    const task = this.tokens.get(token);
    if (!task || this.doubtful.has(token) || task.end?.why !== undefined) return;
    if (this.last.get(`${task.r} ${task.index}`) !== token) return;
    const [job] = [...this.world.disk].flatMap(([key, text]) => {
      const record = key.startsWith('jobs/doc/') ? JSON.parse(text) : undefined;
      return record?.r === task.r ? [key.slice('jobs/doc/'.length)] : [];
    });
    if (job === undefined || job === 'j4' || job === 'j10') return;
    const found = this.stored(job).some(({ index }) => index === task.index);
    assert.ok(found, `task ${task.index} of ${job} was acknowledged and is not in the store`);
  }

  /** Its own tasks' results, without the reduction's, as the store has them. */
  stored(job: string): Committed[] {
    const batches = [...this.world.disk].filter(([key]) => key.startsWith(`jobout/${job}/`)).sort();
    return batches.flatMap(([, text]) => {
      const { results, reduced } = JSON.parse(text);
      return reduced ? [] : results;
    });
  }

  heal(): void {
    const { world } = this;
    world.autoSync = true;
    world.sync();
    for (const node of world.nodes.values()) {
      node.late = undefined;
      node.loseNext = false;
      world.tell({ type: 'pardon', node: node.id });
      if (!node.isOnline) node.connect();
      node.heats(4);
    }
    for (const job of world.core.jobs()) if (job.is.paused) world.order(job.id, 'resume');
    for (let round = 0; round < 400 && this.unfinished().length > 0; round++) {
      for (const node of world.nodes.values()) {
        node.answer();
        for (const task of node.list(1)) task.state = 1;
        node.report({});
        if (node.list(1).length > 0) node.end(node.list(1), task => this.sum(task));
        node.work(task => this.sum(task));
        const ended = [...node.tasks.values()].filter(({ state }) => state === 2);
        if (ended.length > 0) node.end(ended, task => task.end);
      }
      world.pass(1000);
      this.check();
    }
  }

  sum({ v, r }: FakeTask): End | undefined {
    if (this.world.recipes.get(r)?.plugin !== 'sum') return undefined;
    return { value: Array.isArray(v) ? v.reduce((x: number, y: number) => x + y, 0) : v };
  }

  unfinished(): string[] {
    const open: string[] = [];
    for (const { id, state } of this.world.core.jobs()) if (state === 'queued' || state === 'running') open.push(id);
    return open;
  }

  verdict(): void {
    const { world } = this;
    assert.equal(
      this.unfinished(),
      [],
      this.unfinished()
        .map(id => `${JSON.stringify(world.core.job(id)?.is)} ${JSON.stringify(world.core.explain(id))}`)
        .join(),
    );
    for (const { id, is } of world.core.jobs()) {
      const results = this.stored(id);
      const good = results.filter(({ state }) => state === 'succeeded').map(({ index }) => index);
      assert.is(new Set(good).size, good.length, `${id}: a task was committed twice`);
      const dead = new Set(results.filter(({ state }) => state === 'failed').map(({ index }) => index));
      for (const index of good) dead.delete(index);
      assert.is(is.succeeded, good.length, `${id}: ${JSON.stringify(is)}, but ${good.length} are stored`);
      if (is.state === 'succeeded') {
        assert.is(good.length, is.tasks);
        if (id === 'j3') assert.is(this.reduced(id), 28, `reduced to ${this.reduced(id)}`);
      }
      if (is.state === 'failed' && id !== 'j3') assert.is(good.length + dead.size, is.tasks, `${id}: all are over`);
    }
    if (world.placer instanceof FirstCome)
      assert.equal([...world.placer.hands], [], 'placement knows that nothing is in hand');
    const kept = [...world.disk.keys()].filter(key => key.startsWith('jobcp/') && this.isOver(key));
    assert.equal(kept, []);
  }

  /** A canceled job's checkpoints stay for its retry; others are gone. */
  isOver(key: string): boolean {
    const r = Number(key.split('/')[1]);
    for (const [name, text] of this.world.disk) {
      if (name.startsWith('jobs/doc/') && JSON.parse(text).r === r) {
        return this.world.state(name.slice('jobs/doc/'.length)) === 'succeeded';
      }
    }
    return false;
  }

  reduced(job: string): unknown {
    const batches = [...this.world.disk].filter(([key]) => key.startsWith(`jobout/${job}/`)).sort();
    const last = JSON.parse(batches[batches.length - 1]?.[1] ?? '{}');
    return last.reduced ? last.results[0].end.value : undefined;
  }
}

const runs = Number(process.env.JOBS_RUNS ?? 300);
const seed = process.env.JOBS_SEED === undefined ? {} : { seed: Number(process.env.JOBS_SEED) };

const placers: readonly (readonly [string, () => Placer])[] = [
  ['first come', () => new FirstCome()],
  ['real placement', () => new Placement()],
];
for (const [name, newPlacer] of placers) {
  test(`nothing is lost and nothing committed twice, ${name}, ${runs} runs`, () => {
    const step = fc.tuple(fc.integer({ min: 0, max: 110 }), fc.nat({ max: 30 }), fc.nat({ max: 60 }));
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 400, size: 'max' }), steps => {
        const run = new Run(newPlacer);
        for (const each of steps) run.act(each);
        run.heal();
        run.verdict();
      }),
      { numRuns: runs, includeErrorInReport: true, ...seed },
    );
  });
}

test.run();
