/** What the watchdog of heat holds, as the next agent reads it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Watchdog } from '../../node-agent/heat/watchdog.ts';
import { heatRig } from '../fixture/node-heat-rig.ts';
import { folder, until } from '../fixture/processes.ts';

const watchdog = suite('what the watchdog holds');

watchdog('is nothing to an agent of another start of the machine: its numbers are of others by then', () => {
  const data = folder('hearth-held-');
  const of = (boot: string) => new Watchdog({ folder: data, boot });
  of('one').hold(['end 4711 812']);
  assert.equal(of('one').heldBefore(), ['end 4711 812']);
  assert.equal(of('two').heldBefore(), []);
});

watchdog('that ends with a status every time is none, also while the next one has not ended yet', async () => {
  const data = folder('hearth-broken-');
  const shell = join(data, 'shell');
  writeFileSync(shell, '#!/bin/sh\nsleep 0.3\nexit 7\n', { mode: 0o755 });
  const one = new Watchdog({ folder: data, boot: 'one', shell });
  const ends = /^the watchdog of heat ends at once \(7\): no heat without it$/;
  let said = '';
  await until('it is said', () => {
    try {
      one.ensure();
    } catch (error) {
      said = (error as Error).message;
    }
    return said !== '';
  });
  assert.match(said, ends);
  // It runs, for a moment.
  assert.throws(() => one.ensure(), ends);
  one.stop();
});

watchdog('an agent that nobody asks for heat reads no clock', async () => {
  let reads = 0;
  const now = () => ++reads;
  const rig = heatRig(folder('hearth-idle-'), { bare: true, boot: { now, boot: 'b', shared: true } });
  reads = 0;
  for (let at = 0; at < 10; at++) assert.equal([rig.heat.cores, rig.heat.error], [undefined, '']);
  assert.is(reads, 0);
  await new Promise<void>(done => rig.heat.forget(done));
});

watchdog.run();
