/** Limits by control groups of both versions, in a tree that answers as the kernel does, and what stands in their files. */
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GroupFiles } from '../../node-agent/reconcile/services/group-files.ts';
import { oomKills, writesFor } from '../../node-agent/reconcile/services/limit-files.ts';
import { LimitGroups, noteOf } from '../../node-agent/reconcile/services/limit-groups.ts';

const groups = suite('limits by groups');
const unit = 'a'.repeat(32);
const mb = 1024 * 1024;

const failure = (code: string) => Object.assign(new Error(code), { code });
const words = (text: string | undefined) => (text ?? '').split(/\s+/).filter(Boolean);

/**
 * A mounted hierarchy: of version 2 a group has a controller's files where the group above hands it on, and one with
 * processes hands nothing on (cgroup-v2.rst, "No Internal Process Constraint"), the topmost excepted.
 */
class FakeGroups implements GroupFiles {
  readonly files = new Map<string, string>();
  readonly folders = new Set<string>();
  /** Groups with processes of their own. */
  readonly busy = new Set<string>();
  /** Below these nothing may be changed; the most specific of both says. */
  readonly denied: string[] = [];
  readonly allowed: string[] = [];
  readonly written: string[] = [];

  readonly top: string;
  readonly version: 1 | 2;

  constructor(top: string, version: 1 | 2, controllers: string) {
    this.top = top;
    this.version = version;
    this.#make(top, controllers);
  }

  /** As systemd makes them: every group above hands on what the last one has. */
  group(path: string, handed: string): this {
    let at = this.top;
    for (const level of path.split('/').filter(Boolean)) {
      if (handed !== '') this.files.set(join(at, 'cgroup.subtree_control'), handed);
      at = join(at, level);
      if (!this.folders.has(at)) this.#make(at, handed);
    }
    return this;
  }

  read(path: string): string {
    const text = this.files.get(path);
    if (text === undefined) throw failure('ENOENT');
    return text;
  }

  write(path: string, text: string): void {
    if (!this.files.has(path)) throw failure('ENOENT');
    this.#check(path);
    this.written.push(`${path.slice(this.top.length)} ${text}`);
    if (!path.endsWith('/cgroup.subtree_control')) {
      this.files.set(path, text);
      return;
    }
    const at = dirname(path);
    const controller = text.slice(1);
    if (!words(this.files.get(join(at, 'cgroup.controllers'))).includes(controller)) throw failure('ENOENT');
    if (this.busy.has(at) && at !== this.top) throw failure('EBUSY');
    this.files.set(path, [...words(this.files.get(path)), controller].join(' '));
    for (const child of this.folders) if (dirname(child) === at) this.#hand(child, controller);
  }

  /** The kernel makes a controller's files in groups that are there already. */
  #hand(group: string, controller: string): void {
    const path = join(group, 'cgroup.controllers');
    if (words(this.files.get(path)).includes(controller)) return;
    this.files.set(path, `${this.files.get(path)} ${controller}`.trim());
    this.#controlled(group, controller);
  }

  writeLater(path: string, text: string, done: (error: Error | null) => void): void {
    try {
      this.write(path, text);
      done(null);
    } catch (error) {
      done(error as Error);
    }
  }

  makeFolder(path: string): void {
    if (this.folders.has(path)) return;
    if (!this.folders.has(dirname(path))) throw failure('ENOENT');
    this.#check(path);
    this.#make(path, this.files.get(join(dirname(path), 'cgroup.subtree_control')) ?? '');
  }

  #check(path: string): void {
    const deepest = (rules: readonly string[]) =>
      Math.max(-1, ...rules.filter(rule => path.startsWith(rule)).map(rule => rule.length));
    if (deepest(this.denied) > deepest(this.allowed)) throw failure('EACCES');
  }

  #make(path: string, controllers: string): void {
    this.folders.add(path);
    const has = (name: string) => this.files.set(join(path, name), '');
    if (this.version === 1) {
      for (const name of [
        'memory.limit_in_bytes',
        'memory.oom_control',
        'cpu.cfs_period_us',
        'cpu.cfs_quota_us',
        'pids.max',
      ])
        if (words(controllers).includes(name.split('.')[0] ?? '')) has(name);
      return;
    }
    this.files.set(join(path, 'cgroup.controllers'), controllers);
    has('cgroup.subtree_control');
    this.#controlled(path, controllers);
  }

  #controlled(path: string, controllers: string): void {
    const files = { memory: ['max', 'swap.max', 'oom.group', 'events'], cpu: ['max', 'weight'], pids: ['max'] };
    for (const [name, kinds] of Object.entries(files)) {
      if (words(controllers).includes(name))
        for (const kind of kinds) this.files.set(join(path, `${name}.${kind}`), '');
    }
  }
}

