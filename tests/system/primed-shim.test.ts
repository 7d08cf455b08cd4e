/** The shim that waits: what it becomes is exactly what a spawned one is, and it is never anything else. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findMembers } from '../../node-agent/reconcile/services/members.ts';
import { tellable } from '../../node-agent/reconcile/services/primed.ts';
import { childrenOf, isAlive, listProcesses, readProcess } from '../../node-agent/reconcile/services/processes.ts';
import { createRealHost } from '../../node-agent/reconcile/services/real-host.ts';
import { silentLog } from '../../shared/log.ts';
import type { Service } from '../../shared/schemas/service.ts';
import { HostWatch } from '../fixture/host-conformance.ts';
import { hostThatIs, type Way } from '../fixture/primed-host.ts';
import { folder, start, until } from '../fixture/processes.ts';
import { findProgram } from '../fixture/programs.ts';
import { installedShells } from '../fixture/shells.ts';

const primed = suite<{ home: string }>('primed shim');
const ways: readonly Way[] = ['spawned', 'primed'];
const open: HostWatch[] = [];

primed.before.each(context => {
  context.home = folder('hearth-primed-');
});
primed.after.each(async ({ home }) => {
  for (const { host } of open.splice(0)) host.close();
  const watch = new HostWatch(createRealHost({ folder: home, log: silentLog }));
  for (const { unit } of await watch.adopt()) await watch.stop(unit, 0);
  watch.host.close();
});

async function hosted(way: Way, home: string, shell?: string) {
  const host = hostThatIs(way, { folder: home, ...(shell === undefined ? {} : { shell }) });
  const watch = new HostWatch(host);
  open.push(watch);
  await watch.adopt();
  return Object.assign(watch, { primed: () => host.primed });
}

const commandLine = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
};

/** Shims of a folder that were started ahead, used or not, and what each became or will become. */
const waiting = (home: string) =>
  listProcesses().filter(({ pid }) => {
    const line = commandLine(pid);
    return (
      line.endsWith(`\0${join(home, 'runs')}\0`) ||
      (line.includes(`\0-c\0. "$1"\0`) && line.includes(`\0${join(home, 'shim-')}`))
    );
  });

