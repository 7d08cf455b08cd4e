/** What an agent does when it starts, how it asks to join, and when it renews: the pure parts. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { JoinCore, type JoinEffect, joinTimes } from '../../node-agent/join/join-core.ts';
import { isAnother, machineOf } from '../../node-agent/join/machine.ts';
import type { Membership } from '../../node-agent/join/membership.ts';
import { membershipFiles } from '../../node-agent/join/membership.ts';
import { type Asked, type Kept, startWay } from '../../node-agent/join/start-way.ts';
import { Upkeep, upkeepTimes } from '../../node-agent/join/upkeep.ts';
import { readOptions } from '../../node-agent/options.ts';
import { MachineFiles } from '../../node-agent/telemetry/machine-files.ts';
import { formatJoinToken, type JoinToken } from '../../shared/join-token.ts';
import { fixedRandom } from '../fixture/agent-rig.ts';
import { folder } from '../fixture/processes.ts';

const joins = suite('agent join');
const [ours, theirs] = ['a'.repeat(32), 'b'.repeat(32)];
const token = (cluster: string, id = 'tttttttt'): JoinToken => ({
  ...{ cluster, id, secret: 's'.repeat(32), host: 'sup', port: 22581 },
});
const machine = { id: 'm'.repeat(64), macs: ['52:54:00:00:00:01'] };
const member: Membership = {
  ...{ node: 'n1', cluster: { fingerprint: ours, key: 'k' }, base: 'hearth', cert: 'c', bundle: { text: '', sig: '' } },
  ...{ serial: 1, ca: ['x'], brokers: ['mqtts://sup:8883'], supervisor: 'sup:22581', machine, tokens: ['oldtoken'] },
  floor_ms: 5,
};
const memory = { node: 'n1', inst: 'abcdef01', epochCeiling: 5, cluster: { fingerprint: ours, key: 'k' } };
const way = (asked: Asked, kept: Kept = {}, now = machine) => startWay(asked, kept, now);

joins('what an agent does first', () => {
  assert.equal(way({}), { kind: 'search', plan: {} });
  const before = { node: 'box', inst: 'abcdef01', epochCeiling: 0 };
  assert.equal(way({ cluster: ours }, { memory: before }), { kind: 'search', plan: { cluster: ours, node: 'box' } });
  assert.equal(way({}, { memory: { ...before, defaulted: true } }), { kind: 'search', plan: {} });
  assert.is(way({}, { memory }).kind, 'broker', 'joined without a certificate');
  assert.is(way({ broker: { tls: false } }, { memory, member }).kind, 'broker', 'a named broker wins');
  assert.is(way({ broker: { tls: true } }, { memory, member }).kind, 'member');
  assert.is(way({ broker: { tls: true } }).kind, 'broker');
  assert.equal(way({ token: token(ours) }), {
    kind: 'join',
    plan: { address: 'sup:22581', cluster: ours, token: token(ours) },
  });
  const named = way({ token: token(ours), supervisor: '10.0.0.9:1', node: 'x' });
  assert.equal(named.kind === 'join' && [named.plan.address, named.plan.node], ['10.0.0.9:1', 'x']);
  const keeps = way({ supervisor: 'sup:1' }, { memory });
  assert.equal(keeps.kind === 'join' && keeps.plan, { address: 'sup:1', cluster: ours, node: 'n1' });
  assert.is(way({ token: token(theirs) }, { memory }).kind, 'move');
  assert.is(way({ token: token(ours), broker: { tls: false } }).kind, 'error');
  assert.is(way({ token: token(ours), cluster: theirs }).kind, 'error');
});

joins('a member stays one, whatever stands in its start script', () => {
  const kept = { memory, member };
  assert.equal(way({}, kept), { kind: 'member', member });
  assert.equal(way({ token: token(theirs, 'oldtoken') }, kept), { kind: 'member', member }, 'a token of its past');
  assert.equal(way({ token: token(ours) }, kept), { kind: 'member', member }, 'it is let in already');
  const moving = way({ token: token(theirs) }, kept);
  assert.equal(moving.kind === 'member' && moving.next?.cluster, theirs);
  assert.is(way({ cluster: theirs }, kept).kind, 'error');
  assert.is(way({ node: 'n2' }, kept).kind, 'error');
  const refused = { memory, member: { ...member, refused: 'revoked' } };
  assert.is(way({}, refused).kind, 'member', 'asks now and then');
  const again = way({ token: token(ours) }, refused);
  assert.ok(again.kind === 'join' && again.fresh && again.plan.node === undefined);
  assert.is(way({ token: token(ours, 'oldtoken') }, refused).kind, 'member');
  assert.is(way({}, { ...kept, adopted: member }).kind, 'leave', 'what was begun is finished');
});

joins('a folder on another machine joins as another node', () => {
  const elsewhere = { id: 'o'.repeat(64), macs: ['52:54:00:00:00:02'] };
  const copied = way({ node: 'n1' }, { memory, member }, elsewhere);
  assert.equal(copied.kind === 'join' && [copied.copied, copied.plan.address, copied.plan.cluster], [
    ...[member, 'sup:22581', ours],
  ]);
  const former = { membership: member, key: 'k' };
  const rest = way({}, { former }, elsewhere);
  assert.equal(rest.kind === 'join' && rest.plan.former, former, 'also after the power went in between');
  const same = { id: 'm'.repeat(64) };
  assert.is(isAnother(machine, { ...same, macs: ['52:54:00:00:00:01', 'new'] }), false, 'a card more');
  assert.is(isAnother(machine, { ...same, macs: ['52:54:00:00:00:02'] }), true, 'a cloned disk');
  assert.is(isAnother(machine, { ...same, macs: [] }), false, 'not known is not different');
  assert.is(isAnother({ macs: [] }, machine), false);
});

joins('a machine is known by its machine-id, told as a hash, and by addresses that stay', () => {
  const root = folder();
  const put = (path: string, text: string) => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  put('etc/machine-id', `${'0123456789abcdef'.repeat(2)}\n`);
  put('sys/class/net/eth0/address', '52:54:00:12:34:56\n');
  put('sys/class/net/eth0/device/x', '');
  put('sys/class/net/wlan0/address', 'da:a1:19:00:00:01\n');
  put('sys/class/net/wlan0/device/x', '');
  put('sys/class/net/wlan0/phy80211/x', '');
  put('sys/class/net/wlan1/address', '00:c0:ca:00:00:01\n');
  put('sys/class/net/wlan1/device/x', '');
  put('sys/class/net/wlan1/wireless/x', '');
  const found = machineOf(new MachineFiles(root));
  assert.equal(found.macs, ['00:c0:ca:00:00:01', '52:54:00:12:34:56']);
  assert.match(found.id ?? '', /^[0-9a-f]{64}$/);
  assert.not.match(found.id ?? '', /0123456789abcdef0123456789abcdef/);
  put('run/.containerenv', '');
  assert.equal(machineOf(new MachineFiles(root)).macs, []);
  put('etc/machine-id', 'uninitialized\n');
  assert.is(machineOf(new MachineFiles(root)).id, undefined);
});

const doing = (effects: readonly JoinEffect[]) => effects.filter(effect => effect.type !== 'say');
const said = (effects: readonly JoinEffect[]) => effects.filter(effect => effect.type === 'say').map(say => say.text);

joins('asking: pending as long as it takes, a lost ticket is asked for anew, and everything is said once', () => {
  const core = new JoinCore('sup:1', true, fixedRandom());
  assert.equal(doing(core.step({ type: 'start' }, 0)), [{ type: 'ask', address: 'sup:1' }]);
  assert.equal(core.step({ type: 'tick' }, 1e9), [], 'one question at a time');
  const pending = { type: 'pending', ticket: 'T', code: 'abcd', retryMs: 2000 } as const;
  assert.match(said(core.step(pending, 0)).join(), /abcd.*hearth approve abcd/);
  assert.is(core.deadline(), 2000);
  assert.equal(core.step({ type: 'tick' }, 1999), []);
  assert.equal(core.step({ type: 'tick' }, 2000), [{ type: 'again', address: 'sup:1', ticket: 'T' }]);
  assert.equal(core.step({ ...pending, retryMs: 1 }, 2000), []);
  assert.is(core.deadline(), 2000 + joinTimes.leastRetryMs);
  core.step({ type: 'tick' }, 3000);
  core.step({ ...pending, retryMs: 1e12 }, 3000);
  assert.is(core.deadline(), 3000 + joinTimes.mostRetryMs);
  core.step({ type: 'tick' }, 1e7);
  core.step({ type: 'gone' }, 1e7);
  assert.equal(doing(core.step({ type: 'tick' }, core.deadline())), [{ type: 'ask', address: 'sup:1' }]);
  assert.equal(said(core.step({ type: 'joined' }, 1e7)), ['joined']);
  assert.is(core.deadline(), Number.POSITIVE_INFINITY);
});

joins('a refusal is no loop: a minute at first, then ever longer; and a supervisor may say how long', () => {
  const core = new JoinCore('sup:1', true, fixedRandom());
  core.step({ type: 'start' }, 0);
  let [now, before] = [0, 0];
  for (let round = 0; round < 12; round++) {
    core.step({ type: 'refused', sentence: 'no' }, now);
    const wait = core.deadline() - now;
    assert.ok(wait >= joinTimes.refusedMs / 2 && wait >= before && wait <= joinTimes.refusedCapMs, `${wait}`);
    before = wait;
    now = core.deadline();
    core.step({ type: 'tick' }, now);
  }
  assert.ok(before > joinTimes.refusedCapMs / 2);
  core.step({ type: 'refused', sentence: 'slowly', retryMs: 7000 }, now);
  assert.is(core.deadline() - now, 7000);
});

joins('nobody answers: slower and slower, and now and then the network is asked, where the cluster is known', () => {
  const core = new JoinCore('sup:1', true, fixedRandom());
  core.step({ type: 'start' }, 0);
  let now = 0;
  const kinds: string[] = [];
  for (let round = 0; round < 12; round++) {
    core.step({ type: 'failed', sentence: `no answer ${round}` }, now);
    assert.ok(core.deadline() - now <= joinTimes.capMs);
    now = core.deadline();
    const [effect] = doing(core.step({ type: 'tick' }, now));
    kinds.push(effect?.type ?? '');
    if (effect?.type === 'search') {
      core.step({ type: 'nothing-found', sentence: 'nobody' }, now);
      now = core.deadline();
      core.step({ type: 'tick' }, now);
    }
  }
  assert.is(kinds.filter(kind => kind === 'search').length, 4);
  core.step({ type: 'failed', sentence: 'x' }, now);
  core.step({ type: 'failed', sentence: 'y' }, now);
  core.step({ type: 'failed', sentence: 'z' }, now);
  core.step({ type: 'tick' }, core.deadline());
  assert.equal(doing(core.step({ type: 'found', addresses: ['new:1'] }, now)), [{ type: 'ask', address: 'new:1' }]);
  const firm = new JoinCore('sup:1', false, fixedRandom());
  firm.step({ type: 'start' }, 0);
  for (let round = 0; round < 9; round++) {
    firm.step({ type: 'failed', sentence: 'x' }, round * 1e6);
    assert.equal(doing(firm.step({ type: 'tick' }, firm.deadline())), [{ type: 'ask', address: 'sup:1' }]);
  }
});

joins('with no address the network is asked until it shows somebody', () => {
  const core = new JoinCore(undefined, true, fixedRandom());
  assert.equal(doing(core.step({ type: 'start' }, 0)), [{ type: 'search' }]);
  assert.equal(said(core.step({ type: 'nothing-found', sentence: 'There are 2 clusters' }, 0)), [
    'There are 2 clusters',
  ]);
  assert.equal(core.step({ type: 'tick' }, core.deadline()), [{ type: 'search' }], 'and says nothing new');
  core.step({ type: 'nothing-found', sentence: 'There are 2 clusters' }, 0);
  core.step({ type: 'tick' }, core.deadline());
  assert.equal(doing(core.step({ type: 'found', addresses: ['a:1', 'b:1'] }, 0)), [{ type: 'ask', address: 'a:1' }]);
  core.step({ type: 'failed', sentence: 'x' }, 0);
  assert.equal(doing(core.step({ type: 'tick' }, core.deadline())), [{ type: 'search' }]);
  assert.equal(doing(core.step({ type: 'found', addresses: ['b:1', 'a:1'] }, 0)), [{ type: 'ask', address: 'b:1' }]);
});

const week = 7 * 86_400_000;
const kept = (now = 0) => new Upkeep({ from: 0, to: week }, fixedRandom(), now);

joins('a certificate is renewed between three and two fifths before its end, and sooner when the CA is new', () => {
  for (const chance of [0, 0.5, 0.999]) {
    const upkeep = new Upkeep({ from: 0, to: week }, fixedRandom(chance), 0);
    upkeep.due(1e6, 1e6);
    upkeep.looked(1e6);
    const at = upkeep.deadline(1e6, 1e6);
    assert.ok(at <= 1e6 + upkeepTimes.lookMs * 1.25);
    assert.is(upkeep.due(week * 0.59, week * 0.59)?.type, 'look');
    upkeep.looked(week * 0.59);
    assert.is(upkeep.due(week * 0.67, week * 0.67)?.type, 'renew');
  }
  const upkeep = kept();
  upkeep.due(60_000, 60_000);
  upkeep.looked(60_000);
  upkeep.oldIssuer(60_000);
  assert.is(upkeep.due(70_000, 70_000)?.type, 'renew');
  upkeep.renewed({ from: 70_000, to: 70_000 + week }, 70_000);
  assert.is(upkeep.due(80_000, 80_000), undefined);
});

joins('one request at a time; failures wait longer and longer, but never long while nothing works without', () => {
  const upkeep = kept();
  assert.is(upkeep.due(week, week)?.type, 'renew');
  assert.is(upkeep.due(week, week), undefined);
  assert.is(upkeep.deadline(week, week), Number.POSITIVE_INFINITY);
  let now = week + 1;
  for (let round = 0; round < 20; round++) {
    assert.ok(upkeep.expired(now));
    upkeep.failed(now, now);
    const next = upkeep.deadline(now, now);
    assert.ok(next > now && next - now <= upkeepTimes.urgentCapMs + upkeepTimes.failedMs, `${next - now}`);
    now = next;
    assert.is(upkeep.due(now, now)?.type, 'renew');
  }
});

joins('refused by the broker: why is asked once, and a denial is left alone for ever longer', () => {
  const upkeep = kept();
  upkeep.due(60_000, 60_000);
  upkeep.looked(60_000);
  let now = 100_000;
  upkeep.refused(false, now);
  upkeep.refused(false, now);
  assert.is(upkeep.due(now, now), undefined, 'twice may be chance');
  upkeep.refused(false, now);
  assert.is(upkeep.due(now, now)?.type, 'renew');
  upkeep.renewed({ from: now, to: now + week }, now);
  now += 10_000;
  upkeep.refused(true, now);
  assert.is(upkeep.due(now, now), undefined, 'a new certificate did not help: not again at once');
  now += upkeepTimes.deniedMs;
  upkeep.refused(true, now);
  assert.is(upkeep.due(now, now)?.type, 'renew');
  let before = 0;
  for (let round = 0; round < 10; round++) {
    upkeep.denied(now);
    const away = upkeep.stayAwayMs;
    assert.ok(away >= before && away >= upkeepTimes.deniedMs && away <= upkeepTimes.deniedCapMs);
    before = away;
    upkeep.refused(true, now);
    assert.is(upkeep.due(now + away / 4, now + away / 4), undefined);
    now += away;
    upkeep.refused(true, now);
    assert.is(upkeep.due(now, now)?.type, 'renew');
  }
  assert.is(before, upkeepTimes.deniedCapMs);
  upkeep.up();
  assert.is(upkeep.stayAwayMs, 0);
});

joins('a new bundle is fetched soon by everybody, and not by all at once', () => {
  const times = [0, 0.3, 0.9].map(chance => {
    const upkeep = new Upkeep({ from: 0, to: week }, fixedRandom(chance), 0);
    upkeep.due(60_000, 60_000);
    upkeep.looked(60_000);
    upkeep.newBundle(100_000);
    return upkeep.deadline(100_000, 100_000) - 100_000;
  });
  assert.ok(times.every(ms => ms <= upkeepTimes.soonMs));
  assert.is(new Set(times).size, 3);
});

joins('the files of a membership are read back, and damaged or newer ones are said', () => {
  const place = folder();
  const files = membershipFiles(place);
  assert.is(files.member(), undefined);
  files.saveMember(member);
  assert.equal(membershipFiles(place).member(), member);
  files.saveFormer({ membership: member, key: 'pem' });
  assert.equal(files.former(), { membership: member, key: 'pem' });
  const key = files.key();
  assert.ok(membershipFiles(place).key().equals(key), 'made once');
  const next = files.nextKey();
  files.takeNextKey();
  files.takeNextKey();
  assert.ok(files.key().equals(next));
  writeFileSync(join(place, 'membership.json'), '{"format":1,"node":"../x"}');
  assert.throws(() => files.member(), /membership\.json \(it is damaged\).*join again with a token/);
  writeFileSync(join(place, 'membership.json'), JSON.stringify({ ...member, format: 2 }));
  assert.throws(() => files.member(), /written by a newer Hearth/);
  writeFileSync(join(place, 'node-key.pem'), 'no key');
  assert.throws(() => files.key(), /node-key\.pem.*join again/);
  files.forget('member', 'key', 'former');
  assert.is(files.member(), undefined);
});

joins('options: tokens, addresses and adopt are read, and nonsense is named without repeating a secret', () => {
  const text = formatJoinToken(token(ours));
  const read = (argv: string[], env = {}) => readOptions(argv, { HOME: '/h', ...env });
  assert.equal((read(['--token', text]) as { token: JoinToken }).token, token(ours));
  assert.equal((read([], { HEARTH_JOIN_TOKEN: text }) as { token: JoinToken }).token, token(ours));
  assert.is((read([], { HEARTH_TOKEN: text }) as { token?: JoinToken }).token, undefined, "that one is the API's");
  for (const [given, address] of [
    ['box', 'box:22581'],
    ['box:80', 'box:80'],
    ['[fe80::1]:9', '[fe80::1]:9'],
  ] as const) {
    assert.is((read(['--supervisor', given]) as { supervisor: string }).supervisor, address);
  }
  assert.equal(read(['adopt', '-', '--data', '/d']), { adopt: '-', data: '/d' });
  for (const argv of [
    ['--supervisor', 'a b'],
    ['--supervisor', 'x:0'],
    ['--supervisor', 'x:99999'],
    ['adopt'],
    ['adop', 'x'],
  ]) {
    assert.throws(
      () => read(argv),
      (error: Error) => error.message.length > 20,
    );
  }
  assert.throws(
    () => read(['--token', text.slice(0, -30)]),
    (error: Error) => !error.message.includes('ssss'),
  );
});

joins.run();
