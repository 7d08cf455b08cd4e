import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createReconciler } from '../../node-agent/reconcile/index.ts';
import type { Document, ReconcilerApi } from '../../node-agent/reconcile/reconciler.ts';
import { createSimulatedHost, SimulatedMachine } from '../../node-agent/reconcile/services/simulated-host.ts';
import type { Clock, Random } from '../../shared/clock.ts';
import type { WantedService } from '../../shared/schemas/node-document.ts';

const reconcile = suite('reconcile');

/** Numbers from a seed: mulberry32 (Tommy Ettinger, public domain). */
function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const byte = () => Math.floor(next() * 256);
  const hex = (bytes: number) => Array.from({ length: bytes }, () => byte().toString(16).padStart(2, '0')).join('');
  return { next, hex };
}

interface Due {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

/** Virtual time: nothing happens but in {@link pass}. */
class Time implements Clock {
  #now = 0;
  #order = 0;
  #timers: Due[] = [];

  now = () => this.#now;
  wall = () => 1_800_000_000_000 + this.#now;

  after(ms: number, fn: () => void) {
    const timer = { at: this.#now + Math.max(0, ms), order: this.#order++, fn };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter(each => each !== timer);
      },
    };
  }

  pass(ms: number): void {
    const end = this.#now + ms;
    for (let events = 0; ; events++) {
      if (events > 200_000) throw new Error('time stands still: something asks for 0 ms again and again');
      let first: Due | undefined;
      for (const timer of this.#timers) {
        if (!first || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) first = timer;
      }
      if (!first || first.at > end) break;
      this.#timers.splice(this.#timers.indexOf(first), 1);
      this.#now = first.at;
      first.fn();
    }
    this.#now = end;
  }
}

/** A machine whose agent comes and goes. */
class Node {
  readonly time = new Time();
  readonly random: Random;
  readonly machine: SimulatedMachine;
  readonly lines: string[] = [];
  readonly notices: string[] = [];
  changes = 0;
  agent: ReconcilerApi;

  constructor(seed = 1) {
    this.random = seeded(seed);
    this.machine = new SimulatedMachine({ clock: this.time, random: this.random });
    this.agent = this.#life();
  }

  #life(): ReconcilerApi {
    const { time: clock, random, machine } = this;
    return createReconciler({ host: createSimulatedHost({ clock, random, machine }), clock, random });
  }

  start(document?: Document): void {
    this.agent.start(document, {
      changed: () => this.changes++,
      output: (service, lines) => this.lines.push(...lines.map(line => `${service}: ${line}`)),
      notice: (_level, kind, text) => this.notices.push(`${kind} ${text}`),
    });
  }

  /** The agent is gone and another one starts. */
  again(document?: Document): void {
    this.agent.close();
    this.agent = this.#life();
    this.start(document);
  }

  states(): Record<string, string> {
    return Object.fromEntries(Object.entries(this.agent.items()).map(([item, { state }]) => [item, state]));
  }

  /** Commands that run, by service. */
  running(): Record<string, unknown> {
    const all = [...this.machine.processes.values()].filter(process => process.running);
    return Object.fromEntries(all.map(({ service, spec }) => [service, spec.run]));
  }
}

const want = (spec: Omit<WantedService, 'from'>): WantedService => ({ ...spec, from: 'node/n1' });
const forever = want({ run: './serve' });

reconcile('a document is made so, its revision is told when every step was attempted, and not before', () => {
  const node = new Node();
  node.machine.faults.delayMs = 500;
  node.start({ rev: 7, services: { a: forever, b: want({ run: 'sleep 1; exit 3' }) } });
  assert.equal(node.agent.attempted(), { rev: 0, err: '' });
  node.time.pass(1100);
  assert.equal(node.agent.attempted(), { rev: 7, err: '' });
  assert.equal(node.states(), { 'services/a': 'running', 'services/b': 'running' });
  node.time.pass(1000);
  assert.is(node.agent.items()['services/b']?.exit, 3);
});

reconcile('a new agent without a document touches nothing, not even what ends', () => {
  const node = new Node();
  node.start({ rev: 1, services: { a: forever, b: want({ run: 'sleep 60' }) } });
  node.time.pass(100);
  const before = node.running();
  node.again();
  node.time.pass(1000);
  assert.equal(node.running(), before);
  assert.equal(node.agent.attempted(), { rev: 0, err: '' });
  node.time.pass(120_000);
  assert.equal(node.states(), { 'services/a': 'running', 'services/b': 'exited' });
  node.agent.apply({ rev: 2, services: { a: forever, b: want({ run: 'sleep 60' }) } });
  node.time.pass(100);
  assert.equal(node.running(), before);
  assert.is(node.agent.attempted().rev, 2);
});

