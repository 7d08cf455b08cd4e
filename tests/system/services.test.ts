/**
 * Services as real processes: an agent that is killed, processes that hide, and strangers that look alike. All of it
 * once more by shims that waited: services-primed.test.ts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Cgroups } from '../../node-agent/reconcile/services/cgroup.ts';
import { findMembers } from '../../node-agent/reconcile/services/members.ts';
import { isAlive, listProcesses, readProcess, unitOf } from '../../node-agent/reconcile/services/processes.ts';
import { createRealHost } from '../../node-agent/reconcile/services/real-host.ts';
import { silentLog } from '../../shared/log.ts';
import type { ItemStatus } from '../../shared/schemas/observed.ts';
import type { Service } from '../../shared/schemas/service.ts';
import { HostWatch } from '../fixture/host-conformance.ts';
import { hostThatIs } from '../fixture/primed-host.ts';
import { folder, type Started, start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const way = process.env.HEARTH_TEST_SHIM === 'primed' ? 'primed' : 'spawned';
const services = suite<{ home: string; strangers: ChildProcess[] }>(`services, ${way}`);

interface Seen {
  readonly rev: number;
  readonly err: string;
  readonly items: Record<string, ItemStatus>;
}

/** Closed after each test, whatever became of it. */
const open: { hosts: HostWatch[]; agents: Started[] } = { hosts: [], agents: [] };

/** An agent in a process of its own, so that it can be killed. */
class Agent {
  readonly process: Started;

  constructor(home: string) {
    const program = join(import.meta.dirname, '../fixture/agent-like.ts');
    const stdio = ['pipe', 'pipe', 'pipe'] as const;
    this.process = start(process.execPath, ['--import', 'tsx', program, home], { stdio: [...stdio] });
    open.agents.push(this.process);
  }

  want(rev: number, wanted: Record<string, Service>): this {
    return this.say(JSON.stringify({ rev, services: wanted }));
  }

  say(line: string): this {
    this.process.child.stdin?.write(`${line}\n`);
    return this;
  }

  seen(): Seen | undefined {
    const line = this.process
      .output()
      .match(/^is .*$/gm)
      ?.at(-1);
    return line === undefined ? undefined : (JSON.parse(line.slice(3)) as Seen);
  }

  /** Waits for an item to be as `look` says. */
  item(service: string, look: (status: ItemStatus) => boolean, limitMs?: number): Promise<ItemStatus> {
    return until(
      `services/${service}: ${this.process.output().slice(-300)}`,
      () => {
        const status = this.seen()?.items[`services/${service}`];
        return status && look(status) ? status : undefined;
      },
      limitMs,
    );
  }

  attempted(rev: number): Promise<Seen> {
    return until(`rev ${rev} is attempted`, () => {
      const seen = this.seen();
      return seen?.rev === rev ? seen : undefined;
    });
  }
}

const running = (status: ItemStatus) => status.state === 'running' && status.pid !== undefined;

services.before.each(context => {
  context.home = folder('hearth-services-');
  context.strangers = [];
});

services.after.each(async ({ home, strangers }) => {
  for (const { pid = 0, spawnargs } of strangers) {
    // A shell among them has a child, and a session of its own.
    process.kill(spawnargs[0] === 'sh' ? -pid : pid, 'SIGKILL');
  }
  for (const { host } of open.hosts.splice(0)) host.close();
  await Promise.all(open.agents.splice(0).map(agent => agent.stop('SIGKILL')));
  const watch = new HostWatch(createRealHost({ folder: home, log: silentLog }));
  for (const { unit } of await watch.adopt()) await watch.stop(unit, 0);
  watch.host.close();
});

async function hosted(home: string, cgroups = Cgroups.find()): Promise<HostWatch> {
  const watch = new HostWatch(hostThatIs(way, { folder: home, cgroups }));
  open.hosts.push(watch);
  await watch.adopt();
  return watch;
}

/** The pid that a service printed as `name PID`. */
const printedPid = (watch: HostWatch, unit: string, name: string): Promise<number> =>
  until(`${name} is printed`, () => {
    const line = watch.host.tail(unit, 20).find(each => each.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.slice(name.length + 1));
  });

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

