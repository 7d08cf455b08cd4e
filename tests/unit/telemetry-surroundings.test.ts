/** A node's own thermometers of the room: which files count, which readings, and that nobody waits for them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import { MachineFiles } from '../../node-agent/telemetry/machine-files.ts';
import { type Sensed, Surroundings } from '../../node-agent/telemetry/surroundings.ts';
import { milliC, w1SlaveC } from '../../node-agent/telemetry/w1.ts';
import { sensorsPayload } from '../../shared/schemas/telemetry.ts';
import { joined, newSigner } from '../fixture/agent-rig.ts';
import { folder } from '../fixture/processes.ts';

const test = suite('telemetry: surroundings');

/** Files, and links where a text begins with `->`. */
function tree(files: Readonly<Record<string, string>>): string {
  const root = folder('hearth-surroundings-');
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (text.startsWith('->')) symlinkSync(text.slice(2), join(root, path));
    else writeFileSync(join(root, path), text);
  }
  return root;
}

const look = (root: string) => new Promise<Sensed>(resolve => new Surroundings(new MachineFiles(root)).look(resolve));

/** As the kernel writes it: Documentation/w1/slaves/w1_therm.rst. */
const slave = (milli: number, crc: 'YES' | 'NO' = 'YES', bytes = '50 05 4b 46 7f ff 0c 10 1c') =>
  `${bytes} : crc=1c ${crc}\n${bytes} t=${milli}\n`;

test('1-wire: by CRC, by name, and without what is no thermometer', async () => {
  const w1 = 'sys/bus/w1/devices';
  const root = tree({
    [`${w1}/28-0316a2797d11/w1_slave`]: slave(21_437),
    [`${w1}/28-0316a2797d11/temperature`]: '99000\n',
    [`${w1}/28-0316a2797d12/w1_slave`]: slave(21_437, 'NO'),
    [`${w1}/28-0316a2797d13/w1_slave`]: slave(85_000),
    [`${w1}/28-0316a2797d14/temperature`]: '-3125\n',
    [`${w1}/28-0316a2797d15/temperature`]: '85000\n',
    [`${w1}/28-0316a2797d16/w1_slave`]: slave(0, 'YES', '00 00 00 00 00 00 00 00 00'),
    [`${w1}/28-0316a2797d17/w1_slave`]: slave(0),
    [`${w1}/10-000802be73fa/w1_slave`]: slave(18_000),
    [`${w1}/01-000802be73fa/w1_slave`]: slave(18_000),
    [`${w1}/w1_bus_master1/temperature`]: '18000\n',
  });
  assert.deepEqual(await look(root), {
    w1_10_000802be73fa_c: 18,
    w1_28_0316a2797d11_c: 21.437,
    w1_28_0316a2797d14_c: -3.125,
    w1_28_0316a2797d17_c: 0,
  });
});

test('hwmon and iio: chips that stand in the air, named by their device; never a part of the machine', async () => {
  const hwmon = (n: number, name: string, milli: number, device?: string) => ({
    [`sys/class/hwmon/hwmon${n}/name`]: `${name}\n`,
    [`sys/class/hwmon/hwmon${n}/temp1_input`]: `${milli}\n`,
    ...(device && {
      [`sys/devices/${device}/name`]: `${name}\n`,
      [`sys/class/hwmon/hwmon${n}/device`]: `->../../../devices/${device}`,
    }),
  });
  const never = [
    'coretemp',
    'k10temp',
    'zenpower',
    'cpu_thermal',
    'nvme',
    'drivetemp',
    'amdgpu',
    'acpitz',
    'nct6775',
    'iwlwifi_1',
    'jc42',
    'w1_slave_temp',
    'dell_smm',
    'bme280',
  ];
  const bosch = 'sys/devices/i2c-1/1-0076/iio:device0';
  const st = 'sys/devices/i2c-1/1-005f/iio:device1';
  const root = tree({
    ...Object.assign({}, ...never.map((name, n) => hwmon(n + 10, name, 30_000))),
    ...hwmon(3, 'sht3x', 21_500, 'i2c-1/1-0044'),
    ...hwmon(4, 'lm75', 22_000),
    'sys/class/hwmon/hwmon4/temp2_input': '23000\n',
    ...hwmon(5, 'sht4x', 0),
    'sys/class/hwmon/hwmon5/temp1_input': '',
    [`${bosch}/name`]: 'bme280\n',
    [`${bosch}/in_temp_input`]: '20980\n',
    [`${st}/name`]: 'hts221\n',
    [`${st}/in_temp_raw`]: '-123\n',
    [`${st}/in_temp_offset`]: '1500.5\n',
    [`${st}/in_temp_scale`]: '14.25\n',
    'sys/bus/iio/devices/iio:device0': '->../../../devices/i2c-1/1-0076/iio:device0',
    'sys/bus/iio/devices/iio:device1': '->../../../devices/i2c-1/1-005f/iio:device1',
    'sys/bus/iio/devices/iio:device2/name': 'coretemp\n',
    'sys/bus/iio/devices/iio:device2/in_temp_input': '50000\n',
    'sys/bus/iio/devices/trigger0/name': 'bme280\n',
  });
  const sensed = await look(root);
  assert.deepEqual(sensed, {
    hwmon_sht3x_1_0044_c: 21.5,
    hwmon_lm75_1_c: 22,
    hwmon_lm75_2_c: 23,
    iio_bme280_1_0076_c: 20.98,
    iio_hts221_1_005f_c: 19.629,
  });
  sensorsPayload.parse({ node: 'n', epoch: 1, ...sensed });
});

