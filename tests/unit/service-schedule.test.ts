import * as croner from 'croner';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createRunTimes, timeAfter } from '../../node-agent/reconcile/services/run-times.ts';
import { cronProblem } from '../../shared/cron-pattern.ts';
import { serviceSchema } from '../../shared/schemas/service.ts';
import { ServicesNode } from '../fixture/services-node.ts';

const schedule = suite('service schedule');

/** The fixture's clock begins at 2027-01-15 08:00:00 UTC. */
const wallStart = 1_800_000_000_000;
const minute = 60_000;
const hour = 60 * minute;
const at = (iso: string) => Date.parse(iso) - wallStart;
const daily = { run: 'echo ran; exit 0', schedule: { cron: '30 9 * * *', timezone: 'UTC' } } as const;

/** When its units were started, from the beginning of the fixture's time. */
function starts(node: ServicesNode): number[] {
  const list: number[] = [];
  const start = node.machine.start.bind(node.machine);
  node.machine.start = unit => {
    const process = start(unit);
    list.push(process.started_ms - wallStart);
    return process;
  };
  return list;
}

schedule('it does not run when it is set, runs once at each of its times, and says when next', () => {
  const node = new ServicesNode();
  const times = starts(node);
  node.begin({ a: daily });
  assert.equal(node.outcome, { a: undefined }, 'settled though it has not run');
  assert.is(node.state('a'), 'scheduled');
  assert.is(node.status('a')?.next_ms, Date.parse('2027-01-15T09:30:00Z'));
  node.time.pass(2 * hour);
  assert.equal(times, [at('2027-01-15T09:30:00Z')]);
  assert.is(node.state('a'), 'scheduled');
  assert.is(node.status('a')?.exit, 0);
  assert.is(node.status('a')?.next_ms, Date.parse('2027-01-16T09:30:00Z'));
  node.time.pass(48 * hour);
  assert.equal(times.slice(1), [at('2027-01-16T09:30:00Z'), at('2027-01-17T09:30:00Z')]);
});

schedule('a run that fails says so until one that does not, and is not tried again before its time', () => {
  const node = new ServicesNode();
  const times = starts(node);
  node.begin({ a: { ...daily, run: 'exit 3' } });
  node.time.pass(3 * hour);
  assert.is(times.length, 1);
  assert.is(node.state('a'), 'scheduled');
  assert.is(node.status('a')?.exit, 3);
  assert.is(node.table.error(), 'services/a: exit 3 after 0.0 s');
  node.apply({ a: { ...daily, run: 'exit 0' } });
  node.time.pass(24 * hour);
  assert.is(node.table.error(), '');
});

schedule('restart: on-failure tries a failed run again', () => {
  const node = new ServicesNode();
  const times = starts(node);
  node.begin({ a: { ...daily, run: 'exit 3', restart: 'on-failure' } });
  node.time.pass(at('2027-01-15T09:30:10Z'));
  assert.ok(times.length >= 3, String(times));
});

schedule('a time that comes while the run before goes on is skipped, and said', () => {
  const node = new ServicesNode();
  const times = starts(node);
  node.begin({ a: { run: 'sleep 5400', schedule: '@hourly' } });
  node.time.pass(2 * hour + minute);
  assert.equal(times, [hour]);
  assert.is(node.state('a'), 'running');
  const sentence = 'its run of 2027-01-15T10:00Z was skipped: the one before had not ended';
  assert.is(node.status('a')?.err, sentence);
  assert.equal(node.notices, [`skipped services/a: ${sentence}`]);
  assert.is(node.table.error(), '', 'no error of the node');
  node.time.pass(hour);
  assert.equal(times, [hour, 3 * hour]);
  assert.is(node.status('a')?.err, undefined);
});

schedule('missed while the agent was away: nothing without catch_up, one run with it', () => {
  for (const catch_up of [false, true]) {
    const node = new ServicesNode();
    const times = starts(node);
    node.begin({ a: { ...daily, schedule: { ...daily.schedule, catch_up } } });
    node.time.pass(2 * hour);
    const before = times.length;
    node.again(72 * hour);
    node.time.pass(minute);
    assert.is(times.length - before, catch_up ? 1 : 0);
    assert.is(node.status('a')?.next_ms, Date.parse('2027-01-19T09:30:00Z'));
    node.again();
    node.time.pass(minute);
    assert.is(times.length - before, catch_up ? 1 : 0, 'not again by the next agent');
  }
});

schedule('with catch_up, what never ran here runs at once', () => {
  const node = new ServicesNode();
  const times = starts(node);
  node.begin({ a: { ...daily, schedule: { ...daily.schedule, catch_up: true } } });
  node.time.pass(minute);
  assert.is(times.length, 1);
  node.apply({ a: { ...daily, schedule: { cron: '0 9 * * *', timezone: 'UTC', catch_up: true } } });
  node.time.pass(minute);
  assert.is(times.length, 1, 'another schedule has missed nothing');
});

/** The wall clock is set, and time goes on. */
function setClock(node: ServicesNode, ms: number): void {
  const { wall } = node.time;
  node.time.wall = () => wall() + ms;
}

schedule('a clock set forward over its time by a little runs it, by much has missed it', () => {
  const little = new ServicesNode();
  const ran = starts(little);
  little.begin({ a: daily });
  little.time.pass(at('2027-01-15T09:29:00Z'));
  setClock(little, 90_000);
  little.time.pass(2 * minute);
  assert.is(ran.length, 1);
  const much = new ServicesNode();
  const times = starts(much);
  much.begin({ a: daily });
  setClock(much, 3 * hour);
  much.time.pass(2 * minute);
  assert.equal(times, []);
  assert.match(much.notices.join(), /^missed services\/a: its run of 2027-01-15T09:30Z was missed/);
  assert.is(much.status('a')?.next_ms, Date.parse('2027-01-16T09:30:00Z'));
});