testWith(
  services,
  ['setsid'],
  'whatever way a child hides, it is ended: no group, one trace each',
  async ({ home }) => {
    const watch = await hosted(home, new Cgroups(undefined));
    const stay = (name: string) => `/bin/sh -c 'echo "${name} $$"; exec sleep 4321'`;
    const ways = {
      environment: `(setsid ${stay('environment')} &)`,
      session: `(env -i ${stay('session')} &)`,
      parent: `env -i setsid ${stay('parent')} &`,
    };
    const { unit } = await watch.start({ run: `${Object.values(ways).join('\n')}\nsleep 4321\n:` });
    const hidden = await Promise.all(
      Object.keys(ways).map(async name => ({ name, found: readProcess(await printedPid(watch, unit, name)) })),
    );
    for (const { name, found } of hidden) assert.ok(found, `${name} runs`);
    assert.is(await watch.stop(unit, 5000), undefined);
    const left = hidden.filter(({ found }) => found && isAlive(found));
    for (const { found } of left) if (found) process.kill(found.pid, 'SIGKILL');
    assert.equal(
      left.map(({ name }) => name),
      [],
    );
    watch.host.close();
  },
);

services(
  'nobody else is touched: not a stranger with the same command, nor one with nearly the same unit',
  async context => {
    const { home, strangers } = context;
    const watch = await hosted(home);
    const { unit, pid = 0 } = await watch.start({ run: 'exec sleep 4321' }, 'sleeper');
    const near = [`${unit}0`, unit.slice(0, -1), `x${unit}`];
    strangers.push(
      ...near.map(name => spawn('sleep', ['4321'], { env: { ...process.env, HEARTH_UNIT: name }, stdio: 'ignore' })),
      spawn('sleep', ['4321'], { env: { ...process.env, HEARTH_SERVICE: 'sleeper' }, stdio: 'ignore' }),
      spawn('sleep', ['4321'], { env: { ...process.env, X: `HEARTH_UNIT=${unit}` }, detached: true, stdio: 'ignore' }),
      // Its parent carries the unit's name in an argument.
      spawn('sh', ['-c', 'sleep 4321; :', `HEARTH_UNIT=${unit}`], { detached: true, stdio: 'ignore' }),
    );
    assert.is(await watch.stop(unit, 1000), undefined);
    assert.is(readProcess(pid), undefined);
    for (const stranger of strangers) {
      assert.ok(stranger.pid !== undefined && readProcess(stranger.pid), 'a stranger lives');
      assert.is(stranger.signalCode, null);
    }
    watch.host.close();
  },
);

services('a process number that was given to somebody else is nobody of ours', async ({ home, strangers }) => {
  const watch = await hosted(home);
  const { unit, pid = 0 } = await watch.start({ run: 'exec sleep 4321' });
  const main = readProcess(pid);
  assert.ok(main);
  await watch.stop(unit, 0);
  watch.host.close();
  // Start times are counted in hundredths of a second.
  const ended = performance.now();
  await until('another start time', () => performance.now() - ended > 20);
  const stranger = spawn('sleep', ['4321'], { detached: true, stdio: 'ignore' });
  strangers.push(stranger);
  const other = await until('the stranger runs', () => readProcess(stranger.pid ?? 0));
  // The record as it would be had the stranger's number been the service's: same pid, another start.
  const runFile = join(home, 'runs', `${unit}.run`);
  const record = readFileSync(runFile, 'utf8');
  const stat = record.slice(record.indexOf(' ') + 1).replace(/^\d+/, String(other.pid));
  writeFileSync(runFile, `${record.slice(0, record.indexOf(' '))} ${stat}`);
  writeFileSync(join(home, 'runs', `${unit}.end`), '');
  const second = new HostWatch(createRealHost({ folder: home, log: silentLog }));
  open.hosts.push(second);
  const [found] = await second.adopt();
  assert.is(found?.unit, unit);
  assert.ok(found?.exit, 'it is not taken for the service');
  assert.is(await second.stop(unit, 0), undefined);
  assert.ok(isAlive(other), 'and not ended');
  second.host.close();
  const run = { boot: '', main: { ...main, pid: other.pid, parent: other.pid } };
  assert.equal(findMembers({ unit, run, grouped: new Set() }), [], 'neither as the main process nor as the shim');
  const itself = { boot: '', main: other };
  assert.is(findMembers({ unit, run: itself, grouped: new Set() }).length, 1, 'while its own record would name it');
});

services('units of an earlier boot are not running, whatever their numbers', async ({ home }) => {
  const watch = await hosted(home);
  const { unit } = await watch.start({ run: 'sleep 4321' });
  watch.host.close();
  const description = join(home, 'units', unit, 'unit.json');
  const stored = JSON.parse(readFileSync(description, 'utf8'));
  writeFileSync(description, JSON.stringify({ ...stored, boot: 'earlier' }));
  const second = new HostWatch(createRealHost({ folder: home, log: silentLog }));
  open.hosts.push(second);
  assert.equal((await second.adopt())[0]?.exit, { unknown: 'the machine was restarted while it ran' });
  second.host.close();
  writeFileSync(description, JSON.stringify(stored));
});