primed('an agent that is killed takes the waiting shim with it, and nothing is left on disk', async ({ home }) => {
  const agent = start(
    process.execPath,
    [...['--import', 'tsx', join(import.meta.dirname, '../fixture/agent-like.ts'), home]],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
  agent.child.stdin?.write('\n');
  const shims = await until('both parts wait', () => {
    const found = waiting(home);
    return found.length === 2 && found;
  });
  await agent.stop('SIGKILL');
  await until('both are gone', () => !shims.some(isAlive));
  assert.equal(readdirSync(join(home, 'units')), []);
  assert.equal(readdirSync(join(home, 'runs')), []);
});

primed('closing a host ends the waiting shim', async ({ home }) => {
  const watch = await hosted('primed', home);
  await until('one waits', watch.primed);
  const shims = waiting(home);
  assert.is(shims.length, 2);
  watch.host.close();
  await until('it is gone', () => !shims.some(isAlive));
});

primed('it is no unit: not found, not counted, not stopped; and it is the next one started', async ({ home }) => {
  const watch = await hosted('primed', home);
  const first = await watch.start({ run: 'sleep 4321' });
  await until('the next one waits', watch.primed);
  const used = readProcess(first.pid ?? 0)?.parent;
  const unused = waiting(home).filter(({ pid, parent }) => parent === process.pid && pid !== used);
  assert.is(unused.length, 1);
  const [shim] = unused;
  assert.ok(shim);
  assert.equal(readdirSync(join(home, 'units')), [first.unit], 'no description of it');
  assert.equal(readdirSync(join(home, 'runs')), [`${first.unit}.run`], 'and no record');
  const members = findMembers({ unit: first.unit, grouped: new Set() });
  assert.not.ok(members.some(({ session }) => session === shim.pid));
  const other = new HostWatch(createRealHost({ folder: home, log: silentLog }));
  assert.equal(
    (await other.adopt()).map(({ unit }) => unit),
    [first.unit],
    'an adopter finds the service alone',
  );
  other.host.close();
  assert.is(await watch.stop(first.unit), undefined);
  assert.ok(isAlive(shim), 'stopping a unit leaves it');
  const second = await watch.start({ run: 'sleep 4321' });
  assert.is(readProcess(second.pid ?? 0)?.parent, shim.pid);
  assert.is(readProcess(second.pid ?? 0)?.session, shim.pid);
});

primed(
  'killed while it waits: the next unit is started without it, and the one after that is quick',
  async ({ home }) => {
    const host = createRealHost({ folder: home, log: silentLog, starting: { primeAfterMs: 0 } });
    const watch = new HostWatch(host);
    open.push(watch);
    await watch.adopt();
    await until('one waits', () => host.primed);
    const [killed] = waiting(home).filter(({ parent }) => parent === process.pid);
    const [main] = childrenOf(killed?.pid ?? 0);
    // Its waiting part alone: only looking tells.
    process.kill(main ?? 0, 'SIGKILL');
    await until('it is gone', () => readProcess(main ?? 0) === undefined);
    const { unit, pid = 0 } = await watch.start({ run: 'exec sleep 4321' });
    assert.not.equal(readProcess(pid)?.parent, killed?.pid);
    assert.is(await watch.stop(unit), undefined);
    await until('the next one waits', () => host.primed);
    // What is left of the killed one may not have noticed yet.
    const next = waiting(home).find(({ pid, parent }) => parent === process.pid && pid !== killed?.pid);
    const used = await watch.start({ run: 'exec sleep 4321' });
    assert.is(readProcess(used.pid ?? 0)?.parent, next?.pid);
  },
);

primed('20 at once: the first is told to the shim that waits, the others have their own', async ({ home }) => {
  const watch = await hosted('primed', home);
  await until('one waits', watch.primed);
  const [shim] = waiting(home).filter(({ parent }) => parent === process.pid);
  const host = watch.host;
  const units = await Promise.all(
    Array.from({ length: 20 }, (_, index) => new HostWatch(host).start({ run: `echo "is ${index}"; exec sleep 4321` })),
  );
  const parents = units.map(({ pid }) => readProcess(pid ?? 0)?.parent);
  assert.ok(parents.includes(shim?.pid));
  assert.is(new Set(parents).size, 20, 'a shim each');
  for (const [index, { unit }] of units.entries()) await watch.says(unit, `is ${index}`);
  await Promise.all(units.map(({ unit }) => watch.stop(unit, 0)));
  await until('one waits again', watch.primed);
  // Those that were used may need a moment to end.
  const shims = () => waiting(home).filter(({ parent }) => parent === process.pid);
  await until(
    () => `exactly one, not ${shims().length}`,
    () => shims().length === 1,
  );
  assert.ok(watch.primed());
});

primed('in steady state it is one shim of two processes and less than a megabyte', async ({ home }) => {
  const watch = await hosted('primed', home);
  await until('one waits', watch.primed);
  const shims = waiting(home);
  assert.is(shims.length, 2);
  const kB = (pid: number, what: string) =>
    Number(new RegExp(`^${what}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
  const sum = (what: string) => shims.reduce((all, { pid }) => all + kB(pid, what), 0);
  console.log(`the waiting shim: PSS ${sum('Pss')} kB, RSS ${sum('Rss')} kB`);
  // Its own alone: how much of the C library is counted to it depends on how many others use that.
  const own = sum('Private_Clean') + sum('Private_Dirty');
  assert.ok(own < 1024, `${own} kB`);
});

const shellish = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'\n\n\\\'"$`(){}*?[]~#!&|;<>=+-. \ta%'), maxLength: 30 }),
  fc.constantFrom('', '-n', '--', '.', '+x', '-x', '=x', '\\', '\\n', '$(id)', '`id`', '\n', ' a ', '\n.\n'),
);
const anything = fc.oneof(
  shellish,
  fc.string({ unit: 'binary', maxLength: 40 }).map(text => text.replaceAll('\0', '')),
  fc.constantFrom('\ra', '\u0081\u0088', '\x01\x7f'),
);
const vector = fc.oneof(fc.array(shellish, { maxLength: 8 }), fc.array(anything, { maxLength: 8 }));

for (const { name, path } of installedShells()) {
  for (const way of ways) {
    primed(`hostile arguments arrive byte for byte: ${way}, ${name}`, async ({ home }) => {
      const watch = await hosted(way, home, path);
      const count = { told: 0, other: 0 };
      const arrive = async (texts: readonly string[]) => {
        const spec: Service = {
          run: [findProgram('printf') ?? '/usr/bin/printf', '%s\\0', ...texts, 'end'],
          cwd: home,
        };
        count[tellable({ unit: '0'.repeat(32), service: 'a', spec }, path) === undefined ? 'other' : 'told']++;
        const { unit } = await watch.start(spec);
        assert.equal(await watch.exit(unit), { code: 0 });
        const output = readFileSync(join(home, 'units', unit, 'output'));
        assert.equal(output, Buffer.from([...texts, 'end'].map(text => `${text}\0`).join('')));
        await watch.stop(unit);
        watch.host.discard(unit);
      };
      await arrive(['', '', '\n\n', '-n', 'a\nb\n', ' .', '.', '\\', "'", '"$(id)"']);
      await fc.assert(fc.asyncProperty(vector, arrive), { numRuns: 40 });
      assert.ok(count.told > 5 && count.other > 2, JSON.stringify(count));
    });
  }

  primed(`the same environment, files, folder, signals and rank either way: ${name}`, async ({ home }) => {
    const cwd = join(home, "a 'folder'\nof $(two) lines");
    mkdirSync(cwd);
    const run =
      'env -0 | tr "\\n" "|" | tr "\\0" "\\n" | sort; ls -l /proc/$$/fd; pwd -P; umask; ulimit -a; cat /proc/$$/oom_score_adj; grep -E "^Sig(Blk|Ign|Cgt)" /proc/self/status; readlink /proc/$$/fd/0; echo "$#"';
    const seen: string[] = [];
    for (const way of ways) {
      const watch = await hosted(way, home, path);
      for (const spec of [{ run, cwd }, { run }]) {
        const { unit } = await watch.start(spec, 'same');
        assert.equal(await watch.exit(unit), { code: 0 });
        const text = readFileSync(join(home, 'units', unit, 'output'), 'utf8');
        assert.match(text, `HEARTH_UNIT=${unit}\n`);
        assert.match(text, 'HEARTH_SERVICE=same\n');
        seen.push(
          text
            .replaceAll(unit, 'UNIT')
            .replace(/^.*\d\d:\d\d ([012]) ->/gm, '$1 ->')
            .replace(/^l.*|^total.*/gm, '')
            // Some shells count in it how many of them there are.
            .replace(/^SHLVL=.*$/m, ''),
        );
      }
      watch.host.close();
    }
    assert.is(seen[2], seen[0]);
    assert.is(seen[3], seen[1]);
  });

  primed(`a command that is not there is exit 127 with the reason: ${name}`, async ({ home }) => {
    const watch = await hosted('primed', home, path);
    const { unit } = await watch.start({ run: ['/no/such/command'] });
    assert.equal(await watch.exit(unit), { code: 127 });
    assert.match(watch.host.tail(unit, 1)[0] ?? '', /no\/such\/command: (not found|No such file)/);
    const killed = await watch.start({ run: 'kill -KILL $$' });
    assert.equal(await watch.exit(killed.unit), { signal: 'KILL' });
  });
}

primed('what cannot be told exactly, or only slowly, is not told', () => {
  const told = (spec: Service) => tellable({ unit: 'a'.repeat(32), service: 'x', spec }, '/bin/sh');
  assert.is(told({ run: ['a', '-b\n.\n', ''], cwd: '/x' }), `${'a'.repeat(32)}\nx\n=/x\n+a\n--b\n-.\n+\n+\n.\n`);
  for (const spec of [
    { run: 'true', env: { A: 'b' } },
    { run: 'ä' },
    { run: 'a\rb' },
    { run: ['a', '\x01'] },
    { run: 'true', cwd: '/ö' },
    { run: 'x'.repeat(2100) },
  ]) {
    assert.is(told(spec), undefined, JSON.stringify(spec).slice(0, 80));
  }
});

primed.run();