reconcile('a document given while adoption is under way is the one obeyed', () => {
  const node = new Node();
  node.machine.faults.delayMs = 100;
  node.start({ rev: 1, services: { a: forever } });
  node.agent.apply({ rev: 2, services: { b: forever } });
  node.time.pass(1000);
  assert.equal(node.running(), { b: './serve' });
  assert.is(node.agent.attempted().rev, 2);
});

reconcile('adoption: the same stays with its pid, the changed is replaced, the unwanted stopped', () => {
  const node = new Node();
  node.start({ rev: 1, services: { same: forever, other: forever, gone: forever } });
  node.time.pass(100);
  const { pid } = node.agent.items()['services/same'] ?? {};
  node.again({ rev: 2, services: { same: { ...forever, from: 'role/all' }, other: want({ run: './other' }) } });
  node.time.pass(100);
  assert.equal(node.running(), { same: './serve', other: './other' });
  assert.is(node.agent.items()['services/same']?.pid, pid);
  assert.equal(
    node.notices.filter(notice => notice.includes('same')),
    [`adopted services/same: adopted, process ${pid}`],
  );
});

reconcile('the same document again does nothing, and is answered', () => {
  const node = new Node();
  const services = { a: forever };
  node.start({ rev: 1, services });
  node.time.pass(100);
  const before = [...node.machine.processes.keys()];
  node.agent.apply({ rev: 2, services });
  node.time.pass(1);
  assert.is(node.agent.attempted().rev, 2);
  assert.equal([...node.machine.processes.keys()], before);
});

reconcile('a stop in its grace period holds up nothing but the revision', () => {
  const node = new Node();
  const stubborn = want({ run: "trap '' TERM; sleep 100000" });
  node.start({ rev: 1, services: { stubborn } });
  node.time.pass(100);
  node.agent.apply({ rev: 2, services: { a: forever } });
  node.time.pass(1000);
  assert.equal(node.states(), { 'services/a': 'running', 'services/stubborn': 'stopping' });
  assert.is(node.agent.attempted().rev, 1);
  node.time.pass(10_000);
  assert.equal(node.states(), { 'services/a': 'running' });
  assert.is(node.agent.attempted().rev, 2);
});

reconcile('what cannot be started is the error of the revision until it can', () => {
  const node = new Node();
  node.machine.faults.startFails = 1;
  node.start({ rev: 1, services: { b: forever, a: forever } });
  node.time.pass(300);
  assert.equal(node.agent.attempted(), { rev: 1, err: 'services/a: simulated: the start failed' });
  assert.is(node.states()['services/a'], 'failed');
  node.machine.faults.startFails = 0;
  node.time.pass(2000);
  assert.equal(node.agent.attempted(), { rev: 1, err: '' });
});

reconcile('a crash loop is told: state, reason, error and one notice', () => {
  const node = new Node();
  node.start({ rev: 1, services: { a: want({ run: 'echo no such device; exit 4' }) } });
  node.time.pass(60_000);
  assert.is(node.states()['services/a'], 'crash-loop');
  assert.match(node.agent.attempted().err, /^services\/a: exit 4 .* times in a row; last line: no such device$/);
  assert.is(node.notices.length, 1);
  const before = node.agent.items()['services/a']?.restarts ?? 0;
  node.time.pass(10 * 60_000);
  const after = node.agent.items()['services/a']?.restarts ?? 0;
  assert.ok(after - before >= 9 && after - before <= 21, `slowly: ${after - before} times in ten minutes`);
});

reconcile('restart answers when the new process runs; an unknown service is named', () => {
  const node = new Node();
  node.start({ rev: 1, services: { a: forever } });
  node.time.pass(100);
  const { pid } = node.agent.items()['services/a'] ?? {};
  const answers: (string | undefined)[] = [];
  node.agent.restart('a', error => answers.push(error));
  node.agent.restart('b', error => answers.push(error));
  assert.equal(answers, ['there is no service "b" on this node']);
  node.time.pass(100);
  assert.equal(answers.slice(1), [undefined]);
  assert.is.not(node.agent.items()['services/a']?.pid, pid);
  assert.is(node.agent.items()['services/a']?.restarts, 1);
});

