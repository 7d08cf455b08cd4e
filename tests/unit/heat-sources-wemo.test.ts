/** Wemo Insight: what may be asked where, what its answers say, and when who is asked. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { insightIn } from '../../broker/heat/sources/wemo.ts';
import { type Ask, mostWemos, WemoPolls } from '../../broker/heat/sources/wemo-polls.ts';
import { isOfTheHouse, wemoPlace } from '../../shared/readings/wemo-place.ts';
import { manualClock } from '../fixture/manual-clock.ts';
import { wemoAnswer } from '../fixture/sources/wemo-plug.ts';

const test = suite('heat sources: wemo');

test('an answer becomes watts and watt-hours', () => {
  // Fields as a plug sent them: 615 mW, 6359688716 mW·min.
  const read = insightIn(wemoAnswer('8|1548203519|100|1601|415096|1209600|668|615|35238849|6359688716.000000|30000'));
  assert.ok(read.ok);
  assert.ok(Math.abs(read.value.watts - 0.615) < 1e-9);
  assert.ok(Math.abs(read.value.energyWh - 105_994.8119) < 0.001);
  const off = insightIn(wemoAnswer('0|1548203519|0|0|0|1209600|0|5000|0|60000|8000'));
  assert.deepEqual(off.ok && off.value, { watts: 0, energyWh: 1 });
});

test('what is no such answer is refused, whatever it is', () => {
  const good = '1|1|1|1|1|1|1|60000|1|1|1';
  for (const answer of [
    '',
    '<html>hello</html>',
    wemoAnswer('1|2|3'),
    wemoAnswer('5|1|1|1|1|1|1|60000|1|1|1'),
    wemoAnswer('1|1|1|1|1|1|1|1.2.3|1|1|1'),
    wemoAnswer('1|1|1|1|1|1|1|90000000|1|1|1'),
    wemoAnswer('&lol;'),
    wemoAnswer(good) + wemoAnswer(good),
    `${' '.repeat(20_000)}${wemoAnswer(good)}`,
    '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><InsightParams>&a;</InsightParams>',
  ]) {
    assert.equal(insightIn(answer).ok, false, answer.slice(0, 80));
  }
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(fc.constantFrom('1', '|', '.', '8', '9')).map(all => all.join('')),
      ),
      text => {
        const read = insightIn(wemoAnswer(text));
        assert.ok(!read.ok || (Number.isFinite(read.value.watts) && Number.isFinite(read.value.energyWh)));
      },
    ),
  );
});

test('only addresses of the house, only the ports of a Wemo, no path', () => {
  for (const url of [
    'http://192.168.1.7:49153',
    'http://10.0.0.1:49151/',
    'http://172.31.9.9',
    'http://[fd00::1]:49152',
    'http://wemo.local',
  ]) {
    assert.ok(wemoPlace(url).ok, url);
  }
  assert.deepEqual(wemoPlace('http://192.168.1.7'), { ok: true, value: { host: '192.168.1.7', port: 49_153 } });
  for (const url of [
    'http://8.8.8.8:49153',
    'http://169.254.169.254:49153',
    'http://[::ffff:8.8.8.8]:49153',
    'http://[fe80::1]:49153',
    'http://0.0.0.0:49153',
    'http://134744072:49153',
    'http://192.168.1.7:80',
    'http://192.168.1.7:49153/admin',
    'http://user:secret@192.168.1.7:49153',
    'http://192.168.1.7:49153/?x',
    'https://192.168.1.7:49153',
    'file:///etc/passwd',
    'nonsense',
  ]) {
    const place = wemoPlace(url);
    assert.ok(!place.ok, url);
    assert.ok(!place.error.message.includes('secret'));
  }
  for (const address of ['172.15.0.1', '172.32.0.1', '11.0.0.1', '::', 'fe80::1', 'wemo', ''])
    assert.equal(isOfTheHouse(address), false, address);
});

function rig() {
  const clock = manualClock();
  const asked: { where: string; answer: (error: string | undefined, text?: string) => void }[] = [];
  const told: unknown[] = [];
  const ask: Ask = ({ host, port }, done) =>
    void asked.push({ where: `${host}:${port}`, answer: (error, text = '') => done(error, text) });
  const polls = new WemoPolls({ clock, ask, meter: (node, { watts }) => void told.push([node, watts]) });
  return { clock, asked, told, polls, one: () => asked.shift() ?? assert.fail('nobody was asked') };
}

test('every ten seconds, one question at a time, and the next port where nobody answers', () => {
  const { clock, asked, told, polls, one } = rig();
  polls.replace(new Map([['n1', 'http://192.168.1.7:49153']]));
  clock.advance(10_000);
  assert.equal(asked.length, 1);
  clock.advance(60_000);
  assert.equal(asked.length, 1, 'nothing more before the answer');
  const ports: string[] = [];
  for (let round = 0; round < 6; round++) {
    const { where, answer } = one();
    ports.push(where.split(':')[1] ?? '');
    answer('nobody answers on its port');
    clock.advance(10_000);
  }
  assert.deepEqual(ports, ['49153', '49152', '49154', '49151', '49155', '49153']);
  assert.equal(polls.why('n1'), 'Wemo 192.168.1.7: nobody answers on its port');
  for (let round = 0; round < 2; round++) {
    const { where, answer } = one();
    assert.equal(where, '192.168.1.7:49152', 'it stays where it was answered');
    answer(undefined, wemoAnswer('1|1|1|1|1|1|1|60000|1|1|1'));
    assert.equal(polls.why('n1'), undefined);
    clock.advance(10_000);
  }
  assert.deepEqual(told, [
    ['n1', 60],
    ['n1', 60],
  ]);
});

test('who is out of the document is asked no more, and a late answer is nobody’s', () => {
  const { clock, told, polls, one, asked } = rig();
  polls.replace(new Map([['n1', 'http://192.168.1.7']]));
  clock.advance(10_000);
  const late = one();
  polls.replace(new Map([['n1', 'http://192.168.1.8']]));
  late.answer(undefined, wemoAnswer('1|1|1|1|1|1|1|60000|1|1|1'));
  assert.deepEqual(told, []);
  polls.stop();
  clock.advance(60_000);
  assert.equal(asked.length, 0);
  assert.equal(clock.pending, 0);
});

test('a wrong address and one too many say so', () => {
  const { polls } = rig();
  const many = Array.from({ length: mostWemos + 1 }, (_, i) => [`n${i}`, `http://10.0.${i >> 8}.${i & 255}`] as const);
  polls.replace(new Map([['bad', 'http://8.8.8.8'], ...many]));
  assert.match(polls.why('bad') ?? '', /8\.8\.8\.8 is not in a private network/);
  assert.match(polls.why(`n${mostWemos}`) ?? '', /more than 200/);
  polls.stop();
});

test.run();
