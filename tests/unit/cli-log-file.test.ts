import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openLogFile } from '../../broker/log-file.ts';
import { folder, until } from '../fixture/processes.ts';

const log = suite('log file');

log('close writes what waits', () => {
  const file = join(folder(), 'x.log');
  const out = openLogFile(file);
  out.write('one\n');
  out.write('two\n');
  out.close();
  assert.is(readFileSync(file, 'utf8'), 'one\ntwo\n');
  assert.is(statSync(file).mode & 0o777, 0o600);
});

log('lines reach the disk without a close', async () => {
  const file = join(folder(), 'x.log');
  const out = openLogFile(file, { flushMs: 1 });
  out.write('one\n');
  await until('the line is there', () => readFileSync(file, 'utf8') === 'one\n');
  out.close();
});

log('the size on disk is bounded, and the newest lines are there', async () => {
  const file = join(folder(), 'x.log');
  const out = openLogFile(file, { maxBytes: 1000, flushMs: 1 });
  for (let i = 0; i < 100; i++) {
    const line = `line ${i} ${'x'.repeat(90)}\n`;
    out.write(line);
    await until('written', () =>
      [file, `${file}.1`].some(f => existsSync(f) && readFileSync(f, 'utf8').includes(line)),
    );
  }
  out.close();
  assert.ok(statSync(file).size <= 1200);
  assert.ok(statSync(`${file}.1`).size <= 1200);
  assert.match(readFileSync(file, 'utf8') + readFileSync(`${file}.1`, 'utf8'), /line 99 /);
});

log('what a slow disk does not take is dropped and counted', () => {
  const file = join(folder(), 'x.log');
  const out = openLogFile(file, { maxWaiting: 10_000 });
  for (let i = 0; i < 1000; i++) out.write(`${'x'.repeat(99)}\n`);
  out.close();
  const text = readFileSync(file, 'utf8');
  assert.ok(text.length < 11_000);
  assert.match(text, /"dropped":900/);
});

log.run();
