/** What a service is started with, and what becomes of its output. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { readProcess } from '../../node-agent/reconcile/services/processes.ts';
import { shim } from '../../node-agent/reconcile/services/shim.ts';
import type { Service } from '../../shared/schemas/service.ts';
import { patienceMs, until } from '../fixture/processes.ts';
import { hosted, servicesSuite } from '../fixture/services-rig.ts';

const services = servicesSuite('start and output of services');

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

services('an agent that is likelier to go than that passes it on', ({ home }) => {
  const script = 'echo 800 >/proc/self/oom_score_adj; exec sh -c "$0" hearth "$@" cat /proc/self/oom_score_adj';
  const files = [join(home, 'run'), join(home, 'end')];
  assert.is(execFileSync('sh', ['-c', script, shim, ...files, 'boot', '--'], { encoding: 'utf8' }), '800\n');
  assert.is(readFileSync(files[1] ?? '', 'utf8'), '0\n');
});

services('output is bounded under yes, the service runs on, and the newest lines are there', async ({ home }) => {
  const watch = await hosted(home);
  const [flooded, gate] = [join(home, 'flooded'), join(home, 'gate')];
  const { unit, pid = 0 } = await watch.start({
    // In pieces, and none while much lies there: on a busy machine an agent that waits for its turn is not to blame for
    // that, and one that cuts nothing is waited for in vain. The last line of a piece may have no end: `echo` gives it one.
    run: `for i in ${Array(30).fill('x').join(' ')}; do yes hearth | head -c 13000000; sleep 0.1
        while [ "$(stat -Lc %s /proc/self/fd/2)" -gt 100000000 ]; do sleep 0.05; done; done
      : >${flooded}; until [ -e ${gate} ]; do sleep 0.05; done; echo; echo done; exec sleep 4321`,
  });
  const output = join(home, 'units', unit, 'output');
  let most = 0;
  await until(
    'all is written and cut',
    () => {
      const { blocks, size } = statSync(output);
      most = Math.max(most, blocks * 512);
      return existsSync(flooded) && size <= 1024 * 1024;
    },
    3 * patienceMs,
  );
  // What is written while it is being cut may be lost; this comes after.
  writeFileSync(gate, '');
  await watch.says(unit, 'done');
  assert.ok(statSync(`${output}.1`).size <= 1024 * 1024);
  assert.ok(most < 200_000_000, `${most} bytes of 390 MB at one moment`);
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

services.run();
