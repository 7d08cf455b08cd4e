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

const rangeUj = 262_143_328_850;

/** Domains by name, with counters that a test sets. */
function machine(...names: readonly string[]) {
  const root = folder('hearth-rapl-');
  const domain = (index: number) => join(root, `sys/class/powercap/intel-rapl:${index}`);
  names.forEach((name, index) => {
    mkdirSync(domain(index), { recursive: true });
    writeFileSync(join(domain(index), 'name'), `${name}\n`);
    writeFileSync(join(domain(index), 'max_energy_range_uj'), `${rangeUj}\n`);
  });
  const sensors = new Sensors(new MachineFiles(root));
  let now = 0;
  return {
    file: (index: number) => join(domain(index), 'energy_uj'),
    /** Five seconds later the counters show so much. */
    look(...joules: readonly number[]) {
      now += 5000;
      joules.forEach((each, index) => {
        writeFileSync(join(domain(index), 'energy_uj'), `${each * 1e6}\n`);
      });
      return sensors.look(now).watts;
    },
  };
}

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

test('RAPL of several packages: their sum, the board where it shows more, and nothing without one of them', () => {
  const { look } = machine('package-0', 'package-1', 'psys');
  look(1000, 2000, 50);
  assert.is(look(1100, 2200, 50), 60, 'a board that never counts is not taken for one that draws nothing');
  assert.is(look(1200, 2400, 600), 110);
  const two = machine('package-0', 'package-1');
  two.look(1000, 2000);
  assert.is(two.look(1100, 2200), 60);
  rmSync(two.file(1));
  assert.is(two.look(1200), undefined, 'half of the machine is not the machine');
  assert.is(two.look(1300, 2600), undefined, 'nor is it known since when');
  assert.is(two.look(1400, 2800), 60);
});

test('RAPL: a counter that began anew, or stands still, says nothing', () => {
  const { look } = machine('package-0');
  look(200_000);
  assert.is(look(200_500), 100);
  assert.is(look(3), undefined, 'as if it had started over: 12 kW');
  assert.is(look(503), 100);
  assert.is(look(503), undefined, 'no package that runs draws nothing');
  assert.is(look(20_000), undefined, 'hours of a sleep that no clock knows of');
});

test.run();
