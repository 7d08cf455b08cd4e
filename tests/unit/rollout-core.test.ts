/** The core of rollouts: whatever happens in whichever order, never too many nodes at once, and nothing is ever lost. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  again,
  awayMs,
  begin,
  type Candidate,
  revertAll,
  type Step,
  step,
  waitsFor,
} from '../../broker/rollout/core.ts';
import type { Verdict } from '../../broker/rollout/health.ts';
import {
  changedItems,
  isOpen,
  isUnjudged,
  newestRev,
  type Rollout,
  rolloutRecord,
  stamped,
  wordFor,
} from '../../broker/rollout/record.ts';
import type { RoleDocument } from '../../shared/schemas/node-document.ts';
import { batchOf, type RolloutSettings, rolloutDefaults } from '../../shared/schemas/rollout.ts';

const core = suite('rollout core');

const says = (run: number): RoleDocument => ({ services: { x: { run: String(run) } } });
const saysOf = (document: RoleDocument): string => String(document.services?.x?.run);

interface Entry {
  document: RoleDocument;
  rev: number;
  rollout?: Rollout | undefined;
}

/** A role, its nodes, and a journal that only counts. */
class World {
  rev = 10;
  entry: Entry = { document: says(0), rev: 1 };
  readonly settings: RolloutSettings;
  readonly online = new Map<string, boolean>();
  /** Revision of the node's own entry: it rises when the node gets the role. */
  readonly own = new Map<string, number>();
  readonly busy = new Set<string>();
  readonly verdicts = new Map<string, Verdict>();
  readonly seen = new Map<string, { readonly rev: number; readonly text: string }>();
  idleMs = 0;
  most = 0;
  /** Nodes that failed and were left as they are: a retry judges all of them, and gives nobody anything. */
  retried = 0;
  reverts = 0;

  constructor(n: number, settings: Partial<RolloutSettings>) {
    this.settings = { ...rolloutDefaults, ...settings };
    for (let index = 0; index < n; index++) {
      this.online.set(`n${index}`, true);
      this.own.set(`n${index}`, 2);
    }
    this.check();
  }

  take(next: Pick<Step, 'document' | 'rollout' | 'reverted'>, isChange = false): void {
    const rev = ++this.rev;
    if (next.reverted) this.reverts++;
    // As the journal keeps it: through JSON and its schema.
    const rollout = rolloutRecord.parse(JSON.parse(JSON.stringify(stamped(next.rollout, rev))));
    assert.ok(newestRev(rollout) <= rev);
    this.entry = { document: next.document, rev: isChange || next.reverted ? rev : this.entry.rev, rollout };
    this.check();
  }

  waiting(rollout: Rollout): readonly Candidate[] {
    return [...this.online]
      .filter(([node]) => waitsFor(rollout, node))
      .map(([node, online]) => ({ node, online, ready: !this.busy.has(node), affected: true, problems: [] }));
  }

  set(run: number): void {
    const document = says(run);
    const { rollout } = this.entry;
    const good = rollout && isOpen(rollout) ? rollout.docs[rollout.good] : undefined;
    if (changedItems(document, this.entry.document).size === 0) return;
    if (good && changedItems(good, document).size === 0) {
      this.entry = { document, rev: ++this.rev };
      this.check();
      return;
    }
    const begun = begin(this.entry, this.online.size, 0);
    this.take(this.look({ document, rollout: begun }, new Map()) ?? { document, rollout: begun }, true);
  }

  look(rolling: { document: RoleDocument; rollout: Rollout }, verdicts = this.verdicts): Step | undefined {
    const members = new Set(this.online.keys());
    const { settings, idleMs } = this;
    return step(rolling, { settings, members, verdicts, waiting: () => this.waiting(rolling.rollout), idleMs });
  }

  tick(): void {
    const { document, rollout } = this.entry;
    const next = rollout && this.look({ document, rollout });
    if (next) this.take(next);
    this.verdicts.clear();
  }

  check(): void {
    const { rollout } = this.entry;
    const unjudged = Object.values(rollout?.nodes ?? {}).filter(({ stage }) => stage === 'given').length;
    // Who leaves makes the share smaller, and not those fewer who were given it before.
    this.most = Math.max(this.most, this.online.size);
    const most = Math.max(this.retried, batchOf(this.settings.batch, this.most));
    assert.ok(unjudged <= most, `${unjudged} unjudged at once`);
    for (const node of this.online.keys()) {
      const word = wordFor(this.entry, node);
      const now = { rev: Math.max(word.rev, this.own.get(node) ?? 0), text: saysOf(word.document) };
      const before = this.seen.get(node);
      assert.ok(!before || now.rev >= before.rev, `${node} falls from ${before?.rev} to ${now.rev}`);
      assert.ok(before?.rev !== now.rev || before.text === now.text, `${node} changes without a new revision`);
      this.seen.set(node, now);
      if (rollout?.state === 'reverted') {
        const listed = rollout.nodes[node];
        // Who was put back on its own before has what it had then; nobody has what failed.
        if (listed?.doc === undefined) assert.is(now.text, saysOf(this.entry.document));
        else assert.is(listed.stage, 'failed');
        assert.ok(now.text !== saysOf(rollout.lost?.document ?? {}) || listed?.doc !== undefined);
      }
    }
    if (rollout && isOpen(rollout)) assert.ok(rollout.docs[rollout.good], 'the way back is there');
    for (const { doc, back } of Object.values(rollout?.nodes ?? {})) {
      for (const key of [doc, back]) assert.ok(key === undefined || rollout?.docs[key], `document ${key} is lost`);
    }
  }
}