services('the shim survives a TERM for the whole session and tells the exit code', async ({ home }) => {
  const watch = await hosted(home);
  const { unit, pid = 0 } = await watch.start({ run: "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done" });
  await watch.says(unit, 'ready');
  const session = readProcess(pid)?.session ?? 0;
  assert.ok(session > 1 && session !== pid);
  process.kill(-session, 'SIGTERM');
  assert.equal(await watch.exit(unit), { code: 5 });
  watch.host.close();
});

services('a shim that was killed: the service runs on, and how it ended is nobody knows', async ({ home }) => {
  const watch = await hosted(home);
  const { unit, pid = 0 } = await watch.start({ run: 'exec sleep 4321' });
  const shim = readProcess(pid)?.parent ?? 0;
  process.kill(shim, 'SIGKILL');
  await until('the shim is gone', () => readProcess(shim) === undefined);
  assert.ok(readProcess(pid));
  assert.equal(watch.exits, []);
  assert.is(await watch.stop(unit, 1000), undefined);
  assert.is(readProcess(pid), undefined);
  assert.match((await watch.exit(unit)).unknown ?? '', /nobody saw how/);
  watch.host.close();
});

services(
  'what a service gets: its own words, its unit, a session and folder of its own, nothing of the agent',
  async ({ home }) => {
    process.env.HEARTH_PASSWORD = 'secret';
    process.env.npm_config_x = '1';
    const watch = await hosted(home);
    const cwd = join(home, 'a folder; $(touch nothing)');
    mkdirSync(cwd);
    const run = ['sh', '-c', 'pwd; env; echo "args $1|$2"; echo end', 'sh', '$HOME "x" \'y\'', '; exit 9'];
    const { unit } = await watch.start({ run, cwd, env: { GREETING: '$(id) "a\' b', HEARTH_UNIT: 'mine' } }, 'greeter');
    await watch.exit(unit);
    const lines = watch.host.tail(unit, 200);
    assert.is(lines[0], cwd);
    assert.ok(lines.includes('args $HOME "x" \'y\'|; exit 9'), lines.join('\n'));
    assert.ok(lines.includes('GREETING=$(id) "a\' b'));
    assert.ok(lines.includes(`HEARTH_UNIT=${unit}`) && lines.includes('HEARTH_SERVICE=greeter'));
    const others = lines.filter(line => /^(HEARTH_|npm_|NODE_)/.test(line));
    assert.is(others.length, 2, others.join('\n'));
    watch.host.close();
    delete process.env.HEARTH_PASSWORD;
    delete process.env.npm_config_x;
  },
);

services('start errors are one sentence; a command that is not there is exit 127 with the reason', async ({ home }) => {
  const watch = await hosted(home);
  const refused = (spec: Service) =>
    watch.start(spec).then(
      () => 'started',
      (error: Error) => error.message,
    );
  assert.is(
    await refused({ run: 'true', cwd: '/no/such' }),
    'cannot be started: its folder (cwd) /no/such: it does not exist',
  );
  assert.is(
    await refused({ run: 'true', cwd: '/etc/passwd' }),
    'cannot be started: its folder (cwd) /etc/passwd: it is no folder',
  );
  assert.equal(readdirSync(join(home, 'units')), [], 'and nothing is left behind');
  const missing = await watch.start({ run: ['no-such-command', 'x'] });
  assert.equal(await watch.exit(missing.unit), { code: 127 });
  assert.match(watch.host.tail(missing.unit, 1)[0] ?? '', /^no-such-command: not found$/);
  const plain = join(home, 'plain');
  writeFileSync(plain, 'x', { mode: 0o644 });
  const denied = await watch.start({ run: [plain] });
  assert.equal(await watch.exit(denied.unit), { code: 126 });
  assert.match(watch.host.tail(denied.unit, 1)[0] ?? '', /ermission denied$/);
  watch.host.close();
});

services('services give way: nicer than the agent, and first to go when memory runs out', async ({ home }) => {
  const watch = await hosted(home);
  const { pid = 0 } = await watch.start({ run: 'exec sleep 4321' });
  const adjusted = (process: number | 'self') => Number(readFileSync(`/proc/${process}/oom_score_adj`, 'utf8'));
  assert.ok(getPriority(pid) > getPriority(), `nice ${getPriority(pid)}`);
  assert.is(adjusted(pid), 500);
  assert.ok(adjusted(pid) > adjusted('self'));
  watch.host.close();
});

