/**
 * What a 1-wire thermometer's file says (Documentation/w1/slaves/w1_therm.rst in the kernel). Pure.
 *
 * `w1_slave` has nine bytes, the last one their CRC, and twice: with `crc=… YES`, and with `t=` in thousandths of a degree.
 * 85.000 °C is what a DS18B20 holds from its power-on until its first conversion (Maxim DS18B20 data sheet, "power-on reset value"), and says
 * where its conversion failed for want of power; a line that is shorted reads as nine zeros, whose CRC is right.
 */

/** Families with a thermometer in them: DS18S20, DS1822, DS18B20, DS1825, DS28EA00. */
export const w1Name = /^(10|22|28|3b|42)-[\da-f]{12}$/;

/** Of the surroundings, thousandths of a degree. */
const leastMilli = -40_000;
const powerOn = 85_000;

export const plausibleMilli = (milli: number): boolean =>
  Number.isFinite(milli) && milli >= leastMilli && milli < powerOn;

/** °C, or undefined where the reading is none. */
export function w1SlaveC(text: string): number | undefined {
  const bytes = /^((?:[\da-f]{2} ){9}): crc=[\da-f]{2} YES$/im.exec(text)?.[1];
  const milli = /\bt=(-?\d{1,7})\s*$/.exec(text)?.[1];
  if (bytes === undefined || milli === undefined || /^(00 )+$/.test(bytes)) return undefined;
  return milliC(milli);
}

/** A file with thousandths of a degree alone: `temperature` of 1-wire, `temp1_input` of hwmon, `in_temp_input` of iio. */
export function milliC(text: string): number | undefined {
  const word = text.trim();
  if (!/^-?\d{1,7}(\.\d{1,9})?$/.test(word)) return undefined;
  const milli = Number(word);
  return plausibleMilli(milli) ? Math.round(milli) / 1000 : undefined;
}
