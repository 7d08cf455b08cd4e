/** Safe mode: after five ends in a row nothing is applied until somebody says so; what is told and heard goes on. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SafeMode, safeModeTimes } from '../../node-agent/safe-mode.ts';
import { FakeDisk, hello, joined, newSigner, rig } from '../fixture/agent-rig.ts';

const test = suite('safe mode');

const started = (disk: FakeDisk, asked = false) => {
  const mode = new SafeMode(disk, asked);
  mode.start();
  return mode;
};

test('five ends in a row, each within a minute of its start: the sixth start applies nothing, and stays so', () => {
  const disk = new FakeDisk();
  for (let index = 0; index < safeModeTimes.ends; index++) assert.is(started(disk).reason, '', `start ${index + 1}`);
  assert.match(started(disk).reason, /ended 5 times in a row .* do\/resume on this node ends it/);
  const again = started(disk);
  assert.ok(again.reason, 'a restart is not somebody who said so');
  again.well();
  assert.ok(started(disk).reason, 'nor is having run for a minute, with nothing applied');
  again.end();
  assert.is(again.reason, '');
  for (let index = 0; index < safeModeTimes.ends; index++) assert.is(started(disk).reason, '');
});

test('a start that went well begins the row anew', () => {
  const disk = new FakeDisk();
  for (let index = 0; index < 20; index++) {
    const mode = started(disk);
    assert.is(mode.reason, '');
    if (index % 5 === 4) mode.well();
  }
});

test('asked for: by its option, or by what stands on the disk; over when somebody says so', () => {
  const disk = new FakeDisk();
  assert.match(started(disk, true).reason, /as asked/);
  assert.is(started(disk).reason, '', 'the option is for one start');
  disk.safeMode = { ends: 0, safe: true };
  const mode = started(disk);
  assert.match(mode.reason, /as asked/);
  mode.end();
  assert.equal(disk.safeMode, { ends: 0, safe: false });
});

test('asked for while it runs: it is there at the next start, whether this one went well or not', () => {
  const disk = new FakeDisk();
  const mode = started(disk);
  disk.safeMode = { ends: 0, safe: true };
  mode.well();
  assert.match(started(disk).reason, /as asked/);
});

test('a disk that takes nothing does not keep the agent from running', () => {
  const disk = new FakeDisk();
  disk.fails = 'no space left';
  for (let index = 0; index < 10; index++) assert.is(started(disk).reason, '');
});

test('an agent in safe mode connects, tells and answers, and applies what was said when it is told to go on', () => {
  const signer = newSigner();
  const one = joined(signer);
  one.disk.safeMode = { ends: 0, safe: true };
  const again = rig({ node: 'n1', disk: one.disk });
  again.agent.start();
  assert.is(again.reconciler.started, undefined, 'nothing of the kept document');
  again.up();
  again.want(signer, 6, hello('sleep 2'));
  again.clock.pass(6000);
  assert.equal(again.reconciler.applied, []);
  const is = again.link.of('is').at(-1);
  assert.equal([is?.state, is?.rev], ['failed', 0]);
  assert.match(String(is?.err), /safe mode, as asked: nothing is applied/);
  assert.ok(again.link.of('load').length > 0);
  again.cmd(signer, 1, 'restart', { service: 'hello' });
  assert.equal(again.reconciler.restarted, ['hello']);
  again.cmd(signer, 2, 'resume');
  assert.equal(again.link.of('done').at(-1), { id: 'o2', ok: true });
  assert.equal([again.reconciler.applied[0]?.rev, again.agent.state], [6, 'ready']);
  assert.equal(again.disk.safeMode, { ends: 0, safe: false });
});

test('an end that was asked for does not count', () => {
  const signer = newSigner();
  const { disk } = joined(signer);
  for (let index = 0; index < 2 * safeModeTimes.ends; index++) {
    const one = rig({ node: 'n1', disk });
    one.agent.start();
    one.agent.stop({ stopServices: false }, () => {});
    assert.is(one.agent.state, 'ready');
  }
  for (let index = 0; index < safeModeTimes.ends; index++) rig({ node: 'n1', disk }).agent.start();
  const last = rig({ node: 'n1', disk });
  last.agent.start();
  assert.is(last.agent.state, 'failed');
});

test('a drained node says so', () => {
  const signer = newSigner();
  const one = joined(signer);
  one.want(signer, 6, hello(), { drain: true });
  assert.is(one.agent.state, 'draining');
  one.want(signer, 7, hello());
  assert.is(one.agent.state, 'ready');
});

test.run();
