/** Fillers with real processes: a service that is dimmed and frozen, a command that is started again, BOINC by its command. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BoincFiller, clientProcesses } from '../../node-agent/heat/filler/boinc.ts';
import { CommandFiller } from '../../node-agent/heat/filler/command.ts';
import { HeatGroups } from '../../node-agent/heat/groups.ts';
import { realGroupFiles } from '../../node-agent/reconcile/services/group-files.ts';
import { isStopped, processMs, readProcess } from '../../node-agent/reconcile/services/processes.ts';
import { silentLog } from '../../shared/log.ts';
import { systemClock } from '../../shared/system-clock.ts';
import { manualClock } from '../fixture/manual-clock.ts';
import { folder, freePort, start, until } from '../fixture/processes.ts';
import { findProgram } from '../fixture/programs.ts';
import { hosted } from '../fixture/services-rig.ts';

const filler = suite<{ data: string }>('fillers');
const noGroups = new HeatGroups([], realGroupFiles);

filler.before.each(context => {
  context.data = folder('hearth-filler-');
});

const frozen = (pid: number, { freezing }: { readonly freezing?: { readonly path: string } }): boolean =>
  freezing
    ? /^frozen 1$/m.test(readFileSync(freezing.path.replace(/freeze$/, 'events'), 'utf8'))
    : isStopped(readProcess(pid) ?? { pid, state: '' });

filler(
  'a service is frozen and goes on as the same process, and is stopped also where it is frozen',
  async ({ data }) => {
    const watch = await hosted(data);
    const { unit, pid = 0 } = await watch.start({ run: 'while :; do sleep 0.05; done' });
    const dimmed = await until('its group is there', () => {
      const said = watch.host.dim(unit, 0);
      return (said.freezing !== undefined || (said.processes?.length ?? 0) > 0) && said;
    });
    await until('it is frozen', () => frozen(pid, dimmed));
    assert.ok((dimmed.usedMs ?? -1) >= 0);
    watch.host.dim(unit, 0.5);
    await until('it goes on', () => !frozen(pid, dimmed));
    const used = processMs(pid) ?? 0;
    await until('it does something', () => (processMs(pid) ?? 0) > used);
    watch.host.dim(unit, 0);
    assert.is(await watch.stop(unit), undefined);
    assert.not.ok(readProcess(pid));
    watch.host.close();
  },
);

filler(
  'who is stopped by somebody late, such as a watchdog whose lease was renewed just then, goes on',
  async ({ data }) => {
    const watch = await hosted(data);
    const { unit, pid = 0 } = await watch.start({ run: 'exec sleep 4321' });
    for (let n = 0; n < 3; n++) watch.host.dim(unit, 0.5);
    process.kill(pid, 'SIGSTOP');
    await until('it is stopped', () => readProcess(pid)?.state === 'T');
    for (let n = 0; n < 5; n++) watch.host.dim(unit, 0.5);
    await until('it goes on', () => readProcess(pid)?.state !== 'T');
    await watch.stop(unit);
    watch.host.close();
  },
);

filler('a service that is the filler no more is as any other', async ({ data }) => {
  const watch = await hosted(data);
  const { unit, pid = 0 } = await watch.start({ run: 'exec sleep 4321' });
  const dimmed = watch.host.dim(unit, 0);
  await until('it is frozen', () => frozen(pid, dimmed));
  watch.host.dim(unit, undefined);
  await until('it goes on', () => !frozen(pid, dimmed));
  await watch.stop(unit);
  watch.host.close();
});

filler('a command that ends is started again, later and later, and only while heat is asked for', async ({ data }) => {
  const clock = manualClock();
  const runs = join(data, 'count');
  const one = new CommandFiller(
    { folder: data, groups: noGroups, clock, log: silentLog, held() {} },
    { run: ['/bin/sh', '-c', `echo run >>${runs}; exit 3`] },
  );
  const count = () => {
    try {
      return readFileSync(runs, 'utf8').split('\n').length - 1;
    } catch {
      return 0;
    }
  };
  one.set(0);
  assert.is(count(), 0);
  one.set(1);
  await until('it ended', () => one.error !== '');
  assert.is(one.error, 'the filler ended: exit status 3; tried again in 1 s');
  one.set(1);
  assert.is(count(), 1);
  clock.advance(1100);
  one.set(0);
  assert.is(count(), 1);
  one.set(1);
  await until('it ended again', () => /in 2 s$/.test(one.error));
  assert.is(count(), 2);
  await new Promise<void>(done => one.end(done));
});

const words = (path: string): string[] => {
  try {
    return readFileSync(path, 'utf8').trim().split('\n');
  } catch {
    return [];
  }
};

/** A boinccmd that writes down what it is told, and says what the test wants of how BOINC stands. */
function playedBoinc(data: string) {
  const [said, status, programs] = [join(data, 'said'), join(data, 'status'), join(data, 'bin')];
  mkdirSync(programs);
  const text = `case "$*" in *get_cc_status) cat '${status}' ;; *) echo "$* $(cat gui_rpc_auth.cfg)" >>'${said}' ;; esac`;
  writeFileSync(join(programs, 'boinccmd'), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  writeFileSync(join(data, 'secret'), 'hush\n');
  const clock = manualClock();
  const parts = { folder: join(data, 'boinc'), groups: noGroups, clock, path: `${programs}:${process.env.PATH}` };
  const stands = (current: string, perm: string, forS = 0) => {
    const of = (one: string, other: string, s: number) =>
      `    not suspended\n    current mode: ${one}\n    perm mode: ${other}\n    perm becomes current in ${s} sec\n`;
    writeFileSync(status, `CPU status\n${of(current, perm, forS)}GPU status\n${of('never', 'never', 9)}`);
  };
  stands('according to prefs', 'according to prefs');
  return {
    ...{ clock, stands },
    said: () => words(said).map(line => line.replace('--host box:31416 --set_run_mode ', '').replace(' hush', '')),
    filler: () => new BoincFiller(parts, { host: 'box:31416', password_file: join(data, 'secret') }),
  };
}

filler('BOINC works by leases of its own, and pauses with the heat', async ({ data }) => {
  const { clock, stands, said, filler } = playedBoinc(data);
  const one = filler();
  const told = (...all: string[]) =>
    until(`it was told ${all.at(-1)}`, () => !one.asking && said().join() === all.join());
  one.set(0);
  await told('never');
  clock.advance(30_000);
  one.set(2);
  await told('never', 'always 45');
  stands('always', 'never', 45);
  one.set(2);
  clock.advance(16_000);
  await until('it is renewed', () => {
    one.set(2);
    return said().length === 3;
  });
  await told('never', 'always 45', 'always 45');
  await until('it pauses', () => {
    one.set(0);
    return said().length === 4;
  });
  await told('never', 'always 45', 'always 45', 'never');
  const [line = ''] = one.held();
  assert.match(line, /^sh - .*never\.sh$/);
  assert.not.match(readFileSync(line.slice(5), 'utf8'), /hush/);
  await new Promise<void>(done => one.end(done));
  await told('never', 'always 45', 'always 45', 'never', 'auto');
});

filler(
  'BOINC that its owner has paused, before or meanwhile, is left alone, and given back as it was',
  async ({ data }) => {
    const { clock, stands, said, filler } = playedBoinc(data);
    let one = filler();
    const again = (what: string, condition: () => boolean) =>
      until(what, () => {
        one.set(1);
        return !one.asking && condition();
      });
    stands('never', 'never');
    await again('it is found paused', () => /^BOINC is paused by its owner/.test(one.error));
    assert.equal([said(), one.held()], [[], []]);
    // He resumes it.
    stands('always', 'always');
    clock.advance(11_000);
    await again('it works', () => said().length === 2);
    assert.equal(said(), ['never', 'always 45']);
    // He pauses it for ten minutes.
    stands('never', 'never', 600);
    clock.advance(16_000);
    await again('it is found paused', () => one.error !== '');
    stands('never', 'never');
    clock.advance(580_000);
    one.set(1);
    assert.equal([one.asking, said().length], [false, 2]);
    clock.advance(21_000);
    await again('it works again', () => said().length === 4);
    one.close();
    // The next agent gives back what this one took.
    one = filler();
    await new Promise<void>(done => one.end(done));
    assert.is(said().at(-1), 'always');
    one = filler();
    stands('according to prefs', 'according to prefs');
    await again('it works', () => said().length === 7);
    stands('never', 'never');
    clock.advance(16_000);
    await again('it is found paused', () => one.error !== '');
    await new Promise<void>(done => one.end(done));
    assert.is(said().length, 7, 'it stays so');
  },
);

filler('BOINC: seconds that ran out while nobody renewed them are no pause of its owner', async ({ data }) => {
  const { clock, stands, said, filler } = playedBoinc(data);
  const one = filler();
  const works = (count: number) =>
    until('it works', () => {
      one.set(1);
      return !one.asking && said().length === count;
    });
  await works(2);
  stands('never', 'never');
  clock.advance(60_000);
  await works(3);
  assert.equal(said(), ['never', 'always 45', 'always 45']);
  await new Promise<void>(done => one.end(done));
});

const [client, command] = ['boinc', 'boinccmd'].map(findProgram);
if (!client || !command) console.log('skipped: the true BOINC client (boinc-client is not installed)');
else {
  filler('the true BOINC client does as it is told', async ({ data }) => {
    const port = String(await freePort());
    const own = join(data, 'client');
    mkdirSync(own);
    writeFileSync(join(own, 'gui_rpc_auth.cfg'), 'hush\n', { mode: 0o600 });
    const at = ['--dir', own, '--gui_rpc_port', port, '--allow_multiple_clients', '--no_gpus', '--redirectio'];
    const boinc = start(client, at);
    const clock = manualClock();
    const one = new BoincFiller(
      { folder: join(data, 'boinc'), groups: noGroups, clock, path: process.env.PATH ?? '' },
      { host: `localhost:${port}`, password_file: join(own, 'gui_rpc_auth.cfg') },
    );
    const mode = (what: string): string | undefined => {
      const asked = spawnSync(command, ['--host', `localhost:${port}`, '--get_cc_status'], { cwd: own });
      return new RegExp(`CPU status[^]*?${what} mode: (\\w+)`).exec(String(asked.stdout))?.[1];
    };
    await until('it answers', () => mode('current') !== undefined);
    await until('it works, and would not by itself', () => {
      clock.advance(11_000);
      one.set(1);
      return mode('current') === 'always' && mode('perm') === 'never';
    });
    await until('it pauses', () => {
      one.set(0);
      return mode('current') === 'never';
    });
    await new Promise<void>(done => one.end(done));
    assert.is(mode('perm'), 'according');
    assert.is(one.error, '');
    await boinc.stop();
  });
}

filler('without boinccmd it says what to install', async ({ data }) => {
  const one = new BoincFiller({ folder: join(data, 'b'), groups: noGroups, clock: systemClock(), path: data }, {});
  one.set(1);
  assert.is(one.error, 'there is no boinccmd on this machine: install it (Debian: boinc-client)');
  await new Promise<void>(done => one.end(done));
});

filler('the client is known with all that it started', () => {
  const process = (pid: number, name: string, parent: number) => ({
    ...{ pid, name, parent },
    ...{ state: 'S', session: 1, kernel: false, start: 1 },
  });
  const all = [process(9, 'einstein', 5), process(5, 'boinc', 1), process(7, 'bash', 1), process(10, 'sub', 9)];
  assert.equal(
    clientProcesses(all)
      .map(({ pid }) => pid)
      .sort(),
    [10, 5, 9],
  );
});

filler.run();
