/** Maintenance of one node: every step waits for what the node says, and the first that does not come ends it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Fleet, type Maintenance, maintain, type NodeNow } from '../../cli/maintain/one-node.ts';
import type { ItemStatus } from '../../shared/schemas/observed.ts';

const test = suite('maintain');

const both: Maintenance = { upgrade: true, reboot: true, upgradeMs: 60_000, rebootMs: 30_000, wellMs: 10_000 };
type Items = Record<string, ItemStatus>;

/** A node that does what it is told, unless the test has it do something else. */
class PlayedNode implements Fleet {
  online = true;
  state: 'ready' | 'draining' | 'failed' = 'ready';
  items: Items = { 'services/web': { state: 'running' } };
  err = '';
  boot: string | undefined = 'boot-1';
  readonly said: string[] = [];
  readonly ordered: string[] = [];
  refuses: Record<string, string> = {};
  acts: Record<string, () => void> = {
    drain: () => {
      this.state = 'draining';
    },
    resume: () => {
      this.state = 'ready';
    },
    upgrade: () => {
      this.items = { ...this.items, upgrade: { state: 'ok', since_ms: 7 } };
    },
    reboot: () => {
      this.boot = 'boot-2';
    },
  };

  now(): NodeNow {
    const is = { node: 'n1', epoch: 1, state: this.state, rev: 3, err: this.err, ver: '1', items: this.items };
    return { online: this.online, is, info: { node: 'n1', ...(this.boot === undefined ? {} : { boot: this.boot }) } };
  }
  async order(_: string, verb: string): Promise<string | undefined> {
    this.ordered.push(verb);
    if (this.refuses[verb] !== undefined) return this.refuses[verb];
    this.acts[verb]?.();
    return undefined;
  }
  /** What has not come by now does not come. */
  async until<T>(_: string, __: number, pick: (now: NodeNow) => T | undefined): Promise<T | undefined> {
    return pick(this.now());
  }
  say(_: string, text: string): void {
    this.said.push(text);
  }
}
const set = (what: object, how: object): void => void Object.assign(what, how);
const run = (node: PlayedNode, todo = both) => maintain('n1', node, todo);

test('drain, upgrade, reboot, looked at, resumed', async () => {
  const node = new PlayedNode();
  assert.is(await run(node), undefined);
  assert.equal(node.ordered, ['drain', 'upgrade', 'reboot', 'resume']);
  assert.is(node.state, 'ready');
});

test('only what was asked for', async () => {
  const node = new PlayedNode();
  await run(node, { ...both, upgrade: false });
  assert.equal(node.ordered, ['drain', 'reboot', 'resume']);
});

const stops: readonly [what: string, wrong: (node: PlayedNode) => void, why: RegExp, last: string | undefined][] = [
  ['offline', node => set(node, { online: false }), /^it is offline$/, undefined],
  ['failed before', node => set(node, { state: 'failed', err: 'safe mode' }), /to begin with: safe mode/, undefined],
  ['drain refused', node => set(node.refuses, { drain: 'no' }), /could not be drained: no/, 'drain'],
  [
    'does not drain',
    node => set(node.acts, { drain: () => {} }),
    /did not say within 60 s that it is draining/,
    'drain',
  ],
  [
    'upgrade refused',
    node => set(node.refuses, { upgrade: 'needs root' }),
    /could not be upgraded: needs root/,
    'upgrade',
  ],
  ['upgrade never over', node => set(node.acts, { upgrade: () => {} }), /not over after 1 minutes/, 'upgrade'],
  [
    'upgrade failed',
    node =>
      set(node.acts, {
        upgrade: () => set(node, { items: { upgrade: { state: 'failed', err: 'no space', since_ms: 2 } } }),
      }),
    /the upgrade failed: no space/,
    'upgrade',
  ],
  ['no boot id', node => set(node, { boot: undefined }), /does not tell its boot id/, 'upgrade'],
  [
    'reboot refused',
    node => set(node.refuses, { reboot: 'is a container' }),
    /could not be rebooted: is a container/,
    'reboot',
  ],
  [
    'did not reboot',
    node => set(node.acts, { reboot: () => {} }),
    /is online after 30 s, but has not rebooted/,
    'reboot',
  ],
  [
    'stays away',
    node => set(node.acts, { reboot: () => set(node, { online: false }) }),
    /did not come back within 30 s/,
    'reboot',
  ],
  [
    'a service that fails now',
    node =>
      set(node.acts, { reboot: () => set(node, { boot: 'b', items: { 'services/web': { state: 'crash-loop' } } }) }),
    /not well after 10 s: services\/web is crash-loop/,
    'reboot',
  ],
  [
    'a critical check that fails now',
    node =>
      set(node.acts, {
        reboot: () => set(node, { boot: 'b', items: { 'checks/disk': { state: 'fail', severity: 'critical' } } }),
      }),
    /checks\/disk is fail/,
    'reboot',
  ],
  [
    'a service that goes on starting',
    node =>
      set(node.acts, { reboot: () => set(node, { boot: 'b', items: { 'services/web': { state: 'starting' } } }) }),
    /services\/web is still starting/,
    'reboot',
  ],
  ['resume refused', node => set(node.refuses, { resume: 'disk full' }), /could not be resumed: disk full/, 'resume'],
];
for (const [what, wrong, why, last] of stops) {
  test(`${what}: it ends there, and says why`, async () => {
    const node = new PlayedNode();
    wrong(node);
    assert.match((await run(node)) ?? 'went well', why);
    assert.is(node.ordered.at(-1), last);
  });
}

test('an upgrade of before is not taken for this one', async () => {
  const node = new PlayedNode();
  node.items = { upgrade: { state: 'ok', since_ms: 7 } };
  assert.match((await run(node)) ?? '', /not over/);
});

test('what failed before is not held against it, and a check that only warns never', async () => {
  const node = new PlayedNode();
  node.items = { 'services/old': { state: 'crash-loop' }, 'checks/old': { state: 'fail', severity: 'warning' } };
  node.err = 'services/old: it ends';
  assert.is(await run(node), undefined);
});

test('a node that was draining before stays so', async () => {
  const node = new PlayedNode();
  node.state = 'draining';
  assert.is(await run(node), undefined);
  assert.equal([node.state, node.ordered.includes('resume')], ['draining', false]);
});

test.run();
