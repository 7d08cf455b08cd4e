/** Joining: who is let in, by what, and as whom; with a real certificate authority. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { joiningLimits } from '../../broker/trust/joining/records.ts';
import { ed25519Verifier } from '../../shared/ed25519.ts';
import { joinAnswer } from '../../shared/schemas/trust.ts';
import { openBundle, openTime } from '../../shared/trust-statements.ts';
import { parsed } from '../fixture/certificates.ts';
import { joined, joinRig, machine, pending, refusal, sealKey } from '../fixture/join-rig.ts';

const test = suite('joining');
const here = '192.168.7.20';

/** What a connection with this certificate would be told. */
const clientOf = (cert: string, node: string) => ({
  ...{ kind: 'node' as const, name: node, serial: parsed(cert).serialNumber.toLowerCase() },
});

async function fails(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it was not refused');
}

test('a token lets one machine in, and the answer is all that it needs', async () => {
  const rig = await joinRig();
  const token = await rig.token();
  const one = await machine('Web-1.example.org');
  const reply = joined(await rig.desk.ask(one.with({ token }), here));
  assert.is(reply.node, 'web-1');
  assert.ok(joinAnswer.safeParse(reply).success);
  const bundle = openBundle(ed25519Verifier(), reply.bundle, rig.cluster);
  assert.equal(bundle.ok && bundle.value.ca, [...rig.ca.authority.certificates()]);
  const client = rig.ca.authority.verifyClient(parsed(reply.cert));
  assert.is(client?.name, 'web-1');
  assert.not.ok(client && rig.desk.isRevoked(client));
  assert.equal(
    rig.desk.nodes().map(({ node, by, state }) => ({ node, by: by.slice(0, 6), state })),
    [{ node: 'web-1', by: 'token ', state: 'active' }],
  );
  assert.is(rig.desk.sealKey('web-1'), one.request.seal_key);
  assert.is(rig.audited[0]?.target, 'web-1');
  // Used up.
  assert.match(refusal(await rig.desk.ask((await machine('web-2')).with({ token }), here)), /used up.*hearth token/);
});

test('who did not get the answer asks again, and the token is not used twice', async () => {
  const rig = await joinRig();
  const token = await rig.token();
  const one = await machine('web');
  const first = joined(await rig.desk.ask(one.with({ token }), here));
  const again = await Promise.all([1, 2, 3].map(() => rig.desk.ask(one.with({ token }), here)));
  for (const reply of again) assert.is(joined(reply).node, 'web');
  assert.not.ok(rig.desk.isRevoked(clientOf(first.cert, 'web')));
  assert.is(rig.desk.nodes().length, 1);
  assert.match(
    refusal(await rig.desk.ask(one.with({ token, seal_key: sealKey() }), here)),
    /key for secrets is another/,
  );
});

test('a race for the last use of a token has one winner', async () => {
  const rig = await joinRig();
  const token = await rig.token({ uses: 2 });
  const machines = await Promise.all(Array.from({ length: 6 }, (_, i) => machine(`m${i}`)));
  const replies = await Promise.all(machines.map(one => rig.desk.ask(one.with({ token }), here)));
  assert.is(replies.filter(({ state }) => state === 'joined').length, 2);
  assert.is(replies.filter(({ state }) => state === 'refused').length, 4);
  assert.is(rig.desk.nodes().length, 2);
});

test('tokens expire, are revoked, and never tell which part was wrong', async () => {
  const rig = await joinRig();
  const old = await rig.token({ ttl_s: 60 });
  const gone = await rig.token();
  const one = await machine('web');
  rig.pass(60_000);
  assert.match(refusal(await rig.desk.ask(one.with({ token: old }), here)), /has expired/);
  await rig.verb('token.revoke', { id: gone.split('.')[0] });
  const unknown = refusal(await rig.desk.ask(one.with({ token: gone }), here));
  const good = await rig.token();
  const half = `${good.slice(0, -1)}${good.endsWith('a') ? 'b' : 'a'}`;
  for (const token of [half, 'x', '', '.', `${good}.`, '__proto__.x']) {
    assert.is(refusal(await rig.desk.ask(one.with({ token }), here)), unknown);
  }
  assert.equal(rig.desk.nodes(), []);
  const { token: whole } = await rig.verb('token.create');
  const revoke = rig.desk.verbs.find(({ name }) => name === 'token.revoke');
  for (const pasted of [
    whole,
    whole.split('@')[0],
    whole.split('.')[2],
    `${whole.split('.')[2]}.${whole.split('.')[3]}`,
  ]) {
    assert.is(revoke?.audit?.({ id: pasted }), whole.split('.')[2]);
  }
  const text = JSON.stringify([...rig.disk, ...rig.events, await rig.verb('token.list')]);
  for (const token of [old, gone, good]) assert.not.ok(text.includes(token.split('.')[1] ?? '?'), 'a secret is kept');
});

