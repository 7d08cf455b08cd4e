/** The promises of the outbox's disk, kept by the file and by the one in memory; and the file's through crashes. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Ended } from '../../node-agent/work/executor.ts';
import type { OutboxDisk } from '../../node-agent/work/outbox.ts';
import { createOutboxFile, outboxFile } from '../../node-agent/work/outbox-file.ts';
import { MemoryOutbox } from '../../node-agent/work/outbox-memory.ts';
import { folder } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { smallDisk } from '../fixture/small-disk.ts';

const result = (token: number, more: Partial<Ended> = {}): Ended => ({
  ...{ token, r: 1, index: token - 1, attempt: 1, ms: 12.5, shareMs: 6.25 },
  ...more,
});

/** Opens a new one, and opens the same one again. */
const kinds: Record<string, () => () => OutboxDisk> = {
  memory: () => {
    const one = new MemoryOutbox();
    return () => one;
  },
  file: () => {
    const place = join(folder(), 'work');
    return () => createOutboxFile(place);
  },
};

for (const [name, create] of Object.entries(kinds)) {
  const outbox = suite(`outbox: ${name}`);

  outbox('an empty one has nothing', () => {
    assert.equal(create()().load(), []);
  });

  outbox('what was appended and not removed is there again, in order and as it was', () => {
    const open = create();
    const ends = [
      result(1),
      result(2, { end: { value: { a: ['ü€😀', '\n\0', null, 1.5] } } }),
      result(3, { end: { why: 'exit', exit: 1, out: 'x'.repeat(70_000), errout: '"\\\n' } }),
      result(2 ** 50, { end: { files: { out: 'f'.repeat(64) } } }),
    ];
    const one = open();
    one.load();
    one.append(ends.slice(0, 2), false);
    one.append(ends.slice(2), true);
    one.remove([1, 77]);
    one.close();
    const again = open();
    assert.equal(again.load(), ends.slice(1));
    again.remove([2, 3]);
    again.append([result(5)], false);
    again.close();
    assert.equal(open().load(), [ends[3], result(5)]);
  });

  outbox('all gone, it is empty, and takes more', () => {
    const open = create();
    const one = open();
    one.load();
    one.append([result(1), result(2)], false);
    one.remove([1, 2]);
    one.append([result(3)], false);
    one.close();
    assert.equal(open().load(), [result(3)]);
  });

  outbox.run();
}

const file = suite('outbox: a file in trouble');

function opened() {
  const place = join(folder(), 'work');
  const path = join(place, outboxFile);
  const one = createOutboxFile(place);
  one.load();
  return { place, path, one, again: () => createOutboxFile(place).load() };
}

file('cut anywhere, what was whole before is there, and what comes after is read', () => {
  const { place, path, one } = opened();
  const all = Array.from({ length: 5 }, (_, nth) => result(nth + 1, { end: { out: 'line\n'.repeat(3) } }));
  one.append(all, true);
  const text = readFileSync(path);
  const lines = text.toString().split('\n').slice(0, -1);
  for (let size = text.length; size >= 0; size -= 7) {
    writeFileSync(path, text.subarray(0, size));
    const whole = text.subarray(0, size).toString().split('\n').length - 1;
    const disk = createOutboxFile(place);
    assert.equal(disk.load(), all.slice(0, whole), `${size} bytes`);
    disk.append([result(9)], false);
    disk.close();
    assert.equal(createOutboxFile(place).load(), [...all.slice(0, whole), result(9)], `${size} bytes, and one more`);
  }
  assert.is(lines.length, 5);
});

file('a line that is none costs itself alone', () => {
  const { path, one, again } = opened();
  one.append([result(1)], false);
  const rubbish = [
    '',
    'rubbish',
    '\0'.repeat(500),
    '["r",1,2]',
    '["r",-1,1,1,1,1,1]',
    '["r",7,1,1,1,1,1,{"exit":"x"}]',
    '["a",[1]]',
    '["a",[1,99999999999]]',
    '{"r":1}',
    'null',
  ];
  for (const line of rubbish) appendFileSync(path, `${line}\n`);
  appendFileSync(path, '["r",2,1,1,1,12.5,6.25]\n');
  assert.equal(again(), [result(1), result(2)]);
  assert.is(readFileSync(path, 'utf8').split('\n').length, 3, 'and is gone after that');
  assert.equal(again(), [result(1), result(2)]);
});

file('it is empty when nothing waits, and written anew when most of it is void', () => {
  const { path, one, again } = opened();
  one.append([result(1)], false);
  assert.ok(statSync(path).size > 0);
  one.remove([1]);
  assert.is(statSync(path).size, 0);
  one.append([result(1)], false);
  let largest = 0;
  for (let token = 2; token < 400; token++) {
    one.append([result(token, { end: { out: 'x'.repeat(20_000) } })], false);
    one.remove([token]);
    largest = Math.max(largest, statSync(path).size);
  }
  assert.ok(largest < 1.2 * 2 ** 20, `${largest}`);
  assert.equal(again(), [result(1)]);
});

file('a folder that cannot be is one sentence, and afterwards it works', () => {
  const place = join(folder(), 'work');
  writeFileSync(place, '');
  const one = createOutboxFile(place);
  assert.throws(() => one.load(), /cannot read the results that wait in .*outbox.log/);
  assert.throws(() => one.append([result(1)], true), /cannot keep results in .*outbox.log.*disk full/);
  one.remove([1]);
  truncateSync(place);
  const other = join(folder(), 'work');
  mkdirSync(other);
  const two = createOutboxFile(other);
  two.append([result(1)], true);
  assert.ok(existsSync(join(other, outboxFile)));
  assert.is(statSync(join(other, outboxFile)).mode & 0o777, 0o600);
});

testWith(
  file,
  ['mount', 'root'],
  'on a full disk an append is whole or not at all, and the next one that fits is read',
  () => {
    const disk = smallDisk('size=256k');
    try {
      const place = join(disk.path, 'work');
      const one = createOutboxFile(place);
      one.load();
      one.append([result(1)], true);
      disk.fill();
      const large = result(2, { end: { out: 'x'.repeat(50_000) } });
      assert.throws(() => one.append([large], true), /ENOSPC/);
      one.append([result(3)], false);
      disk.empty();
      one.append([result(4)], false);
      one.close();
      const lines = readFileSync(join(place, outboxFile), 'utf8').split('\n');
      assert.is(lines.length, 4, 'no half line');
      assert.equal(createOutboxFile(place).load(), [result(1), result(3), result(4)]);
    } finally {
      disk.unmount();
    }
  },
);

file.run();
