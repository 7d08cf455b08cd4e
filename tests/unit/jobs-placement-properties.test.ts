/** Placement under random jobs, nodes and events: what must hold whatever comes. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Placement } from '../../broker/jobs/placement/placement.ts';
import { policies } from '../../shared/schemas/job.ts';
import { nodeView, recipeView } from '../fixture/placement-views.ts';
import { cpuMs } from '../fixture/promised-time.ts';

const properties = suite('placement: properties');

const recipes = fc.array(
  fc.record({
    by: fc.constantFrom('ann', 'bob', 'cyd'),
    policy: fc.constantFrom(...policies),
    cpus: fc.integer({ min: 1, max: 3 }),
    batch: fc.integer({ min: 1, max: 50 }),
    maxParallel: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
    where: fc.constantFrom(undefined, 'rack==0', 'rack>0', 'rack==9', '!(rack==1)'),
    kind: fc.constantFrom('run:a', 'run:b'),
    n: fc.integer({ min: 0, max: 200 }),
  }),
  { minLength: 1, maxLength: 6 },
);
const nodes = fc.array(
  fc.record({
    slots: fc.integer({ min: 0, max: 4 }),
    credits: fc.integer({ min: 0, max: 60 }),
    rack: fc.integer({ min: 0, max: 2 }),
  }),
  { minLength: 1, maxLength: 5 },
);
const steps = fc.array(
  fc.record({
    what: fc.constantFrom('end', 'end', 'end', 'room', 'more', 'skip', 'offline', 'closed', 'open', 'pause'),
    node: fc.nat(4),
    r: fc.nat(5),
    n: fc.integer({ min: 1, max: 30 }),
    ms: fc.constantFrom(0, 0.1, 5, 80, 200, 3000),
  }),
  { maxLength: 60 },
);

properties('never over credits or max_parallel; nothing idle that could work; no skip is offered again', () => {
  fc.assert(
    fc.property(recipes, nodes, steps, (jobs, machines, events) => {
      const p = new Placement();
      const hosts = machines.map((machine, n) => ({ ...machine, id: `n${n}`, online: true, closed: false }));
      const work = jobs.map((job, n) => ({ ...job, r: n + 1, hand: 0 }));
      const held = new Map<string, number>();
      const skipped = new Set<string>();
      const see = (host: (typeof hosts)[number]) => {
        const closed = host.closed ? { closed: 'is drained' } : {};
        p.node(host.id, nodeView(host.id, { rack: host.rack }, closed));
      };
      const handOf = (id: string) => work.reduce((sum, { r, cpus }) => sum + cpus * (held.get(`${id}:${r}`) ?? 0), 0);
      const may = ({ where }: (typeof work)[number], { rack }: (typeof hosts)[number]) =>
        where === undefined ||
        (where === 'rack==0' ? rack === 0 : where === 'rack>0' ? rack > 0 : where === 'rack==9' ? false : rack !== 1);
      for (const host of hosts) {
        see(host);
        p.room(host.id, host.slots, host.credits);
      }
      for (const { maxParallel, where, n, hand, ...view } of work) {
        p.recipe(recipeView({ ...view, ...(maxParallel && { maxParallel }), ...(where && { where }) }));
        p.waiting(view.r, n);
      }
      const settle = (now: number) => {
        for (let rounds = 0; ; rounds++) {
          assert.ok(rounds < 20_000, 'comes to an end');
          const choice = p.next(now);
          if (!choice) break;
          const host = hosts.find(({ id }) => id === choice.node);
          const job = work.find(({ r }) => r === choice.r);
          if (!host || !job) throw new Error('unknown');
          assert.ok(choice.n >= 1 && choice.n <= job.n && choice.n <= job.batch, 'what waits, and a batch');
          assert.ok(host.online && !host.closed && may(job, host), 'an eligible node');
          assert.ok(choice.n * job.cpus <= host.credits, 'credits');
          assert.ok(job.cpus <= host.slots, 'cpus');
          assert.ok(job.hand + choice.n <= (job.maxParallel ?? 1e9), 'max_parallel');
          assert.not.ok(skipped.has(`${host.id}:${job.r}`), 'skipped');
          p.given(host.id, job.r, choice.n);
          job.n -= choice.n;
          job.hand += choice.n;
          host.credits -= choice.n * job.cpus;
          held.set(`${host.id}:${job.r}`, (held.get(`${host.id}:${job.r}`) ?? 0) + choice.n);
          p.waiting(job.r, job.n);
        }
        for (const job of work) {
          if (job.n === 0 || job.hand >= (job.maxParallel ?? 1e9)) continue;
          for (const host of hosts) {
            if (!host.online || host.closed || !may(job, host) || skipped.has(`${host.id}:${job.r}`)) continue;
            const free = Math.min(host.credits, host.slots - handOf(host.id));
            assert.ok(free < job.cpus, `${host.id} is idle, ${job.n} of ${job.r} wait`);
          }
        }
      };
      settle(0);
      for (const [at, { what, node, r, n, ms }] of events.entries()) {
        const host = hosts[node % hosts.length];
        const job = work[r % work.length];
        if (!host || !job) continue;
        const key = `${host.id}:${job.r}`;
        const unskip = (like: string) => {
          for (const each of skipped) if (each.includes(like)) skipped.delete(each);
        };
        if (what === 'end') {
          const ended = Math.min(n, held.get(key) ?? 0);
          for (let k = 0; k < ended; k++) p.measured(host.id, job.r, ms, k % 2 ? 0.01 : undefined);
          p.left(host.id, job.r, ended);
          held.set(key, (held.get(key) ?? 0) - ended);
          job.hand -= ended;
          skipped.delete(key);
        } else if (what === 'room') {
          host.online = true;
          host.credits = n;
          p.room(host.id, host.slots, n);
          unskip(`${host.id}:`);
        } else if (what === 'more' || what === 'pause') {
          const more = what === 'more' ? job.n + n : 0;
          if (more > job.n) unskip(`:${job.r}`);
          job.n = more;
          p.waiting(job.r, more);
        } else if (what === 'offline') {
          host.online = false;
          p.offline(host.id);
          unskip(`${host.id}:`);
        } else if (what === 'skip') {
          const choice = p.next(at);
          if (choice) {
            p.skip(choice.node, choice.r);
            skipped.add(`${choice.node}:${choice.r}`);
          }
        } else {
          host.closed = what === 'closed';
          see(host);
          unskip(`${host.id}:`);
        }
        settle(at * 2000);
      }
    }),
    { numRuns: 400 },
  );
});

properties('shares converge to the weights, whatever the jobs are like', () => {
  const submitter = fc.record({
    weight: fc.constantFrom(1, 2, 3, 5),
    ms: fc.constantFrom(2, 10, 45, 130),
    jobs: fc.integer({ min: 1, max: 4 }),
    cpus: fc.constantFrom(1, 2),
  });
  fc.assert(
    fc.property(
      fc.array(submitter, { minLength: 2, maxLength: 4 }),
      fc.integer({ min: 1, max: 1e6 }),
      (submitters, start) => {
        const p = new Placement();
        let seed = start;
        const random = () => {
          seed = (seed * 48271) % 2147483647;
          return seed / 2147483647;
        };
        p.shares(new Map(submitters.map(({ weight }, n) => [`u${n}`, weight])));
        for (let n = 0; n < 4; n++) {
          p.node(`n${n}`, nodeView(`n${n}`));
          p.room(`n${n}`, 4, 1e6);
        }
        const of = new Map<number, number>();
        submitters.forEach(({ jobs, cpus }, n) => {
          for (let j = 0; j < jobs; j++) {
            const r = n * 10 + j;
            of.set(r, n);
            p.recipe(recipeView({ r, by: `u${n}`, kind: `run:${n}`, cpus }));
            p.waiting(r, 1e9);
          }
        });
        const used = submitters.map(() => 0);
        const hands: { node: string; r: number; n: number }[] = [];
        for (let round = 0; round < 3000; round++) {
          for (let choice = p.next(round); choice; choice = p.next(round)) {
            p.given(choice.node, choice.r, choice.n);
            hands.push(choice);
          }
          const done = hands.shift();
          if (!done) break;
          const n = of.get(done.r) as number;
          const { ms, cpus } = submitters[n] as (typeof submitters)[number];
          for (let k = 0; k < done.n; k++) {
            const took = ms * (0.5 + random());
            // The beginning, when nothing was measured, is no part of it.
            if (round > 300) used[n] = (used[n] as number) + took * cpus;
            p.measured(done.node, done.r, took, undefined);
          }
          p.left(done.node, done.r, done.n);
          p.room(done.node, 4, 1e6);
        }
        const total = used.reduce((sum, ms) => sum + ms, 0);
        const weights = submitters.reduce((sum, { weight }) => sum + weight, 0);
        submitters.forEach(({ weight }, n) => {
          const [share, due] = [(used[n] as number) / total, weight / weights];
          assert.ok(Math.abs(share - due) < 0.04, `u${n} has ${share.toFixed(3)}, is due ${due.toFixed(3)}`);
        });
      },
    ),
    { numRuns: 25 },
  );
});

properties('who had nothing to send does not save up; who could not, saves up little', () => {
  const p = new Placement();
  p.node('a', nodeView('a'));
  p.room('a', 1, 1e6);
  const round = (by: string[], rounds: number) => {
    for (let n = 0; n < rounds; n++) {
      const choice = p.next(n);
      if (!choice) return;
      by.push(choice.r === 1 ? 'ann' : 'bob');
      p.given(choice.node, choice.r, 1);
      p.measured(choice.node, choice.r, 1000, undefined);
      p.left(choice.node, choice.r, 1);
    }
  };
  p.recipe(recipeView({ r: 1, by: 'ann', batch: 1 }));
  p.recipe(recipeView({ r: 2, by: 'bob', batch: 1 }));
  p.waiting(1, 1e6);
  round([], 1000);
  p.waiting(2, 1e6);
  const turns: string[] = [];
  round(turns, 20);
  assert.is(turns.filter(by => by === 'bob').length, 10);
});

properties('what is given back unstarted costs its submitter nothing', () => {
  const p = new Placement();
  p.node('a', nodeView('a'));
  p.room('a', 1, 1e6);
  for (const [r, by] of [
    [1, 'ann'],
    [2, 'bob'],
  ] as const) {
    p.recipe(recipeView({ r, by, batch: 1 }));
    p.waiting(r, 10);
  }
  for (let n = 0; n < 3; n++) {
    assert.is(p.next(n)?.r, 1);
    p.given('a', 1, 1);
    p.left('a', 1, 1);
  }
  p.given('a', 1, 1);
  p.measured('a', 1, 50, undefined);
  p.left('a', 1, 1);
  assert.is(p.next(4)?.r, 2, 'but what ran does');
});

properties('2,000 nodes and 10,000 recipes of 100 wheres: a choice is quick', async () => {
  const p = new Placement();
  for (let n = 0; n < 2000; n++) {
    p.node(`n${n}`, nodeView(`n${n}`, { rack: n % 100 }));
    p.room(`n${n}`, 1, 1000);
  }
  for (let r = 1; r <= 10_000; r++) {
    p.recipe(recipeView({ r, by: `u${r % 7}`, where: `rack==${r % 120}` }));
    p.waiting(r, 1_000_000);
  }
  let choices = 0;
  const ms = await cpuMs(async () => {
    for (let choice = p.next(0); choice; choice = p.next(0)) {
      p.given(choice.node, choice.r, choice.n);
      choices++;
    }
  });
  const each = ms / choices;
  assert.is(choices, 2000);
  assert.ok(each < 1, `${each.toFixed(3)} ms for each`);
});

properties.run();