test('whoever has no token waits for a person, and both see the same code', async () => {
  const rig = await joinRig();
  let changes = 0;
  rig.desk.onChange(() => changes++);
  const one = await machine('kitchen', { cores: 4 });
  const waiting = pending(await rig.desk.ask(one.request, here));
  assert.match(waiting.code, /^[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}$/);
  assert.is(pending(await rig.desk.ask(one.request, here)).ticket, waiting.ticket);
  const [shown, ...more] = rig.desk.pending();
  assert.is(more.length, 0);
  assert.equal([shown?.code, shown?.node, shown?.cores, shown?.address], [waiting.code, 'kitchen', 4, here]);
  assert.is(pending(rig.desk.again(waiting.ticket)).code, waiting.code);
  assert.is(rig.desk.again('nonsense'), undefined);
  const { node } = await rig.verb('join.approve', {
    code: waiting.code.toUpperCase().replaceAll('-', ''),
    room: 'hall',
  });
  assert.is(node, 'kitchen');
  const reply = joined(rig.desk.again(waiting.ticket));
  assert.equal([reply.node, reply.room], ['kitchen', 'hall']);
  assert.equal(rig.desk.pending(), []);
  assert.ok(changes >= 3);
  assert.match(rig.desk.nodes()[0]?.by ?? '', /approved by ann/);
  // The ticket is gone after a while; the key still opens.
  rig.pass(joiningLimits.answeredMs);
  assert.is(rig.desk.again(waiting.ticket), undefined);
  assert.is(joined(await rig.desk.ask(one.request, here)).node, 'kitchen');
});

test('a denied machine is turned away for an hour, but a token still lets it in', async () => {
  const rig = await joinRig();
  const one = await machine('x');
  const waiting = pending(await rig.desk.ask(one.request, here));
  await rig.verb('join.deny', { code: waiting.code });
  assert.match(refusal(rig.desk.again(waiting.ticket)), /turned this machine away/);
  assert.match(refusal(await rig.desk.ask(one.request, here)), /turned this machine away/);
  assert.match(await fails(() => rig.verb('join.approve', { code: waiting.code })), /No machine waits/);
  rig.pass(joiningLimits.deniedMs);
  const later = pending(await rig.desk.ask(one.request, here));
  await rig.verb('join.deny', { code: later.code });
  assert.is(joined(await rig.desk.ask(one.with({ token: await rig.token() }), here)).node, 'x');
});

test('who waits and then has a token is let in, and waits no more', async () => {
  const rig = await joinRig();
  const one = await machine('x');
  const { ticket } = pending(await rig.desk.ask(one.request, here));
  joined(await rig.desk.ask(one.with({ token: await rig.token() }), here));
  assert.equal(rig.desk.pending(), []);
  assert.is(joined(rig.desk.again(ticket)).node, 'x');
});

test('the list of who waits is bounded, per address and in all, and forgets who went away', async () => {
  const rig = await joinRig();
  const ask = async (from: string) => rig.desk.ask((await machine('m')).request, from);
  for (let i = 0; i < joiningLimits.pendingPerAddress; i++) pending(await ask(`2001:db8:1:2::${i}`));
  assert.match(refusal(await ask('2001:db8:1:2:ffff::1')), /Too many machines wait/);
  pending(await ask('2001:db8:1:3::1'));
  rig.pass(joiningLimits.pendingIdleMs + 31_000);
  assert.equal(rig.desk.pending(), []);
  pending(await ask('2001:db8:1:2::1'));
});

test('what is told is on the disk: a full one lets nobody in, and takes nothing away', async () => {
  const rig = await joinRig();
  const one = await machine('web');
  const two = await machine('two');
  const token = await rig.token();
  joined(await rig.desk.ask(two.with({ token: await rig.token() }), here));
  rig.failWrites(new Error('ENOSPC'));
  assert.match(refusal(await rig.desk.ask(one.with({ token }), here)), /journal could not be written: ENOSPC/);
  assert.match(await fails(() => rig.verb('node.revoke', { node: 'two' })), /ENOSPC/);
  assert.equal(rig.revoked, []);
  rig.failWrites(undefined);
  assert.equal(
    rig.desk.nodes().map(({ node, state }) => `${node} ${state}`),
    ['two active'],
  );
  joined(await rig.desk.ask(one.with({ token }), here));
  const after = await rig.restart();
  assert.equal(after.desk.nodes(), rig.desk.nodes());
  assert.match(refusal(await after.desk.ask((await machine('m')).with({ token }), here)), /used up/);
});

test('the bundle follows the CA, and the time is signed for who asks', async () => {
  const rig = await joinRig();
  const verifier = ed25519Verifier();
  const open = () => {
    const read = openBundle(verifier, rig.desk.bundle(), rig.cluster);
    if (!read.ok) throw new Error(read.error.message);
    return read.value;
  };
  const before = open();
  assert.is(rig.desk.bundle(), rig.desk.bundle());
  await rig.ca.authority.rotate();
  assert.ok(open().serial > before.serial);
  assert.is(open().ca.length, 2);
  const nonce = 'abcdefghijklmnop';
  const time = rig.desk.time(nonce);
  assert.equal(time && openTime(verifier, before.key, time, nonce), { ok: true, value: rig.now() });
  for (const bad of ['', 'short', 'a'.repeat(65), `${nonce}"`, `${nonce}\n`]) assert.is(rig.desk.time(bad), undefined);
});

test('nonsense is refused in a sentence and changes nothing', async () => {
  const rig = await joinRig();
  const one = await machine('web');
  const csr = one.request.csr.replace(/.{8}(?=\n-----END)/, 'AAAAAAAA');
  const bodies = [
    undefined,
    null,
    7,
    'x',
    [],
    {},
    one.with({ csr }),
    one.with({ csr: 'x' }),
    one.with({ node: 'A b' as never }),
  ];
  for (const body of bodies) assert.match(refusal(await rig.desk.ask(body, here)), /^The .*\.$/);
  for (const body of bodies) assert.match(refusal(await rig.desk.renew(body, here)), /^The .*\.$/);
  assert.match(refusal(await rig.desk.ask(one.with({ proto: 9 }), here)), /update Hearth on the supervisor/);
  assert.equal([rig.desk.nodes(), rig.desk.pending(), [...rig.disk]], [[], [], []]);
});

test.run();
