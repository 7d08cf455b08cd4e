/** A simple command in the shell that waited: the same as in a shell of its own, and nothing left of the shell. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { childrenOf } from '../../node-agent/reconcile/services/processes.ts';
import { simpleCommand } from '../../node-agent/reconcile/services/simple-command.ts';
import { HostWatch } from '../fixture/host-conformance.ts';
import { hostThatIs, type Way } from '../fixture/primed-host.ts';
import { folder, patienceMs, until } from '../fixture/processes.ts';
import { findProgram } from '../fixture/programs.ts';
import { installedShells } from '../fixture/shells.ts';

const simple = suite('simple command');

const commands = [
  'echo "$0 $# $- [$HEARTH_RUN$HEARTH_TEXT$HEARTH_CWD$HEARTH_LINE] $HEARTH_SERVICE"',
  'printf "%s," "a  b" \'c$d\' e\\\\f ~ *',
  'echo a # b',
  'echo a\\',
  'echo "a',
  'echo x >/no/such/folder/file',
  'exit 7',
  'exit 300',
  'kill -USR1 $$',
  'exec cat /dev/null',
  'false',
  ': "$NOT_SET" $9',
  'test a = b',
  '[ 1 -lt 2 ]',
  'pwd',
  '  env printf "%s\\n" tabs\tand "blanks "',
  './script one 2>&1',
  'cat ./nothing',
  'no-such-command --at all',
  './out-of-order',
  'cat /proc/self/comm <script',
  'cat <script >/dev/null 2>&1',
];

/** What each of the commands did: exit and output, without what may differ. */
async function outcomes(way: Way, shell: string, cwd: string): Promise<string[]> {
  const home = folder('hearth-units-');
  const watch = new HostWatch(hostThatIs(way, { folder: home, shell }));
  await watch.adopt();
  const seen: string[] = [];
  for (const run of commands) {
    const { unit, pid } = await watch.start({ run, cwd }, 'same');
    const exit = await watch.exit(unit);
    const text = readFileSync(join(home, 'units', unit, 'output'), 'utf8');
    const said = text.replaceAll(unit, 'UNIT').replaceAll(String(pid), 'PID').replace(/^\d+$/m, 'PARENT');
    // In which words it says what is wrong where is the shell's own affair.
    seen.push(`${run} -> ${JSON.stringify(exit)} ${said.replaceAll(/^\S+sh: .*/gm, 'the shell says why')}`);
    await watch.stop(unit);
    watch.host.discard(unit);
  }
  watch.host.close();
  return seen;
}

for (const { name, path } of installedShells()) {
  simple(`does what it does in a shell of its own: ${name}`, async () => {
    for (const run of commands) assert.type(simpleCommand(run), 'string', run);
    const cwd = folder('hearth-simple-');
    writeFileSync(join(cwd, 'script'), 'echo "script $# $1"\n', { mode: 0o755 });
    assert.equal(await outcomes('primed', path, cwd), await outcomes('spawned', path, cwd));
  });

  simple(`a program takes the shell's place, and a builtin has the service's number: ${name}`, async () => {
    const watch = new HostWatch(hostThatIs('primed', { folder: folder('hearth-units-'), shell: path }));
    await watch.adopt();
    const program = await watch.start({ run: `${findProgram('sleep')} "4321" 2>&1` });
    await until('it has', () => readFileSync(`/proc/${program.pid}/comm`, 'utf8') === 'sleep\n');
    assert.equal(childrenOf(program.pid ?? 0), []);
    assert.is(await watch.stop(program.unit), undefined);
    const builtin = await watch.start({ run: 'echo $$' });
    assert.equal(await watch.exit(builtin.unit), { code: 0 });
    assert.equal(watch.host.tail(builtin.unit, 2), [String(builtin.pid)]);
    watch.host.close();
  });
}

for (const way of ['spawned', 'primed'] as const) {
  simple(`what cannot run is never told as running: ${way}`, async () => {
    // As long as it takes: a shell that waits for a core could be told as running before it has ended.
    const watch = new HostWatch(hostThatIs(way, { folder: folder('hearth-units-'), becomesLongestMs: patienceMs }));
    await watch.adopt();
    const { unit } = await watch.start({ run: ['/no/such/program'] });
    await new Promise(resolve => setImmediate(resolve));
    assert.equal(watch.exits, [{ unit, exit: { code: 127 } }], 'its end is known when its start is told');
    watch.host.close();
  });
}

simple('what may be more than one simple command, or no program, is left to a shell of its own', () => {
  for (const run of [
    'a; b',
    'a & b',
    'a | b',
    '(a)',
    '{ a; }',
    'a $(b)',
    'a `b`',
    'a\nb',
    'A=b c',
    '2>/dev/null a',
    '>out',
    '! a',
    '-x',
    '"a" b',
    '$a b',
    'if a',
    'time a',
    '. ./a',
    'source a',
    'trap',
    'ulimit -n 10',
    'cd /',
    'wait',
    '',
    ' ',
    'é',
  ]) {
    assert.is(simpleCommand(run), undefined, run);
  }
  assert.is(simpleCommand(' sleep 1 >&2'), 'exec  sleep 1 >&2');
  assert.is(simpleCommand('echo 1 2>&1'), 'echo 1 2>&1');
});

simple.run();