schedule('a clock that was far ahead and is put right: its times are those of the new clock', () => {
  const node = new ServicesNode();
  setClock(node, 10 * 365 * 24 * hour);
  const times = starts(node);
  node.begin({ a: daily });
  node.time.pass(2 * hour);
  setClock(node, -10 * 365 * 24 * hour - 2 * hour);
  node.time.pass(2 * hour);
  assert.is(times.length, 2);
  assert.is(times[1], at('2027-01-15T09:30:00Z'));
});

schedule('a clock set back by an hour repeats no time', () => {
  const node = new ServicesNode();
  const times = starts(node);
  node.begin({ a: daily });
  node.time.pass(at('2027-01-15T09:31:00Z'));
  setClock(node, -hour);
  node.time.pass(2 * hour);
  assert.is(times.length, 1);
  assert.is(node.status('a')?.next_ms, Date.parse('2027-01-16T09:30:00Z'));
});

schedule('restart runs it now, and its times stay', () => {
  const node = new ServicesNode();
  const times = starts(node);
  node.begin({ a: daily });
  node.table.restart('a', () => {});
  node.time.pass(minute);
  assert.is(times.length, 1);
  assert.is(node.state('a'), 'scheduled');
  node.time.pass(2 * hour);
  assert.is(times.length, 2);
});

schedule('a schedule that comes to a running service, or goes, leaves its process', () => {
  const node = new ServicesNode();
  const run = './serve';
  node.begin({ a: { run } });
  const pid = node.pid('a');
  node.apply({ a: { run, schedule: '@daily' } });
  node.time.pass(minute);
  assert.is(node.pid('a'), pid);
  node.apply({ a: { run } });
  node.time.pass(minute);
  assert.is(node.pid('a'), pid);
  node.apply({ a: { run: 'exit 0', schedule: '@daily' } });
  node.time.pass(minute);
  assert.is(node.state('a'), 'scheduled');
  node.apply({ a: { run: './serve' } });
  node.time.pass(minute);
  assert.is(node.state('a'), 'running', 'without a schedule it starts at once');
  node.apply({});
  node.time.pass(minute);
  assert.equal(node.table.items(), {});
});

schedule('a time that never comes is said', () => {
  const node = new ServicesNode();
  node.begin({ a: { run: 'x', schedule: '0 0 30 2 *' } });
  assert.is(node.table.error(), 'services/a: its schedule names no time that is yet to come');
  assert.equal(node.outcome, { a: 'its schedule names no time that is yet to come' });
});

schedule('summer time: once on the day that has no such hour, once on the day that has it twice', () => {
  const times = (from: string, cron: string) => {
    const list: string[] = [];
    for (let after = Date.parse(from); list.length < 3; ) {
      const { next = 0 } = timeAfter(croner, { schedule: { cron, timezone: 'Europe/Berlin' }, after });
      list.push(new Date(next).toISOString());
      after = next;
    }
    return list;
  };
  assert.equal(times('2027-03-27T12:00:00Z', '30 2 * * *').slice(1), [
    '2027-03-29T00:30:00.000Z',
    '2027-03-30T00:30:00.000Z',
  ]);
  assert.equal(times('2027-10-30T12:00:00Z', '30 2 * * *').slice(1), [
    '2027-11-01T01:30:00.000Z',
    '2027-11-02T01:30:00.000Z',
  ]);
});

schedule('the library is read when it is needed, and a node without it says so', async () => {
  const asked = { schedule: '@hourly', after: wallStart } as const;
  const answer = (times: ReturnType<typeof createRunTimes>) =>
    new Promise(resolve => times.next(asked, (error, next, missed) => resolve({ error, next, missed })));
  assert.equal(await answer(createRunTimes()), { error: undefined, next: wallStart + hour, missed: false });
  const broken = createRunTimes(() => Promise.reject(new Error('no such file')));
  assert.equal(await answer(broken), {
    error: 'schedules cannot be read on this node: no such file',
    next: undefined,
    missed: undefined,
  });
});

const good = ['* * * * *', '*/5 0-6 1,15 JAN-mar mon', '59 23 31 12 7', '0-30/10 * * * 1-5', '@daily', '@annually'];
const bad = ['', '* * * *', '60 * * * *', '* 24 * * *', '* * 0 * *', '* * * 13 *', '* * * * 8', '*/0 * * * *']
  .concat(['5/2 * * * *', '6-3 * * * *', '* * * * mon-', '@reboot', '* * L * *', '1,,2 * * * *', '* * * * * *'])
  .concat(['1-2-3 * * * *', '*/5/5 * * * *', '* * * foo *', '-1 * * * *']);
schedule('what the schema lets through the library reads; what it does not is refused with a reason', () => {
  for (const text of good) {
    assert.is(cronProblem(text), undefined, text);
    assert.type(timeAfter(croner, { schedule: text, after: wallStart }).next, 'number', text);
    assert.ok(serviceSchema.safeParse({ run: 'x', schedule: text }).success, text);
  }
  for (const text of bad) {
    assert.type(cronProblem(text), 'string', text);
    assert.not.ok(serviceSchema.safeParse({ run: 'x', schedule: text }).success, text);
  }
});

schedule.run();
