/** `temperature` and `under_voltage`: what sensors say. */

import { Sensors } from '../../telemetry/sensors.ts';
import { fail, pass, unknown } from '../finding.ts';
import type { Probe } from '../real-prober.ts';
import { runProgram } from '../run-program.ts';

export const temperature: Probe<'temperature'> = async ({ max_c: max }, { files }) => {
  const { tempC } = new Sensors(files).look(0);
  if (tempC === undefined) return unknown('no sensor shows the temperature of the processor');
  const shown = Math.round(tempC);
  return tempC >= max ? fail(`${shown} °C, of less than ${max}`) : pass(`${shown} °C`);
};

/** Raspberry Pi firmware, `get_throttled`: bit 0 is under-voltage now, bit 16 since the start. */
const throttled = 'sys/devices/platform/soc/soc:firmware/get_throttled';
const now = 1 << 0;
const sinceStart = 1 << 16;

export const underVoltage: Probe<'under_voltage'> = async ({ now: onlyNow = false }, machine, signal) => {
  const { files } = machine;
  const text = files.text(throttled, 64)?.trim() ?? '';
  if (/^(0x)?[0-9a-f]{1,8}$/i.test(text)) {
    const bits = Number.parseInt(text, 16);
    if (bits & now) return fail('the voltage is too low now');
    if (!onlyNow && bits & sinceStart) return fail('the voltage was too low since the start of the machine');
    return pass(onlyNow ? 'the voltage is high enough' : 'the voltage was high enough since the start of the machine');
  }
  const monitor = files
    .names('sys/class/hwmon')
    .map(chip => `sys/class/hwmon/${chip}`)
    .find(chip => files.text(`${chip}/name`, 64)?.trim() === 'rpi_volt');
  const alarm = monitor === undefined ? undefined : files.number(`${monitor}/in0_lcrit_alarm`);
  if (alarm === 1) return fail('the voltage is too low');
  // The alarm is of the present; of the past only the kernel's log tells, as far back as it reaches.
  if (alarm === 0 && onlyNow) return pass('the voltage is high enough');
  const { code, output } = await runProgram(['dmesg'], machine, signal, 4 * 1024 * 1024);
  if (code === 0 && /under-?voltage detected/i.test(output) && !onlyNow)
    return fail('the voltage was too low: it stands in the kernel’s log');
  if (alarm === 0 && code === 0) return pass('the voltage is high enough, and the kernel’s log says nothing else');
  return unknown(
    alarm === 0
      ? 'high enough now; whether it always was, the kernel’s log does not tell this user'
      : 'no sensor shows the voltage of this board',
  );
};
