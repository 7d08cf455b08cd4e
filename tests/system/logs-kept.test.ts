/** Output that is kept on the node: as much as is said, cut without losing the end, the last lines across the cut. */
import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { lastLines } from '../../node-agent/reconcile/services/line-reader.ts';
import { OutputFile } from '../../node-agent/reconcile/services/output-file.ts';
import { folder, until } from '../fixture/processes.ts';
import { hosted, servicesSuite } from '../fixture/services-rig.ts';

const kept = suite('output that is kept');
const mb = 1024 * 1024;
const line = (index: number) => `${String(index).padStart(7, '0')} ${'x'.repeat(91)}\n`;
const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => line(from + index)).join('');
const number = (text: string | undefined) => Number(text?.slice(0, 7));

for (const limit of [1 * mb, 5 * mb]) {
  kept(`${limit / mb} MB: cut above, nothing of the end lost, and before it an unbroken row`, async () => {
    const path = join(folder(), 'output');
    writeFileSync(path, '');
    const file = new OutputFile(path, limit, () => {});
    const many = Math.ceil((limit * 1.2) / 100);
    appendFileSync(path, lines(0, many));
    await until('it is cut', () => existsSync(`${path}.1`) && statSync(path).size === 0);
    appendFileSync(path, lines(many, many + 50));
    file.close();
    const last = lastLines(path, 2000);
    assert.is(last.length, 2000);
    assert.equal(
      last.map(number),
      Array.from({ length: 2000 }, (_, index) => many + 50 - 2000 + index),
    );
    assert.ok(statSync(`${path}.1`).size <= limit * 1.5);
  });
}

kept('what is written while it is copied is in one of the two parts', async () => {
  const path = join(folder(), 'output');
  writeFileSync(path, '');
  const file = new OutputFile(path, 3 * mb, () => {});
  let written = Math.ceil((3 * mb * 1.1) / 100);
  appendFileSync(path, lines(0, written));
  // The copy is made on another thread: as soon as it is there, and before the file is emptied, there is more.
  await until('it is being copied', () => existsSync(`${path}.1`));
  for (let round = 0; round < 20; round++) {
    appendFileSync(path, lines(written, written + 20));
    written += 20;
    await new Promise(resolve => setImmediate(resolve));
  }
  await until('it is emptied', () => statSync(path).size < mb);
  file.close();
  // What came last may be what was lost: a line after the gap shows its end.
  appendFileSync(path, line(written++));
  const all = `${readFileSync(`${path}.1`, 'utf8')}${readFileSync(path, 'utf8')}`.trimEnd().split('\n').map(number);
  assert.is(all.at(-1), written - 1);
  const lost = all.filter((each, index) => index > 0 && each !== (all[index - 1] ?? 0) + 1);
  assert.ok(lost.length <= 1, `at most one gap, of what came between the last look and the emptying: ${lost}`);
});

kept('a newest part of long lines has no older part put before what was not read of it', () => {
  const path = join(folder(), 'output');
  writeFileSync(`${path}.1`, 'older\n');
  writeFileSync(path, Array.from({ length: 60 }, (_, index) => `${index} ${'y'.repeat(1000)}\n`).join(''));
  const last = lastLines(path, 50).map(each => each.split(' ')[0]);
  assert.not(last.includes('older'), last.join());
  assert.is(last.at(-1), '59');
});

kept.run();

const hosts = servicesSuite('log_mb of a service');

hosts('is what is kept, from the start and as adjusted', async ({ home }) => {
  const watch = await hosted(home);
  const gate = join(home, 'gate');
  const wait = (index: number) => `until [ -e ${gate}${index} ]; do sleep 0.02; done`;
  const write = 'head -c 1500000 /dev/zero | tr "\\0" x; echo';
  const spec = { run: `${write}; echo first; ${wait(1)}; ${write}; echo second; exec sleep 4321`, log_mb: 2 };
  const { unit } = await watch.start(spec);
  const output = join(home, 'units', unit, 'output');
  await watch.says(unit, 'first');
  assert.is(statSync(output).size, 1500000 + 7, 'nothing is cut below 2 MB');
  await new Promise<void>(resolve => watch.host.adjust(unit, { ...spec, log_mb: 1 }, resolve));
  writeFileSync(`${gate}1`, '');
  await until('it is cut', () => existsSync(`${output}.1`));
  await watch.says(unit, 'second');
});

hosts.run();