reconcile('following shows the last lines, then the new ones, over a restart, until its time is over', () => {
  const node = new Node();
  node.start({ rev: 1, services: { a: want({ run: 'echo up; sleep 20; echo down; exit 1' }) } });
  node.time.pass(1000);
  node.agent.follow('a', 60_000, () => {});
  assert.equal(node.lines, ['a: up']);
  node.time.pass(25_000);
  assert.equal(node.lines, ['a: up', 'a: down', 'a: up']);
  node.agent.follow('a', 30_000, () => {});
  node.time.pass(20_000);
  assert.equal(node.lines, ['a: up', 'a: down', 'a: up', 'a: down', 'a: up']);
  node.time.pass(60_000);
  assert.is(node.lines.length, 5);
  let error: string | undefined;
  node.agent.follow('b', 1000, said => {
    error = said;
  });
  assert.is(error, 'there is no service "b" on this node');
});

reconcile('stopping all ends everything, the stubborn too, and starts nothing that was under way', () => {
  const node = new Node();
  node.machine.faults.delayMs = 300;
  node.start({
    rev: 1,
    services: { a: forever, b: want({ run: "trap '' TERM; sleep 1000" }), c: want({ run: 'exit 1' }) },
  });
  node.time.pass(450);
  let done = 0;
  node.agent.stopAll(() => done++);
  node.time.pass(12_000);
  assert.is(done, 1);
  assert.equal(node.running(), {});
  node.time.pass(100_000);
  assert.equal(node.running(), {});
  assert.equal(node.agent.items(), {});
});

reconcile('changes are told, at most once per turn, and not when nothing changed', () => {
  const node = new Node();
  node.start({ rev: 1, services: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`s${i}`, forever])) });
  node.time.pass(1000);
  assert.ok(node.changes > 0 && node.changes < 10, String(node.changes));
  const { changes } = node;
  node.time.pass(3600_000);
  assert.is(node.changes, changes);
});

const commands = ['./serve', './other', 'sleep 3; exit 1', 'sleep 30', "trap '' TERM; sleep 100000", 'exit 2'];

/** One random story: documents, agents lost at any moment, processes killed, reboots, failing starts and stops. */
function story(seed: number): void {
  const node = new Node(seed);
  const dice = seeded(seed ^ 0x5eed);
  const pick = <T>(from: readonly T[]) => from[Math.floor(dice.next() * from.length)] as T;
  let document: Document | undefined;
  const nextDocument = (): Document => {
    const services: Record<string, WantedService> = {};
    for (const name of ['a', 'b', 'c', 'd']) {
      if (dice.next() < 0.6) {
        const restart = pick([undefined, 'always', 'on-failure', 'never'] as const);
        services[name] = want({ run: pick(commands), stop: { grace_s: 2 }, ...(restart ? { restart } : {}) });
      }
    }
    return { rev: (document?.rev ?? 0) + 1, services };
  };
  Object.assign(node.machine.faults, { startFails: 0.2, stopFails: 0.2, delayMs: 800 });
  node.start();
  for (let event = 0; event < 30; event++) {
    node.time.pass(dice.next() * pick([10, 1000, 20_000]));
    const chance = dice.next();
    if (chance < 0.5) {
      document = nextDocument();
      node.agent.apply(document);
    } else if (chance < 0.7) node.again(dice.next() < 0.8 ? document : undefined);
    else if (chance < 0.8) node.agent.restart(pick(['a', 'b', 'c', 'd']), () => {});
    else if (chance < 0.95) node.machine.kill(pick([...node.machine.processes.keys(), '']), { signal: 'KILL' });
    else {
      node.agent.close();
      node.machine.boot();
      node.again(document);
    }
    assert.equal(node.machine.twins(), [], `seed ${seed}: no twin`);
  }
  Object.assign(node.machine.faults, { startFails: 0, stopFails: 0 });
  document = nextDocument();
  node.agent.apply(document);
  node.time.pass(200_000);
  assert.equal(node.machine.twins(), [], `seed ${seed}: no twin`);
  assert.is(node.agent.attempted().rev, document.rev, `seed ${seed}: attempted`);
  const items = node.agent.items();
  const names = Object.keys(document.services).sort();
  assert.equal(
    Object.keys(items),
    names.map(name => `services/${name}`),
    `seed ${seed}: just what is wanted`,
  );
  for (const name of names) {
    const { run = '', restart = 'always' } = document.services[name] ?? {};
    if (restart !== 'never' && ['./serve', './other'].includes(String(run))) {
      assert.is(items[`services/${name}`]?.state, 'running', `seed ${seed}: ${name} runs`);
      assert.is(node.running()[name], run, `seed ${seed}: ${name} is what is wanted`);
    }
  }
  for (const service of node.machine.alive().keys())
    assert.ok(names.includes(service), `seed ${seed}: ${service} gone`);
}

reconcile('1,000 random stories: never a twin, and in the end just what is wanted', () => {
  for (let seed = 1; seed <= 1000; seed++) story(seed);
});

reconcile.run();
