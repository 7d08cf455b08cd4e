/** Users, passwords, roles and tokens are changed: what ends by it, who may, and what stays after a restart. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Principal } from '../../broker/trust/types.ts';
import { type AccountsRig, accountsRig, addAnna, good, refusal } from '../fixture/accounts.ts';
import { until } from '../fixture/processes.ts';

const accounts = suite<{ rig: AccountsRig }>('accounts: changes');

accounts.before.each(async context => {
  context.rig = await accountsRig();
});
accounts.after.each(({ rig }) => rig.accounts.close());

accounts('a session that a crash left behind a change of password or role is void', async ({ rig }) => {
  await addAnna(rig);
  for (const [name, args] of [
    ['user.password', { name: 'anna', password: 'another password' }],
    ['user.role', { name: 'anna', role: 'viewer' }],
    ['user.revoke', { name: 'anna' }],
  ] as const) {
    const { id } = await rig.accounts.sessions.open({ role: 'operator', name: 'anna', how: 'password' }, '10.0.0.1');
    const left = [...rig.disk].filter(([key]) => key.startsWith('trust/session/'));
    await rig.run(name, args);
    for (const [key, value] of left) rig.disk.set(key, value);
    const next = await accountsRig(rig.disk);
    assert.is(next.accounts.sessions.find(id), undefined, name);
    next.accounts.close();
  }
});

accounts('a change of password or role, and removal, end what was granted', async ({ rig }) => {
  await addAnna(rig);
  await rig.ask({}, { username: 'anna', password: good });
  const { id } = await rig.accounts.sessions.open({ role: 'operator', name: 'anna', how: 'password' }, '10.0.0.1');
  await rig.run('user.role', { name: 'anna', role: 'viewer' });
  assert.equal(rig.revoked, ['user anna']);
  assert.is(rig.accounts.sessions.find(id), undefined);
  assert.is(await rig.who({}, { username: 'anna', password: good }), 'viewer anna password');
  await rig.run('user.password', { name: 'anna', password: 'another password' });
  assert.is(await rig.who({}, { username: 'anna', password: good }), 'refused: credentials');
  assert.is(await rig.who({}, { username: 'anna', password: 'another password' }), 'viewer anna password');
  await rig.run('user.remove', { name: 'anna' });
  assert.is(await rig.who({}, { username: 'anna', password: 'another password' }), 'refused: credentials');
  assert.is(rig.revoked.length, 3);
});

accounts('others change their own password only, and only if they know it', async ({ rig }) => {
  await addAnna(rig, 'viewer');
  await rig.run('user.add', { name: 'ben', role: 'viewer', password: good });
  const anna: Principal = { role: 'viewer', name: 'anna', how: 'password' };
  const change = (args: object, by: Principal = anna) => refusal(rig.run('user.password', args, by));
  const password = 'another password';
  assert.match(await change({ name: 'ben', password, current: good }), /Only an administrator/);
  assert.match(await change({ name: 'anna', password }), /present password, too/);
  assert.match(await change({ name: 'anna', password, current: 'wrong one' }), /present password is wrong/);
  assert.match(
    await change({ name: 'anna', password, current: good }, { ...anna, how: 'token' }),
    /Only an administrator/,
  );
  for (let each = 0; each < 9; each++) await change({ name: 'anna', password, current: `guess ${each}` });
  assert.match(await change({ name: 'anna', password, current: good }), /Too many tries/);
  rig.clock.advance(1000);
  assert.is(await change({ name: 'anna', password, current: good }), 'nothing');
});

accounts('names, passwords and roles are looked at', async ({ rig }) => {
  const add = (args: object) => refusal(rig.run('user.add', { role: 'viewer', password: good, ...args }));
  for (const name of ['', 'owner', 'A', 'a b', '-a', 'ä', 'a/b', 'a+', 'x'.repeat(33), '__proto__', '#']) {
    assert.match(await add({ name }), /a name is 1 to 32|a meaning of its own/, name);
  }
  assert.match(await add({ name: 'a', role: 'node' }), /admin, operator, viewer or integration/);
  assert.match(await add({ name: 'a', password: 'short' }), /at least 8/);
  assert.match(await add({ name: 'a', password: 'x'.repeat(257) }), /at most 256/);
  assert.match(await add({ name: 'a', password: 'aaaaaaaaaa' }), /guessed at once/);
  assert.match(await add({ name: 'annaanna', password: 'AnnaAnna' }), /guessed at once/);
  assert.match(await add({ name: 'a', more: 1 }), /unknown key/);
  assert.is(await add({ name: 'anna.b-c_1' }), 'nothing');
  assert.match(await add({ name: 'anna.b-c_1' }), /already/);
  assert.match(await refusal(rig.run('api.create', { name: 'anna.b-c_1', role: 'viewer' })), /name of a user/);
  await rig.run('api.create', { name: 'ha', role: 'viewer' });
  assert.match(await add({ name: 'ha' }), /name of an API token/);
});

accounts('what is too long is refused without work', async ({ rig }) => {
  assert.not.ok(rig.ask({}, { username: 'x'.repeat(65), password: 'wrong one' }) instanceof Promise);
  assert.not.ok(rig.ask({}, { username: 'anna', password: 'x'.repeat(1025) }) instanceof Promise);
});

accounts('more than can be worked out is asked to come again', async ({ rig }) => {
  const asked = Array.from({ length: 100 }, (_, each) =>
    rig.who({ address: `10.0.${each}.1` }, { username: `u${each}`, password: 'wrong one' }),
  );
  const answers = await Promise.all(asked);
  const slow = answers.filter(answer => answer === 'refused: slow').length;
  assert.is(slow, 34, 'two at work, 64 wait');
});

accounts('everything is there after a restart, and a change is answered when it is on disk', async ({ rig }) => {
  await addAnna(rig);
  const { token } = await rig.run<{ token: string }>('api.create', { name: 'ha', role: 'integration' });
  const session = await rig.accounts.sessions.open({ role: 'operator', name: 'anna', how: 'password' }, '10.0.0.1');
  rig.store.kill();
  const next = await accountsRig(rig.disk);
  assert.is(await next.who({}, { username: 'anna', password: good }), 'operator anna password');
  assert.is(await next.who({}, { password: token }), 'integration ha token');
  assert.is(next.accounts.sessions.find(session.id)?.principal.name, 'anna');
  next.store.failWrites(new Error('disk full'));
  assert.match(await refusal(next.run('user.role', { name: 'anna', role: 'admin' })), /disk full.*nothing has changed/);
  assert.is(await next.who({}, { username: 'anna', password: good }), 'operator anna password');
  assert.match(await refusal(next.run('user.remove', { name: 'anna' })), /undone by a restart/);
  assert.is(await next.who({}, { username: 'anna', password: good }), 'refused: credentials', 'gone all the same');
  next.accounts.close();
});

accounts('what does not fit in the store counts for nothing', async () => {
  const disk = new Map([
    ['trust/user/eve', '{"role":"admin"}'],
    ['trust/user/mallory', 'nonsense'],
    ['trust/api/00000000', '{"name":"x","role":"node","hash":"","created_ms":0,"by":""}'],
  ]);
  const rig = await accountsRig(disk);
  assert.equal((await rig.run<{ users: unknown[] }>('user.list')).users, []);
  assert.equal((await rig.run<{ tokens: unknown[] }>('api.list')).tokens, []);
  rig.accounts.close();
});

accounts('refused logins and logins are written down, without what may be a password', async ({ rig }) => {
  await addAnna(rig);
  await rig.ask({}, { clientId: 'c1', username: 'hunter2-in-the-wrong-field', password: 'wrong one' });
  await rig.ask({}, { clientId: 'c1', username: 'anna', password: good });
  await until('both are there', () => rig.audited.length === 2);
  assert.equal(rig.audited[0], {
    ...{ who: 'unknown', how: 'none', from: '10.0.0.1', what: 'login', target: 'c1', ok: false },
    detail: 'credentials',
  });
  assert.equal(rig.audited[1], {
    who: 'anna',
    how: 'password',
    from: '10.0.0.1',
    what: 'login',
    target: 'c1',
    ok: true,
  });
  assert.not.match(JSON.stringify(rig.audited), /hunter2|wrong one|good/);
});

accounts('what verbs write down has no password and no token', async ({ rig }) => {
  for (const [name, args] of [
    ['user.add', { name: 'a', role: 'viewer', password: good }],
    ['user.password', { name: 'a', password: good, current: good }],
  ] as const) {
    const verb = rig.accounts.verbs.find(each => each.name === name);
    assert.not.match(verb?.audit?.(args) ?? good, /good/);
  }
  for (const verb of rig.accounts.verbs) {
    assert.is(verb.audit === undefined, /\.(list|tail)$/.test(verb.name), `${verb.name} changes something`);
  }
});
accounts.run();
