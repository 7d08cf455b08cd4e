/** An agent's part in jobs, from its topics to what it says of itself; and the code of it, which waits for the first work. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LazyWork } from '../../node-agent/work/lazy-work.ts';
import { MemoryOutbox } from '../../node-agent/work/outbox-memory.ts';
import { WorkRunner } from '../../node-agent/work/runner.ts';
import { SimulatedExecutor } from '../../node-agent/work/simulated-executor.ts';
import { type Signer, seal } from '../../shared/authority.ts';
import type { Report, Work } from '../../shared/schemas/work.ts';
import { fixedRandom, joined, newSigner, type Rig, rig, VirtualClock } from '../fixture/agent-rig.ts';
import { quietLog, recipe } from '../fixture/work-rig.ts';

const wiring = suite('agent work: wiring');
const signer = newSigner();

interface Station {
  readonly one: Rig;
  readonly executor: SimulatedExecutor;
  readonly outbox: MemoryOutbox;
  readonly loads: number;
  work(body: Partial<Work>, by?: Signer): void;
  reports(): Report[];
}

/** Runs what became due meanwhile, promises too. */
const turn = () => new Promise(resolve => setImmediate(resolve));

function station(options: { lazy?: boolean; left?: boolean; broken?: () => boolean } = {}): Station {
  const clock = new VirtualClock();
  const executor = new SimulatedExecutor({ clock, random: fixedRandom(), plugins: ['zed', 'noop'] });
  const outbox = new MemoryOutbox();
  let loads = 0;
  const runner = () => new WorkRunner({ clock, executor, outbox, cores: 2, log: quietLog });
  const lazy = () =>
    new LazyWork({
      ...{ cores: 2, log: quietLog },
      left: () => options.left ?? false,
      load: () => {
        loads++;
        return options.broken?.() ? Promise.reject(new Error('gone')) : Promise.resolve(runner());
      },
    });
  const own = joined(signer, { clock, work: options.lazy ? lazy() : runner() });
  clock.pass(2000);
  let seq = 0;
  return {
    ...{ one: { ...own, clock }, executor, outbox },
    get loads() {
      return loads;
    },
    work(body, by = signer) {
      const session = { inst: own.agent.inst, epoch: own.agent.epoch, seq: seq++ };
      const work = { cluster: by.cluster, key: by.key, gen: 0, rev: 0, ...session, ...body };
      own.link.say('hearth/node/n1/work', seal(by, 'work', 'n1', work));
    },
    reports: () => own.link.of('done').filter(({ id }) => id === undefined) as unknown as Report[],
  };
}
const task = (t: number, ms = 10): Partial<Work> => ({
  recipes: [recipe(1, { common: { ms } })],
  spans: [{ t, r: 1, i: t, n: 1, a: 1 }],
});
const ended = (reports: readonly Report[]) => reports.flatMap(({ results = [] }) => results.map(([token]) => token));

wiring('work comes in on its topic, signed; what becomes of it goes out on done', () => {
  const { one, work, reports } = station();
  assert.ok(one.link.connects[0]?.subscriptions.includes('hearth/node/n1/work'));
  assert.equal(reports()[0]?.have, []);
  assert.ok(
    one.link.published.filter(({ topic }) => topic.endsWith('/done')).every(({ qos, retain }) => qos === 1 && !retain),
  );
  work(task(1), newSigner());
  one.clock.pass(100);
  assert.equal(ended(reports()), []);
  work(task(2));
  one.clock.pass(100);
  assert.equal(ended(reports()), [2]);
});

wiring('who has joined no cluster says nothing of jobs: what it cannot judge yet would be lost', () => {
  const clock = new VirtualClock();
  const executor = new SimulatedExecutor({ clock, random: fixedRandom() });
  const work = new WorkRunner({ clock, executor, outbox: new MemoryOutbox(), cores: 2, log: quietLog });
  const one = rig({ node: 'n1', clock, work });
  one.agent.start();
  clock.pass(100);
  one.link.up();
  clock.pass(500);
  const reports = () => one.link.of('done') as unknown as Report[];
  assert.equal(reports(), []);
  one.want(signer, 1);
  clock.pass(2000);
  assert.equal([reports()[0]?.seq, reports()[0]?.have], [0, []]);
  assert.ok((reports().at(-1)?.credits ?? 0) > 0);
  const session = { cluster: signer.cluster, gen: 0, rev: 0, inst: one.agent.inst, epoch: one.agent.epoch };
  const first = { ...session, key: signer.key, seq: 0, plain: true };
  one.link.say('hearth/node/n1/work', seal(signer, 'work', 'n1', first));
  one.link.say('hearth/node/n1/work', JSON.stringify({ ...session, seq: 1, ...task(1) }));
  clock.pass(100);
  assert.equal(ended(reports()), [1]);
});

