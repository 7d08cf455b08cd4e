/** Watts of the processor's own energy counter (RAPL), which starts over, and may be closed. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MachineFiles } from '../../node-agent/telemetry/machine-files.ts';
import { createProcTelemetry } from '../../node-agent/telemetry/proc.ts';
import { Sensors } from '../../node-agent/telemetry/sensors.ts';
import { VirtualClock } from '../fixture/agent-rig.ts';
import { folder } from '../fixture/processes.ts';

const test = suite('telemetry: RAPL');

/** One package that draws what it is told, behind a counter of `rangeUj` that starts over. */
function rapl(rangeUj: number) {
  const domain = 'sys/class/powercap/intel-rapl:0';
  const file = `${domain}/energy_uj`;
  const root = folder('hearth-rapl-');
  let uj = rangeUj - 1_000_000;
  mkdirSync(join(root, domain), { recursive: true });
  writeFileSync(join(root, domain, 'name'), 'package-0\n');
  writeFileSync(join(root, domain, 'max_energy_range_uj'), `${rangeUj}\n`);
  writeFileSync(join(root, file), `${uj}\n`);
  const sensors = new Sensors(new MachineFiles(root));
  let now = 0;
  sensors.look(now);
  return {
    ...{ root, file },
    /** A while at so many watts, then a look. */
    after(ms: number, watts: number) {
      now += ms;
      uj = (uj + Math.round(watts * ms * 1000)) % rangeUj;
      writeFileSync(join(root, file), `${uj}\n`);
      return sensors.look(now).watts;
    },
  };
}

test('energy added up from RAPL over many ends of its counter is what was drawn, to a tenth of a percent', () => {
  for (const rangeUj of [262_143_328_850, 65_532_610_987]) {
    const { after } = rapl(rangeUj);
    let drawn = 0;
    let counted = 0;
    // Nine hours of a package between 5 and 200 W, looked at every 5 to 60 s: the smaller counter starts over dozens of times.
    for (let look = 0; look < 1000; look++) {
      const ms = 5000 + ((look * 7919) % 55_000);
      const watts = 5 + ((look * 104_729) % 19_500) / 100;
      drawn += watts * ms;
      counted += (after(ms, watts) ?? 0) * ms;
    }
    assert.ok(Math.abs(counted / drawn - 1) < 0.001, `${counted} of ${drawn}`);
  }
});

test('RAPL: no watts where the counter may have started over twice, where it is closed, and no source without them', () => {
  const { root, file, after } = rapl(65_532_610_987);
  assert.is(after(5000, 100), 100);
  // 65 kJ are over in 65 s at a kilowatt.
  assert.equal([after(66_000, 100), after(5000, 100), after(60_000, 100)], [undefined, 100, 100]);
  rmSync(join(root, file));
  mkdirSync(join(root, file));
  const clock = new VirtualClock();
  const closed = createProcTelemetry({ clock, dataFolder: root, root });
  clock.pass(5000);
  const { load } = closed.sample();
  assert.not('watts' in load);
  assert.not('watts_source' in load);
});

test.run();
