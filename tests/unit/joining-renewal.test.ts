/** A node's certificate after it has joined: renewed, late, forged, revoked, forgotten. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parsed, requester } from '../fixture/certificates.ts';
import { joined, joinRig, machine, pending, proof, refusal, sealKey } from '../fixture/join-rig.ts';

const test = suite('joining: renewal and revocation');
const day = 86_400_000;
const here = '192.168.7.20';

/** What a connection with this certificate would be told. */
const clientOf = (cert: string, node: string) => ({
  ...{ kind: 'node' as const, name: node, serial: parsed(cert).serialNumber.toLowerCase() },
});

test('a node renews by its old key, also late, and keeps its connection meanwhile', async () => {
  const rig = await joinRig();
  const one = await machine('web');
  const first = joined(await rig.desk.ask(one.with({ token: await rig.token() }), here));
  rig.pass(5 * day);
  const { csr } = await requester();
  const request = { csr, cert: first.cert, proof: proof(one.key, 'renew', csr) };
  const second = joined(await rig.desk.renew(request, here));
  assert.is(second.node, 'web');
  for (const { cert } of [first, second]) assert.not.ok(rig.desk.isRevoked(clientOf(cert, 'web')));
  // The answer was lost: the same once more, by the old key, while its certificate is valid.
  joined(await rig.desk.renew(request, here));
  rig.pass(3 * day);
  assert.match(refusal(await rig.desk.renew(request, here)), /forgotten, or set up anew/);
});

test('a certificate that expired while the node was off is renewed by its key, as long as it was the last', async () => {
  const rig = await joinRig();
  const one = await machine('web');
  const first = joined(await rig.desk.ask(one.with({ token: await rig.token() }), here));
  rig.pass(100 * day);
  assert.is(rig.ca.authority.verifyClient(parsed(first.cert)), undefined);
  const { csr } = await requester();
  const renewed = joined(await rig.desk.renew({ csr, cert: first.cert, proof: proof(one.key, 'renew', csr) }, here));
  assert.ok(rig.ca.authority.verifyClient(parsed(renewed.cert)));
});

