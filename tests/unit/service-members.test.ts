import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { storedOf } from '../../node-agent/reconcile/services/file-part.ts';
import { findMembers } from '../../node-agent/reconcile/services/members.ts';
import { type ProcessStat, parseStat } from '../../node-agent/reconcile/services/processes.ts';
import { exitFromStatus } from '../../node-agent/reconcile/services/unit-folder.ts';

const members = suite('service members');

/** Numbers far above what a machine gives, so that /proc has nothing to say about them. */
const base = 90_000_000;
const proc = (pid: number, parent: number, session: number, start = 100): ProcessStat => ({
  pid: base + pid,
  name: 'x',
  state: 'S',
  parent: parent === 1 ? 1 : base + parent,
  session: base + session,
  kernel: false,
  start,
});
const found = (grouped: number[], all: ProcessStat[]) =>
  findMembers({ unit: 'u', grouped: new Set(grouped.map(pid => base + pid)) }, all)
    .map(({ pid }) => pid - base)
    .sort((a, b) => a - b);

members('children and sessions of members are members, to any depth', () => {
  const all = [proc(10, 1, 10), proc(11, 10, 10), proc(12, 11, 12), proc(13, 1, 12), proc(14, 13, 14), proc(20, 1, 20)];
  assert.equal(found([11], all), [11, 12, 13, 14]);
  assert.equal(found([10], all), [10, 11, 12, 13, 14]);
});

members('a session whose leader lives and is no member was not made by the unit', () => {
  const terminal = [proc(30, 1, 30), proc(31, 30, 30), proc(32, 30, 30)];
  assert.equal(found([31], terminal), [31]);
});

members('the shim and the main process are known by number and start time, and only by both', () => {
  const main = proc(41, 40, 40, 205);
  const all = [proc(40, 1, 40, 200), main, proc(50, 1, 50, 300)];
  const of = (run: ProcessStat) =>
    findMembers({ unit: 'u', run: { boot: 'b', main: run }, grouped: new Set() }, all).map(({ pid }) => pid - base);
  assert.equal(of(main), [40, 41]);
  assert.equal(of({ ...main, pid: base + 50, parent: base + 51 }), [], 'the main number went to somebody else');
  assert.equal(of({ ...main, pid: base + 60, parent: base + 50 }), [], 'the shim number did: it started later');
});

members('a name with blanks and brackets does not shift the fields', () => {
  const text = '123 (a) S 9) R 1 123 122 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 555 0 0';
  assert.equal(parseStat(text), {
    pid: 123,
    name: 'a) S 9',
    state: 'R',
    parent: 1,
    session: 122,
    kernel: false,
    start: 555,
  });
  for (const broken of ['', 'x', '123', '123 (a', '123 (a) S', '-1 (a) S 1 1 1', 'NaN (a) S 1 1 1 0']) {
    assert.is(parseStat(broken), undefined, broken);
  }
});

members('a status is a code, or 128 and a signal', () => {
  assert.equal([0, 127, 128, 137, 143, 255].map(exitFromStatus), [
    { code: 0 },
    { code: 127 },
    { code: 128 },
    { signal: 'KILL' },
    { signal: 'TERM' },
    { code: 255 },
  ]);
});

members('what an output takes on disk: no hole counts, and where no blocks are counted all of it', () => {
  assert.is(storedOf(0, 0), 0);
  assert.is(storedOf(5_000_000, 8), 4096);
  assert.is(storedOf(100, 8), 100);
  assert.is(storedOf(5_000_000, 0), 5_000_000);
});

members.run();
