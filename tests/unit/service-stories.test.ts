/** Random stories about services that wait for each other and are looked after: never a twin, never a deadlock. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Service } from '../../shared/schemas/service.ts';
import { seeded } from '../fixture/reconciled-node.ts';
import { ServicesNode } from '../fixture/services-node.ts';

const stories = suite('services, stories');

const names = ['a', 'b', 'c', 'd'];
const others = ['files/x', 'packages/y'];
const good = ['./serve', 'echo ready; sleep 100000', "trap '' TERM; sleep 100000"];

function story(seed: number): void {
  const node = new ServicesNode();
  const dice = seeded(seed);
  const pick = <T>(from: readonly T[]) => from[Math.floor(dice.next() * from.length)] as T;
  const some = <T>(from: readonly T[]) => from.filter(() => dice.next() < 0.25);
  const service = (): Service => {
    const run = pick([...good, 'sleep 3; exit 1', 'exit 0']);
    const speaks = run.startsWith('echo');
    const health =
      pick<Service['health']>([undefined, undefined, { tcp: 80, every_s: 2, start_s: 5 }]) ??
      (speaks && dice.next() < 0.5 ? { log: 'ready', within_s: 5 } : undefined);
    const ready = pick<Service['ready']>([
      undefined,
      { delay_s: 3 },
      ...(speaks ? [{ log: 'ready' }] : []),
      ...(health ? ['health' as const] : []),
    ]);
    const schedule = dice.next() < 0.2 ? pick(['* * * * *', { cron: '*/5 * * * *', catch_up: true }]) : undefined;
    const restart = pick(['always', 'on-failure', 'never', undefined] as const);
    return {
      run,
      stop: { grace_s: 2 },
      needs: [...some(names), ...some(others)],
      after: some(names),
      ...(health ? { health } : {}),
      ...(ready ? { ready } : {}),
      ...(dice.next() < 0.3 ? { reload: 'HUP' } : {}),
      ...(schedule ? { schedule } : {}),
      ...(restart && !(schedule && restart === 'always') ? { restart } : {}),
    };
  };
  const document = () => Object.fromEntries(some([...names, ...names, ...names]).map(name => [name, service()]));
  const items = () => {
    for (const path of others) node.item(path, pick(['ok', 'ok', 'pending', 'failed']), pick(['1', '2', '3']));
  };
  Object.assign(node.machine.faults, { startFails: 0.1, stopFails: 0.1, delayMs: 800 });
  node.begin({});
  for (let event = 0; event < 30; event++) {
    node.time.pass(dice.next() * pick([10, 1000, 20_000, 90_000]));
    const chance = dice.next();
    if (chance < 0.35) node.apply(document());
    else if (chance < 0.55) items();
    else if (chance < 0.65) node.again(dice.next() * 100_000);
    else if (chance < 0.75) node.table.restart(pick(names), () => {});
    else if (chance < 0.85) node.caretaker.wrong.set(pick(names), 'it is ill');
    else if (chance < 0.95) node.machine.kill(pick([...node.machine.processes.keys(), '']), { signal: 'KILL' });
    else {
      node.table.close();
      node.machine.boot();
      node.again();
    }
    assert.equal(node.machine.twins(), [], `seed ${seed}: no twin`);
  }
  Object.assign(node.machine.faults, { startFails: 0, stopFails: 0 });
  node.caretaker.wrong.clear();
  for (const path of others) node.item(path, 'ok', 'last');
  const services = document();
  node.apply(services);
  node.time.pass(400_000);
  assert.equal(node.machine.twins(), [], `seed ${seed}: no twin`);
  assert.equal(
    Object.keys(node.table.items()),
    Object.keys(services)
      .sort()
      .map(name => `services/${name}`),
  );
  assert.ok(node.outcome, `seed ${seed}: attempted`);
  for (const [name, { run = '', schedule, restart }] of Object.entries(services)) {
    const { state, err, health } = node.status(name) ?? { state: 'none' };
    const said = `seed ${seed}: ${name} is ${state} ${err}`;
    if (state === 'waiting') {
      const other = /^waits for services\/([a-d]), /.exec(err ?? '')?.[1] ?? '';
      assert.ok(names.includes(other), said);
      const { run: command, ready } = services[other] ?? {};
      const isReady = ready === undefined || good.includes(String(command));
      const isThere = node.state(other) === 'running' && node.status(other)?.health !== 'unhealthy' && isReady;
      assert.not.ok(isThere || node.state(other) === 'exited', `${said}, and ${other} is ${node.state(other)}`);
    } else if (good.includes(String(run)) && schedule === undefined && restart !== 'never') {
      assert.is(state, 'running', said);
      assert.ok(health === undefined || health === 'healthy', said);
    }
  }
}

stories('200 random stories', () => {
  for (let seed = 1; seed <= 200; seed++) story(seed);
});

stories.run();
