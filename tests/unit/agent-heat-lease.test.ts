/** Whether the lease of heat on disk still runs, for who goes by it without its agent. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LeaseFile } from '../../node-agent/heat/lease-file.ts';
import { folder } from '../fixture/processes.ts';

const lease = suite('the lease of heat on disk');

function rig(shared: boolean) {
  const data = folder('hearth-lease-');
  const clock = { at: 100_000, boot: shared ? 'this-boot' : '-', shared, now: () => clock.at };
  const of = () => new LeaseFile(data, clock);
  return { data, clock, agent: of(), other: of(), say: (text: string) => writeFileSync(join(data, 'lease'), text) };
}

lease('over is one that nobody renewed, of this start of the machine or another; none says nothing', () => {
  const { clock, agent, other, say } = rig(true);
  assert.not.ok(other.isOver());
  agent.write(clock.at + 45_000);
  assert.not.ok(other.isOver());
  clock.at += 44_000;
  agent.write(clock.at + 45_000);
  clock.at += 44_000;
  assert.not.ok(other.isOver(), 'renewed');
  clock.at += 1000;
  assert.ok(other.isOver());
  say('another-boot 99999 1 45\n');
  assert.ok(other.isOver());
  say('this-boot nonsense');
  assert.ok(other.isOver());
  agent.end();
  assert.not.ok(other.isOver());
});

lease('without a clock in common its seconds are counted from when it was seen first', () => {
  const { clock, agent, other } = rig(false);
  agent.write(clock.at + 45_000);
  assert.not.ok(other.isOver());
  clock.at += 40_000;
  agent.write(clock.at + 45_000);
  assert.not.ok(other.isOver());
  clock.at += 44_000;
  assert.not.ok(other.isOver(), 'renewed');
  clock.at += 1000;
  assert.ok(other.isOver());
});

lease.run();