const second = (own: string) => [
  { version: 2 as const, controllers: [], top: '/cg', own: own === '/' ? '/cg' : join('/cg', own) },
];
const limits = { memory_mb: 200, cpu_pct: 50, pids: 20 };

/** What stands in a file of a group. */
const has = (files: FakeGroups, group: string | undefined, name: string) => files.files.get(join(group ?? '', name));

groups('version 2, root below systemd: the agent’s own group is busy, so the slice above hands on', () => {
  const files = new FakeGroups('/cg', 2, 'cpu io memory pids').group(
    'system.slice/hearth-agent.service',
    'memory pids',
  );
  const own = '/cg/system.slice/hearth-agent.service';
  files.busy.add(own);
  const made = new LimitGroups(second('system.slice/hearth-agent.service'), files, true).make(unit, limits);
  assert.is(made.group, `/cg/system.slice/hearth-units/${unit}`);
  // cpu was on at the top only after it was asked for; the next agent of the same boot finds the same place all the same.
  const next = new LimitGroups(second('system.slice/hearth-agent.service'), files, true);
  assert.is(next.make(unit, limits).group, made.group);
  assert.equal(made.groups, [made.group]);
  assert.is(made.note, undefined);
  assert.is(has(files, made.group, 'memory.max'), String(200 * mb));
  assert.is(has(files, made.group, 'memory.swap.max'), '0');
  assert.is(has(files, made.group, 'memory.oom.group'), '1');
  assert.is(has(files, made.group, 'cpu.max'), '50000 100000');
  assert.is(has(files, made.group, 'pids.max'), '20');
  assert.is(has(files, '/cg/system.slice/hearth-units', 'cpu.weight'), '50');
  assert.not.ok(files.folders.has(`${own}/hearth-units`));
});

groups('version 2: the nearest group that has it all is taken', () => {
  const files = new FakeGroups('/cg', 2, 'cpu memory pids').group('system.slice/hearth.service', 'cpu memory pids');
  files.busy.add('/cg/system.slice/hearth.service');
  const limited = new LimitGroups(second('system.slice/hearth.service'), files, true);
  assert.is(limited.make(unit, { pids: 5 }).group, `/cg/system.slice/hearth-units/${unit}`);
  const before = files.written.length;
  limited.make('b'.repeat(32), { pids: 5 });
  assert.equal(
    files.written.slice(before),
    [`/system.slice/hearth-units/${'b'.repeat(32)}/pids.max 5`],
    'looked for once',
  );
});

groups('version 2, a user to whom some is delegated: what is missing is in the note, the rest is enforced', () => {
  const path = 'user.slice/user-1000.slice/user@1000.service/app.slice/hearth.service';
  const files = new FakeGroups('/cg', 2, 'cpu memory pids').group(path, 'memory pids');
  files.busy.add(join('/cg', path));
  files.denied.push('/cg');
  files.allowed.push('/cg/user.slice/user-1000.slice/user@1000.service/');
  const made = new LimitGroups(second(path), files, false).make(unit, limits);
  assert.is(made.group, `/cg/user.slice/user-1000.slice/user@1000.service/app.slice/hearth-units/${unit}`);
  assert.is(has(files, made.group, 'memory.max'), String(200 * mb));
  assert.is(made.note, 'cpu_pct not enforced: needs root, or control groups delegated to this user');
});

groups('version 2, nothing delegated', () => {
  const files = new FakeGroups('/cg', 2, 'cpu memory pids').group('user.slice/session-3.scope', 'memory pids');
  files.busy.add('/cg/user.slice/session-3.scope');
  files.denied.push('/cg');
  const made = new LimitGroups(second('user.slice/session-3.scope'), files, false).make(unit, limits);
  assert.is(made.group, undefined);
  assert.equal(made.groups, []);
  assert.is(made.note, 'memory_mb, cpu_pct, pids not enforced: needs root, or control groups delegated to this user');
});

groups('version 2 without a memory controller: the note says what to do about it on a Raspberry Pi', () => {
  const files = new FakeGroups('/cg', 2, 'cpu pids');
  const made = new LimitGroups(second('/'), files, true).make(unit, limits);
  assert.match(made.note ?? '', /^memory_mb not enforced: this kernel has no memory controller .*cgroup_enable=memory/);
  assert.is(has(files, made.group, 'pids.max'), '20');
  assert.is(has(files, made.group, 'cpu.max'), '50000 100000');
});

