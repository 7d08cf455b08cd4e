/**
 * Temperatures in what thermometers publish, as °C. What is known to be the temperature of a device instead of the air round
 * it (a plug's relay, a processor) is refused, since a room would be heated by it.
 *
 * Sources of the forms: Tasmota, MQTT documentation ("tele/…/SENSOR", `TempUnit` by SetOption8); Shelly API documentation, Gen1
 * ("MQTT" of Shelly H&T, 1PM) and Gen2 (Temperature, Switch, Notifications); zigbee2mqtt, "MQTT topics and messages" and exposes
 * (always °C: its `temperature_unit` is what the display shows); ESPHome, "MQTT client component" (a bare number, `nan` without
 * one); Ruuvi, data format 5 (RAWv2) and "MQTT: time-stamped data"; Home Assistant, MQTT Statestream (a bare state).
 */
import {
  type Fields,
  numberAt,
  objectAt,
  objectsIn,
  type Payload,
  type Recognised,
  several,
  textAt,
  timeOf,
} from './payload.ts';

/** What a broken sensor says stays below this, and is judged where the room is known. */
const mostC = 1000;

const celsius = (fahrenheit: number): number => Math.round((((fahrenheit - 32) * 5) / 9) * 1000) / 1000;

/** How a unit is written that means Fahrenheit. */
const isFahrenheit = (unit: string): boolean => /^[°º]?\s?F(ahrenheit)?$/i.test(unit.trim());

/** Topics on which a Shelly of the first generation says how warm it is itself; and those that say °F. */
const ownTemperature = /^shellies\/[^/]+\/temperature(_f)?$/;
const fahrenheitTopic = /\/(ext_temperature_f\/\d+|temperature_f)$/;

/** The best known first: what the room's air is called in flat JSON. */
const names = ['temperature', 'temperature_c', 'temp_c', 'temp', 'Temperature', 'tC', 'local_temperature'];
const fahrenheitNames = ['temperature_f', 'temp_f', 'tempf', 'tF'];
/** These are of the device, and looked at only to say so. */
const ofDevice = ['device_temperature', 'cpu_temperature', 'soc_temperature', 'chip_temperature'];

/** One sentence where nothing of the house is so warm or so cold. */
export const whyNoDegrees = (value: number): string | undefined =>
  Math.abs(value) <= mostC ? undefined : `${value} °C cannot be`;

export function temperatureIn(topic: string, payload: Payload): Recognised {
  const found = anyTemperature(topic, payload);
  return typeof found === 'object' ? (whyNoDegrees(found.value) ?? found) : found;
}

function anyTemperature(topic: string, payload: Payload): Recognised {
  if (payload.kind === 'wrong') return payload.why;
  if (ownTemperature.test(topic)) return 'on this topic a Shelly says how warm it is itself, not the room';
  if (payload.kind === 'number') {
    const { value, unit } = payload;
    if (unit !== '' && !/^[°º]?\s?[CF]$/i.test(unit)) return `its unit "${unit}" is none of temperature`;
    const inF = isFahrenheit(unit) || fahrenheitTopic.test(topic);
    return { value: inF ? celsius(value) : value, what: inF ? 'the number, from °F' : 'the number' };
  }
  const { fields } = payload;
  const found = ofShelly(fields) ?? ofRuuvi(fields) ?? ofTasmota(fields) ?? flat(fields);
  if (typeof found !== 'object') return found === about ? undefined : found;
  const atMs = timeOf(fields);
  return { ...found, ...(atMs !== undefined && { atMs }) };
}

/** Says that the payload is about something else; undefined lets the next form look. */
const about = 'about something else';
type Found = { readonly value: number; readonly what: string } | string | undefined;

function ofShelly(fields: Fields): Found {
  const tmp = objectAt(fields, 'tmp');
  if (tmp) return ofFirstGeneration(tmp);
  const notified = objectAt(fields, 'params');
  if (notified && textAt(fields, 'method').startsWith('Notify')) {
    // A notification holds what changed, and nothing else.
    return component(notified) ?? about;
  }
  const shared = component(fields);
  if (shared) return shared;
  const ofPlug = objectAt(fields, 'temperature');
  if (ofPlug && numberAt(ofPlug, 'tC') !== undefined) {
    return 'its "temperature" is how warm the device is itself, not the room';
  }
  return undefined;
}

