/** Hostile values as tasks get them: one word each, in every shell, through the executor's own way from recipe to process. */
import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { simpleCommand } from '../../node-agent/reconcile/services/simple-command.ts';
import { Command } from '../../node-agent/work/executor/command/filled.ts';
import { ExecutorRig, recipeOf, taskOf } from '../fixture/executor-rig.ts';
import { folder } from '../fixture/processes.ts';

const quoting = suite('values of tasks');

const hostile = [
  '',
  ' ',
  "'",
  '"',
  "''",
  `a'b"c`,
  '\\',
  "\\'",
  'a\\',
  '\n',
  'a\nb\n',
  '\n\n',
  '$(touch pwned)',
  '`touch pwned`',
  "'$(touch pwned)'",
  "'; touch pwned; '",
  '"; touch pwned; "',
  '$\x7bHOME}',
  '$HOME',
  '$1',
  '!!',
  '~',
  '~root',
  '*',
  '?',
  '[a-z]*',
  '{a,b}',
  '{}',
  '{{}}',
  '{#}',
  '-rf',
  '--help',
  '-',
  '--',
  '&& touch pwned',
  '| touch pwned',
  '> pwned',
  '& touch pwned &',
  '#no comment',
  '; rm -rf .',
  '$(touch pwned).txt',
  'touch pwned',
  'x=1',
  '\t\v\f\r',
  '\u0001\u007f\u0081',
  'ünïcödé 日本 🔥',
  '\u202e',
  '\ud83d\udd25',
  '%s%n',
  '\\n\\0',
];

const shells = [['dash'], ['bash', '--posix'], ['busybox', 'sh']].filter(
  ([shell = '']) => !spawnSync(shell, ['-c', ':']).error,
);

quoting('each is one word, in every shell', () => {
  const place = folder();
  // Printed by the shell's own printf, and by a program that takes the shell's place.
  for (const run of ['printf "<%s>" {} && :', '/usr/bin/printf "<%s>" {}']) {
    for (const value of hostile) {
      const recipe = recipeOf(run, { array: [value] });
      const { script = '' } = new Command(recipe).fill(taskOf(recipe), {});
      for (const [shell = '', ...args] of shells) {
        const { stdout, stderr } = spawnSync(shell, [...args, '-c', simpleCommand(script) ?? script], { cwd: place });
        assert.is(stdout.toString(), `<${value}>`, `${shell} ${run} ${JSON.stringify(value)} ${stderr}`);
      }
    }
  }
  assert.equal(readdirSync(place), []);
});

quoting('through an executor: as a word, as an argument, as a variable, and in order', async () => {
  const rig = new ExecutorRig();
  const script = recipeOf('printf "<%s><%s>" {} "$HEARTH_ARG_I"', { array: hostile });
  const words = recipeOf(['/usr/bin/printf', '<%s><%s>', '{}', 'x{i}x'], { array: hostile });
  const tasks = hostile.flatMap((_, index) => [taskOf(script, index), taskOf(words, index)]);
  rig.executor.run([script, words], tasks);
  for (const task of tasks) {
    const value = hostile[task.index] ?? '';
    const { end } = await rig.end(task);
    assert.is(end?.why, undefined, `${JSON.stringify(value)}: ${end?.err} ${end?.errout}`);
    assert.is(end?.out, task.r === script.r ? `<${value}><${value}>` : `<${value}><x${value}x>`);
  }
  await rig.close();
});

quoting('file names that are commands, values of 64 kB, and a NUL', async () => {
  const rig = new ExecutorRig();
  const place = folder();
  const names = ['$(touch pwned)', '; touch pwned', '-n', '--version', "it's"];
  for (const name of names) writeFileSync(join(place, name), `content of ${name}`);
  const recipe = recipeOf('cat -- {}', { array: names, cwd: place });
  const tasks = names.map((_, index) => taskOf(recipe, index));
  rig.run(recipe, ...tasks);
  for (const task of tasks) assert.is((await rig.end(task)).end?.out, `content of ${names[task.index]}`);
  assert.equal(readdirSync(place).sort(), [...names].sort());
  // Quotes become four bytes each: more than the kernel takes as one argument.
  const quotes = "'".repeat(64 * 1024);
  assert.is(
    (await rig.one(recipeOf('printf %s {} | wc -c', { array: [quotes] }))).end?.out?.trim(),
    String(quotes.length),
  );
  for (const run of ['printf %s {}', ['printf', '%s', '{}']]) {
    const { end } = await rig.one(recipeOf(run, { array: ['a\0b'] }));
    assert.is(end?.why, 'error');
    assert.match(end?.err ?? '', /NUL/);
  }
  const { end } = await rig.one(recipeOf('true'), { value: 'a\0b' });
  assert.match(end?.err ?? '', /NUL/, 'in a variable alone, too');
  await rig.close();
});

quoting.run();