groups('version 1: a group in each hierarchy that is needed, and in no other', () => {
  const files = new FakeGroups('/cg', 1, '');
  for (const name of ['memory', 'cpu', 'pids']) {
    const one = new FakeGroups(`/cg/${name}`, 1, name);
    for (const [path, text] of one.files) files.files.set(path, text);
    files.folders.add(`/cg/${name}`).add(`/cg/${name}/own`);
  }
  const hierarchies = ['memory', 'cpu', 'pids'].map(name => ({
    ...{ version: 1 as const, controllers: [name], top: `/cg/${name}`, own: `/cg/${name}/own` },
  }));
  const make = files.makeFolder.bind(files);
  files.makeFolder = path => {
    make(path);
    const name = path.split('/')[2];
    const kinds =
      { memory: ['limit_in_bytes'], cpu: ['cfs_period_us', 'cfs_quota_us'], pids: ['max'] }[name ?? ''] ?? [];
    for (const kind of kinds) files.files.set(join(path, `${name}.${kind}`), '');
  };
  const limited = new LimitGroups([...hierarchies, ...second('/')], files, true);
  const made = limited.make(unit, { memory_mb: 200, cpu_pct: 150 });
  assert.is(made.group, undefined, 'version 2 keeps the group that every unit has');
  assert.equal(made.groups, [`/cg/memory/own/hearth-units/${unit}`, `/cg/cpu/own/hearth-units/${unit}`]);
  assert.is(made.note, undefined, 'a kernel that does not count swap enforces memory all the same');
  assert.is(has(files, made.groups[0], 'memory.limit_in_bytes'), String(200 * mb));
  assert.is(has(files, made.groups[1], 'cpu.cfs_quota_us'), '150000');
  assert.not.ok(files.folders.has(`/cg/pids/own/hearth-units/${unit}`));
});

groups('other limits: what is gone is lifted, and less memory than is used holds from the next start', () => {
  const files = new FakeGroups('/cg', 2, 'cpu memory pids');
  const limited = new LimitGroups(second('/'), files, true);
  const { group } = limited.make(unit, limits);
  let told: string | undefined = 'not told';
  limited.change(unit, { memory_mb: 300 }, limits, ({ note, groups }) => {
    told = note;
    assert.equal(groups, [group]);
  });
  assert.is(told, undefined);
  assert.equal(
    ['memory.max', 'cpu.max', 'pids.max'].map(name => has(files, group, name)),
    [String(300 * mb), 'max 100000', 'max'],
  );
  const write = files.write.bind(files);
  files.write = (path, text) => {
    if (path.endsWith('memory.max')) throw failure('EBUSY');
    write(path, text);
  };
  limited.change(unit, { memory_mb: 10 }, { memory_mb: 300 }, ({ note }) => {
    told = note;
  });
  assert.is(told, 'memory_mb not enforced: it uses more already, so it holds from its next start on');
});

groups('what was killed for want of memory is counted over all groups', () => {
  const files = new FakeGroups('/cg', 2, 'memory pids');
  const limited = new LimitGroups(second('/'), files, true);
  const { groups: made } = limited.make(unit, { memory_mb: 5, pids: 5 });
  assert.is(limited.killed(made), 0);
  files.files.set(join(made[0] ?? '', 'memory.events'), 'low 0\nhigh 0\nmax 12\noom 2\noom_kill 2\noom_group_kill 1\n');
  assert.is(limited.killed([...made, '/cg/pids/other']), 2);
  assert.is(oomKills('oom_kill_disable 0\nunder_oom 0\noom_kill 3\n'), 3);
  assert.is(oomKills('oom_kill_disable 1\nunder_oom 0\n'), 0);
});

groups('memory and swap of version 1 are never below each other on the way', () => {
  const files = writesFor(1, 'memory_mb', 64).map(({ file, text }) => [file, text]);
  assert.equal(files, [
    ['memory.memsw.limit_in_bytes', '-1'],
    ['memory.limit_in_bytes', String(64 * mb)],
    ['memory.memsw.limit_in_bytes', String(64 * mb)],
  ]);
  assert.equal(
    writesFor(2, 'cpu_pct', 1).map(({ text }) => text),
    ['1000 100000'],
  );
  assert.equal(
    writesFor(1, 'cpu_pct', undefined).map(({ text }) => text),
    ['100000', '-1'],
  );
});

groups('a note is short whatever stands in the way', () => {
  const long = noteOf(new Map([['memory_mb', 'x'.repeat(300)]])) ?? '';
  assert.is(long.length, 200);
  assert.is(noteOf(new Map()), undefined);
});

groups.run();
