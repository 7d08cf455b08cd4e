/** Who a machine is: ids for ever, images that are all alike, copied folders, rules over facts. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { chooseId, templateProblem } from '../../broker/trust/joining/node-id.ts';
import { joiningLimits } from '../../broker/trust/joining/records.ts';
import { fits, plainMacPrefix, readSubnet } from '../../broker/trust/joining/rules.ts';
import { isId } from '../../shared/names.ts';
import { parsed } from '../fixture/certificates.ts';
import { facts, joined, joinRig, type Machine, machine, pending, proof, refusal } from '../fixture/join-rig.ts';

const test = suite('joining: ids and rules');
const here = '192.168.7.20';
const clones = (rig: { events: readonly { kind: string }[] }) =>
  rig.events.filter(({ kind }) => kind === 'clone').length;

test('machines from one image get ids of their own, the same on every try', async () => {
  const rig = await joinRig();
  const machines = await Promise.all(Array.from({ length: 20 }, () => machine('raspberrypi')));
  const token = await rig.token({ uses: 20 });
  const replies = await Promise.all(machines.map(one => rig.desk.ask(one.with({ token }), here)));
  const ids = replies.map(reply => joined(reply).node);
  assert.is(new Set(ids).size, 20);
  for (const id of ids) assert.match(id, /^raspberrypi(-[0-9a-f]{4,8})?$/);
  const again = await Promise.all(machines.map(one => rig.desk.ask(one.with({ token }), here)));
  assert.equal(
    again.map(reply => joined(reply).node),
    ids,
  );
  const after = await rig.restart();
  const later = await Promise.all(machines.map(one => after.desk.ask(one.with({ token }), here)));
  assert.equal(
    later.map(reply => joined(reply).node),
    ids,
  );
});

test('an id that the fleet knows without a certificate is not taken over by a name', async () => {
  const rig = await joinRig();
  rig.known.add('head');
  rig.online.add('head');
  const one = await machine('head');
  assert.match(joined(await rig.desk.ask(one.with({ token: await rig.token() }), here)).node, /^head-[0-9a-f]{4}$/);
  const two = await machine('x');
  const named = two.with({ token: await rig.token(), node: 'head' });
  assert.match(refusal(await rig.desk.ask(named, here)), /There is a node "head" already/);
  const bound = two.with({ token: await rig.token({ node: 'head' }) });
  assert.match(refusal(await rig.desk.ask(bound, here)), /online without a certificate/);
});

test('a cloned machine-id is noticed, and both are nodes of their own', async () => {
  const rig = await joinRig();
  const one = await machine('pc');
  const clone = await machine('pc', { machine: one.request.facts.machine });
  const token = await rig.token({ uses: 2 });
  assert.is(joined(await rig.desk.ask(one.with({ token }), here)).node, 'pc');
  const id = joined(await rig.desk.ask(clone.with({ token }), here)).node;
  assert.match(id, /^pc-[0-9a-f]{4}$/);
  assert.is(clones(rig), 1);
  assert.match(rig.events.find(({ kind }) => kind === 'clone')?.text ?? '', /machine-id of node "pc"/);
  assert.equal(rig.revoked, []);
});

test('a machine that is set up again keeps its id by a token, while its old self is away', async () => {
  const rig = await joinRig();
  const one = await machine('web');
  const first = joined(await rig.desk.ask(one.with({ token: await rig.token() }), here));
  const anew = await machine('web', one.request.facts);
  rig.online.add('web');
  const second = joined(await rig.desk.ask(anew.with({ token: await rig.token() }), here));
  assert.is.not(second.node, 'web', 'a second agent on the machine is another node');
  rig.online.delete('web');
  const third = await machine('renamed', one.request.facts);
  const back = joined(await rig.desk.ask(third.with({ token: await rig.token() }), here));
  assert.is(back.node, 'web');
  assert.equal(rig.revoked, ['web']);
  const serial = (cert: string) => parsed(cert).serialNumber.toLowerCase();
  assert.ok(rig.desk.isRevoked({ kind: 'node', name: 'web', serial: serial(first.cert) }));
  assert.not.ok(rig.desk.isRevoked({ kind: 'node', name: 'web', serial: serial(back.cert) }));
});

test('no rule hands on the id of a node: facts are unproven', async () => {
  const rig = await joinRig();
  const one = await machine('web');
  joined(await rig.desk.ask(one.with({ token: await rig.token() }), here));
  await rig.verb('rule.add', { approve: true, subnet: '192.168.7.0/24' });
  const liar = await machine('web', one.request.facts);
  pending(await rig.desk.ask(liar.request, here));
  assert.match(rig.desk.pending()[0]?.note ?? '', /says that it is the machine of node "web"/);
  const named = await machine('evil');
  pending(await rig.desk.ask(named.with({ node: 'web' }), here));
  const harmless = await machine('other');
  assert.is(joined(await rig.desk.ask(harmless.request, here)).node, 'other');
  // A person may: in two words.
  const code = rig.desk.pending()[0]?.code;
  const clash = await rig.verb('join.approve', { code, node: 'web' }).catch(error => error.message);
  assert.match(clash, /--replace/);
  assert.equal(await rig.verb('join.approve', { code, node: 'web', replace: true }), { node: 'web' });
  assert.equal(rig.revoked, ['web']);
});

const copyOf = (one: Machine, cert: string, other: Machine) =>
  other.with({ clone_of: { cert, proof: proof(one.key, 'clone', other.request.csr) } });

test('a copied folder becomes a node of its own, some of them a day; the rest wait', async () => {
  const rig = await joinRig();
  const one = await machine('pc');
  const { cert } = joined(await rig.desk.ask(one.with({ token: await rig.token() }), here));
  for (let i = 0; i < joiningLimits.copiesPerDay; i++) {
    const copy = await machine('pc', { machine: one.request.facts.machine });
    const reply = joined(await rig.desk.ask(copyOf(one, cert, copy), here));
    assert.match(reply.node, /^pc-/);
    assert.is(rig.desk.nodes().find(({ node }) => node === reply.node)?.clone_of, 'pc');
  }
  assert.is(clones(rig), joiningLimits.copiesPerDay);
  pending(await rig.desk.ask(copyOf(one, cert, await machine('pc')), here));
  assert.equal(rig.revoked, [], 'the first one stays');
  const { copies } = await rig.verb('node.revoke', { node: 'pc' });
  assert.is(copies.length, joiningLimits.copiesPerDay);
  assert.match(refusal(await rig.desk.ask(copyOf(one, cert, await machine('pc')), here)), /was revoked/);
});

test('a copied folder proves nothing without its key', async () => {
  const rig = await joinRig();
  const [one, two, other] = [await machine('a'), await machine('b'), await machine('c')];
  const { cert } = joined(await rig.desk.ask(one.with({ token: await rig.token() }), here));
  const forged = two.with({ clone_of: { cert, proof: proof(two.key, 'clone', two.request.csr) } });
  assert.match(refusal(await rig.desk.ask(forged, here)), /without its key/);
  const replayed = two.with({ clone_of: { cert, proof: proof(one.key, 'clone', other.request.csr) } });
  assert.match(refusal(await rig.desk.ask(replayed, here)), /without its key/);
  const renewal = two.with({ clone_of: { cert, proof: proof(one.key, 'renew', two.request.csr) } });
  assert.match(refusal(await rig.desk.ask(renewal, here)), /without its key/);
  const stranger = await joinRig();
  pending(await stranger.desk.ask(copyOf(one, cert, two), here));
});

test('the same machine with a machine-id made anew keeps its id by its folder and its card', async () => {
  const rig = await joinRig();
  const one = await machine('pc');
  const { cert } = joined(await rig.desk.ask(one.with({ token: await rig.token() }), here));
  const same = await machine('pc', { macs: one.request.facts.macs });
  assert.is(joined(await rig.desk.ask(copyOf(one, cert, same), here)).node, 'pc');
});

test('rules over facts: who is let in, how it is called, where it stands', async () => {
  const rig = await joinRig();
  await rig.verb('rule.add', { approve: true, mac: 'DC-A6-32', subnet: '192.168.7.0/24' });
  await rig.verb('rule.add', { mac: 'dc:a6:32', node: 'pi-{n}', room: 'attic', roles: ['render', 'spare'] });
  await rig.verb('rule.add', { arch: 'aarch64', room: 'cellar', zone: 'east' });
  const pi = (n: number) => machine('raspberrypi', { macs: `52:54:00:00:00:01,dc:a6:32:00:00:0${n}`, arch: 'arm64' });
  const first = joined(await rig.desk.ask((await pi(1)).request, `::ffff:${here}`));
  assert.equal([first.node, first.room, first.zone, first.roles], ['pi-1', 'attic', 'east', 'render,spare']);
  assert.is(joined(await rig.desk.ask((await pi(2)).request, here)).node, 'pi-2');
  assert.match(rig.desk.nodes()[0]?.by ?? '', /^rule 1$/);
  const outside = pending(await rig.desk.ask((await pi(3)).request, '192.168.8.20'));
  assert.is(rig.desk.pending()[0]?.node, 'pi-3');
  const other = pending(await rig.desk.ask((await machine('x')).request, here));
  // A new rule is asked about who waits already, and nobody else.
  await rig.verb('rule.add', { approve: true, subnet: '192.168.8.0/24' });
  assert.is(joined(rig.desk.again(outside.ticket)).node, 'pi-3');
  pending(rig.desk.again(other.ticket));
  await rig.verb('rule.remove', { rule: 1 });
  pending(await rig.desk.ask((await pi(4)).request, here));
  const after = await rig.restart();
  assert.equal(
    (await after.verb('rule.list')).rules.map(({ rule }: { rule: number }) => rule),
    [2, 3, 4],
  );
  // pi-3 goes on saying that rule 4 let it in: no other rule becomes that.
  await after.verb('rule.remove', { rule: 4 });
  assert.equal(await after.verb('rule.add', { approve: true, arch: 'riscv64' }), { rule: 5 });
});

test('a rule that would let everybody in, or says nothing, is refused', async () => {
  const rig = await joinRig();
  const add = (args: object) =>
    rig.verb('rule.add', args).then(
      () => 'taken',
      error => error.message,
    );
  assert.match(await add({ approve: true }), /needs a condition/);
  assert.match(await add({ mac: 'dc:a6:32' }), /says nothing/);
  assert.match(await add({ approve: true, mac: 'dc:a' }), /whole bytes/);
  assert.match(await add({ approve: true, subnet: '192.168.7.0' }), /ADDRESS\/BITS/);
  assert.match(await add({ mac: 'dc:a6:32', node: 'Pi {n}' }), /an id is/);
  assert.equal((await rig.verb('rule.list')).rules, []);
});

test('conditions fit what they say and no more', () => {
  const machineOf = (macs: string) => facts('Node7.lan', { macs });
  const cases: readonly [Parameters<typeof fits>[0], string, boolean][] = [
    [{ mac: 'dc:a6:32' }, here, true],
    [{ mac: 'a6:32' }, here, false],
    [{ arch: 'x64' }, here, true],
    [{ arch: 'arm' }, here, false],
    [{ hostname: 'node*' }, here, true],
    [{ hostname: '*7*lan' }, here, true],
    [{ hostname: 'node' }, here, false],
    [{ subnet: '192.168.0.0/16' }, here, true],
    [{ subnet: '192.168.7.20/32' }, `::ffff:${here}`, true],
    [{ subnet: '0.0.0.0/0' }, '2001:db8::1', false],
    [{ subnet: '2001:db8::/32' }, '2001:db8::1', true],
    [{ subnet: 'fe80::/10' }, 'fe80::1%eth0', true],
    [{ subnet: '192.168.0.0/16' }, 'nonsense', false],
    [{ mac: 'dc:a6:32', arch: 'arm' }, here, false],
  ];
  for (const [rule, address, expected] of cases) {
    assert.is(fits(rule, machineOf('DC:A6:32:01:02:03'), address), expected, JSON.stringify([rule, address]));
  }
  assert.not(fits({ hostname: `${'*a'.repeat(32)}b` }, { ...machineOf(''), hostname: 'a'.repeat(256) }, here));
  for (const bad of ['', 'x', '1.2.3.4', '1.2.3.4/33', '::/129', '1.2.3/8', '1.2.3.4/'])
    assert.is(readSubnet(bad), undefined);
  for (const bad of ['', 'd', 'dc:', 'dc:a6:3', 'dc:a6:32:01:02:03:04']) assert.is(plainMacPrefix(bad), undefined);
});

test('every template and every machine gives a free id', () => {
  const taken = new Set<string>();
  const templates = [
    undefined,
    'pi-{n}',
    '{hostname}-{n}',
    '{mac}',
    '{machine}',
    '{arch}-{hostname}',
    'n{n}-{hostname}',
    '{n}',
  ];
  for (const template of templates) assert.is(templateProblem(template ?? '{hostname}'), undefined);
  for (const bad of ['', 'A', '{who}', 'a'.repeat(21), '{n', 'all']) assert.ok(templateProblem(bad), bad);
  const names = [
    '',
    'ALL',
    'all',
    '---',
    'Ünïcode',
    'a-very-long-host-name-indeed',
    '../x',
    'localhost',
    '+',
    '#',
    '__proto__',
  ];
  for (let round = 0; round < 20; round++) {
    for (const template of templates) {
      for (const hostname of names) {
        const key = `${round}${names.indexOf(hostname)}`.padStart(64, '0');
        const id = chooseId(template, { facts: facts(hostname), key, taken: id => taken.has(id) });
        assert.ok(isId(id), id);
        assert.not(taken.has(id), id);
        taken.add(id);
      }
    }
  }
});

test.run();
