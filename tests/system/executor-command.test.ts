/** Commands in a real executor: what they are given, how they end, what they give back. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ExecutorRig, fetchingOf, recipeOf, taskOf } from '../fixture/executor-rig.ts';
import { folder, until } from '../fixture/processes.ts';

const commands = suite('commands of an executor');
const hash = (text: string | Buffer) => createHash('sha256').update(text).digest('hex');

const uploads = new Map<string, string>();
const kept = folder();
writeFileSync(join(kept, 'scene'), 'a scene\n');
const fetching = fetchingOf({ [hash('a scene\n')]: join(kept, 'scene') });
const rig = new ExecutorRig(undefined, {
  fetching,
  upload(file, { sha256 }, done) {
    uploads.set(sha256, readFileSync(file, 'latin1'));
    setImmediate(done);
    return { cancel() {} };
  },
});
const one = rig.one.bind(rig);

commands('success, exit codes, signals, and a program that is not there', async () => {
  assert.is((await one(recipeOf('true'))).end, undefined, 'nothing given back');
  assert.equal((await one(recipeOf('echo out; echo err >&2; exit 7'))).end, {
    ...{ why: 'exit', err: 'exit status 7', exit: 7, out: 'out\n', errout: 'err\n' },
  });
  assert.equal((await one(recipeOf('kill -9 $$; true'))).end, {
    ...{ why: 'signal', err: 'ended by SIGKILL', signal: 'KILL' },
  });
  assert.equal((await one(recipeOf(['echo', '$HOME', '{}'], { array: '5-6' }))).end?.out, '$HOME 5\n');
  const missing = (await one(recipeOf(['/no/such']))).end;
  assert.is(missing?.why, 'error');
  assert.match(missing?.err ?? '', /\/no\/such cannot be started: there is no such program/);
  const nowhere = (await one(recipeOf('true', { cwd: '/no/folder' }))).end;
  assert.match(nowhere?.err ?? '', /cwd.*\/no\/folder is not there/);
  assert.match((await one(recipeOf('echo {nothing}'))).end?.err ?? '', /"\{nothing\}" is not known/);
});

commands("standard input: nothing, the job's text, or the results of other tasks as JSON lines", async () => {
  assert.is((await one(recipeOf('cat'))).end, undefined);
  const text = 'line 1\nno end: $HOME `ls` \u00fc';
  assert.is((await one(recipeOf('cat', { stdin: text }))).end?.out, text);
  const parts = [1, { a: 'x\ny' }, 'text', null];
  const sum = await one(recipeOf('cat', { reduce: true }), { value: parts });
  assert.is(sum.end?.out, '1\n{"a":"x\\ny"}\n"text"\nnull\n');
});

commands("a clean environment, the job's variables, values as variables, and a folder of its own", async () => {
  process.env.SOME_SECRET = 'hidden';
  process.env.HEARTH_PASSWORD = 'hidden';
  const recipe = recipeOf('env; pwd; touch left-behind', {
    env: { MINE: 'a "b" $c', HEARTH_UNIT: 'no' },
    array: { size: '7-9', k: ['x'] },
  });
  const task = taskOf(recipe, 2, { attempt: 3 });
  rig.run(recipe, task);
  const { end } = await rig.end(task);
  const lines = new Set(end?.out?.split('\n'));
  for (const line of [
    ...[
      'MINE=a "b" $c',
      'HEARTH_ARG_SIZE=9',
      'HEARTH_ARG_K=x',
      'HEARTH_JOB=job-1',
      'HEARTH_TASK=3',
      'HEARTH_ATTEMPT=3',
    ],
    ...[
      `HEARTH_TOKEN=${task.token}`,
      `PATH=${process.env.PATH?.split(':')
        .filter(part => !part.includes('/node_modules/'))
        .join(':')}`,
    ],
  ])
    assert.ok(lines.has(line), `${line} in ${end?.out}`);
  assert.not.match(end?.out ?? '', /hidden|HEARTH_UNIT=no/);
  const place = [...lines].find(line => line.startsWith('/') && line.includes('tasks')) ?? '';
  assert.match(place, /\/work\/commands\/tasks\//);
  await until('the folder of a task that has ended is gone', () => !existsSync(place));
  const cwd = folder();
  assert.is((await one(recipeOf('pwd; touch mine', { cwd }))).end?.out, `${cwd}\n`);
  assert.equal(readdirSync(cwd), ['mine'], "a folder of the job's stays");
  delete process.env.SOME_SECRET;
  delete process.env.HEARTH_PASSWORD;
});

commands('items: text as it is, everything else as JSON', async () => {
  const recipe = recipeOf('printf "%s|" {} "$HEARTH_ARG_I"');
  assert.is((await one(recipe, { value: "it's $(id)" })).end?.out, "it's $(id)|it's $(id)|");
  assert.is((await one(recipe, { value: { a: [1, null] } })).end?.out, '{"a":[1,null]}|{"a":[1,null]}|');
});

commands('long output: the last part in the result, the whole as an artifact; bytes that are no text too', async () => {
  const { end } = await one(recipeOf('i=0; while [ $i -lt 30000 ]; do echo line $i; i=$((i+1)); done; echo done >&2'));
  const whole = Array.from({ length: 30_000 }, (_, index) => `line ${index}\n`).join('');
  assert.is(end?.why, undefined);
  assert.is(end?.out_sha256, hash(whole));
  assert.is(uploads.get(hash(whole)), whole);
  assert.ok(whole.endsWith(end?.out ?? '?') && (end?.out?.length ?? 0) > 30_000);
  assert.is(end?.errout, 'done\n');
  assert.ok(Buffer.byteLength(JSON.stringify(end)) <= 64 * 1024);
  const raw = (await one(recipeOf("printf 'a\\377\\200b'"))).end;
  assert.is(raw?.out_sha256, hash(Buffer.from([97, 255, 128, 98])));
  const control = (await one(recipeOf("head -c 60000 /dev/zero | tr '\\0' '\\1'"))).end;
  assert.ok(Buffer.byteLength(JSON.stringify(control)) <= 64 * 1024, 'as JSON, too');
  const failed = (await one(recipeOf('head -c 200000 /dev/zero | tr "\\0" x; echo why >&2; exit 3'))).end;
  assert.is(failed?.exit, 3);
  assert.is(failed?.errout, 'why\n');
  assert.is(failed?.out_sha256, hash('x'.repeat(200_000)));
});

commands('inputs are there, are shared, and a task that writes to one spoils no other', async () => {
  const sha256 = hash('a scene\n');
  const asked = fetching.asked.length;
  const inputs = { scene: `artifact:${sha256}`, copy: { url: 'http://there/scene', sha256 } };
  const recipe = recipeOf('cat {scene} {copy}; chmod u+w {scene}; echo spoiled >{scene}', { inputs });
  assert.is((await one(recipe)).end?.out, 'a scene\na scene\n');
  assert.is((await one(recipe)).end?.out, 'a scene\na scene\n', 'fetched anew where it was changed');
  assert.is(fetching.asked.length - asked, 2, 'once for both names, and once again');
  assert.is(fetching.released, 2, 'the cache is not held');
  assert.is(readFileSync(join(kept, 'scene'), 'utf8'), 'a scene\n');
  const none = (await one(recipeOf('cat {x}', { inputs: { x: `artifact:${'0'.repeat(64)}` } }))).end;
  assert.is(none?.why, 'setup');
  assert.match(none?.err ?? '', /the input "x" cannot be had: artifact 0+ is not there/);
});

commands('outputs are kept, and what is missing, a link or outside is said', async () => {
  const outputs = { frame: 'out/frame.png', log: 'log' };
  const { end } = await one(recipeOf('printf pixels >{frame}; echo ok >log', { outputs }));
  assert.equal(end?.files, { frame: hash('pixels'), log: hash('ok\n') });
  assert.is(uploads.get(hash('pixels')), 'pixels');
  const missing = (await one(recipeOf('true', { outputs: { a: 'nothing' } }))).end;
  assert.match(missing?.err ?? '', /the output "a": the task left no such file/);
  const link = (await one(recipeOf('ln -s /etc/passwd a', { outputs: { a: 'a' } }))).end;
  assert.match(link?.err ?? '', /the output "a": it is no regular file/);
  const outside = (await one(recipeOf('rmdir d; ln -s /etc d', { outputs: { a: 'd/passwd' } }))).end;
  assert.match(outside?.err ?? '', /the output "a": it is outside of the task's folder/);
  const up = (await one(recipeOf('true', { outputs: { a: '../../secret' } }))).end;
  assert.match(up?.err ?? '', /"a" is no path inside the task's folder/);
  assert.not(uploads.has(hash(readFileSync('/etc/passwd'))));
});

commands('checkpoints: what a task saves is told, its next attempt finds it', async () => {
  const script =
    'mkfifo pipe; cat "$HEARTH_CHECKPOINT" >seen; printf two >"$HEARTH_CHECKPOINT.new"; mv "$HEARTH_CHECKPOINT.new" "$HEARTH_CHECKPOINT"; read x <pipe';
  const recipe = recipeOf(script);
  const task = taskOf(recipe, 0, { checkpoint: Buffer.from('one').toString('base64') });
  rig.run(recipe, task);
  const [token, saved] = await rig.until(() => rig.checkpoints.find(([token]) => token === task.token), 'checkpoint');
  assert.is(token, task.token);
  assert.is(Buffer.from(saved, 'base64').toString(), 'two');
  const places = join(rig.data, 'work/commands/tasks');
  // That of a task before it may be on its way out.
  const place = readdirSync(places).find(name => name.startsWith(`${task.token}-`)) ?? '';
  assert.is(readFileSync(join(places, place, 'seen'), 'utf8'), 'one');
  rig.executor.kill([task.token]);
  await rig.until(() => rig.dropped.includes(task.token), 'its end');
  // What is saved just before the end counts, too, and is told before it.
  const quick = recipeOf('printf three >"$HEARTH_CHECKPOINT"; exit 1');
  const last = taskOf(quick);
  rig.run(quick, last);
  await rig.end(last);
  assert.is(Buffer.from(rig.checkpoints.at(-1)?.[1] ?? '', 'base64').toString(), 'three');
  // More than may be saved, and what never ends, are left alone.
  const count = rig.checkpoints.length;
  await one(recipeOf('head -c 300000 /dev/zero >"$HEARTH_CHECKPOINT"'));
  await one(recipeOf('mkfifo "$HEARTH_CHECKPOINT"'));
  await one(recipeOf('ln -s /etc/passwd "$HEARTH_CHECKPOINT"'));
  assert.is(rig.checkpoints.length, count);
});

commands('in the order given, as many at a time as there are slots; a task of two takes two', async () => {
  const order = join(folder(), 'order');
  const recipe = recipeOf('echo {#} >>{}', { array: [order, order, order, order] });
  const tasks = [0, 1, 2, 3].map(index => taskOf(recipe, index));
  rig.executor.configure({ slots: 1, inline: false, scripts: false, plugins: {} });
  rig.run(recipe, ...tasks);
  await Promise.all(tasks.map(task => rig.end(task)));
  assert.is(readFileSync(order, 'utf8'), '1\n2\n3\n4\n');
  rig.executor.configure({ slots: 2, inline: false, scripts: false, plugins: {} });
  const counting = recipeOf('echo s >>{}; sleep 0.05; echo e >>{}', { array: [order], cpus: 2 });
  const both = [taskOf(counting), taskOf(counting)];
  writeFileSync(order, '');
  rig.run(counting, ...both);
  const ends = await Promise.all(both.map(task => rig.end(task)));
  assert.is(readFileSync(order, 'utf8'), 's\ne\ns\ne\n', 'one after the other');
  for (const { ms, shareMs } of ends)
    assert.ok(Math.abs(ms - shareMs) < 5 && ms >= 50, `alone: all is its own: ${ms} ${shareMs}`);
});

commands('nothing is left when all is done', async () => {
  const work = join(rig.data, 'work/commands');
  await until('folders of tasks are gone', () => readdirSync(join(work, 'tasks')).length === 0);
  assert.equal(readdirSync(join(work, 'out')), []);
  assert.equal(readdirSync(join(work, 'saved')), []);
  assert.equal(rig.problems, []);
  assert.equal(rig.lost, []);
  for (const [token, times] of rig.told) assert.is(times, 1, `${token} was told once`);
  await rig.close();
});

commands.run();
