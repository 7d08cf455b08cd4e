/** The pure parts: planning, templates, owners, retries. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Accounts, ownerOf } from '../../node-agent/reconcile/files/accounts.ts';
import { type FilesIs, type HeldIs, planFiles } from '../../node-agent/reconcile/files/plan.ts';
import { Retries } from '../../node-agent/reconcile/files/retries.ts';
import { localPath, type Target, targetOf } from '../../node-agent/reconcile/files/target.ts';
import { render } from '../../node-agent/reconcile/files/template.ts';
import { type FileItem, fileSchema } from '../../shared/schemas/file.ts';
import { seededRandom } from '../fixture/manual-clock.ts';

const pure = suite('files plan');
const accounts: Accounts = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\npi:x:1000:1001::/home/pi:/bin/sh\npi:x:1:1::/:/bin/sh\nbad:x:-1:0::/:\n',
  group: 'root:x:0:\npi:x:1001:\nvideo:x:44:pi\n',
  uid: 0,
  groups: [0],
};
const around = { facts: { 'node.id': 'n1' }, accounts, sourceSeen: () => 'seen', ownFolder: '/var/lib/hearth' };
const aim = (item: FileItem): Target => {
  const target = targetOf(item, around);
  if ('wrong' in target) throw new Error(target.wrong);
  return target;
};
const archive = 'a'.repeat(64);
const folder = (path: string): FileItem => ({ path, source: `artifact:${archive}`, unpack: true });
const file = (path: string, content = 'x'): FileItem => ({ path, content });

/** What is after `items` were made, less what is not said. */
function isAfter(items: Record<string, FileItem>, wanted = items, drifted: readonly string[] = []): FilesIs {
  const held = new Map<string, HeldIs>();
  for (const [item, said] of Object.entries(items)) {
    const { path, what, key } = aim(said);
    held.set(path, { item, what, key, isDrifted: drifted.includes(item) });
  }
  const targets = new Map(Object.entries(wanted).map(([name, item]) => [name, aim(item)]));
  return { held, targets, there: new Set(), waiting: new Set() };
}
const planned = (is: FilesIs, wanted: Record<string, FileItem>) =>
  planFiles(is, wanted).map(({ id, step, after }) => [id, step, ...after].join(' '));

pure('the same again plans nothing, whatever it is', () => {
  const all: Record<string, FileItem> = { a: file('/a'), b: folder('/b'), c: { path: '/c', state: 'absent' } };
  assert.equal(planned(isAfter(all), all), []);
});

pure('what goes is restored inner paths first, what comes waits for what stood in its way', () => {
  const old = { outer: folder('/opt/app'), inner: file('/opt/app/etc/conf'), far: file('/far') };
  assert.equal(planned(isAfter(old, {}), {}), [
    'restore:/opt/app/etc/conf file.restore',
    'restore:/opt/app folder.restore'.replace('folder', 'file').concat(' restore:/opt/app/etc/conf'),
    'restore:/far file.restore',
  ]);
  const next = { x: file('/opt/app'), y: file('/y') };
  assert.equal(planned(isAfter(old, next), next).slice(-2), [
    'files/x file.write restore:/opt/app/etc/conf restore:/opt/app',
    'files/y file.write',
  ]);
});

pure('a file in a folder that is unpacked anew is made anew after it', () => {
  const items = { app: folder('/opt/app'), conf: file('/opt/app/conf') };
  assert.equal(planned(isAfter({}, items), items), ['files/app folder.unpack', 'files/conf file.write files/app']);
  const next = { ...items, app: { ...folder('/opt/app'), strip: 1 } };
  assert.equal(planned(isAfter(items, next), next), ['files/app folder.unpack', 'files/conf file.write files/app']);
  assert.equal(planned(isAfter(items, items, ['app']), items), ['files/app folder.repair']);
});

pure('drift is put right, or left alone where it is only to be reported; another kind is restored first', () => {
  const a = { a: file('/a') };
  const report: Record<string, FileItem> = { a: { ...file('/a'), drift: 'report' } };
  assert.equal(planned(isAfter(a, a, ['a']), a), ['files/a file.write']);
  assert.equal(planned(isAfter(report, report, ['a']), report), []);
  const absent: Record<string, FileItem> = { a: { path: '/a', state: 'absent' } };
  assert.equal(planned(isAfter(a, absent), absent), ['restore:/a file.restore', 'files/a file.remove restore:/a']);
});

pure('what waits, and what cannot be made for now, keeps what is there', () => {
  const a = { a: file('/a') };
  const next = { a: file('/a', 'new') };
  assert.equal(planned({ ...isAfter(a, next), waiting: new Set(['a']) }, next), []);
  assert.equal(planned({ ...isAfter(a, next), targets: new Map() }, next), []);
});

