/** The install script by itself, for one user, in a home of the test's own: what it does, and what it leaves. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite as describe } from 'uvu';
import * as assert from 'uvu/assert';
import { assembleScript } from '../../broker/artifacts/assemble-script.ts';
import { ownRuntime } from '../../broker/artifacts/runtimes.ts';
import { readProcess } from '../../node-agent/reconcile/services/processes.ts';
import { type InstallHome, installHome } from '../fixture/install-home.ts';
import { type InstallServer, installServer } from '../fixture/install-server.ts';
import { folder, type Started, until } from '../fixture/processes.ts';
import { findProgram, testWith } from '../fixture/programs.ts';

const suite = describe('install script');
const root = join(import.meta.dirname, '../..');
let server: InstallServer;

suite.before(async () => {
  server = await installServer();
});
suite.before.each(() => {
  server.instead = undefined;
  server.asked.length = 0;
});
suite.after(() => server.close());

/** Of this file alone: what another one runs meanwhile is not to be taken for what this one is looked through for. */
const secret = 'd'.repeat(32);
/** Nobody listens there: the agent goes on trying. */
const token = () => `hearth1.${'a'.repeat(32)}.bbbbbbbb.${secret}@${server.address}`;

const install = (at: InstallHome, ...more: string[]) =>
  at.sh(server.script, ['--user', '--init', 'none', '--wait', '0', '--token', token(), ...more]);

