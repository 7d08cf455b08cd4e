/**
 * Runs every test file in a process of its own (uvu inside), two at a time but for those that must not (schedule.ts), and
 * ends with one line `N passed, N failed, N skipped`. `npm test -- presence` runs the files whose path has that word.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { readTestFile, runInLanes } from './schedule.ts';

const root = join(import.meta.dirname, '..');
const words = process.argv.slice(2);
const fileLimitMs = 10 * 60_000;
/** How long a file may take to end after its last test. */
const endLimitMs = 60_000;

/** `HEARTH_TEST_LANES=1`: one at a time, for a machine with one core, and for a test that runs tests itself. */
const lanes = Math.max(1, Number(process.env.HEARTH_TEST_LANES) || 2);

interface Outcome {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
  readonly ms: number;
}

/** Short ones last, so that no lane is left waiting for long. */
const isUnit = (file: string) => file.startsWith(join('tests', 'unit'));
const files = readdirSync(join(root, 'tests'), { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.test.ts'))
  .map(name => join('tests', name))
  .filter(name => words.length === 0 || words.some(word => name.includes(word)))
  .sort((a, b) => Number(isUnit(a)) - Number(isUnit(b)) || (a < b ? -1 : 1))
  .map(name => readTestFile(name, readFileSync(join(root, name), 'utf8')));

function runFile(file: string, lane: number): Promise<Outcome> {
  return new Promise(resolve => {
    const started = performance.now();
    const child = spawn(process.execPath, ['--import', 'tsx', join(root, file)], {
      cwd: root,
      // Its lane says which ports are its own (fixture/processes.ts).
      env: { HEARTH_TEST_LANE: String(lane), ...process.env, NODE_ENV: 'test', FORCE_COLOR: '0', NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let timedOut = false;
    let leftOpen = false;
    let ending: NodeJS.Timeout | undefined;
    const keep = (chunk: Buffer) => {
      output += chunk.toString();
      // A failed assertion may leave a server or a child behind that keeps the process alive for ever.
      if (!ending && /^ {2}Skipped:/m.test(output)) {
        ending = setTimeout(() => {
          leftOpen = true;
          child.kill('SIGTERM');
        }, endLimitMs);
      }
      if (output.length > 4_000_000) output = output.slice(-2_000_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const limit = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, fileLimitMs);
    let letGo: NodeJS.Timeout | undefined;
    // Who was left running may hold its output open, and with it this lane.
    child.on('exit', () => {
      letGo = setTimeout(() => {
        leftOpen = true;
        child.stdout.destroy();
        child.stderr.destroy();
      }, endLimitMs);
    });
    child.on('close', (code, signal) => {
      for (const timer of [limit, ending, letGo]) clearTimeout(timer);
      const total = Number(/^ {2}Total: +(\d+)/m.exec(output)?.[1] ?? 0);
      const passed = Number(/^ {2}Passed: +(\d+)/m.exec(output)?.[1] ?? 0);
      const skipped = [...output.matchAll(/^skipped: (.*)$/gm)].map(match => match[1] ?? '');
      // A file that ends without its totals, with none, or with a failing exit code and no failing test, has failed.
      const silent = !/^ {2}Total:/m.test(output) || (total === 0 && skipped.length === 0);
      const failed = Math.max(total - passed, code !== 0 || silent || leftOpen ? 1 : 0);
      const ms = performance.now() - started;
      const verdict = failed > 0 ? 'FAILED' : 'ok';
      console.log(`${verdict.padEnd(7)}${relative('tests', file)}  ${passed}/${total}  ${(ms / 1000).toFixed(1)} s`);
      for (const name of skipped) console.log(`       skipped: ${name}`);
      if (failed > 0) {
        console.log(output);
        if (timedOut) console.log(`${file}: killed after ${fileLimitMs / 60_000} minutes`);
        else if (leftOpen) console.log(`${file}: did not end by itself after its last test: something was left open`);
        else if (signal) console.log(`${file}: ended by ${signal}`);
        else if (silent) console.log(`${file}: exit code ${code}, and no test was counted`);
      }
      resolve({ file, passed, failed, skipped, ms });
    });
  });
}

const outcomes = await runInLanes(files, lanes, runFile);
const sum = (pick: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + pick(outcome), 0);
const failed = sum(outcome => outcome.failed);
const skipped = sum(outcome => outcome.skipped.length);
if (failed > 0) {
  console.log(
    `\nfailed: ${outcomes
      .filter(outcome => outcome.failed > 0)
      .map(outcome => outcome.file)
      .join(', ')}`,
  );
}
if (files.length === 0) console.log(`no test file matches ${words.join(' ')}`);
console.log(`\n${sum(outcome => outcome.passed)} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exit(failed > 0 || files.length === 0 ? 1 : 0);
