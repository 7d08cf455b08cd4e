/** After a restore: certificates of the time that the backup does not know. */
import { createPrivateKey } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { amnestyKey, restoredAt } from '../../broker/trust/joining/amnesty.ts';
import { parsed, requester } from '../fixture/certificates.ts';
import { type JoinRig, joined, joinRig, machine, proof, refusal } from '../fixture/join-rig.ts';

const test = suite('joining: restored');
const day = 86_400_000;
const here = '192.168.7.20';

const clientOf = (rig: JoinRig, cert: string) => {
  const client = rig.ca.authority.verifyExpired(parsed(cert));
  if (!client) throw new Error('not one of this cluster');
  return client;
};

/** A backup is taken; then `late` joins and `early`, which is in it, renews; then the backup is restored. */
async function restored() {
  const rig = await joinRig();
  const [early, late] = [await machine('early'), await machine('late')];
  const old = joined(await rig.desk.ask(early.with({ token: await rig.token() }), here));
  rig.pass(3 * day);
  const backup = new Map(rig.disk);
  const takenMs = rig.now();
  rig.pass(2 * day);
  const next = await requester();
  const renewal = { csr: next.csr, cert: old.cert, proof: proof(early.key, 'renew', next.csr) };
  const renewed = joined(await rig.desk.renew(renewal, here));
  const joinedLate = joined(await rig.desk.ask(late.with({ token: await rig.token() }), here));
  rig.pass(day);
  rig.disk.clear();
  for (const [key, value] of backup) rig.disk.set(key, value);
  rig.disk.set(amnestyKey, JSON.stringify(restoredAt(takenMs, rig.now(), undefined)));
  const after = await rig.restart();
  after.known.add('late');
  return { rig: after, early, late, next, old: old.cert, renewed: renewed.cert, late_: joinedLate.cert };
}

test('who renewed or joined since the backup is let in, and renews', async () => {
  const { rig, next, late, renewed, late_ } = await restored();
  assert.not.ok(rig.desk.isRevoked(clientOf(rig, renewed)));
  assert.not.ok(rig.desk.isRevoked(clientOf(rig, late_)));
  const again = async (cert: string, key: typeof late.key) => {
    const { csr } = await requester();
    return joined(await rig.desk.renew({ csr, cert, proof: proof(key, 'renew', csr) }, here));
  };
  assert.is((await again(renewed, createPrivateKey(next.key))).node, 'early');
  assert.is((await again(late_, late.key)).node, 'late');
  assert.equal(
    rig.desk.nodes().map(({ node, state }) => [node, state]),
    [
      ['early', 'active'],
      ['late', 'active'],
    ],
  );
});

test('without a restore none of these counts', async () => {
  const { rig, renewed, late_, late } = await restored();
  rig.disk.delete(amnestyKey);
  const plain = await rig.restart();
  assert.ok(plain.desk.isRevoked(clientOf(plain, renewed)));
  assert.ok(plain.desk.isRevoked(clientOf(plain, late_)));
  const { csr } = await requester();
  const reply = await plain.desk.renew({ csr, cert: late_, proof: proof(late.key, 'renew', csr) }, here);
  assert.match(refusal(reply), /goes on without this certificate/);
});

test('revoked, forgotten or taken over after the restore is out, though its certificate is on no record', async () => {
  const { rig, late_, renewed } = await restored();
  await rig.verb('node.revoke', { node: 'late' });
  assert.ok(rig.desk.isRevoked(clientOf(rig, late_)));
  assert.equal(rig.revoked, ['late']);
  const other = await machine('early-again');
  const taken = await rig.desk.ask(other.with({ token: await rig.token({ node: 'early' }) }), here);
  assert.is(joined(taken).node, 'early');
  assert.ok(rig.desk.isRevoked(clientOf(rig, renewed)));
  const second = await restored();
  await second.rig.desk.forget('late');
  assert.ok(second.rig.desk.isRevoked(clientOf(second.rig, second.late_)));
});

test('after a month who has not come back needs a token', async () => {
  const { rig, late_, late } = await restored();
  rig.pass(31 * day);
  const { csr } = await requester();
  const reply = await rig.desk.renew({ csr, cert: late_, proof: proof(late.key, 'renew', csr) }, here);
  assert.match(refusal(reply), /goes on without this certificate/);
});

test('a backup of a folder that was restored itself a week before keeps what that one forgave', () => {
  const first = restoredAt(100 * day, 110 * day, undefined);
  assert.equal(first, { from_ms: 100 * day, to_ms: 110 * day });
  assert.equal(restoredAt(117 * day, 120 * day, first), { from_ms: 100 * day, to_ms: 120 * day });
  assert.equal(restoredAt(150 * day, 151 * day, first), { from_ms: 150 * day, to_ms: 151 * day });
});

test.run();
