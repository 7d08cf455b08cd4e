/** A lane of modules and a worker that does what the test says. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeatGroups } from '../../node-agent/work/executor/heat-groups.ts';
import { ModuleLane } from '../../node-agent/work/executor/modules/module-lane.ts';
import type { Pool } from '../../node-agent/work/executor/modules/pool.ts';
import type { Ready } from '../../node-agent/work/executor/modules/source.ts';
import type { TaskLine } from '../../node-agent/work/executor/modules/wire.ts';
import type { Worker, WorkerHandlers } from '../../node-agent/work/executor/modules/worker.ts';
import { recipeOf, taskOf } from '../fixture/executor-rig.ts';

const test = suite('module lane');

class FakeWorker {
  handlers!: WorkerHandlers;
  isAlive = true;
  isFast = false;
  running: number | undefined;
  readonly waiting: number[] = [];
  readonly back: number[] = [];

  get held(): number {
    return this.waiting.length + (this.running === undefined ? 0 : 1);
  }

  run(_r: number, _recipe: object, tasks: readonly TaskLine[]): void {
    for (const [at] of tasks) this.waiting.push(at);
  }

  giveBack(at: number): void {
    this.back.push(at);
  }

  begin(): void {
    this.running = this.waiting.shift();
    this.handlers.began(this.running ?? 0);
  }

  end(ms: number): void {
    const at = this.running ?? 0;
    this.running = undefined;
    this.handlers.ended(at, ms, undefined);
  }

  /** As a worker does between two tasks, when the first took long. */
  obey(): void {
    for (const at of this.back.splice(0)) {
      this.waiting.splice(this.waiting.indexOf(at), 1);
      this.handlers.returned(at);
    }
  }
}

test('what is given back may be the last that the worker had: it gets what waits in the lane', async () => {
  const worker = new FakeWorker();
  const ready = { key: 'k' } as Ready;
  const recipe = recipeOf('x');
  const returned: number[] = [];
  const lane = new ModuleLane({
    pool: { isClosed: false, take: () => worker as unknown as Worker, giveBack() {} } as unknown as Pool,
    source: { find: (_recipe, done) => queueMicrotask(() => done(ready)) },
    recipe,
    handlers: { began() {}, ended() {}, checkpoint() {}, returned: tokens => void returned.push(...tokens) },
    value: () => undefined,
    now: () => 0,
    heat: new HeatGroups(),
  });
  const tasks = Array.from({ length: 7 }, (_, index) => taskOf(recipe, index));
  lane.run(tasks.slice(0, 1));
  await Promise.resolve();
  worker.begin();
  worker.end(2);
  lane.run(tasks.slice(1));
  assert.is(worker.held, 5, 'short ones several at once, one waits in the lane');
  worker.begin();
  for (const { token } of tasks.slice(2, 6)) lane.stop(token);
  worker.end(500);
  worker.obey();
  assert.equal(
    returned,
    tasks.slice(2, 6).map(({ token }) => token),
  );
  assert.is(worker.held, 1, 'the last one');
  worker.begin();
  worker.end(1);
  lane.close();
});

test.run();
