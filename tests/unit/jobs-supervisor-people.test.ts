/** Jobs as people meet them: what is accepted, refused and answered, and what is retained. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { JobIs } from '../../shared/schemas/job.ts';
import { workNode } from '../fixture/jobs-rig.ts';
import { rig } from '../fixture/supervisor-rig.ts';

const jobs = suite('jobs: people');

const solve = JSON.stringify({ run: './solve --seed {}', array: '1-3' });
const isOf = (one: ReturnType<typeof rig>, job: string): JobIs | undefined => {
  const text = one.broker.retained.get(`hearth/job/${job}/is`);
  return text === undefined ? undefined : (JSON.parse(text) as JobIs);
};

jobs('accepted is said after the sync, and own and is are there', () => {
  const one = rig();
  const from = one.broker.published.length;
  one.person.publish('hearth/job/j1/set', JSON.stringify({ run: './solve {}', array: '1-3', tx: 'a' }));
  assert.is(one.broker.published.length, from, 'nothing is said before the disk has it');
  one.sync();
  const result = one.broker.last<{ ok: boolean; tx: string }>('hearth/job/j1/result');
  assert.is(result?.ok, true);
  assert.is(result?.tx, 'a');
  const is = isOf(one, 'j1');
  assert.equal([is?.state, is?.tasks, is?.by], ['queued', 3, 'person']);
  const own = JSON.parse(one.broker.retained.get('hearth/job/j1/own') ?? '{}');
  assert.equal([own.run, own.array, own.by, own.omitted], ['./solve {}', '1-3', 'person', undefined]);
});

jobs('the same document again is the same job, whatever the order of its keys; another one is refused', () => {
  const one = rig();
  assert.is(one.ask('job/j1/set', solve).again, undefined);
  assert.is(one.ask('job/j1/set', JSON.stringify({ array: '1-3', run: './solve --seed {}' })).again, true);
  // Dimensions are in the order of the tasks: another order is another job.
  one.ask('job/grid/set', '{"run":"x {a} {b}","array":{"a":"1-2","b":"1-3"}}');
  assert.match(one.ask('job/grid/set', '{"run":"x {a} {b}","array":{"b":"1-3","a":"1-2"}}').error ?? '', /another job/);
  const other = one.ask('job/j1/set', JSON.stringify({ run: 'true' }));
  assert.is(other.ok, false);
  assert.match(other.error ?? '', /j1|another|other/);
});

jobs('long values are named on own, and not shown', () => {
  const one = rig();
  one.ask('job/j1/set', JSON.stringify({ plugin: 'p', items: Array(400).fill('xxxxxxxx') }));
  const own = JSON.parse(one.broker.retained.get('hearth/job/j1/own') ?? '{}');
  assert.equal([own.omitted, own.items, own.plugin], ['items', undefined, 'p']);
});

for (const [what, payload, pattern] of [
  ['nothing', '', /empty/],
  ['no JSON', 'blender', /JSON object|not valid JSON/],
  ['an unknown key', '{"run":"true","colour":1}', /unknown key "colour"/],
  ['two works', '{"run":"true","plugin":"p"}', /say one of/],
  ['a bad range', '{"run":"echo {}","array":"one-two"}', /array.*not a range/],
  ['too many tasks', '{"run":"echo {}","array":"1-99999999"}', /10000000/],
  ['an unknown placeholder', '{"run":"echo {seed}","array":"1-3"}', /run: .*\{seed\}/],
  ['a placeholder in quotes', '{"run":"echo \'{}\'","array":"1-3"}', /quotes/],
  ['a bad where', '{"run":"true","where":"cores >"}', /where/],
  ['a long item', JSON.stringify({ plugin: 'p', items: ['x'.repeat(70_000)] }), /items\.0: .*64 kB/],
  ['inline code', '{"code":"export default () => 1"}', /code: .*"inline"/],
] as const) {
  jobs(`refused with a sentence, and nothing is kept: ${what}`, () => {
    const one = rig();
    const kept = one.store.disk.size;
    const result = one.ask('job/j1/set', payload);
    assert.is(result.ok, false);
    assert.match(result.error ?? '', pattern);
    assert.is(isOf(one, 'j1'), undefined);
    assert.is(one.store.disk.size, kept);
  });
}

jobs('of a job that is there only the priority can be changed', () => {
  const one = rig();
  one.ask('job/j1/set', solve);
  assert.is(one.ask('job/j1/set/priority', '7').ok, true);
  assert.match(one.ask('job/j1/set/priority', 'high').error ?? '', /-100 to 100/);
  assert.match(one.ask('job/j1/set/priority', '101').error ?? '', /-100 to 100/);
  assert.match(one.ask('job/j1/set/retries', '7').error ?? '', /cannot be changed/);
  assert.match(one.ask('job/j2/set/priority', '7').error ?? '', /no job "j2": did you mean "j1"/);
});

jobs('verbs: unknown ones get the nearest, known ones are answered once, and the job turns', () => {
  const one = rig();
  one.ask('job/j1/set', solve);
  assert.match(one.ask('job/j1/do/cancle').error ?? '', /did you mean "cancel"/);
  assert.match(one.ask('job/j9/do/cancel').error ?? '', /no job "j9"/);
  assert.match(one.ask('job/j1/do/cancel', '{"now":true}').error ?? '', /unknown key "now"/);
  assert.is(one.ask('job/j1/do/pause').state, 'finished');
  assert.is(isOf(one, 'j1')?.paused, true);
  assert.is(one.ask('job/j1/do/resume', 'PRESS').ok, true);
  assert.is(isOf(one, 'j1')?.paused, false);
  assert.is(one.ask('job/j1/do/forget').ok, false, 'not before it has ended');
  assert.is(one.ask('job/j1/do/cancel', '{"tx":"c"}').tx, 'c');
  assert.is(isOf(one, 'j1')?.state, 'canceled');
});

jobs('what is forgotten leaves nothing retained, and its id is not taken for another job', () => {
  const one = rig();
  one.ask('job/j1/set', solve);
  one.ask('job/j1/do/cancel');
  assert.is(one.ask('job/j1/do/forget').ok, true);
  assert.equal(
    [...one.broker.retained.keys()].filter(topic => topic.includes('/job/')),
    [],
  );
  const again = one.ask('job/j1/set', solve);
  assert.equal([again.ok, again.again], [true, true]);
  assert.is(isOf(one, 'j1'), undefined, 'and is not run again');
  assert.match(one.ask('job/j1/set', '{"run":"true"}').error ?? '', /another job.*take another id/);
});

jobs('an id is forgotten 30 days after its job', () => {
  const one = rig();
  for (const job of ['j1', 'j2']) {
    one.ask(`job/${job}/set`, solve);
    one.ask(`job/${job}/do/cancel`);
    one.ask(`job/${job}/do/forget`);
  }
  const ids = () => [...one.store.disk.keys()].filter(key => /^job(id|day)/.test(key));
  const days = (n: number) => {
    one.clock.stall(n * 86_400_000);
    // Its look at them is every hour.
    for (let turn = 0; turn < 2; turn++) {
      one.clock.advance(3_600_000);
      one.sync();
    }
  };
  assert.is(ids().length, 4);
  days(29.5);
  assert.match(one.ask('job/j1/set', '{"run":"true"}').error ?? '', /take another id/);
  days(2);
  assert.equal(ids(), []);
  assert.is(one.ask('job/j1/set', '{"run":"true"}').ok, true);
});

jobs('explain says of each node why not', () => {
  const one = rig();
  workNode(one, 'n1');
  workNode(one, 'n2');
  one.ask('job/j1/set', JSON.stringify({ run: 'true', where: 'cores > 8' }));
  const { explain = [], n, ok_n } = one.ask('job/j1/do/explain');
  assert.equal([n, ok_n], [2, 0]);
  assert.equal(explain.map(({ node }) => node).sort(), ['n1', 'n2']);
  for (const { why } of explain) assert.match(why ?? '', /cores is 4/);
});

jobs('inline code is for those whom the setting names, and told to the audit, also for each node', () => {
  const told: string[] = [];
  const audit = ({ what, target, who, detail }: { what: string; target: string; who: string; detail?: string }) =>
    void told.push(`${who} ${what} ${target} ${/[0-9a-f]{64}/.test(detail ?? '')}`);
  const one = rig({ jobs: { inline: ['anna'], audit } });
  const code = JSON.stringify({ code: 'export default () => 1' });
  const as = (job: string, user: string | undefined, how: 'password' | 'owner') => {
    const from = { serial: 9, clientId: 'anna', how, ...(user === undefined ? {} : { user }) } as const;
    one.deliver({
      topic: `hearth/job/${job}/set`,
      payload: new TextEncoder().encode(code),
      qos: 1,
      retain: false,
      from,
    });
    one.sync();
    return one.broker.last<{ ok: boolean; error?: string }>(`hearth/job/${job}/result`);
  };
  assert.match(as('j1', 'ben', 'password')?.error ?? '', /"ben" may not.*inline: ben/);
  assert.match(as('j2', 'owner', 'owner')?.error ?? '', /"owner" may not/, 'a client id is no name');
  assert.match(as('j3', undefined, 'password')?.error ?? '', /not known/);
  assert.equal(told, []);
  assert.is(as('j4', 'anna', 'password')?.ok, true);
  assert.equal(told, ['anna job.code job/j4 true']);
  one.ask('node/n1/set', '');
  workNode(one, 'n1');
  assert.is(told.length, 1, 'the node does not allow it');
  one.ask('node/n1/set/jobs/inline', 'on');
  assert.equal(told.slice(1), ['anna job.code.run node/n1 true']);
});

jobs.run();
