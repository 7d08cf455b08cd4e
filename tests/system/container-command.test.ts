/**
 * Services in containers. There is no engine on the machines that run this: the command lines are looked at as they are,
 * and everything else is tried with a program that answers as podman does (fake-podman.ts), under the real host.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { environmentFile, runArguments } from '../../node-agent/reconcile/services/container-command.ts';
import { besideLaunch, launchParts } from '../../node-agent/reconcile/services/launch.ts';
import { readProcess } from '../../node-agent/reconcile/services/processes.ts';
import { ask, findProgram } from '../../node-agent/reconcile/services/programs.ts';
import { createRealHost } from '../../node-agent/reconcile/services/real-host.ts';
import { UnitFolder } from '../../node-agent/reconcile/services/unit-folder.ts';
import { silentLog } from '../../shared/log.ts';
import type { Service } from '../../shared/schemas/service.ts';
import { fakePodman } from '../fixture/fake-podman.ts';
import { HostWatch } from '../fixture/host-conformance.ts';
import { folder, until } from '../fixture/processes.ts';
import { open, servicesSuite } from '../fixture/services-rig.ts';

const containers = servicesSuite('containers');
const unit = (spec: Service) => ({ unit: 'a'.repeat(32), service: 'web', spec });

async function hostWith(home: string, inherited: Readonly<Record<string, string>>): Promise<HostWatch> {
  const watch = new HostWatch(createRealHost({ folder: home, log: silentLog, inherited }));
  open.hosts.push(watch);
  await watch.adopt();
  return watch;
}

const sentence = (started: Promise<unknown>) =>
  started.then(
    () => undefined,
    (error: Error) => error.message,
  );

containers(
  'the whole command line: nothing privileged, nothing of the environment, nothing that is read as an option',
  () => {
    const spec: Service = {
      image: 'ghcr.io/me/app:1.2',
      run: ['--odd', 'a b', '$(x)'],
      env: { SECRET: 'hidden' },
      cwd: '/srv',
      user: '1000:1000',
      limits: { memory_mb: 200, cpu_pct: 50, pids: 20, nice: 3 },
      volumes: ['/data:/in:ro'],
      ports: ['127.0.0.1:8080:80'],
    };
    assert.equal(runArguments(unit(spec), '/f/env', 'mark', true), [
      'run',
      '--rm',
      `--name=hearth-${'a'.repeat(32)}`,
      `--label=hearth.unit=${'a'.repeat(32)}`,
      '--label=hearth.service=web',
      '--label=hearth.folder=mark',
      '--env-file=/f/env',
      '--log-driver=none',
      '--oom-score-adj=500',
      '--memory=200m',
      '--memory-swap=200m',
      '--cpus=0.5',
      '--pids-limit=20',
      '--cpu-shares=172',
      '--user=1000:1000',
      '--workdir=/srv',
      '--volume=/data:/in:ro',
      '--publish=127.0.0.1:8080:80',
      '--entrypoint=--odd',
      'ghcr.io/me/app:1.2',
      'a b',
      '$(x)',
    ]);
    assert.not(runArguments(unit(spec), '/f/env', 'mark', false).some(each => each.includes('cpu-shares')));
    const own = runArguments(unit({ image: 'nginx' }), '/f/env', 'mark', false);
    assert.is(own.at(-1), 'nginx', 'the image’s own command');
    const script = runArguments(unit({ image: 'nginx', run: 'echo "$A"; exec nginx' }), '/f/env', 'mark', false);
    assert.equal(script.slice(-4), ['--entrypoint=/bin/sh', 'nginx', '-c', 'echo "$A"; exec nginx']);
  },
);

containers('an environment file has one value on a line, or is refused', () => {
  assert.is(environmentFile({ A: 'b = c', D: '' }), 'A=b = c\nD=\n');
  for (const text of ['a\nEVIL=1', 'a\rb']) {
    assert.throws(
      () => environmentFile({ KEY: text }),
      /^env\.KEY has several lines, which a container cannot be given$/,
    );
  }
});

containers(
  '(fake podman) runs with its environment, prints into the unit’s output, ends with its exit code',
  async ({ home }) => {
    const podman = fakePodman();
    const watch = await hostWith(home, podman.environment);
    const run = 'echo "$SECRET $HEARTH_SERVICE"; exit 3';
    const { unit: id } = await watch.start({ image: 'app', run, env: { SECRET: 'a secret' } }, 'web');
    assert.equal(await watch.exit(id), { code: 3 });
    assert.equal(watch.host.tail(id, 5), ['a secret web']);
    assert.not.match(JSON.stringify(podman.calls()), /a secret/);
    const file = join(home, 'units', id, 'env');
    assert.match(readFileSync(file, 'utf8'), /^SECRET=a secret$/m);
    assert.is(await watch.stop(id), undefined);
    watch.host.discard(id);
    assert.not(existsSync(file));
    assert.equal(podman.containers(), []);
  },
);

containers(
  '(fake podman) stopping sends the signal to the container, and after the grace period removes it',
  async ({ home }) => {
    const podman = fakePodman();
    const watch = await hostWith(home, podman.environment);
    const gentle = await watch.start({
      image: 'app',
      run: "trap 'echo bye; exit 0' INT; echo armed; while :; do sleep 0.05; done",
    });
    await watch.says(gentle.unit, 'armed');
    await podman.pid(`hearth-${gentle.unit}`);
    assert.is(await watch.stop(gentle.unit, 30_000, 'INT'), undefined);
    assert.equal(await watch.exit(gentle.unit), { code: 0 });
    assert.equal(watch.host.tail(gentle.unit, 1), ['bye']);
    const stubborn = await watch.start({ image: 'app', run: "trap '' TERM; echo armed; while :; do sleep 0.05; done" });
    await watch.says(stubborn.unit, 'armed');
    const process = await podman.pid(`hearth-${stubborn.unit}`);
    const before = performance.now();
    assert.is(await watch.stop(stubborn.unit, 300), undefined);
    assert.ok(performance.now() - before >= 295);
    assert.equal(await watch.exit(stubborn.unit), { signal: 'KILL' });
    assert.is(readProcess(process), undefined);
    assert.equal(podman.containers(), []);
  },
);

containers(
  '(fake podman) outlives the agent, is adopted, and one without a unit is removed; others’ stay',
  async ({ home }) => {
    const podman = fakePodman();
    const watch = await hostWith(home, podman.environment);
    const { unit: id, pid } = await watch.start({ image: 'app' }, 'web');
    await watch.says(id, 'own command of app');
    watch.host.close();
    const inside = await podman.pid(`hearth-${id}`);
    const mine =
      podman
        .calls()
        .find(([verb]) => verb === 'run')
        ?.find(each => each.startsWith('--label=hearth.folder=')) ?? '';
    const stray = `hearth-${'b'.repeat(32)}`;
    podman.leave(stray, [mine.replace('--label=', '')]);
    podman.leave(`hearth-${'c'.repeat(32)}`, ['hearth.folder=another']);
    const next = new HostWatch(createRealHost({ folder: home, log: silentLog, inherited: podman.environment }));
    open.hosts.push(next);
    const found = await next.adopt();
    assert.equal(
      found.map(({ unit, pid }) => ({ unit, pid })),
      [{ unit: id, pid }],
    );
    await until('the stray is gone', () => !podman.containers().includes(stray));
    assert.equal([...podman.containers()].sort(), [`hearth-${id}`, `hearth-${'c'.repeat(32)}`].sort());
    assert.ok(readProcess(inside));
    assert.is(await next.stop(id), undefined);
    assert.equal(await next.exit(id), { signal: 'TERM' });
    assert.is(readProcess(inside), undefined);
  },
);

containers('(fake podman) a client that is killed leaves no container behind', async ({ home }) => {
  const podman = fakePodman();
  const watch = await hostWith(home, podman.environment);
  const { unit: id, pid = 0 } = await watch.start({ image: 'app' });
  await watch.says(id, 'own command of app');
  const inside = await podman.pid(`hearth-${id}`);
  process.kill(pid, 'SIGKILL');
  assert.equal(await watch.exit(id), { signal: 'KILL' });
  assert.ok(readProcess(inside), 'it runs on in its engine');
  assert.is(await watch.stop(id), undefined);
  // Its client is not there to see it off, and this podman does not wait for those whom it kills.
  await until('what runs in it has gone', () => readProcess(inside) === undefined);
  assert.equal(podman.containers(), []);
});

containers(
  '(fake podman) while there is no container yet, its client is ended without a grace period',
  async ({ home }) => {
    const podman = fakePodman();
    podman.fetches();
    const watch = await hostWith(home, podman.environment);
    const { unit: id } = await watch.start({ image: 'app' });
    await until('it was told to run', () => podman.calls().some(([verb]) => verb === 'run'));
    assert.is(await watch.stop(id, 600_000), undefined);
    assert.equal(podman.containers(), []);
  },
);

containers('(fake podman) one that cannot be removed is said not to be stopped', async ({ home }) => {
  const podman = fakePodman();
  const watch = await hostWith(home, podman.environment);
  const { unit: id } = await watch.start({ image: 'app' });
  await watch.says(id, 'own command of app');
  podman.breaks();
  assert.match((await watch.stop(id, 50)) ?? '', /^its container cannot be removed: Cannot connect to the engine$/);
});

containers('(fake podman) a look at its health is taken inside of the container', async ({ home }) => {
  const podman = fakePodman();
  const parts = launchParts(new UnitFolder(home), podman.environment);
  const { command, environment } = await besideLaunch(
    unit({ image: 'app', run: 'exit 4', user: 'bob' }),
    {},
    'sh',
    parts,
  );
  const [file = '', ...args] = command;
  assert.equal(args, ['exec', '--user=bob', `hearth-${'a'.repeat(32)}`, '/bin/sh', '-c', 'exit 4']);
  assert.is((await ask(file, args, 20_000, environment)).code, 4);
});

containers(
  'without an engine a service is not started, and the sentence says which one is needed',
  async ({ home }) => {
    const none = await hostWith(home, { PATH: folder() });
    assert.is(
      await sentence(none.start({ image: 'app' })),
      'cannot be started: needs podman or docker: neither is installed here',
    );
    none.host.close();
    const podman = fakePodman();
    podman.breaks();
    const silent = await hostWith(home, podman.environment);
    assert.is(
      await sentence(silent.start({ image: 'app' })),
      'cannot be started: needs podman or docker: podman is installed, but does not answer: Cannot connect to the engine',
    );
    assert.equal(podman.calls(), []);
  },
);

const docker = findProgram('docker', process.env.PATH ?? '');
const engine =
  docker === undefined ? undefined : await ask(docker, ['version'], 10_000, { PATH: process.env.PATH ?? '' });
if (engine === undefined || engine.code === 0) console.log('skipped: a docker without its engine (needs one)');
else {
  containers('(real docker, which has no engine here) the sentence has its own words', async ({ home }) => {
    const watch = await hostWith(home, { PATH: process.env.PATH ?? '' });
    const said = await sentence(watch.start({ image: 'app' }));
    assert.match(
      said ?? '',
      /^cannot be started: needs podman or docker: docker is installed, but does not answer: .{10}/,
    );
  });
}

containers.run();
