/** What a worker says is read piece by piece, and believed only as far as it can be true. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { permissionFlag } from '../../node-agent/work/executor/modules/launch.ts';
import { workerProgram } from '../../node-agent/work/executor/modules/serving.ts';
import { valuesOf } from '../../node-agent/work/executor/modules/task-value.ts';
import { Lines, readAnswer } from '../../node-agent/work/executor/modules/wire.ts';

const wire = suite('modules wire');

wire('lines come whole, however the bytes are cut', () => {
  const text = '["h"]\n["p","ä€😀"]\n\n["s",1]\n["p","';
  const bytes = Buffer.from(text);
  for (let size = 1; size <= bytes.length; size++) {
    const lines = new Lines(1000);
    const seen: (string | undefined)[] = [];
    for (let at = 0; at < bytes.length; at += size) lines.read(bytes.subarray(at, at + size), line => seen.push(line));
    assert.equal(seen, ['["h"]', '["p","ä€😀"]', '', '["s",1]'], `${size}`);
  }
});

wire('a line without an end is told of once, and nothing is kept of it', () => {
  const lines = new Lines(100);
  const seen: (string | undefined)[] = [];
  for (let n = 0; n < 10; n++) lines.read(Buffer.alloc(60, 120), line => seen.push(line));
  lines.read(Buffer.from('\n["h"]\n'), line => seen.push(line));
  assert.equal(seen, [undefined]);
});

wire('answers are read strictly', () => {
  const good = [
    '["h"]',
    '["s",1]',
    '["b",0]',
    '["e",1,0.5]',
    '["e",1,0.5,{"a":1}]',
    '["e",1,0,null]',
    '["p","x"]',
    '["c",3,"AA=="]',
  ];
  for (const line of [...good, '["f",1,2,"error","it threw","at x"]']) assert.ok(readAnswer(line), line);
  assert.equal(readAnswer('["e",1,0,null]'), ['e', 1, 0, null]);
  for (const line of [
    ...[
      '',
      'x',
      '{}',
      '1',
      'null',
      '[]',
      '["z",1]',
      '["s"]',
      '["s",-1]',
      '["s",1.5]',
      '["s","1"]',
      '["e",1]',
      '["e",1,-1]',
    ],
    ...[
      '["e",1,1e300]',
      '["e",1,null]',
      '["f",1,1,"lost","x",""]',
      '["f",1,1,"error"]',
      '["f",1,1,"error",1,""]',
      '["p",1]',
      '["c",1]',
    ],
  ]) {
    assert.is(readAnswer(line), undefined, line);
  }
});

wire('the permission model is asked for by the name that this Node knows', () => {
  assert.is(permissionFlag(new Set(['--permission', '--experimental-permission'])), '--permission');
  assert.is(permissionFlag(new Set(['--experimental-permission'])), '--experimental-permission');
  assert.ok(process.allowedNodeEnvironmentFlags.has(permissionFlag()));
});

wire('the program of a worker is a whole script', () => {
  for (const confined of [false, true]) assert.not.throws(() => new Function('require', workerProgram(confined)));
});

wire('a value is the task’s own, or what the array has at its number', () => {
  const task = (index: number, value?: unknown) => ({ token: 1, r: 1, index, attempt: 1, value });
  const recipe = { r: 1, job: 'j', by: 'x', n: 3, timeout_s: 1, cpus: 1 };
  assert.equal(valuesOf(recipe)(task(0, [1])), [1]);
  assert.equal(valuesOf(recipe)(task(0)), undefined);
  assert.is(valuesOf({ ...recipe, array: '1-3' })(task(2)), '3');
  assert.is(valuesOf({ ...recipe, array: '1-3' })(task(3)), undefined);
  assert.equal(valuesOf({ ...recipe, array: { a: '1-2', b: ['x'] } })(task(1)), { a: '2', b: 'x' });
});

wire.run();
