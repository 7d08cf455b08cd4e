/**
 * A node and a supervisor that is made up, over sessions that are cut, double and reorder, with agents that are killed,
 * executors that die and disks that are full: what was not acknowledged is never gone, and in the end every task is done.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Report, TokenSpan, Work } from '../../shared/schemas/work.ts';
import { seededRandom } from '../fixture/manual-clock.ts';
import { recipe, WorkRig } from '../fixture/work-rig.ts';

const faults = suite('agent work: faults');

const slots = 3;
const tasks = 60;
const single = (tokens: Iterable<number>): TokenSpan[] => [...tokens].map(token => [token, 1]);

/** Commits the first result of each task whose token it has given out and not taken away. */
class Supervisor {
  readonly live = new Map<number, { readonly index: number; started: boolean }>();
  readonly done = new Set<number>();
  /** Ended by its word, one way or the other. */
  readonly acked = new Set<number>();
  readonly revoked = new Set<number>();
  readonly reported = new Set<number>();
  /** Waits for a turn to be sent. */
  owed = { ack: new Set<number>(), revoke: new Set<number>(), take: new Set<number>() };
  ready = false;
  #token = 0;
  #next = 0;
  #have: number[] = [];
  #queue = Array.from({ length: tasks }, (_, index) => index);
  #told = false;

  session(): void {
    this.ready = false;
    this.#told = false;
    this.#next = 0;
    this.#have = [];
    this.owed = { ack: new Set(), revoke: new Set(), take: new Set() };
  }

