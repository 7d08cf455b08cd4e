/** `hearth token`, `approve`, `deny`, `revoke`, `rule` and `nodes --pending` against a real desk. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { JoinDeskParts } from '../../broker/trust/joining/open.ts';
import { Reach } from '../../broker/trust/reach.ts';
import { check } from '../../shared/codec.ts';
import { sentence } from '../../shared/errors.ts';
import { parseJoinToken } from '../../shared/join-token.ts';
import { systemClock } from '../../shared/system-clock.ts';
import { UserError } from '../../shared/user-error.ts';
import { type JoinRig, joined, joinRig, machine, pending, refusal } from '../fixture/join-rig.ts';
import { folder, start } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const test = suite('cli: joining');
const here = '192.168.7.20';
const main = join(import.meta.dirname, '../../cli/main.ts');

/** A desk whose verbs are where the command line asks for them, and a script that says what it was given. */
async function counter(script: string, more: Partial<JoinDeskParts> = {}) {
  let rig: JoinRig;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', chunk => chunks.push(chunk));
    request.on('end', async () => {
      if (request.url === '/install.sh') return response.end(script);
      const verb = rig.desk.verbs.find(({ name }) => `/api/trust/${name}` === request.url);
      const args = verb && check(verb.args, JSON.parse(Buffer.concat(chunks).toString()));
      try {
        if (!verb || !args?.ok) throw new UserError(args && !args.ok ? sentence(args.error) : 'no such verb');
        const answer = await verb.run(args.value, { role: 'admin', name: 'owner', how: 'owner' });
        response.end(JSON.stringify(answer));
      } catch (error) {
        response.writeHead(400).end(JSON.stringify({ error: (error as Error).message }));
      }
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  rig = await joinRig({
    entrance: () => ({ host: '127.0.0.1', port }),
    installScript: async () => ({ sha256: createHash('sha256').update(script).digest('hex') }),
    now: Date.now,
    ...more,
  });
  const hearth = async (...args: string[]) => {
    const env = { ...process.env, HEARTH_URL: `http://127.0.0.1:${port}`, HEARTH_TOKEN: '' };
    const started = start(process.execPath, ['--import', 'tsx', main, ...args], { env });
    return { code: await started.ended, out: started.output() };
  };
  return { rig, hearth, close: () => server.close() };
}

testWith(test, ['curl', 'sha256sum'], 'the line and the check of the script do what they say', async () => {
  const { hearth, rig, close } = await counter('echo "installed with $*"\n');
  const { out, code } = await hearth('token', '--uses', '2', '--ttl', '2h');
  assert.is(code, 0, out);
  assert.match(out, /up to 2 machines, within 2 h:/);
  const lines = out.split('\n').filter(line => line.startsWith('  '));
  assert.is(lines.length, 2);
  const cwd = folder();
  const said: string[] = [];
  for (const line of lines) {
    const shell = start('sh', ['-c', line], { cwd });
    assert.is(await shell.ended, 0, shell.output());
    said.push(/installed with --token (.*)/.exec(shell.output())?.[1] ?? '');
  }
  const [token, ...same] = said;
  assert.equal(same, [token]);
  const { id, secret, cluster } = parseJoinToken(token ?? '');
  assert.is(cluster, rig.cluster);
  assert.is(joined(await rig.desk.ask((await machine('a')).with({ token: `${id}.${secret}` }), here)).node, 'a');
  const list = await hearth('token', 'list');
  assert.match(list.out, new RegExp(`^${id} +good +1 of 2 +in 1 h +owner`, 'm'));
  assert.not.match(list.out, new RegExp(secret));
  const revoked = await hearth('token', 'revoke', token ?? '');
  assert.is(revoked.code, 0, revoked.out);
  assert.not.match(revoked.out, new RegExp(secret));
  assert.match(refusal(await rig.desk.ask((await machine('b')).with({ token: `${id}.${secret}` }), here)), /not known/);
  close();
});

test('who asks for a token while Node is being fetched sees why it takes time, and gets the hash', async () => {
  const sha256 = 'cd'.repeat(32);
  const archs = ['x64', 'arm64'];
  let looks = 0;
  let ready = () => {};
  const made = new Promise<{ readonly sha256: string }>(resolve => {
    ready = () => resolve({ sha256 });
  });
  const { hearth, rig, close } = await counter('', {
    clock: systemClock(),
    installScript: () => made,
    fetching() {
      const arch = archs[looks++] ?? 'none';
      if (looks === archs.length) queueMicrotask(ready);
      return { arch, number: looks, of: archs.length };
    },
  });
  const { out, code } = await hearth('token');
  assert.is(code, 0, out);
  assert.match(
    out,
    /fetches Node for x64 machines \(1 of 2\), once per version; please wait\n.*arm64 machines \(2 of 2\).*\nOn the new machine/,
  );
  assert.match(out, new RegExp(`${sha256} {2}install\\.sh`));
  rig.desk.close();
  close();
});

test('where the script cannot be made, or nobody could join, it is said at once', async () => {
  const why = () => Promise.reject(new UserError('agent.js is missing: build it.'));
  const broken = await counter('', { clock: systemClock(), installScript: why });
  const { out } = await broken.hearth('token');
  assert.match(out, /That line does not work yet, since the supervisor has no install script: agent\.js is missing/);
  broken.rig.desk.close();
  broken.close();
  let asked = 0;
  const shut = await counter('', {
    entrance: () => new Reach().entrance(),
    installScript: () => {
      asked++;
      return why();
    },
  });
  assert.match((await shut.hearth('token')).out, /start it with "hearth up --lan"/);
  assert.is(asked, 0);
  shut.close();
});

test('machines that wait are listed, let in and turned away by the code', async () => {
  const { hearth, rig, close } = await counter('');
  assert.match((await hearth('nodes', '--pending')).out, /no machine waits/);
  const one = pending(await rig.desk.ask((await machine('<b>kitchen</b>\u001b[31m')).request, here));
  const two = pending(await rig.desk.ask((await machine('hall')).request, here));
  const { out } = await hearth('nodes', '--pending');
  assert.match(out, new RegExp(`^${two.code} +hall +${here} +linux x64`, 'm'));
  assert.not.ok(out.includes('\u001b'));
  const approved = await hearth('approve', two.code, '--room', 'hall', '--roles', 'render, spare');
  assert.equal([approved.code, approved.out.trim()], [0, `${two.code} is node hall now.`]);
  const reply = joined(rig.desk.again(two.ticket));
  assert.equal([reply.room, reply.roles], ['hall', 'render,spare']);
  assert.is((await hearth('deny', one.code.slice(0, 6))).code, 0);
  assert.match(refusal(rig.desk.again(one.ticket)), /turned this machine away/);
  const none = await hearth('approve', one.code);
  assert.is(none.code, 1);
  assert.match(none.out, /^hearth: No machine waits that shows/);
  assert.match((await hearth('nodes', '--joined')).out, /^hall +active +hall +approved by owner /m);
  assert.is((await hearth('revoke', 'hall')).code, 0);
  assert.match((await hearth('revoke', 'hal')).out, /did you mean "hall"/);
  assert.match((await hearth('nodes', '--joined')).out, /^hall +revoked/m);
  close();
});

test('rules are added, shown and removed', async () => {
  const { hearth, close } = await counter('');
  assert.is(
    (await hearth('rule', 'add', '--mac', 'DC-A6-32', '--approve', '--node', 'pi-{n}')).out.trim(),
    'This is rule 1.',
  );
  assert.is((await hearth('rule', 'add', '--arch', 'arm64', '--room', 'attic')).code, 0);
  assert.match(
    (await hearth('rule', 'list')).out,
    /^1 +mac dc:a6:32 +let in, node pi-\{n\} +owner\n2 +arch arm64 +room attic/m,
  );
  assert.match((await hearth('rule', 'add', '--approve')).out, /needs a condition/);
  assert.is((await hearth('rule', 'remove', '1')).code, 0);
  assert.match((await hearth('rule', 'remove', '1')).out, /There is no rule 1/);
  close();
});

test('what was mistyped is said', async () => {
  const { hearth, close } = await counter('');
  for (const [args, why] of [
    [['token', '--ttl', '2 weeks'], /write 30m, 2h or 7d/],
    [['token', '--uses', '0'], /no number of machines/],
    [['token', '--uses', '2', '--node', 'a'], /one use/],
    [['approve', 'abcd', 'efgh', '--node', 'x'], /names one machine/],
    [['approve', 'abcd', '--replace'], /needs --node/],
    [['rule', 'remove', 'x'], /is no rule/],
  ] as const) {
    const { code, out } = await hearth(...args);
    assert.match(out, why);
    assert.ok(code === 2 || code === 1, out);
  }
  close();
});

test.run();