testWith(suite, ['shellcheck'], 'is clean by shellcheck, as POSIX sh', async () => {
  const place = folder();
  const files = [join(place, 'install.sh'), join(place, 'hearth-agent.sh')] as const;
  writeFileSync(files[0], server.script);
  writeFileSync(files[1], await assembleScript(join(root, 'deploy/hearth-agent.sh')));
  for (const file of files) assert.not.match(readFileSync(file, 'utf8'), /^#@/m);
  execFileSync('shellcheck', ['-s', 'sh', ...files], { stdio: 'inherit' });
});

for (const shell of [['sh'], ['dash'], ['busybox', 'sh'], ['bash', '--posix']]) {
  testWith(
    suite,
    [shell[0] ?? ''],
    `a dry run in ${shell.join(' ')} shows every step and changes nothing`,
    async () => {
      const at = installHome();
      const run = at.sh(server.script, ['--user', '--init', 'none', '--token', token(), '--dry-run'], shell);
      assert.is(await run.ended, 0, run.output());
      assert.match(run.output(), /would fetch Node [\d.]+, \d+ MB, from http:\/\/127\.0\.0\.1:\d+ into /);
      assert.match(run.output(), /would write the token into .*\(0600\)/);
      assert.match(run.output(), /would start the agent/);
      assert.not.match(run.output(), /dddddddd/);
      assert.equal(at.files(), []);
      assert.is(at.crontab(), '');
      assert.equal(server.asked, []);
    },
  );
}

suite('installs for one user, twice with the same result, and leaves no trace', async () => {
  const at = installHome();
  mkdirSync(join(at.path, '.local/bin'), { recursive: true });
  writeFileSync(join(at.path, '.local/bin/mine'), '');
  writeFileSync(at.table, '0 5 * * * mine\n');
  const before = at.files();
  const first = install(at, '--node', 'n7');
  assert.is(await first.ended, 0, first.output());
  assert.equal(server.asked.length, 2);
  const lib = join(at.path, '.local/share/hearth-agent');
  assert.is(readFileSync(join(lib, 'var/data/join-token'), 'utf8'), `${token()}\n`);
  for (const secret of ['var', 'var/data', 'settings'])
    assert.is(statSync(join(lib, secret)).mode & 0o777, 0o700, secret);
  assert.is(statSync(join(lib, 'var/data/join-token')).mode & 0o777, 0o600);
  assert.match(at.crontab(), /^0 5 \* \* \* mine\n@reboot '.*\/hearth-agent' start # hearth-agent\n$/);
  // The script waits five seconds for its runner, and no longer.
  const runner = join(lib, 'var/run/pid');
  await until('its runner has started', () => existsSync(runner));
  const pid = Number(readFileSync(runner, 'utf8').split(' ')[0]);
  await until('the agent has started', () => existsSync(join(lib, 'var/data/agent.lock')));
  const told = at.command('status');
  assert.is(await told.ended, 0, told.output());
  assert.match(told.output(), /1\.2\.3 runs, and has not reached its cluster yet/);
  // What the agent writes there is tests/system/agent-process.test.ts's.
  for (const [state, sentence] of [
    ['', /1\.2\.3 runs, as node n7\n/],
    [',"away":true', /1\.2\.3 runs, as node n7, and does not reach its cluster at the moment; it said last:\n/],
  ] as const) {
    writeFileSync(join(lib, 'var/run/ready'), `{"pid":${pid},"node":"n7"${state}}\n`);
    const said = at.command('status');
    assert.is(await said.ended, 0, said.output());
    assert.match(said.output(), sentence);
  }
  // The token is nobody's argument.
  const arguments_ = readdirSync('/proc').flatMap(id => {
    try {
      return /^\d+$/.test(id) ? [readFileSync(`/proc/${id}/cmdline`, 'utf8')] : [];
    } catch {
      return [];
    }
  });
  assert.not.ok(arguments_.some(line => line.includes(secret)));

  server.asked.length = 0;
  const again = install(at);
  assert.is(await again.ended, 0, again.output());
  assert.equal(server.asked, [], 'what is there is not fetched again');
  assert.is(at.crontab().match(/@reboot/g)?.length, 1);

  const gone = at.command('uninstall');
  assert.is(await gone.ended, 0, gone.output());
  assert.equal(at.files(), before);
  assert.is(at.crontab(), '0 5 * * * mine\n');
  // Its number is there until this machine's init has asked how it ended.
  assert.is(readProcess(pid), undefined);
});

suite('a new version replaces the old one, and what was half unpacked is no version', async () => {
  const at = installHome();
  assert.is(await install(at).ended, 0);
  const lib = join(at.path, '.local/share/hearth-agent');
  const agent = readdirSync(lib).find(name => name.startsWith('agent-')) ?? '';
  mkdirSync(join(lib, 'agent-0123456789abcdef'));
  writeFileSync(join(lib, 'agent-0123456789abcdef/old'), '');
  execFileSync('rm', [join(lib, agent, 'agent.js')]);
  const run = install(at);
  assert.is(await run.ended, 0, run.output());
  assert.ok(existsSync(join(lib, agent, 'agent.js')));
  assert.not.ok(existsSync(join(lib, 'agent-0123456789abcdef')));
  assert.is(await at.command('uninstall').ended, 0);
  assert.equal(at.files(), []);
});

async function failed(run: Started): Promise<string> {
  assert.is.not(await run.ended, 0, run.output());
  return run.output();
}

suite('on an image nothing runs, and nothing of the supervisor or this machine stays', async () => {
  const at = installHome();
  const run = at.sh(server.script, ['--user', '--init', 'none', '--image', '--supervisor', server.address]);
  assert.is(await run.ended, 0, run.output());
  const lib = join(at.path, '.local/share/hearth-agent');
  assert.is(readFileSync(join(lib, 'settings/settings'), 'utf8'), '');
  assert.not.ok(existsSync(join(lib, 'var/data')));
  assert.is(await at.command('status').ended, 3);
  // Where there are several clusters, one may be named: also later.
  const image = ['--user', '--init', 'none', '--image', '--supervisor', server.address, '--cluster'];
  const named = at.sh(server.script, [...image, 'ab'.repeat(16)]);
  assert.is(await named.ended, 0, named.output());
  assert.is(readFileSync(join(lib, 'settings/settings'), 'utf8'), `HEARTH_CLUSTER=${'ab'.repeat(16)}\n`);
  assert.match(await failed(at.sh(server.script, [...image, 'abc'])), /--cluster takes the fingerprint/);
  const other = at.sh(server.script, [...image, 'ab'.repeat(16), '--token', token()]);
  assert.match(await failed(other), /another cluster/);
  assert.is(await at.command('uninstall').ended, 0);
  assert.equal(at.files(), []);
});

testWith(suite, ['busybox'], 'installs with nothing but busybox', async () => {
  const tools = folder();
  execFileSync(findProgram('busybox') ?? 'busybox', ['--install', '-s', tools]);
  const at = installHome();
  const args = ['--user', '--init', 'none', '--wait', '0', '--token', token()];
  const only = { PATH: tools };
  const run = at.sh(server.script, args, [join(tools, 'sh')], only);
  assert.is(await run.ended, 0, run.output());
  assert.match(run.output(), /nothing here starts programs with the machine|crontab/);
  const lib = join(at.path, '.local/share/hearth-agent');
  await until('the agent has started', () => existsSync(join(lib, 'var/data/agent.lock')));
  const gone = at.command('uninstall');
  assert.is(await gone.ended, 0, gone.output());
  assert.equal(at.files(), []);
});

if (process.platform !== 'linux' || ownRuntime() === undefined || !findProgram('curl')) {
  console.log('skipped: install script (needs Linux, curl, and a Node that can be handed on)');
} else suite.run();
