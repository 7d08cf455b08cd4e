/** What an agent does when it starts, how it asks to join, and when it renews: the pure parts. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { JoinCore, type JoinEffect, joinTimes } from '../../node-agent/join/join-core.ts';
import { isAnother, machineOf } from '../../node-agent/join/machine.ts';
import { type Asked, type Kept, startWay } from '../../node-agent/join/start-way.ts';
import { MachineFiles } from '../../node-agent/telemetry/machine-files.ts';
import { fixedRandom } from '../fixture/agent-rig.ts';
import { machine, member, ours, token } from '../fixture/member.ts';
import { folder } from '../fixture/processes.ts';

const joins = suite('agent join');
const theirs = 'b'.repeat(32);
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

joins.run();