  hear(report: Report): void {
    // A copy of one that was heard.
    if (report.seq < this.#next) return;
    assert.is(report.seq, this.#next++, 'reports are numbered without a gap');
    if (report.have) {
      this.#have.push(...report.have.map(([token]) => token));
      for (const [token, , , , state] of report.have) {
        const live = this.live.get(token);
        if (live && state > 0) live.started = true;
        if (!live && state < 2) this.#revoke(token);
      }
      if (!report.more) {
        const have = new Set(this.#have);
        for (const token of this.live.keys()) if (!have.has(token)) this.#requeue(token);
        this.ready = true;
      }
    }
    for (const [first, n] of report.started ?? []) {
      for (let token = first; token < first + n; token++) {
        const live = this.live.get(token);
        if (live) live.started = true;
      }
    }
    for (const [token] of report.results ?? []) {
      this.reported.add(token);
      const live = this.live.get(token);
      if (live) {
        assert.ok(live.started, `${token} has a result, and never started`);
        assert.not(this.done.has(live.index), `task ${live.index} twice`);
        this.done.add(live.index);
        this.live.delete(token);
      }
      this.acked.add(token);
      this.owed.ack.add(token);
    }
    for (const [first, n] of report.returned ?? []) {
      for (let token = first; token < first + n; token++) {
        assert.not(this.live.get(token)?.started, `${token} had started and was returned`);
        this.#requeue(token);
      }
    }
  }

  #revoke(token: number): void {
    this.revoked.add(token);
    this.owed.revoke.add(token);
  }

  #requeue(token: number): void {
    const live = this.live.get(token);
    if (!live) return;
    this.live.delete(token);
    this.#queue.push(live.index);
  }

  /** One of those that are out, for whatever is to be done to it. */
  pick(random: () => number): number | undefined {
    const all = [...this.live.keys()];
    return all[Math.floor(random() * all.length)];
  }

  giveUp(token: number): void {
    this.#requeue(token);
    this.#revoke(token);
  }

  next(most: number): Partial<Work> | undefined {
    if (!this.ready) return undefined;
    const batch = this.#queue.splice(0, most);
    const { ack, revoke, take } = this.owed;
    if (batch.length + ack.size + revoke.size + take.size === 0) return undefined;
    this.owed = { ack: new Set(), revoke: new Set(), take: new Set() };
    const spans = batch.map(index => {
      const token = ++this.#token;
      this.live.set(token, { index, started: false });
      return { t: token, r: 1, i: index, n: 1, a: 1, v: [index] };
    });
    const recipes = this.#told ? undefined : [recipe(1, { common: { ms: 30 } })];
    if (spans.length > 0) this.#told = true;
    return {
      ...(spans.length > 0 ? { spans, ...(recipes ? { recipes } : {}) } : {}),
      ...(ack.size > 0 ? { ack: single(ack) } : {}),
      ...(revoke.size > 0 ? { revoke: single(revoke) } : {}),
      ...(take.size > 0 ? { take: single(take) } : {}),
    };
  }
}

function story(seed: number): { readonly cuts: number; readonly kills: number; readonly results: number } {
  const { next: random } = seededRandom(seed);
  const chance = (probability: number) => random() < probability;
  const rig = new WorkRig(slots, seed).start();
  const supervisor = new Supervisor();
  let connected = false;
  let toNode: Work[] = [];
  let toSupervisor: Report[] = [];
  const ended = new Set<number>();
  const lost = new Set<number>();
  let [cuts, kills] = [0, 0];
  rig.hear = report => toSupervisor.push(report);

  const disconnect = () => {
    if (!connected) return;
    cuts++;
    connected = false;
    // In whatever order the two ends hear of it, what is on the way is gone.
    [toNode, toSupervisor] = [[], []];
    rig.runner.down();
  };
  const connect = () => {
    if (connected) return;
    connected = true;
    supervisor.session();
    rig.up();
  };
  /** Nothing that ended is nowhere, unless the supervisor has it, does not want it, or it died with its executor. */
  const look = (when: string) => {
    for (const token of [...rig.executor.untaken, ...rig.outbox.kept.keys()]) ended.add(token);
    const there = new Set([...rig.executor.untaken, ...rig.outbox.kept.keys()]);
    for (const token of ended) {
      const settled = supervisor.acked.has(token) || supervisor.revoked.has(token) || lost.has(token);
      assert.ok(settled || there.has(token), `${when}: the result of ${token} is gone`);
    }
  };
  const deliver = () => {
    if (toNode.length > 0 && chance(0.7)) {
      const work = toNode.shift() as Work;
      rig.runner.obey(work, 100);
      // Doubled, and later than what came after it.
      if (chance(0.1)) toNode.splice(Math.floor(random() * (toNode.length + 1)), 0, work);
    }
    if (toSupervisor.length > 0 && chance(0.7)) {
      const report = toSupervisor.shift() as Report;
      supervisor.hear(report);
      if (chance(0.1)) toSupervisor.unshift(report);
    }
    if (connected && chance(0.5)) {
      const body = supervisor.next(1 + Math.floor(random() * 8));
      if (body) toNode.push(rig.message(body));
    }
  };

  for (let step = 0; step < 400; step++) {
    if (chance(0.3)) connect();
    if (chance(0.03)) disconnect();
    if (chance(0.02)) {
      kills++;
      disconnect();
      rig.restart();
    }
    if (chance(0.01)) {
      // What no agent had put on its disk dies with it.
      for (const token of rig.executor.untaken) if (!rig.outbox.kept.has(token)) lost.add(token);
      rig.executor.crash('killed');
    }
    if (chance(0.03)) rig.outbox.full = rig.outbox.full === '' ? 'no space left on device' : '';
    if (chance(0.05)) rig.takes = !rig.takes;
    if (chance(0.05)) {
      const token = supervisor.pick(random);
      if (token !== undefined) supervisor.owed.take.add(token);
    }
    if (chance(0.03)) {
      const token = supervisor.pick(random);
      if (token !== undefined) supervisor.giveUp(token);
    }
    deliver();
    rig.clock.advance(Math.floor(random() * 20));
    look(`seed ${seed}, step ${step}`);
  }

  rig.outbox.full = '';
  rig.takes = true;
  disconnect();
  // A full disk could not forget what was acknowledged meanwhile: it comes again, once.
  rig.restart();
  for (let step = 0; step < 4000; step++) {
    connect();
    deliver();
    rig.clock.advance(10);
    const idle = toNode.length + toSupervisor.length + rig.executor.held.length + rig.outbox.kept.size === 0;
    if (idle && supervisor.done.size === tasks && supervisor.owed.ack.size === 0) break;
  }
  look(`seed ${seed}, at the end`);
  assert.is(supervisor.done.size, tasks, `seed ${seed}: every task is done`);
  assert.equal([...rig.outbox.kept.keys()], [], `seed ${seed}: nothing that was acknowledged is kept`);
  assert.equal(rig.executor.untaken, [], `seed ${seed}: the executor keeps nothing`);
  assert.equal(rig.executor.held, [], `seed ${seed}: nothing runs that nobody wants`);
  return { cuts, kills, results: ended.size };
}

faults('nothing that was not acknowledged is lost, and everything is done in the end', () => {
  const seen = { cuts: 0, kills: 0, results: 0 };
  // WORK_SEED replays one run.
  const given = Number(process.env.WORK_SEED);
  const first = Math.floor(Math.random() * 2 ** 31);
  const seeds = given ? [given] : Array.from({ length: 150 }, (_, nth) => first + nth);
  for (const seed of seeds) {
    const { cuts, kills, results } = story(seed);
    seen.cuts += cuts;
    seen.kills += kills;
    seen.results += results;
  }
  if (given) return;
  assert.ok(seen.cuts > 500 && seen.kills > 300 && seen.results > 5000, JSON.stringify(seen));
});

faults.run();