test('renewal needs the proof of the key, for this request, and a certificate of a node of this cluster', async () => {
  const rig = await joinRig();
  const one = await machine('web');
  const other = await machine('other');
  const { cert } = joined(await rig.desk.ask(one.with({ token: await rig.token() }), here));
  joined(await rig.desk.ask(other.with({ token: await rig.token() }), here));
  const { csr } = await requester();
  const renew = (more: object) => rig.desk.renew({ csr, cert, proof: proof(one.key, 'renew', csr), ...more }, here);
  const signed = /not signed by the key/;
  assert.match(refusal(await renew({ proof: proof(other.key, 'renew', csr) })), signed);
  assert.match(refusal(await renew({ proof: proof(one.key, 'clone', csr) })), signed);
  assert.match(refusal(await renew({ csr: (await requester()).csr })), signed);
  assert.match(refusal(await renew({ proof: '' })), signed);
  assert.match(
    refusal(await renew({ cert: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' })),
    signed,
  );
  const taken = other.request.csr;
  assert.match(
    refusal(await renew({ csr: taken, proof: proof(one.key, 'renew', taken) })),
    /key is that of another node/,
  );
  const key = await requester();
  const user = await rig.ca.authority.issueUser(key.csr, 'web');
  const asUser = await machine('u');
  assert.match(refusal(await renew({ cert: user.pem, proof: proof(asUser.key, 'renew', csr) })), signed);
  const stranger = await joinRig();
  const foreign = joined(await stranger.desk.ask(one.with({ token: await stranger.token() }), here));
  assert.match(refusal(await renew({ cert: foreign.cert })), /not one of a node of this cluster/);
  assert.is(
    rig.desk.nodes().find(({ node }) => node === 'web')?.serial,
    clientOf(cert, 'web').serial.replace(/^0+/, ''),
  );
});

test('a changed key for secrets comes with a renewal', async () => {
  const rig = await joinRig();
  const one = await machine('web');
  const { cert } = joined(await rig.desk.ask(one.with({ token: await rig.token() }), here));
  const seal_key = sealKey();
  const { csr } = await requester();
  joined(await rig.desk.renew({ csr, cert, seal_key, proof: proof(one.key, 'renew', csr) }, here));
  assert.is(rig.desk.sealKey('web'), seal_key);
});

test('revoked is revoked: at once, over a restart, for renewal and for joining again', async () => {
  const rig = await joinRig();
  const one = await machine('web');
  const { cert } = joined(await rig.desk.ask(one.with({ token: await rig.token() }), here));
  await rig.verb('node.revoke', { node: 'web' });
  assert.equal(rig.revoked, ['web']);
  const after = await rig.restart();
  for (const { desk } of [rig, after]) assert.ok(desk.isRevoked(clientOf(cert, 'web')));
  const { csr } = await requester();
  const late = await after.desk.renew({ csr, cert, proof: proof(one.key, 'renew', csr) }, here);
  assert.match(refusal(late), /was revoked/);
  assert.match(refusal(await after.desk.ask(one.with({ token: await after.token() }), here)), /was revoked/);
  // With new keys: no rule lets it in, no common token, and a copy of its folder does not either; a token made for it does.
  await after.verb('rule.add', { approve: true, subnet: '192.168.7.0/24' });
  const anew = await machine('web', one.request.facts);
  assert.match(
    pending(await after.desk.ask(anew.request, here)) && (after.desk.pending()[0]?.note ?? ''),
    /was revoked/,
  );
  assert.match(refusal(await after.desk.ask(anew.with({ token: await after.token() }), here)), /token made for it/);
  const clone_of = { cert, proof: proof(one.key, 'clone', anew.request.csr) };
  assert.match(refusal(await after.desk.ask(anew.with({ clone_of }), here)), /was revoked/);
  const own = await after.token({ node: 'web' });
  const back = joined(await after.desk.ask(anew.with({ token: own }), here));
  assert.is(back.node, 'web');
  assert.not.ok(after.desk.isRevoked(clientOf(back.cert, 'web')));
  assert.ok(after.desk.isRevoked(clientOf(cert, 'web')), 'the stolen certificate stays revoked');
});

test('who is revoked while a certificate is being made for it does not get it', async () => {
  const rig = await joinRig();
  const one = await machine('web');
  const { cert } = joined(await rig.desk.ask(one.with({ token: await rig.token() }), here));
  const { authority } = rig.ca;
  const issue = authority.issueNode.bind(authority);
  authority.issueNode = async (csr, node) => {
    await rig.verb('node.revoke', { node });
    return issue(csr, node);
  };
  const { csr } = await requester();
  const renewed = await rig.desk.renew({ csr, cert, proof: proof(one.key, 'renew', csr) }, here);
  assert.match(refusal(renewed), /was revoked/);
  assert.is(rig.desk.nodes()[0]?.state, 'revoked');
  assert.match(refusal(await rig.desk.ask(one.request, here)), /was revoked/);
});

test('a certificate of a node that nobody knows is revoked: forgotten, or from before a restore', async () => {
  const rig = await joinRig();
  const one = await machine('web');
  const { cert } = joined(await rig.desk.ask(one.with({ token: await rig.token() }), here));
  await rig.desk.forget('web');
  assert.ok(rig.desk.isRevoked(clientOf(cert, 'web')));
  assert.equal(rig.revoked, ['web']);
  const issued = await rig.ca.authority.issueNode((await requester()).csr, 'ghost');
  assert.ok(rig.desk.isRevoked(clientOf(issued.pem, 'ghost')));
  await rig.desk.forget('never');
  assert.equal(rig.revoked, ['web']);
});

test('a connection ends when the last certificate of its node does, and not before; and when its CA is trusted no more', async () => {
  const rig = await joinRig();
  const one = await machine('web');
  const first = joined(await rig.desk.ask(one.with({ token: await rig.token() }), here));
  rig.online.add('web');
  rig.pass(5 * day);
  const { csr } = await requester();
  joined(await rig.desk.renew({ csr, cert: first.cert, proof: proof(one.key, 'renew', csr) }, here));
  rig.pass(3 * day);
  assert.equal(rig.revoked, [], 'the first one has expired, the second has not');
  rig.pass(5 * day);
  assert.ok(rig.revoked.includes('web'));
  rig.revoked.length = 0;
  rig.desk.askAllAgain();
  assert.equal(rig.revoked, ['web']);
});

test.run();