services('output is bounded under yes, the service runs on, and the newest lines are there', async ({ home }) => {
  const watch = await hosted(home);
  const { unit, pid = 0 } = await watch.start({
    run: 'yes hearth | head -c 399999999; sleep 0.3; echo done; exec sleep 4321',
  });
  const output = join(home, 'units', unit, 'output');
  let most = 0;
  await until(
    'all is written',
    () => {
      most = Math.max(most, statSync(output).blocks * 512);
      return watch.host.tail(unit, 1)[0] === 'done';
    },
    60_000,
  );
  await until('the file is small', () => statSync(output).size <= 1024 * 1024);
  assert.ok(statSync(`${output}.1`).size <= 1024 * 1024);
  assert.ok(most < 200_000_000, `at most ${most} bytes at any moment`);
  assert.ok(readProcess(pid));
  assert.equal(watch.host.tail(unit, 1), ['done']);
  watch.host.close();
});

services('followed output: cut lines, bytes that are no text, a last line without its end', async ({ home }) => {
  const watch = await hosted(home);
  const gate = join(home, 'gate');
  const wait = `until [ -e ${gate} ]; do sleep 0.02; done`;
  const { unit } = await watch.start({
    run: `echo before; ${wait}; head -c 5000 /dev/zero | tr '\\0' x; echo; printf '\\377\\n'; printf 'no end'`,
  });
  await watch.says(unit, 'before');
  watch.host.follow(unit, true);
  writeFileSync(gate, '');
  await watch.exit(unit);
  const lines = watch.lines.get(unit) ?? [];
  assert.equal(
    lines.map(line => line.length),
    [2000, 1, 6],
  );
  assert.equal(lines.slice(1), ['\ufffd', 'no end']);
  watch.host.close();
});

services('a crash loop is visible with its reason', async ({ home }) => {
  const agent = new Agent(home).want(1, { bad: { run: 'echo "cannot open /dev/fire" >&2; exit 3' } });
  const status = await agent.item('bad', ({ state }) => state === 'crash-loop', 30_000);
  assert.is(status.exit, 3);
  assert.match(status.err ?? '', /^exit 3 after \d\.\d s, 5 times in a row; last line: cannot open \/dev\/fire$/);
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
  const seen = await agent.attempted(1);
  const ms = performance.now() - before;
  console.log(`100 services in ${Math.round(ms)} ms`);
  assert.ok(ms < 8000, `${ms} ms`);
  assert.is(Object.values(seen.items).filter(running).length, 100);
  await until('the next shim waits', () => childNames(agent.process.pid).length > 100);
  assert.equal(childNames(agent.process.pid), Array(101).fill('sh'), 'no child processes but the shims');
  agent.want(2, {});
  await agent.attempted(2);
  assert.equal(childNames(agent.process.pid), ['sh'], 'the one that waits is left');
  assert.equal(readdirSync(join(home, 'units')), []);
  assert.equal(readdirSync(join(home, 'runs')), []);
  await agent.process.stop();
});

const childNames = (pid: number): string[] =>
  listProcesses().flatMap(({ parent, name }) => (parent === pid ? [name] : []));

services('a unit is told by its environment, whole name only, last word counting', async ({ home }) => {
  const watch = await hosted(home);
  const { unit, pid = 0 } = await watch.start({ run: 'exec sleep 4321' });
  // For a moment, while it becomes the service, it has no environment at all.
  await until('it carries its unit', () => unitOf(pid) === unit);
  assert.is(unitOf(process.pid), process.env.HEARTH_UNIT);
  watch.host.close();
});

if (Cgroups.find().pathFor('x') === undefined) {
  console.log('skipped: a process that hides completely is held by its cgroup (needs a cgroup v2 it may write)');
} else {
  services('a process that left session, parent and environment behind is held by its cgroup', async ({ home }) => {
    const gate = join(home, 'gate');
    const watch = await hosted(home);
    const { unit, pid = 0 } = await watch.start({
      run: `until [ -e ${gate} ]; do sleep 0.05; done
        (env -i setsid /bin/sh -c 'echo "hidden $$"; exec sleep 4321' &)
        exec sleep 4321`,
    });
    await until('it is in its group', () => readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(unit));
    writeFileSync(gate, '');
    const hidden = readProcess(await printedPid(watch, unit, 'hidden'));
    assert.ok(hidden);
    await until('nothing but the group tells', () => readProcess(hidden.pid)?.parent === 1);
    assert.is(unitOf(hidden.pid), undefined);
    assert.is(await watch.stop(unit, 5000), undefined);
    const left = isAlive(hidden);
    if (left) process.kill(hidden.pid, 'SIGKILL');
    assert.not.ok(left);
    watch.host.discard(unit);
    assert.not.ok(existsSync(Cgroups.find().pathFor(unit) ?? ''), 'the group is gone with it');
    watch.host.close();
  });
}

services.run();