const nodeOf = fc.integer({ min: 0, max: 6 }).map(index => `n${index}`);
type Act = (world: World) => void;
const act = fc.oneof<fc.Arbitrary<Act>[]>(
  fc.integer({ min: 0, max: 5 }).map(run => world => world.set(run)),
  fc.constant(world => world.tick()),
  nodeOf.map(node => world => {
    world.verdicts.set(node, { is: 'well' });
    world.tick();
  }),
  fc.constant(world => {
    for (const [node, { stage }] of Object.entries(world.entry.rollout?.nodes ?? {})) {
      if (stage) world.verdicts.set(node, { is: 'well' });
    }
    world.tick();
  }),
  nodeOf.map(node => world => {
    world.verdicts.set(node, { is: 'failed', why: 'x' });
    world.tick();
  }),
  nodeOf.map(node => world => {
    if (!world.busy.delete(node)) world.busy.add(node);
  }),
  fc.tuple(nodeOf, fc.boolean()).map(([node, online]) => world => {
    if (!world.online.has(node)) {
      world.own.set(node, ++world.rev);
      world.seen.delete(node);
    }
    world.online.set(node, online);
    world.check();
  }),
  nodeOf.map(node => world => {
    world.online.delete(node);
    world.seen.delete(node);
  }),
  fc.constantFrom(0, awayMs).map(ms => world => {
    world.idleMs = ms;
  }),
  fc.constantFrom('paused' as const, 'rolling' as const).map(state => world => {
    const { document, rollout } = world.entry;
    const from = state === 'paused' ? 'rolling' : 'paused';
    if (rollout?.state === from) world.take({ document, rollout: { ...rollout, state } });
  }),
  fc.constant(world => {
    const { document, rollout } = world.entry;
    if (rollout && isOpen(rollout)) world.take(revertAll({ document, rollout }, 'asked'));
  }),
  fc.constant(world => {
    const { document, rollout } = world.entry;
    const next = rollout && again(rollout);
    if (!next) return;
    world.retried = Object.values(next.nodes).filter(({ stage }) => stage === 'given').length;
    world.take({ document, rollout: next });
  }),
);

core('at any sequence: bounded, revisions never fall, no change without one, and the way back is always there', () => {
  let reverts = 0;
  let done = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.record({
        batch: fc.constantFrom<(number | string)[]>(1, 2, '25%', '50%'),
        canary: fc.boolean(),
        revert: fc.boolean(),
        abort_pct: fc.constantFrom(0, 30, 100),
      }),
      fc.array(act, { maxLength: 60, size: 'max' }),
      (n, settings, acts) => {
        const world = new World(n, settings);
        for (const one of acts) {
          one(world);
          if (world.entry.rollout?.state === 'done') done++;
        }
        reverts += world.reverts;
      },
    ),
    { numRuns: Number(process.env.RUNS ?? 600) },
  );
  assert.ok(reverts > 100 && done > 100, `${reverts} reverts and ${done} ends were looked at`);
});

core('a canary is alone until it is well', () => {
  const world = new World(8, { batch: 4 });
  world.set(1);
  const having = () => [...world.online.keys()].filter(node => saysOf(wordFor(world.entry, node).document) === '1');
  assert.equal(having(), ['n0']);
  for (let round = 0; round < 5; round++) world.tick();
  assert.equal(having(), ['n0']);
  world.verdicts.set('n0', { is: 'well' });
  world.tick();
  assert.equal(having(), ['n0', 'n1', 'n2', 'n3', 'n4']);
  assert.is(Object.values(world.entry.rollout?.nodes ?? {}).filter(isUnjudged).length, 4);
});

core('a node that was put back by an earlier rollout goes back there, not to what it could not do', () => {
  const world = new World(4, { canary: false, batch: 4, abort_pct: 50 });
  world.set(1);
  for (const node of ['n1', 'n2', 'n3']) world.verdicts.set(node, { is: 'well' });
  world.verdicts.set('n0', { is: 'failed', why: 'x' });
  world.tick();
  world.tick();
  const all = () => [...world.online.keys()].map(node => saysOf(wordFor(world.entry, node).document));
  assert.equal([...all(), world.entry.rollout?.state], ['0', '1', '1', '1', 'done']);
  world.set(2);
  assert.equal(all(), ['2', '2', '2', '2']);
  const { document, rollout } = world.entry;
  assert.ok(rollout);
  world.take(revertAll({ document, rollout }, 'asked'));
  assert.equal(all(), ['0', '1', '1', '1']);
});

core('a canary that fails ends it, however many may fail afterwards', () => {
  const world = new World(4, { abort_pct: 100 });
  world.set(1);
  world.verdicts.set('n0', { is: 'failed', why: 'x' });
  world.tick();
  assert.is(world.entry.rollout?.state, 'reverted');
});

core('whom a change has reached already is the first to get what takes its place', () => {
  const world = new World(3, {});
  world.online.set('n0', false);
  world.set(1);
  world.online.set('n0', true);
  world.set(2);
  assert.equal(
    [...world.online.keys()].map(node => saysOf(wordFor(world.entry, node).document)),
    ['0', '2', '0'],
  );
});

core('older documents are not kept without end: who has one of them gets the last good one', () => {
  const world = new World(12, { canary: false, batch: 12, abort_pct: 100 });
  for (let run = 1; run < 12; run++) {
    world.set(run);
    for (const node of world.online.keys()) {
      const fails = Number(node.slice(1)) < run;
      world.verdicts.set(node, fails ? { is: 'failed', why: 'x' } : { is: 'well' });
    }
    world.tick();
    world.tick();
    assert.is(world.entry.rollout?.state, 'done');
    assert.ok(Object.keys(world.entry.rollout?.docs ?? {}).length <= 6);
  }
});

core.run();