wiring('load counts what runs; info names what can be done and the plugins', () => {
  const { one, work } = station();
  assert.equal([one.link.of('info').at(-1)?.caps, one.link.of('info').at(-1)?.plugins], ['jobs', 'noop,zed']);
  work(task(1, 60_000));
  one.clock.pass(6000);
  assert.is(one.link.of('load').at(-1)?.jobs, 1);
  one.want(signer, 6, {}, { jobs: { inline: true, plugins: { mine: `artifact:${'a'.repeat(64)}` } } });
  assert.equal(
    [one.link.of('info').at(-1)?.caps, one.link.of('info').at(-1)?.plugins],
    ['jobs,inline', 'mine,noop,zed'],
  );
  one.want(signer, 7, {}, { jobs: { slots: 0 } });
  assert.is(one.link.of('info').at(-1)?.caps, undefined);
});

wiring('drained, in safe mode, or without a document nothing new is taken', () => {
  const { one, reports } = station();
  assert.ok((reports().at(-1)?.credits ?? 0) > 0);
  one.want(signer, 6, {}, { drain: true });
  one.clock.pass(100);
  assert.is(reports().at(-1)?.credits, 0);
  one.want(signer, 7);
  one.clock.pass(100);
  assert.ok((reports().at(-1)?.credits ?? 0) > 0);
});

wiring('an agent that ends leaves its tasks alone; told to stop services it ends them, and leaving ends all', () => {
  const kept = station();
  kept.work(task(1, 60_000));
  kept.one.clock.pass(100);
  kept.one.agent.stop({ stopServices: false }, () => {});
  assert.equal(kept.executor.running, [1]);
  const stopped = station();
  stopped.work(task(1, 60_000));
  stopped.one.clock.pass(100);
  stopped.one.agent.stop({ stopServices: true }, () => {});
  assert.equal(stopped.executor.running, []);
  const left = station();
  left.work(task(1));
  left.work(task(2, 60_000));
  left.one.clock.pass(100);
  assert.is(left.outbox.kept.size, 1);
  left.one.cmd(signer, 1, 'forget');
  assert.equal([left.executor.running, left.outbox.kept.size], [[], 0]);
  assert.is(left.one.states.at(-1), 'left');
});

wiring('its code is loaded with the first work, and until then it says that it holds nothing', async () => {
  const it = station({ lazy: true });
  const { one, work, reports } = it;
  await turn();
  assert.is(it.loads, 0);
  const [first] = reports();
  assert.equal([first?.seq, first?.have, first?.slots], [0, [], 2]);
  const before = reports().length;
  work(task(1));
  work(task(2));
  assert.is(reports().length, before);
  await turn();
  one.clock.pass(100);
  assert.equal(ended(reports()), [1, 2], 'what came meanwhile is done');
  assert.is(it.loads, 1);
  assert.equal(
    reports().map(({ seq }) => seq),
    reports().map((_, nth) => nth),
    'numbered on',
  );
  assert.is(reports().filter(({ have }) => have).length, 1);
  one.link.down();
  one.clock.pass(10_000);
  one.link.published = [];
  one.link.up();
  one.clock.pass(100);
  assert.is(reports()[0]?.have?.length, 2);
});

wiring(
  'where an earlier agent left something the code is loaded at the start, and nothing is said before it is',
  async () => {
    const it = station({ lazy: true, left: true });
    const { one, reports } = it;
    assert.is(it.loads, 1);
    assert.equal(reports(), []);
    await turn();
    one.clock.pass(100);
    assert.is(reports()[0]?.have?.length, 0);
    assert.equal([one.link.of('info').at(-1)?.plugins], ['noop,zed']);
  },
);

wiring('code that cannot be loaded: said, no credits, and tried again with the next work', async () => {
  let broken = true;
  const { one, work, reports } = station({ lazy: true, broken: () => broken });
  work(task(1));
  await turn();
  one.clock.pass(2000);
  assert.match(String(one.link.of('is').at(-1)?.err), /jobs: a part of the agent cannot be loaded \(gone\)/);
  assert.equal([reports().at(-1)?.have, reports().at(-1)?.credits], [[], 0]);
  broken = false;
  work(task(2));
  await turn();
  one.clock.pass(2000);
  assert.equal(ended(reports()), [2]);
  assert.is(one.link.of('is').at(-1)?.err, '');
});

wiring.run();
