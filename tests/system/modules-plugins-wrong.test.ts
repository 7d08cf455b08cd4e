/** Plugins that throw, exit, block, or cannot be loaded: theirs alone is the harm. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { listProcesses } from '../../node-agent/reconcile/services/processes.ts';
import { ModulesRig } from '../fixture/modules-rig.ts';
import { until } from '../fixture/processes.ts';

const plugins = suite('modules plugins that do wrong');
const rig = new ModulesRig();
plugins.after(() => rig.end());
const isThere = (pid: number): boolean => listProcesses().some(each => each.pid === pid);
const untilGone = (pid: number) => until(`process ${pid} is gone`, () => !isThere(pid));
const tokens = (told: readonly string[]) => told.map(line => line.split(' ')[0]).join(' ');

const bad: Readonly<Record<string, readonly [string, string, RegExp]>> = {
  throws: ['throw new RangeError("bad frame")', 'error', /^RangeError: bad frame$/],
  'throws nothing at all': ['throw undefined', 'error', /it threw undefined/],
  'ends its process': ['process.exit(3)', 'error', /took its process with it: it ended with exit status 3/],
  'ends its process well': ['process.exit(0)', 'error', /exit status 0/],
  aborts: ['process.abort()', 'signal', /SIGABRT/],
  'kills itself': ['process.kill(process.pid, "SIGKILL"); await new Promise(() => {})', 'signal', /SIGKILL/],
  'throws later': [
    'setTimeout(() => { throw new Error("later") }); await new Promise(() => {})',
    'error',
    /outside of its call: Error: later/,
  ],
  'leaves a promise that fails': [
    'Promise.reject(new Error("nobody")); await new Promise(() => {})',
    'error',
    /outside of its call: Error: nobody/,
  ],
  'gives back a BigInt': ['return { n: 1n }', 'error', /what JSON cannot hold: TypeError/],
  'gives back a circle': ['const a = {}; a.a = a; return a', 'error', /what JSON cannot hold: TypeError/],
  'gives back a function': ['return () => 1', 'error', /gave back a function/],
  'gives back too much': [
    'return "ä".repeat(40000)',
    'output',
    /80002 bytes of JSON; a result has 65536 at most: keep larger ones as artifacts/,
  ],
  'throws in toJSON': ['return { toJSON() { throw new Error("no") } }', 'error', /cannot hold: Error: no/],
  'takes all memory': ['const all = []; for (;;) all.push({ a: [1] })', 'memory', /more than 64 MB/],
  'saves too much': ['ctx.save(new Uint8Array(300000))', 'error', /RangeError: a checkpoint has at most 262144 bytes/],
  'writes nonsense to the socket': [
    '(await import("node:fs")).writeSync(4, "nonsense\\n"); await new Promise(() => {})',
    'error',
    /what no worker says/,
  ],
  'writes without a line end': [
    'const fs = await import("node:fs"); for (;;) fs.writeSync(4, "x".repeat(60000))',
    'error',
    /what no worker says/,
  ],
  'answers for a task that is not its turn': [
    `(await import("node:fs")).writeSync(4, '["e",99,0,"forged"]\\n'); await new Promise(() => {})`,
    'error',
    /what no worker says/,
  ],
};
rig.plugin(
  'bad.mjs',
  `export default async (data, ctx) => { switch (data) {
    case 'pid': return process.pid;
    ${Object.entries(bad)
      .map(([name, [body]]) => `case ${JSON.stringify(name)}: { ${body}; break; }`)
      .join('\n')}
  } }`,
);
plugins('what a plugin does wrong is that task’s alone', async () => {
  const lane = rig.lane({ plugin: 'bad', mem_mb: 64 });
  for (const [name, [, why, err]] of Object.entries(bad)) {
    // By itself: it may be the one for which the plugin is loaded, and what waits behind a slow one is given back.
    const [before] = await lane.all(['pid']);
    const [told, after] = await lane.all([name, 'pid']);
    assert.type(before?.end?.value, 'number', name);
    assert.is(told?.end?.why, why, `${name}: ${JSON.stringify(told?.end)}`);
    assert.match(told?.end?.err ?? '', err, name);
    assert.ok(after?.returned || typeof after?.end?.value === 'number', `${name}: ${JSON.stringify(after)}`);
  }
  lane.close();
});

plugins('a plugin that cannot be loaded says why', async () => {
  rig.plugin('torn.mjs', 'export default (');
  rig.plugin('empty.mjs', 'export const a = 1');
  rig.plugin('needs.mjs', 'import "nothing-like-this"; export default () => 1');
  rig.plugin('exits.mjs', 'process.exit(1)');
  assert.match((await rig.one({ plugin: 'torn' })).err ?? '', /plugin "torn" cannot be loaded: SyntaxError/);
  assert.match((await rig.one({ plugin: 'empty' })).err ?? '', /its default export is no function/);
  assert.match((await rig.one({ plugin: 'needs' })).err ?? '', /Cannot find package 'nothing-like-this'/);
  assert.match((await rig.one({ plugin: 'exits' })).err ?? '', /exit status 1/);
});

plugins('one that blocks is killed with its children, and only it has been attempted', async () => {
  const file = join(rig.data, 'child');
  // Told apart from what others on this machine run.
  const sleep = `sleep ${1_000_000 + process.pid}`;
  rig.plugin(
    'blocks.mjs',
    `import { spawn } from 'node:child_process'; import { writeFileSync } from 'node:fs';
    export default data => {
      if (data !== 'block') return data;
      const child = spawn('sh', ['-c', 'setsid ${sleep} & ${sleep}'], { detached: true, stdio: 'ignore' });
      console.log('blocking'); writeFileSync(${JSON.stringify(file)}, String(child.pid));
      for (;;);
    }`,
  );
  const lane = rig.lane({ plugin: 'blocks' });
  // So that short tasks are known, and several are handed at once.
  await lane.all(Array.from({ length: 300 }, (_, n) => n));
  const before = lane.said.length;
  const tasks = lane.start([1, 2, 'block', 4, 5]);
  const [, , block] = tasks.map(({ token }) => token);
  await lane.until(() => lane.said.includes(`began ${block}`));
  await until('it blocks', () => existsSync(file) && readFileSync(file, 'utf8') !== '');
  // Those behind it may have been given back by now.
  const said = lane.said.slice(before).filter(line => !line.startsWith('returned'));
  assert.is(tokens(said), 'began ended began ended began');
  lane.stop(block ?? 0);
  await lane.until(() => lane.said.filter(line => /^(ended|returned)/.test(line)).length === 305);
  const end = lane.told.get(block ?? 0)?.end;
  assert.equal(end, { why: 'error', err: 'it did not end when it was told to, and was ended', errout: 'blocking\n' });
  // Those behind it were handed over already: they run elsewhere, or are given back; never attempted in vain.
  for (const { token } of tasks.slice(3)) {
    const told = lane.told.get(token);
    assert.ok(told?.returned || (told?.ended && told.end?.value !== undefined), JSON.stringify(told));
  }
  await untilGone(Number(readFileSync(file, 'utf8')));
  assert.not.ok(listProcesses().some(({ pid }) => readArguments(pid).includes(sleep)));
  lane.close();
});
function readArguments(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

plugins.run();
