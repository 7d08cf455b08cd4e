/** The install script by itself, for one user, in a home of the test's own: what it does, what it refuses, what it leaves. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { suite as describe } from 'uvu';
import * as assert from 'uvu/assert';
import { assembleScript } from '../../broker/artifacts/assemble-script.ts';
import { ownRuntime } from '../../broker/artifacts/runtimes.ts';
import { type InstallServer, installServer } from '../fixture/install-server.ts';
import { folder, type Started, start, until } from '../fixture/processes.ts';
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

/** Nobody listens there: the agent goes on trying. */
const token = () => `hearth1.${'a'.repeat(32)}.bbbbbbbb.${'c'.repeat(32)}@${server.address}`;

/** A home, and a `crontab` that keeps its table in it, so that nobody's own is touched. */
function home() {
  const path = folder();
  const tools = folder();
  const table = join(tools, 'table');
  writeFileSync(
    join(tools, 'crontab'),
    `#!/bin/sh\ncase $1 in -l) cat '${table}' 2>/dev/null ;; -r) rm '${table}' ;; -) cat >'${table}' ;; *) cat "$1" >'${table}' ;; esac\n`,
  );
  chmodSync(join(tools, 'crontab'), 0o755);
  const env = { PATH: `${tools}:${process.env.PATH}`, HOME: path };
  const lines = () => (existsSync(table) ? readFileSync(table, 'utf8') : '');
  const sh = (script: string, args: readonly string[], shell: readonly string[] = ['sh'], more = {}) => {
    const file = join(tools, 'install.sh');
    writeFileSync(file, script);
    return start(shell[0] ?? 'sh', [...shell.slice(1), file, ...args], { env: { ...env, ...more } });
  };
  const command = (...args: string[]) => start(join(path, '.local/bin/hearth-agent'), args, { env });
  const files = () => readdirSync(path, { recursive: true }).map(String).sort();
  return { path, sh, command, files, crontab: lines, table };
}
type Home = ReturnType<typeof home>;

const install = (at: Home, ...more: string[]) =>
  at.sh(server.script, ['--user', '--init', 'none', '--wait', '0', '--token', token(), ...more]);

async function refuses(at: Home, pattern: RegExp, ...args: string[]): Promise<void> {
  const before = at.files();
  const run = at.sh(server.script, args);
  assert.is(await run.ended, 1, run.output());
  assert.match(run.output(), pattern);
  assert.equal(at.files(), before);
}

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
      const at = home();
      const run = at.sh(server.script, ['--user', '--init', 'none', '--token', token(), '--dry-run'], shell);
      assert.is(await run.ended, 0, run.output());
      assert.match(run.output(), /would fetch Node [\d.]+, \d+ MB, from http:\/\/127\.0\.0\.1:\d+ into /);
      assert.match(run.output(), /would write the token into .*\(0600\)/);
      assert.match(run.output(), /would start the agent/);
      assert.not.match(run.output(), /cccccccc/);
      assert.equal(at.files(), []);
      assert.is(at.crontab(), '');
      assert.equal(server.asked, []);
    },
  );
}

suite('what it cannot use is refused in one sentence, and nothing is changed', async () => {
  const at = home();
  const user = ['--user', '--init', 'none'];
  await refuses(at, /give --token TOKEN/, ...user);
  await refuses(at, /no whole join token/, ...user, '--token', 'hearth1.abc');
  await refuses(at, /no whole join token/, ...user, '--token', `${token()};touch x`);
  await refuses(at, /no whole join token/, ...user, '--token', token().replace('aaaa', 'zzzz'));
  await refuses(at, /no whole join token/, ...user, '--token', token().replace('cccc@', '@'));
  for (const [address, pattern] of [
    ['host', /the port is missing, as in host:22581/],
    ['http://host:22581', /leave out what stands before the host/],
    ['fd00::5:22581', /an IPv6 address stands in brackets/],
    ['[fd00::5]', /is no HOST:PORT/],
    ['host:', /a port is a number/],
    ['host:0', /a port is a number/],
    ['host:65536', /a port is a number/],
    [':22581', /is no HOST:PORT/],
    ['-o/etc/passwd:1', /is no HOST:PORT/],
    ['a:1/../x', /is no HOST:PORT/],
  ] as const) {
    await refuses(at, pattern, ...user, '--supervisor', address);
  }
  await refuses(at, /an id is 1 to 20/, ...user, '--token', token(), '--node', 'Über');
  await refuses(at, /--token needs a value/, ...user, '--token');
  await refuses(at, /--token needs a value/, ...user, '--token', '');
  await refuses(at, /there is no option "--jump"/, '--jump');
  await refuses(at, /"please" stands where an option should/, 'please');
  await refuses(at, /no "--token" before the token/, ...user, token());
});

suite('a token in the wrong place is not repeated', async () => {
  const at = home();
  for (const args of [
    ['--token', token().slice(0, -22)],
    ['--token', `${token()}\n`],
    [token()],
    [`-token=${token()}`],
    [`--token:${token()}`],
    [`"${token()}`],
    ['--node', token()],
    ['--init', token()],
    ['--wait', token()],
  ]) {
    const run = at.sh(server.script, ['--user', ...args]);
    assert.is(await run.ended, 1, run.output());
    assert.not.match(run.output(), /ccc/, args.join(' '));
  }
  assert.equal(at.files(), []);
});

