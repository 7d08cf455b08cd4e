/**
 * Services as real processes under an agent that is killed, started again and told of others. All of it once more by
 * shims that waited: services-primed.test.ts.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { isAlive, listProcesses, readProcess } from '../../node-agent/reconcile/services/processes.ts';
import type { Service } from '../../shared/schemas/service.ts';
import { until } from '../fixture/processes.ts';
import { Agent, running, servicesSuite } from '../fixture/services-rig.ts';

const services = servicesSuite('services');

services('an agent killed with -9 leaves its services, and the next adopts them without a twin', async ({ home }) => {
  const first = new Agent(home).want(1, { a: { run: 'sleep 4321' } });
  const { pid = 0 } = await first.item('a', running);
  await first.process.stop('SIGKILL');
  const main = readProcess(pid);
  const second = new Agent(home).want(1, { a: { run: 'sleep 4321' } });
  const adopted = await second.item('a', running);
  assert.is(adopted.pid, pid);
  await second.attempted(1);
  await second.process.line(new RegExp(`notice adopted services/a: adopted, process ${pid}`));
  assert.ok(main && isAlive(main));
  process.kill(pid, 'SIGUSR1');
  const ended = await second.item('a', status => status.signal !== undefined);
  assert.is(ended.signal, 'USR1', 'the second agent learns how it ended');
  await second.item('a', status => running(status) && status.restarts === 1);
  second.say('stop all');
  await second.process.line(/stopped all/);
  await second.process.stop();
});

services('the exit code of a service that ended with no agent there is learned afterwards', async ({ home }) => {
  const gate = join(home, 'gate');
  const once: Service = { run: `until [ -e ${gate} ]; do sleep 0.05; done; echo gone; exit 42`, restart: 'never' };
  const first = new Agent(home).want(1, { once });
  const { pid = 0 } = await first.item('once', running);
  await first.process.stop('SIGKILL');
  writeFileSync(gate, '');
  await until('it has ended', () => readProcess(pid) === undefined);
  const second = new Agent(home).want(1, { once });
  const ended = await second.item('once', status => status.exit !== undefined);
  assert.is(ended.exit, 42);
  assert.is(ended.state, 'failed');
  await second.attempted(1);
  assert.is(second.seen()?.items['services/once']?.exit, 42, 'and it was not started again');
  await second.process.stop();
});

services('an agent that starts without a document touches nothing', async ({ home }) => {
  const first = new Agent(home).want(1, { a: { run: 'sleep 4321' } });
  const { pid = 0 } = await first.item('a', running);
  await first.process.stop('SIGKILL');
  const second = new Agent(home).say('');
  await second.item('a', running);
  await second.process.stop();
  assert.ok(readProcess(pid), 'it still runs');
  const third = new Agent(home).want(2, {});
  await third.attempted(2);
  assert.is(readProcess(pid), undefined, 'and a document without it ends it');
  await third.process.stop();
});

services('a crash loop is visible with its reason', async ({ home }) => {
  const agent = new Agent(home).want(1, { bad: { run: 'echo "cannot open /dev/fire" >&2; exit 3' } });
  const status = await agent.item('bad', ({ state }) => state === 'crash-loop');
  assert.is(status.exit, 3);
  assert.match(status.err ?? '', /^exit 3 after \d+\.\d s, 5 times in a row; last line: cannot open \/dev\/fire$/);
  await agent.process.line(/notice crash-loop services\/bad: exit 3/);
  agent.say('stop all');
  await agent.process.line(/stopped all/);
  await agent.process.stop();
});

services('100 services start quickly, are all stopped, and leave nothing on disk', async ({ home }) => {
  const agent = new Agent(home).say('');
  await agent.process.line(/^is /m);
  const wanted = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`s${index}`, { run: 'sleep 4321' }]));
  const before = performance.now();
  agent.want(1, wanted);
  // Its own time and patience are enough for all at once, and for nothing like a second each.
  const seen = await agent.attempted(1);
  console.log(`100 services in ${Math.round(performance.now() - before)} ms`);
  assert.is(Object.values(seen.items).filter(running).length, 100);
  const children = (names: readonly string[]) => childNames(agent.process.pid).join() === names.join();
  await until('no child processes but the shims, one of them waiting', () => children(Array(101).fill('sh')));
  agent.want(2, {});
  await agent.attempted(2);
  await until('the one that waits is left', () => children(['sh']));
  const left = () => [...readdirSync(join(home, 'units')), ...readdirSync(join(home, 'runs'))];
  await until(
    () => `nothing is left on disk: ${left()}`,
    () => left().length === 0,
  );
  await agent.process.stop();
});

const childNames = (pid: number): string[] =>
  listProcesses().flatMap(({ parent, name }) => (parent === pid ? [name] : []));

services.run();