test('a machine without any has none', async () => assert.deepEqual(await look(folder()), {}));

test('more than the message holds: the first 32, and it fits the schema', async () => {
  const ids = Array.from({ length: 40 }, (_, i) => `28-0000000000${`${i}`.padStart(2, '0')}`);
  const root = tree(Object.fromEntries(ids.map(id => [`sys/bus/w1/devices/${id}/temperature`, '20000\n'])));
  const sensed = await look(root);
  assert.equal(Object.keys(sensed).length, 32);
  sensorsPayload.parse({ node: 'n', epoch: 1, ...sensed });
});

test('a sensor that takes its time blocks nobody, and is not asked twice at once', async () => {
  const path = 'sys/bus/w1/devices/28-0316a2797d11/w1_slave';
  const root = tree({ [path]: '' });
  // Who reads a pipe waits until somebody writes: as with a conversion.
  rmSync(join(root, path));
  execFileSync('mkfifo', [join(root, path)]);
  const one = new Surroundings(new MachineFiles(root));
  const first = new Promise<Sensed>(resolve => one.look(resolve));
  let second = 0;
  one.look(() => void second++);
  // The loop turns while the reader waits.
  for (let turn = 0; turn < 10; turn++) await new Promise(resolve => setImmediate(resolve));
  const pipe = await open(join(root, path), 'w');
  await pipe.write(slave(19_000));
  await pipe.close();
  assert.deepEqual(await first, { w1_28_0316a2797d11_c: 19 });
  assert.equal(second, 0);
});

test('whatever such a file holds is a sane number or none', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.double().map(String),
    fc.integer().map(String),
    fc.integer().map(milli => slave(milli)),
  );
  fc.assert(
    fc.property(text, read => {
      for (const c of [w1SlaveC(read), milliC(read)]) assert.ok(c === undefined || (c >= -40 && c < 85));
    }),
    { numRuns: 2000 },
  );
});

test('an agent says them every half minute on a topic of its own; the last one gone is an empty message', () => {
  const waiting: ((sensed: Sensed) => void)[] = [];
  const telemetry = {
    sample: () => ({ load: { cpu_pct: 1 } }),
    facts: () => {},
    surroundings: (done: (sensed: Sensed) => void) => void waiting.push(done),
  };
  const { link, clock, agent } = joined(newSigner(), { telemetry });
  clock.pass(10_000);
  assert.equal(waiting.length, 1);
  waiting.shift()?.({ w1_28_0316a2797d11_c: 21.4 });
  clock.pass(90_000);
  assert.equal(waiting.length, 3);
  waiting.shift()?.({});
  waiting.shift()?.({});
  const said = () => link.published.filter(({ topic }) => topic === 'hearth/node/n1/sensors');
  assert.deepEqual(
    said().map(({ payload, qos, retain }) => [JSON.parse(payload), qos, retain]),
    [
      [{ node: 'n1', epoch: agent.epoch, w1_28_0316a2797d11_c: 21.4 }, 0, false],
      [{ node: 'n1', epoch: agent.epoch }, 0, false],
    ],
  );
  // What comes after its session is over is of another epoch.
  clock.pass(30_000);
  link.down();
  waiting.shift()?.({ w1_28_0316a2797d11_c: 5 });
  assert.equal(said().length, 2);
});

test.run();
