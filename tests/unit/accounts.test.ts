/** From what a connection shows to who it is. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Principal } from '../../broker/trust/types.ts';
import { type AccountsRig, accountsRig, addAnna, good, owner, refusal } from '../fixture/accounts.ts';
import { cpuMs } from '../fixture/promised-time.ts';

const accounts = suite<{ rig: AccountsRig }>('accounts: who');

accounts.before.each(async context => {
  context.rig = await accountsRig();
});
accounts.after.each(({ rig }) => rig.accounts.close());

accounts('who shows nothing is the owner on an own socket, and nobody elsewhere', async ({ rig }) => {
  const local = { transport: 'tcp', address: '127.0.0.1', owner: true } as const;
  assert.is(await rig.who(local), 'admin owner owner');
  assert.is(await rig.who(local, { clientId: 'mosquitto-sub' }), 'admin owner owner');
  assert.is(await rig.who(local, { clientId: 'hearth-n1' }), 'node n1 owner');
  assert.is(await rig.who({ ...local, owner: false }, { clientId: 'hearth-n1' }), 'refused: credentials');
  assert.is(await rig.who({}), 'refused: credentials');
  assert.is(await rig.who({}, { username: '', password: '' }), 'refused: credentials');
  const answer = rig.ask({});
  assert.not.ok(answer instanceof Promise, 'said at once');
});

accounts('an owner who names a user is that user or nobody', async ({ rig }) => {
  await addAnna(rig, 'viewer');
  const local = { transport: 'tcp', address: '127.0.0.1', owner: true } as const;
  assert.is(await rig.who(local, { clientId: 'x', username: 'anna', password: good }), 'viewer anna password');
  assert.is(await rig.who(local, { clientId: 'x', username: 'anna', password: 'wrong one' }), 'refused: credentials');
  assert.is(await rig.who(local, { clientId: 'x', username: 'anna' }), 'refused: credentials');
});

accounts('a node comes under its own client id and no other', async ({ rig }) => {
  const certificate = { kind: 'node', name: 'n1', serial: 'aa' } as const;
  assert.is(await rig.who({ certificate }, { clientId: 'hearth-n1' }), 'node n1 certificate');
  assert.is(await rig.who({ certificate }), 'node n1 certificate');
  for (const clientId of ['hearth-n2', 'hearth-n1x', 'hearth-', 'x', 'HEARTH-N1']) {
    assert.is(await rig.who({ certificate }, { clientId }), 'refused: client-id', clientId);
  }
  await addAnna(rig, 'admin');
  const asAnna = { clientId: 'x', username: 'anna', password: good };
  assert.is(await rig.who({ certificate }, asAnna), 'refused: client-id', 'a password does not lift a node');
  rig.revokedNodes.add('aa');
  assert.is(await rig.who({ certificate }, { clientId: 'hearth-n1' }), 'refused: revoked');
  rig.revokeNode('n1');
  assert.equal(rig.revoked, ['node n1']);
});

accounts('client ids of nodes are for nodes', async ({ rig }) => {
  await addAnna(rig, 'admin');
  const { token } = await rig.run<{ token: string }>('api.create', { name: 'ha', role: 'admin' });
  const session: Principal = { role: 'admin', name: 'anna', how: 'password' };
  await rig.accounts.certificateIssued('anna', '0AB1', rig.clock.wall() + 1000);
  const certificate = { kind: 'user', name: 'anna', serial: 'ab1' } as const;
  for (const clientId of ['hearth-n1', 'hearth-', 'hearth-Not_an_id']) {
    assert.is(await rig.who({}, { clientId, username: 'anna', password: good }), 'refused: client-id');
    assert.is(await rig.who({}, { clientId, username: 'x', password: token }), 'refused: client-id');
    assert.is(await rig.who({ transport: 'wss', session }, { clientId }), 'refused: client-id');
    assert.is(await rig.who({ certificate }, { clientId }), 'refused: client-id');
  }
  assert.is(await rig.who({ transport: 'ws', session: owner }, { clientId: 'hearth-n1' }), 'node n1 owner');
  assert.is(await rig.who({ transport: 'ws', session: owner }, { clientId: 'page' }), 'admin owner owner');
});

accounts('a user without a certificate on record is not let in by one', async ({ rig }) => {
  await addAnna(rig);
  const certificate = { kind: 'user', name: 'anna', serial: 'ab1' } as const;
  assert.is(await rig.who({ certificate }), 'refused: revoked', 'of an earlier anna');
  await rig.accounts.certificateIssued('anna', 'AB1', rig.clock.wall() + 1000);
  assert.is(await rig.who({ certificate }), 'operator anna certificate');
  await rig.run('user.revoke', { name: 'anna' });
  assert.is(await rig.who({ certificate }), 'refused: revoked');
  assert.is(await rig.who({}, { username: 'anna', password: good }), 'operator anna password');
  await rig.run('user.remove', { name: 'anna' });
  assert.match(await refusal(rig.accounts.certificateIssued('anna', 'ab2', 0)), /no user anna/);
});

accounts('a token is shown once, kept as a hash, and lets in until it ends', async ({ rig }) => {
  const made = await rig.run<{ token: string }>('api.create', { name: 'grafana', role: 'viewer', days: 1 });
  assert.match(made.token, /^hearth_[0-9a-f]{8}_[0-9a-f]{64}$/);
  const secret = made.token.slice(-64);
  assert.not.ok(
    [...rig.disk.values()].some(value => value.includes(secret)),
    'not on disk',
  );
  assert.not.match(JSON.stringify(await rig.run('api.list')), new RegExp(`${secret}|hash`));
  const answer = rig.ask({}, { clientId: 'g', username: 'whoever', password: made.token });
  assert.not.ok(answer instanceof Promise, 'said at once');
  assert.is(await rig.who({}, { password: made.token }), 'viewer grafana token');
  const wrong = `${made.token.slice(0, -1)}${made.token.endsWith('0') ? '1' : '0'}`;
  for (const bad of [wrong, made.token.slice(0, -1), `${made.token}0`, `hearth_00000000_${secret}`]) {
    assert.is(await rig.who({}, { password: bad }), 'refused: credentials');
  }
  rig.clock.advance(24 * 3_600_000 - 1);
  assert.is(await rig.who({}, { password: made.token }), 'viewer grafana token');
  rig.clock.advance(1);
  assert.is(await rig.who({}, { password: made.token }), 'refused: credentials');
  assert.match(await refusal(rig.run('api.create', { name: 'grafana', role: 'viewer' })), /^nothing$/);
});

accounts('revoking a token ends what is connected by it', async ({ rig }) => {
  const { token } = await rig.run<{ token: string }>('api.create', { name: 'ha', role: 'integration' });
  await rig.run('api.revoke', { name: 'ha' });
  assert.equal(rig.revoked, ['user ha']);
  assert.is(await rig.who({}, { password: token }), 'refused: credentials');
  assert.match(await refusal(rig.run('api.revoke', { name: 'ha' })), /no token ha/);
});

accounts('a token is never tried as a password', async ({ rig }) => {
  const odd = `hearth_00000000_${'0'.repeat(64)}`;
  await rig.run('user.add', { name: 'anna', role: 'admin', password: odd.replace(/0/g, '1').slice(0, 40) + odd });
  assert.is(await rig.who({}, { username: 'anna', password: odd }), 'refused: credentials');
  assert.not.ok(rig.ask({}, { username: 'anna', password: odd }) instanceof Promise);
});

accounts('the right password lets in, at once when it was right before', async ({ rig }) => {
  await addAnna(rig);
  const first = rig.ask({}, { username: 'anna', password: good });
  assert.instance(first, Promise);
  assert.equal(await first, { principal: { role: 'operator', name: 'anna', how: 'password' } });
  assert.not.ok(rig.ask({}, { username: 'anna', password: good }) instanceof Promise);
  rig.clock.advance(3_600_000);
  assert.instance(rig.ask({}, { username: 'anna', password: good }), Promise);
});

accounts('a wrong name says the same as a wrong password, and takes as long', async () => {
  const rig = await accountsRig(new Map(), { ln: 14, r: 8, p: 1 });
  await addAnna(rig);
  const timed = async (username: string, address: string) => {
    let answer: Awaited<ReturnType<typeof rig.ask>> | undefined;
    const ms = await cpuMs(async () => {
      answer = await rig.ask({ address }, { username, password: 'wrong one' });
    });
    return { answer, ms };
  };
  const wrong = await timed('anna', '10.0.0.2');
  const nobody = await timed('ben', '10.0.0.3');
  assert.equal(wrong.answer, nobody.answer);
  assert.ok(nobody.ms > wrong.ms / 4, `${nobody.ms} against ${wrong.ms}`);
  rig.accounts.close();
});

accounts(
  'a hash of an older cost is made anew when the password is there, and nobody is logged out by it',
  async ({ rig }) => {
    await addAnna(rig);
    const session = await rig.accounts.sessions.open({ role: 'operator', name: 'anna', how: 'password' }, '10.0.0.1');
    const next = await accountsRig(rig.disk, { ln: 10, r: 8, p: 1 });
    const hash = () => JSON.parse(rig.disk.get('trust/user/anna') ?? '').hash;
    assert.match(hash(), /ln=9,/);
    assert.is(await next.who({}, { username: 'anna', password: 'wrong one' }), 'refused: credentials');
    assert.match(hash(), /ln=9,/);
    assert.is(await next.who({}, { username: 'anna', password: good }), 'operator anna password');
    assert.match(hash(), /ln=10,/);
    assert.is(await next.who({ address: '10.0.0.9' }, { username: 'anna', password: good }), 'operator anna password');
    assert.is(next.accounts.sessions.find(session.id)?.principal.name, 'anna');
    next.accounts.close();
  },
);

accounts('many at once with the same password are worked out once, and none is slowed', async ({ rig }) => {
  await addAnna(rig);
  const asked = Array.from({ length: 100 }, () => rig.who({}, { username: 'anna', password: good }));
  assert.equal(new Set(await Promise.all(asked)), new Set(['operator anna password']));
  assert.is(rig.audited.filter(entry => entry.what === 'login').length, 1);
});

accounts('guessing is slowed: at once, and without work', async ({ rig }) => {
  await addAnna(rig);
  const guesses = Array.from({ length: 40 }, (_, each) =>
    rig.ask({}, { username: 'anna', password: `wrong guess ${each}` }),
  );
  const answers = await Promise.all(guesses);
  const slow = answers.filter(answer => 'refused' in answer && answer.refused === 'slow');
  assert.is(slow.length, 30, 'ten were looked at');
  const late = rig.ask({}, { username: 'anna', password: good });
  assert.not.ok(late instanceof Promise, 'the right one, too, has to wait');
  assert.is('refused' in (await late) && ((await late) as { retryMs?: number }).retryMs, 1000);
  rig.clock.advance(1000);
  assert.is(await rig.who({}, { username: 'anna', password: good }), 'operator anna password');
});

accounts('what is known to be right is no way round the wait', async ({ rig }) => {
  await addAnna(rig);
  const home = { address: '10.0.0.7' };
  assert.is(await rig.who(home, { username: 'anna', password: good }), 'operator anna password');
  for (let each = 0; each < 10; each++)
    await rig.ask({ address: '10.6.6.6' }, { username: 'anna', password: `no ${each}` });
  assert.is(await rig.who({ address: '10.6.6.6' }, { username: 'anna', password: good }), 'refused: slow');
  assert.is(await rig.who(home, { username: 'anna', password: good }), 'operator anna password');
});

accounts('a password that was changed while it was worked out counts no more', async ({ rig }) => {
  await addAnna(rig);
  const before = rig.who({}, { username: 'anna', password: good });
  const changed = rig.run('user.remove', { name: 'anna' });
  await changed;
  assert.is(await before, 'refused: credentials');
});

accounts('nor does one that was replaced in the meantime', async () => {
  const slow = await accountsRig(new Map(), { ln: 16, r: 8, p: 2 });
  await addAnna(slow);
  const rig = await accountsRig(slow.disk);
  const before = rig.who({}, { username: 'anna', password: good });
  await rig.run('user.password', { name: 'anna', password: 'another password' });
  assert.is(await before, 'refused: credentials', 'the old one took longer to look at than the new one to make');
  assert.is(await rig.who({}, { username: 'anna', password: good }), 'refused: credentials');
  for (const each of [rig, slow]) each.accounts.close();
});

accounts.run();