/** `temperature:0`, `temperature:100` (of an add-on) of a Shelly of a later generation. */
function component(fields: Fields): Found {
  const there = objectsIn(fields, /^temperature:\d{1,4}$/);
  const first = there[0];
  if (!first) return undefined;
  if (there.length > 1) {
    const names = there.map(([name]) => name);
    return several('temperatures', names, `value_json["${names[0]}"].tC`);
  }
  const value = numberAt(first[1], 'tC');
  return value === undefined ? `its ${first[0]} has no reading now` : { value, what: `${first[0]}.tC` };
}

/** `tmp` of a Shelly H&T's status: {"value": 68.2, "units": "F", "tC": 20.1, "tF": 68.2, "is_valid": true}. */
function ofFirstGeneration(tmp: Fields): Found {
  if (tmp.is_valid === false) return 'it says itself that its temperature is not valid';
  const tC = numberAt(tmp, 'tC');
  if (tC !== undefined) return { value: tC, what: 'tmp.tC' };
  const value = numberAt(tmp, 'value');
  if (value === undefined) return 'its tmp has no reading now';
  return isFahrenheit(textAt(tmp, 'units'))
    ? { value: celsius(value), what: 'tmp.value, from °F' }
    : { value, what: 'tmp.value' };
}

/** A Ruuvi Gateway passes on the advertisement: manufacturer 0x0499, format 5, then 16 bit of 0.005 °C; 0x8000 is none. */
function ofRuuvi(fields: Fields): Found {
  const data = textAt(fields, 'data').slice(0, 200);
  const found = /^(?:[\dA-F]{2}){0,40}?FF990405([\dA-F]{4})/i.exec(data)?.[1];
  if (found === undefined) return undefined;
  const raw = Number.parseInt(found, 16);
  if (raw === 0x8000) return 'the RuuviTag says that it has no reading';
  return { value: Math.round((raw >= 0x8000 ? raw - 0x10000 : raw) * 5) / 1000, what: 'the RuuviTag' };
}

/** One object per sensor, with `Temperature` in it; `ESP32` is the chip itself. */
function ofTasmota(fields: Fields): Found {
  const sensors = objectAt(fields, 'StatusSNS') ?? fields;
  const there = objectsIn(sensors, /^[A-Z][\w-]*$/).flatMap(([sensor, inner]) =>
    Object.keys(inner)
      .filter(key => /^Temperature\d*$/.test(key))
      .map(key => ({ sensor, key, value: numberAt(inner, key) })),
  );
  const outside = there.filter(({ sensor }) => sensor !== 'ESP32');
  const first = outside[0];
  if (!first) return there.length > 0 ? 'it has only the temperature of its own chip (ESP32)' : undefined;
  if (outside.length > 1) {
    const names = outside.map(({ sensor, key }) => `${sensor}.${key}`);
    return several('temperatures', names, `value_json["${first.sensor}"].${first.key}`);
  }
  const { sensor, key, value } = first;
  if (value === undefined) return `its ${sensor} has no reading now`;
  const unit = textAt(sensors, 'TempUnit');
  return isFahrenheit(unit)
    ? { value: celsius(value), what: `${sensor}.${key}, from °F` }
    : { value, what: `${sensor}.${key}` };
}

function flat(fields: Fields): Found {
  const unit = textAt(fields, 'TempUnit') || textAt(fields, 'unit') || textAt(fields, 'unit_of_measurement');
  for (const name of names) {
    const value = numberAt(fields, name);
    if (value !== undefined) {
      return isFahrenheit(unit) && name !== 'tC' && !name.endsWith('_c')
        ? { value: celsius(value), what: `${name}, from °F` }
        : { value, what: name };
    }
  }
  for (const name of fahrenheitNames) {
    const value = numberAt(fields, name);
    if (value !== undefined) return { value: celsius(value), what: `${name}, from °F` };
  }
  const attributes = objectAt(fields, 'attributes');
  const state = numberAt(fields, 'state');
  if (attributes && state !== undefined) {
    const inF = isFahrenheit(textAt(attributes, 'unit_of_measurement'));
    return { value: inF ? celsius(state) : state, what: inF ? 'state, from °F' : 'state' };
  }
  const empty = names.find(name => Object.hasOwn(fields, name));
  if (empty !== undefined) return `its "${empty}" has no reading now`;
  if (ofDevice.some(name => Object.hasOwn(fields, name)))
    return 'it says only how warm the device is itself, not the room';
  return 'no temperature is known in it: say by a "template" where it stands, such as value_json.temperature';
}
