/** What the install script does not do: what was mistyped, cut off, lied to, or would lead elsewhere changes nothing. */
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite as describe } from 'uvu';
import * as assert from 'uvu/assert';
import { ownRuntime } from '../../broker/artifacts/runtimes.ts';
import { type InstallHome, installHome } from '../fixture/install-home.ts';
import { type InstallServer, installServer } from '../fixture/install-server.ts';
import { folder } from '../fixture/processes.ts';
import { findProgram } from '../fixture/programs.ts';

const suite = describe('install script, refusals');
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

const install = (at: InstallHome, ...more: string[]) =>
  at.sh(server.script, ['--user', '--init', 'none', '--wait', '0', '--token', token(), ...more]);

async function refuses(at: InstallHome, pattern: RegExp, ...args: string[]): Promise<void> {
  const before = at.files();
  const run = at.sh(server.script, args);
  assert.is(await run.ended, 1, run.output());
  assert.match(run.output(), pattern);
  assert.equal(at.files(), before);
}

suite('what it cannot use is refused in one sentence, and nothing is changed', async () => {
  const at = installHome();
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
  const at = installHome();
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
  const at = installHome();
  const run = at.sh(server.script, ['--user', '--init=none', `--token=${token()}`, '--node=n7', '--dry-run']);
  assert.is(await run.ended, 0, run.output());
  assert.match(run.output(), /nothing was changed/);
});

suite('where there is no room, or no home, it says so and leaves nothing', async () => {
  const at = installHome();
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
  const at = installHome();
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
    const at = installHome();
    server.instead = instead;
    const run = install(at);
    assert.is(await run.ended, 1, run.output());
    assert.match(run.output(), pattern);
    assert.equal(at.files(), []);
    assert.is(at.crontab(), '');
  });
}

suite('a link where it would install is not followed', async () => {
  const at = installHome();
  const elsewhere = folder();
  mkdirSync(join(at.path, '.local/share'), { recursive: true });
  symlinkSync(elsewhere, join(at.path, '.local/share/hearth-agent'));
  await refuses(at, /is a symbolic link/, '--user', '--init', 'none', '--token', token());
  assert.equal(readdirSync(elsewhere), []);
});

if (process.platform !== 'linux' || ownRuntime() === undefined || !findProgram('curl')) {
  console.log('skipped: install script, refusals (needs Linux, curl, and a Node that can be handed on)');
} else suite.run();
