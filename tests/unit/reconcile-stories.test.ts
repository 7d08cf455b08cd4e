/** Random stories about one node: whatever happens, never a twin, and in the end just what is wanted. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Document } from '../../node-agent/reconcile/reconciler.ts';
import type { WantedService } from '../../shared/schemas/want.ts';
import { Node, seeded, want } from '../fixture/reconciled-node.ts';

const reconcile = suite('reconcile, stories');

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