pure('a template names facts, keeps doubled braces, and says what it does not know', () => {
  const facts = { 'node.id': 'n1', 'node.cores': 4, 'label.gpu': true };
  assert.equal(render('{{node.id}} {{ node.cores }} {{\tlabel.gpu}} } }} { {{{{ x }}', facts), {
    text: 'n1 4 true } }} { {{ x }}',
  });
  assert.equal(render('a\nb {{ node.ids }}', facts), {
    wrong: 'line 2 of the template: this node has no fact "node.ids": is it "node.id"?',
  });
  assert.match(JSON.stringify(render('{{ constructor }}', facts)), /has no fact/);
  assert.match(JSON.stringify(render('x {{ if .Name }}', facts)), /begins no fact; write/);
  assert.match(JSON.stringify(render('{{ big }}'.repeat(100), { big: 'x'.repeat(9000) })), /longer than 256 kB/);
});

pure('owners are found by name or number, or it is said what is wrong', () => {
  assert.equal(ownerOf('pi', accounts), { uid: 1000, gid: 1001 });
  assert.equal(ownerOf('pi:video', accounts), { uid: 1000, gid: 44 });
  assert.equal(ownerOf('1000', accounts), { uid: 1000, gid: 1001 });
  assert.equal(ownerOf('77:88', accounts), { uid: 77, gid: 88 });
  assert.equal(
    ownerOf('4294967295', accounts),
    'there is no user "4294967295" in /etc/passwd: make it, or use a number',
  );
  assert.equal(ownerOf('pie', accounts), 'there is no user "pie" in /etc/passwd: is it "pi"?');
  assert.equal(ownerOf('bad', accounts), 'there is no user "bad" in /etc/passwd: make it, or use a number');
  assert.match(String(ownerOf('pi:vidio', accounts)), /no group "vidio" in \/etc\/group: is it "video"/);
  const plain = { ...accounts, uid: 1000, groups: [1001, 44] };
  assert.equal(ownerOf('pi:video', plain), { uid: 1000, gid: 44 });
  assert.is(ownerOf('root', plain), 'owner root: needs root');
  assert.is(ownerOf('pi:root', plain), 'owner pi:root: needs root');
});

pure('what a target is made of is in its key', () => {
  const base = file('/a');
  const keys = [base, { ...base, mode: '0600' }, { ...base, owner: 'pi' }, { ...base, content: 'y' }].map(
    item => aim(item).key,
  );
  assert.is(new Set(keys).size, 4);
  assert.is(aim({ ...base, drift: 'report' }).key, aim(base).key);
  assert.is(localPath('file:///a%20b'), '/a b');
  assert.match(JSON.stringify(targetOf(file('/var//lib/hearth/x'), around)), /agent's own folder/);
});

pure('tries again later and later, at once when something else is wanted, and never all at the same time', () => {
  const retries = new Retries(seededRandom(3));
  const waits: number[] = [];
  let now = 0;
  for (let round = 0; round < 12; round++) {
    const { nextAt } = retries.failed('a', 'k', 'away', true, now);
    assert.ok(
      retries.waiting('a', 'k', now) && !retries.waiting('a', 'other', now) && !retries.waiting('a', 'k', nextAt),
    );
    assert.is(retries.nextAt(now), nextAt);
    waits.push((nextAt - now) / 1000);
    now = nextAt;
  }
  for (const [round, wait] of waits.entries()) {
    const most = Math.min(3600, 30 * 2 ** round);
    assert.ok(wait >= most / 2 && wait <= most, `${round}: ${wait}`);
  }
  assert.ok(retries.failed('b', 'k', 'refused', false, 0).nextAt >= 120_000);
  retries.succeeded('a');
  assert.not.ok(retries.waiting('a', 'k', now));
});

pure('a file that is put right more than five times in ten minutes is left alone, for longer each time', () => {
  const retries = new Retries(seededRandom(3));
  for (let at = 0; at < 5; at++) retries.repaired('a', at * 1000);
  assert.is(retries.fighting('a', 6000), undefined);
  retries.repaired('a', 6000);
  assert.is(retries.fighting('a', 7000), 606_000);
  for (let at = 0; at < 6; at++) retries.repaired('a', 610_000 + at);
  assert.is(retries.fighting('a', 611_000), 610_005 + 1_200_000);
  for (let at = 0; at < 20; at++) retries.repaired('slow', at * 130_000);
  assert.is(retries.fighting('slow', 20 * 130_000), undefined);
});

pure('the schema says what goes with what', () => {
  const wrong = (item: unknown) => fileSchema.safeParse(item).error?.issues.map(({ path }) => path.join('.')) ?? [];
  assert.equal(wrong({ path: '/a', content: 'x' }), []);
  assert.equal(wrong({ path: '/a' }), ['content']);
  assert.equal(wrong({ path: '/a', content: 'x', source: 'file:///x' }), ['content']);
  assert.equal(wrong({ path: '/a', source: 'https://x/y' }), ['sha256']);
  assert.equal(wrong({ path: 'a', content: '' }), ['path']);
  assert.equal(wrong({ path: '/a/../b', content: '' }), ['path']);
  assert.equal(wrong({ path: '/a', content: 'x'.repeat(16 * 1024 + 1) }), ['content']);
  assert.equal(wrong({ path: '/a', state: 'absent', content: 'x' }), ['content']);
  assert.equal(wrong({ path: '/a', source: 'file:///x', unpack: true, mode: '0644' }), ['mode']);
  assert.equal(wrong({ path: '/a', source: 'file:///x', template: true }), ['template']);
});

pure.run();
