/** Health, readiness and schedules of services under a real agent. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { readProcess } from '../../node-agent/reconcile/services/processes.ts';
import { until } from '../fixture/processes.ts';
import { Agent, running, servicesSuite } from '../fixture/services-rig.ts';

const services = servicesSuite('life of services');

services('an agent restarts what is not healthy any more, and says why', async ({ home }) => {
  const well = join(home, 'well');
  writeFileSync(well, '');
  const health = { command: `test -e ${well}`, every_s: 0.5, fails: 2, start_s: 60, timeout_s: 60 };
  const agent = new Agent(home).want(1, { a: { run: 'sleep 4321', health } });
  const { pid } = await agent.item('a', status => status.health === 'healthy');
  rmSync(well);
  const again = await agent.item('a', status => running(status) && status.pid !== pid);
  assert.is(again.restarts, 1);
  assert.is(again.health, 'starting');
  await agent.process.line(/notice unhealthy services\/a: unhealthy after [\d.]+ s: exit 1/);
  writeFileSync(well, '');
  await agent.item('a', status => status.health === 'healthy' && status.restarts === 1);
  await agent.process.stop();
});

services(
  'lines: healthy by one that comes, unhealthy by one that may not; ready by one, for another that needs it',
  async ({ home }) => {
    const gate = join(home, 'gate');
    const agent = new Agent(home).want(1, {
      app: { run: 'sleep 4321', needs: ['db'] },
      bad: { run: 'echo "FATAL: no disk"; sleep 4321', health: { no_log: 'FATAL' }, restart: 'never' },
      db: {
        run: `until [ -e ${gate} ]; do sleep 0.05; done; echo "now listening on 1"; sleep 4321`,
        ready: { log: 'listening' },
        health: { log: 'listening', within_s: 600 },
      },
      mute: { run: 'echo hm; sleep 4321', health: { log: 'listening', within_s: 0.5 } },
    });
    assert.is((await agent.item('db', running)).health, 'starting');
    const { err } = await agent.item('app', status => status.state === 'waiting');
    assert.is(err, 'waits for services/db, which is not there yet');
    const bad = await agent.item('bad', status => status.health === 'unhealthy');
    assert.is(bad.err, 'unhealthy: its output has "FATAL"');
    assert.is(bad.state, 'running');
    // How long its start took is in it, and how often it has been, by the time that the others are there.
    const mute = await agent.item('mute', status => (status.restarts ?? 0) > 0);
    assert.match(
      mute.err ?? '',
      /^unhealthy after \d+\.\d s(, \d+ times in a row)?: no line of its output has "listening" after 0\.5 s$/,
    );
    writeFileSync(gate, '');
    await agent.item('db', status => status.health === 'healthy');
    await agent.item('app', running);
    await agent.process.stop();
  },
);

services('a scheduled service is run by the real agent, and says when next', async ({ home }) => {
  const file = join(home, 'ran');
  const schedule = { cron: '0 3 1 1 *', timezone: 'UTC', catch_up: true };
  const agent = new Agent(home).want(1, { a: { run: `echo >>${file}; exit 0`, schedule } });
  const status = await agent.item('a', ({ state, exit }) => state === 'scheduled' && exit === 0);
  assert.match(new Date(status.next_ms ?? 0).toISOString(), /^\d{4}-01-01T03:00:00\.000Z$/);
  await agent.attempted(1);
  await agent.process.stop();
  assert.is(readFileSync(file, 'utf8'), '\n', 'one run');
});

services('an agent killed in the middle of a check: nothing of the check outlives the service', async ({ home }) => {
  const file = join(home, 'pid');
  const health = { command: `echo $$ >${file}; exec sleep 1000`, timeout_s: 300 };
  const agent = new Agent(home).want(1, { a: { run: 'sleep 4321', health } });
  const pid = await until('a check runs', () => existsSync(file) && Number(readFileSync(file, 'utf8')));
  await agent.process.stop('SIGKILL');
  assert.ok(readProcess(pid));
  const next = new Agent(home).want(2, {});
  await next.attempted(2);
  assert.is(readProcess(pid), undefined);
  await next.process.stop();
});

services.run();
