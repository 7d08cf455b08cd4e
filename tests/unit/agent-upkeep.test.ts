/** When an agent renews, what it makes of a refusal, and the files of its membership: the pure parts. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { membershipFiles } from '../../node-agent/join/membership.ts';
import { Upkeep, upkeepTimes } from '../../node-agent/join/upkeep.ts';
import { readOptions } from '../../node-agent/options.ts';
import { formatJoinToken, type JoinToken } from '../../shared/join-token.ts';
import { fixedRandom } from '../fixture/agent-rig.ts';
import { member, ours, token } from '../fixture/member.ts';
import { folder } from '../fixture/processes.ts';

const joins = suite('agent upkeep');
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