suite('options are taken with "=" as well', async () => {
  const at = home();
  const run = at.sh(server.script, ['--user', '--init=none', `--token=${token()}`, '--node=n7', '--dry-run']);
  assert.is(await run.ended, 0, run.output());
  assert.match(run.output(), /nothing was changed/);
});

suite('where there is no room, or no home, it says so and leaves nothing', async () => {
  const at = home();
  const tools = folder();
  writeFileSync(join(tools, 'df'), '#!/bin/sh\necho Filesystem; echo "/dev/x 100 99 1024 99% /"\n', { mode: 0o755 });
  const args = ['--user', '--init', 'none', '--token', token()];
  const full = at.sh(server.script, args, ['sh'], { PATH: `${tools}:${process.env.PATH}` });
  assert.is(await full.ended, 1, full.output());
  assert.match(full.output(), /has 1 MB free, and \d+ MB are needed/);
  assert.equal(at.files(), []);
  const nowhere = at.sh(server.script, args, ['sh'], { HOME: join(at.path, 'none') });
  assert.is(await nowhere.ended, 1);
  assert.match(nowhere.output(), /HOME, ".*\/none", is no folder of this user's/);
});

suite('cut off anywhere on its way, it does nothing', async () => {
  const at = home();
  const lines = server.script.split('\n');
  const cuts = Array.from({ length: 40 }, (_, n) => Math.floor((n * (lines.length - 2)) / 40));
  for (const cut of cuts) {
    const run = at.sh(lines.slice(0, cut).join('\n'), ['--user', '--init', 'none', '--token', token()]);
    await run.ended;
    assert.equal(at.files(), [], `cut after line ${cut}: ${run.output()}`);
  }
  const last = at.sh(server.script.trimEnd().slice(0, -'"$@"'.length - 1), ['--user', '--token', token()]);
  assert.is(await last.ended, 1);
  assert.equal(at.files(), []);
});

/** What came is not what the script names: it says so, and leaves the machine as it was. */
const wrongAnswers: [string, RegExp, NonNullable<InstallServer['instead']>][] = [
  ['other bytes', /not what this script was made for/, (_ask, answer) => void answer.end('other bytes')],
  ['nothing', /cannot be fetched/, (_ask, answer) => void answer.writeHead(404).end('no')],
  [
    'a redirect',
    /cannot be fetched/,
    (_ask, answer) => void answer.writeHead(302, { location: 'file:///etc/passwd' }).end(),
  ],
  [
    'no end',
    /not what this script was made for/,
    (_ask, answer) => {
      const block = Buffer.alloc(1 << 20);
      const more = () => {
        while (!answer.destroyed && answer.write(block));
      };
      answer.on('drain', more);
      more();
    },
  ],
];
for (const [what, pattern, instead] of wrongAnswers) {
  suite(`a server that answers with ${what}`, async () => {
    const at = home();
    server.instead = instead;
    const run = install(at);
    assert.is(await run.ended, 1, run.output());
    assert.match(run.output(), pattern);
    assert.equal(at.files(), []);
    assert.is(at.crontab(), '');
  });
}

suite('a link where it would install is not followed', async () => {
  const at = home();
  const elsewhere = folder();
  mkdirSync(join(at.path, '.local/share'), { recursive: true });
  symlinkSync(elsewhere, join(at.path, '.local/share/hearth-agent'));
  await refuses(at, /is a symbolic link/, '--user', '--init', 'none', '--token', token());
  assert.equal(readdirSync(elsewhere), []);
});

suite('installs for one user, twice with the same result, and leaves no trace', async () => {
  const at = home();
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
  const pid = Number(readFileSync(join(lib, 'var/run/pid'), 'utf8').split(' ')[0]);
  await until('the agent has started', () => existsSync(join(lib, 'var/data/agent.lock')));
  const told = at.command('status');
  assert.is(await told.ended, 0, told.output());
  assert.match(told.output(), /1\.2\.3 runs, and has not reached its cluster yet/);
  // The token is nobody's argument.
  const arguments_ = readdirSync('/proc').flatMap(id => {
    try {
      return /^\d+$/.test(id) ? [readFileSync(`/proc/${id}/cmdline`, 'utf8')] : [];
    } catch {
      return [];
    }
  });
  assert.not.ok(arguments_.some(line => line.includes('c'.repeat(32))));

  server.asked.length = 0;
  const again = install(at);
  assert.is(await again.ended, 0, again.output());
  assert.equal(server.asked, [], 'what is there is not fetched again');
  assert.is(at.crontab().match(/@reboot/g)?.length, 1);

  const gone = at.command('uninstall');
  assert.is(await gone.ended, 0, gone.output());
  assert.equal(at.files(), before);
  assert.is(at.crontab(), '0 5 * * * mine\n');
  assert.not.ok(existsSync(`/proc/${pid}`));
});

suite('a new version replaces the old one, and what was half unpacked is no version', async () => {
  const at = home();
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
  const at = home();
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
  const at = home();
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
