/** What a dry run says in words, its diffs, and when a node counts as done. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile, type RoleEntry } from '../../broker/desired/compile.ts';
import type { NounPath } from '../../cli/apply/document.ts';
import { diffOf } from '../../cli/apply/file-diff.ts';
import { type Accepted, planNoun } from '../../cli/apply/plan.ts';
import { coloured, dryRunLines, hintsOf, paintFor, plainText } from '../../cli/apply/show.ts';
import { outlook } from '../../cli/apply/simulate.ts';
import { stepsOf } from '../../cli/apply/steps.ts';
import { type Goal, goalsOf, Progress, rolloutStanding, standingOf } from '../../cli/apply/waiting.ts';
import { type NodeDocument, nodeInput } from '../../shared/schemas/node-document.ts';
import type { Is } from '../../shared/schemas/observed.ts';
import type { RoleIs } from '../../shared/schemas/rollout.ts';

const test = suite('apply: steps');

const read = (said: object): NodeDocument => nodeInput.parse(said);
const compiled = (said: object, all: object = {}) => {
  const roles = new Map<string, RoleEntry>([['all', { document: read(all), rev: 1 }]]);
  return compile('n1', { document: read(said), rev: 1 }, roles);
};
const steps = (before: object, after: object) =>
  stepsOf({ node: 'n1', before: compiled(before), after: compiled(after) }).steps;
const texts = (before: object, after: object) => steps(before, after).map(({ text }) => text);
const one = (kind: string, before: unknown, after: unknown) =>
  texts(before === undefined ? {} : { [kind]: { x: before } }, after === undefined ? {} : { [kind]: { x: after } });

test('packages', () => {
  assert.equal(one('packages', undefined, 'installed'), ['install x']);
  assert.equal(one('packages', undefined, { name: 'g++', version: '4:12', hold: true }), [
    'install g++ 4:12, and hold it',
  ]);
  assert.equal(one('packages', '1', '2'), ['install x 2']);
  assert.equal(one('packages', '1', 'installed'), ['keep x at whichever version is installed']);
  assert.equal(one('packages', 'installed', 'absent'), ['remove x']);
  assert.equal(one('packages', 'installed', undefined), ['remove x, if Hearth installed it']);
  assert.equal(one('packages', 'absent', undefined), ['let x be, as it is']);
  assert.equal(one('packages', { hold: true }, {}), ['x: hold it no more']);
  assert.equal(one('packages', {}, { drift: 'report' }), ['look at x again (drift)']);
});

test('files', () => {
  const file = { path: '/etc/motd', content: 'a' };
  assert.equal(one('files', undefined, file), ['write /etc/motd']);
  assert.equal(one('files', file, { ...file, content: 'b' }), ['write /etc/motd']);
  assert.equal(one('files', file, { ...file, mode: '0600' }), ['change /etc/motd (mode)']);
  assert.equal(one('files', file, { ...file, path: '/b' }), ['write /b, and put back what was at /etc/motd']);
  assert.equal(one('files', file, { path: '/etc/motd', state: 'absent' }), ['remove /etc/motd']);
  assert.equal(one('files', file, undefined), ['put back what was at /etc/motd before Hearth, or remove it']);
  assert.equal(one('files', undefined, { path: '/opt/a', source: 'file:///a.tar', unpack: true }), [
    'unpack file:///a.tar to /opt/a',
  ]);
});

test('services: what a running process can be told, and what takes a new one', () => {
  assert.equal(one('services', undefined, './x'), ['start x']);
  assert.equal(one('services', undefined, { run: './x', schedule: '@daily' }), ['run x at its times (@daily)']);
  assert.equal(one('services', './x', './y'), ['replace x (run)']);
  assert.equal(one('services', './x', { run: './x', limits: { nice: 3 } }), ['change x without a restart (limits)']);
  assert.equal(one('services', { image: 'a' }, { image: 'a', limits: { nice: 3 } }), ['replace x (limits)']);
  assert.equal(one('services', './x', undefined), ['stop x']);
  assert.equal(one('services', './x', './x'), []);
});

test('checks', () => {
  const disk = (max_pct: number) => ({ disk: { path: '/', max_pct } });
  assert.equal(one('checks', undefined, disk(90)), ['check x (disk)']);
  assert.equal(one('checks', undefined, { set: 'base' }), ['check x (the set base)']);
  assert.equal(one('checks', disk(90), disk(80)), ['check x otherwise (disk)']);
  assert.equal(one('checks', disk(90), undefined), ['check x no more']);
});

test('services that need what changes follow it, and templates follow facts', () => {
  const file = (content: string) => ({ motd: { path: '/motd', content } });
  const needs = { web: { run: 'x', needs: ['files/motd'] }, soft: { run: 'x', needs: ['files/motd'], reload: 'HUP' } };
  assert.equal(texts({ files: file('a'), services: needs }, { files: file('b'), services: needs }), [
    'write /motd',
    'restart web, if files/motd is changed by it',
    'reload soft, if files/motd is changed by it',
  ]);
  const template = { files: { motd: { path: '/motd', content: '{{ node.id }}', template: true } }, services: needs };
  assert.equal(texts(template, { ...template, labels: { room: 'attic' } }).slice(0, 2), [
    'fill in /motd again, as labels or roles are others',
    'restart web, if files/motd is changed by it',
  ]);
});

test('of the node itself', () => {
  assert.equal(texts({}, { drain: true }), ['take no new work (drain)']);
  assert.equal(texts({}, { agent: { ver: '1.2', sha256: 'a'.repeat(64) } }), ['become agent 1.2']);
});

test('whose word an item is makes no step', () => {
  const before = compiled({ services: { x: 'y' } });
  const after = compiled({}, { services: { x: 'y' } });
  assert.equal([before.services.x?.from, after.services.x?.from], ['node/n1', 'role/all']);
  assert.equal(stepsOf({ node: 'n1', before, after }).steps, []);
});

const text = (content: string) => ({ path: '/x', content });

test('a diff is short, safe for a terminal, and shows nothing that may be a secret', () => {
  assert.equal(diffOf(text('a\nb\nc\n'), text('a\nB\nc\n'))?.lines, ['@@ -1 +1 @@', ' a', '-b', '+B', ' c']);
  assert.ok(diffOf(text('a'), text('\u001b[2J'))?.lines.includes('+\\u001b[2J'));
  const long = diffOf(text(''), text('x\n'.repeat(500)));
  assert.equal([long?.lines.length, long?.more], [40, 461]);
  const other = diffOf(text('a\n'.repeat(2000)), text('b\n'.repeat(2000)));
  assert.match(other?.hidden ?? '', /nearly every line/);
  const secret = diffOf(text('x'), text('token = sealed:v1:AAAA'));
  assert.equal([secret?.lines, secret?.hidden], [[], 'a sealed secret is in it: not shown']);
  assert.is(diffOf(text('a'), text('a')), undefined);
  assert.is(diffOf(text('a'), { path: '/x', source: 'file:///y' }), undefined);
  const [step] = steps(
    { services: { x: { run: 'x', env: { A: 'sealed:v1:old' } } } },
    { services: { x: { run: 'x', env: { A: 'sealed:v1:new' } } } },
  );
  assert.is(JSON.stringify(step), JSON.stringify({ item: 'services/x', change: 'changed', text: 'replace x (env)' }));
});

test('the whole of it: who is away, who has nothing to do, conflicts, colours on a terminal only', () => {
  const plan = planNoun(
    'role/web',
    undefined,
    { services: { x: { run: 'x' } } },
    { name: 'm', prune: false, adopt: false },
  );
  const nodes = [
    {
      node: 'n1',
      steps: steps({ files: { x: text('a\n') } }, { files: { x: text('b\n') } }),
      conflicts: ['services/x: the roles a and b differ'],
    },
    { node: 'n2', steps: [], conflicts: [] },
  ];
  const plain = dryRunLines([plan], nodes, new Set(['n2']), 4, plainText);
  assert.equal(plain, [
    'role/web: 1 added',
    '',
    'n1 (offline: when it is back) would',
    '  write /x',
    '    @@ -1 +1 @@',
    '    -a',
    '    +b',
    '  conflict: services/x: the roles a and b differ',
    '',
    'n2: nothing',
    '',
    '2 other nodes: nothing',
    'Nothing was sent.',
  ]);
  const shown = dryRunLines([plan], nodes, new Set(), 2, coloured).join('\n');
  assert.ok(shown.includes('\u001b[31m-a\u001b[0m') && shown.includes('\u001b[32m+b\u001b[0m'));
  assert.is(paintFor(true, {}), coloured);
  for (const [terminal, env] of [
    [false, {}],
    [true, { NO_COLOR: '1' }],
    [true, { TERM: 'dumb' }],
  ] as const)
    assert.is(paintFor(terminal, env), plainText);
});

test('hints: leftovers, what is taken over, and what would not be pruned', () => {
  const options = { name: 'm', prune: false, adopt: false };
  const own = {
    services: { a: { run: 'a' }, b: { run: 'b' }, c: { run: 'c' } },
    applied: { m: ['services/a'], o: ['services/b'] },
  };
  const said = { services: { b: { run: 'other' }, c: { run: 'c' } } };
  const plan = planNoun('role/web', { document: own, rev: 1 }, said, options);
  const hints = hintsOf([plan], 'm', false);
  assert.match(hints[0] ?? '', /^role\/web: "m" put services\/a there .*: --prune removes it$/);
  assert.match(hints[1] ?? '', /services\/b is taken over from the file "o"/);
  assert.is(hints.length, 2);
  const pruned = planNoun('role/web', { document: own, rev: 1 }, said, { ...options, prune: true });
  assert.match(hintsOf([pruned], 'm', true).join(), /an item of this file was there before it .*--adopt/);
});

const is = (rev: number, err = '', items: Is['items'] = {}): Is => ({
  node: 'n1',
  epoch: 1,
  state: 'ready',
  rev,
  err,
  ver: '1',
  items,
});
const goal: Goal = { node: 'n1', rev: 5, items: ['services/web', 'packages/htop'] };
const state = (...args: Parameters<typeof standingOf>) => standingOf(...args).state;

test('done: the revision is reached, nothing moves, and nothing of it is wrong', () => {
  assert.is(state(goal, undefined, true), 'working');
  assert.is(state(goal, is(4), true), 'working');
  assert.is(state(goal, is(4), false), 'offline');
  assert.is(state(goal, is(5), false), 'done', 'it did so before it left');
  assert.is(state(goal, is(6, '', { 'services/web': { state: 'starting' } }), true), 'working');
  const busy = standingOf(goal, is(6, '', { 'packages/htop': { state: 'changing', doing: 'installing htop' } }), true);
  assert.equal(busy, { state: 'working', text: 'installing htop' });
  assert.is(state(goal, is(6, 'services/web: exit 1', {}), true), 'failed');
  assert.is(state(goal, is(6, 'services/other: exit 1', {}), true), 'done', "another one's trouble");
  assert.is(state(goal, is(6, 'the disk is full', {}), true), 'failed');
  assert.is(
    state(goal, is(6, 'services/other: exit 1', { 'services/web': { state: 'failed', err: 'no' } }), true),
    'failed',
  );
});

test('a line where something is new, and how many are done', () => {
  const progress = new Progress(2);
  assert.is(progress.line('n1', { state: 'working', text: 'has not done it yet …' }), 'n1: has not done it yet …');
  assert.is(progress.line('n1', { state: 'working', text: 'has not done it yet …' }), undefined);
  assert.is(progress.line('n1', { state: 'done', text: 'done' }), 'n1: done (1 of 2)');
  assert.is(progress.line('n1', { state: 'failed', text: 'exit 1' }), 'n1: exit 1');
  assert.is(progress.line('n2', { state: 'done', text: 'done' }), 'n2: done (1 of 2)');
});

test('a rollout is followed, and one that goes no further ends the waiting with its reason', () => {
  const rolling: RoleIs = {
    role: 'web', state: 'rolling', rev: 9, nodes: 4, ok_n: 1, failed_n: 0, current: 'n2', failed: '', why: '', since_ms: 1,
  }; // biome-ignore format: one line
  assert.is(rolloutStanding('web', { ...rolling, rev: 8, state: 'stopped' }, 9), undefined, 'that of before');
  assert.equal(rolloutStanding('web', rolling, 9), {
    state: 'rolling',
    text: 'role/web: 1 of 4 nodes are well with it',
  });
  const failed = { ...rolling, failed: 'n2', why: 'services/x: exit 1' };
  assert.equal(rolloutStanding('web', { ...failed, state: 'stopped' }, 9), {
    state: 'over',
    text: 'role/web: its rollout has stopped at n2: services/x: exit 1; 1 of 4 nodes are well with it',
  });
  assert.match(rolloutStanding('web', { ...failed, state: 'reverted' }, 9)?.text ?? '', /was taken back at n2/);
  assert.is(rolloutStanding('web', { ...rolling, state: 'paused' }, 9)?.state, 'rolling');
  assert.is(rolloutStanding('web', { ...rolling, state: 'done' }, 9)?.state, 'done');
});

test('every node that a document of the file reaches has to get there, also where it changes nothing now', () => {
  const options = { name: 'm', prune: false, adopt: false };
  const documents = new Map<NounPath, Accepted>([
    ['role/web', { document: { services: { x: { run: 'x' } } }, rev: 3 }],
    ['node/n1', { document: { roles: ['web'] }, rev: 2 }],
    ['node/n2', { document: {}, rev: 7 }],
  ]);
  const plan = planNoun('role/web', documents.get('role/web'), { services: { x: { run: 'x' } } }, options);
  const goals = goalsOf(
    [plan],
    outlook({ documents, wants: new Map() }, []),
    new Map([...documents].map(([path, { rev }]) => [path, rev])),
  );
  assert.equal(goals, [{ node: 'n1', rev: 3, items: ['services/x'] }]);
});

test.run();
