/**
 * Watts in what plugs and meters publish, and their energy counters where the same payload has one, as Wh.
 *
 * Sources of the forms and units: Tasmota, "Power Monitoring" (`ENERGY.Power` W, `ENERGY.Total` kWh); Shelly API documentation,
 * Gen1 ("MQTT" of Shelly Plug S and EM: bare W, `relay/0/energy` in watt-minutes, `emeter/0/total` in Wh) and Gen2 (Switch, PM1, EM1,
 * EM: `apower`, `act_power`, `total_act_power` in W, `aenergy.total` in Wh); zigbee2mqtt exposes (`power` W, `energy` kWh); ESPHome
 * and Home Assistant's Statestream (a bare number).
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

/** What one socket can give at all, and what a cheap meter shows below nothing. */
const mostWatts = 20_000;
const leastWatts = -5;

/** Topics that count energy. */
const energyTopic =
  /^shellies\/[^/]+\/(relay|emeter|light|roller)\/\d+\/(energy|returned_energy|total|total_returned)$/;
/** Components of a Shelly that measure power, with the name of the number in them. */
const components = /^(switch|pm1|em1|em|cover|light|rgb|rgbw):\d{1,4}$/;
const shellyNames = ['apower', 'act_power', 'total_act_power'];
const names = ['power', 'watts', 'power_w', 'active_power', 'current_power', 'Power', 'W', 'w'];

interface Watts {
  readonly value: number;
  readonly what: string;
  readonly energyWh?: number | undefined;
}
type Found = Watts | string | undefined;
/** Says that the payload is about something else; undefined lets the next form look. */
const about = 'about something else';

/** One sentence where no socket gives that. */
export const whyNoWatts = (value: number): string | undefined =>
  value < leastWatts || value > mostWatts ? `${value} W cannot be: a plug gives 0 to ${mostWatts}` : undefined;

export function wattsIn(topic: string, payload: Payload): Recognised {
  if (payload.kind === 'wrong') return payload.why;
  const found = payload.kind === 'number' ? bare(topic, payload.value, payload.unit) : inFields(payload.fields);
  if (typeof found !== 'object') return found === about ? undefined : found;
  const { value, what, energyWh } = found;
  const wrong = whyNoWatts(value);
  if (wrong !== undefined) return wrong;
  const atMs = payload.kind === 'object' ? timeOf(payload.fields) : undefined;
  return {
    ...{ value: Math.max(0, value), what },
    ...(energyWh !== undefined && energyWh >= 0 && Number.isFinite(energyWh) && { energyWh }),
    ...(atMs !== undefined && { atMs }),
  };
}

function bare(topic: string, value: number, unit: string): Found {
  if (energyTopic.test(topic)) return 'this topic counts energy: use the one that ends in /power';
  if (unit === '' || /^w$/i.test(unit)) return { value, what: 'the number' };
  return /^kw$/i.test(unit)
    ? { value: value * 1000, what: 'the number, from kW' }
    : `its unit "${unit}" is none of power`;
}

const inFields = (fields: Fields): Found => ofTasmota(fields) ?? ofShelly(fields) ?? flat(fields);

function ofTasmota(fields: Fields): Found {
  const energy = objectAt(objectAt(fields, 'StatusSNS') ?? fields, 'ENERGY');
  if (!energy) return undefined;
  const power = oneOf(energy.Power);
  if (typeof power === 'object') {
    return several(
      'sockets',
      power.map((_, index) => `ENERGY.Power[${index}]`),
      'value_json.ENERGY.Power[0]',
    );
  }
  if (power === undefined) return 'its ENERGY has no "Power" now';
  const total = numberAt(energy, 'Total');
  return { value: power, what: 'ENERGY.Power', energyWh: total === undefined ? undefined : total * 1000 };
}

/** Strips of several sockets list one number each. */
function oneOf(value: unknown): number | undefined | readonly unknown[] {
  if (Array.isArray(value))
    return value.length === 1 ? oneOf(value[0]) : value.length === 0 ? undefined : value.slice(0, 8);
  return numberAt({ value }, 'value');
}

function ofShelly(fields: Fields): Found {
  const notified = objectAt(fields, 'params');
  // A notification holds what changed, and nothing else.
  if (notified && textAt(fields, 'method').startsWith('Notify')) return ofComponents(notified) ?? about;
  const meters = Array.isArray(fields.emeters) && fields.emeters.length > 0 ? fields.emeters : fields.meters;
  if (Array.isArray(meters)) return ofFirstGeneration(meters, meters === fields.emeters);
  return ofComponents(fields) ?? measuredBy(fields, '');
}

function ofComponents(fields: Fields): Found {
  const there = objectsIn(fields, components).flatMap(([name, inner]) => {
    const found = measuredBy(inner, `${name}.`);
    return found ? [found] : [];
  });
  const first = there[0];
  if (!first || there.length === 1) return first;
  const found = there.map(({ what }) => what);
  return several('meters', found, `value_json["${found[0]?.split('.')[0]}"].${found[0]?.split('.')[1]}`);
}

function measuredBy(component: Fields, prefix: string): Watts | undefined {
  const name = shellyNames.find(one => numberAt(component, one) !== undefined);
  if (name === undefined) return undefined;
  const energy = objectAt(component, 'aenergy');
  return {
    value: numberAt(component, name) ?? 0,
    what: `${prefix}${name}`,
    energyWh: energy && numberAt(energy, 'total'),
  };
}

/** `meters` and `emeters` of a status (`…/info`): `total` in watt-minutes of the one, in Wh of the other. */
function ofFirstGeneration(meters: readonly unknown[], isEmeter: boolean): Found {
  const list = isEmeter ? 'emeters' : 'meters';
  if (meters.length > 1) {
    const found = meters.slice(0, 6).map((_, index) => `${list}[${index}].power`);
    return several('meters', found, `value_json.${list}[0].power`);
  }
  const [only] = meters;
  const fields = objectAt({ only }, 'only');
  const value = fields && numberAt(fields, 'power');
  if (!fields || value === undefined || fields.is_valid === false) return `its ${list} have no reading now`;
  const total = numberAt(fields, 'total');
  return { value, what: `${list}[0].power`, energyWh: total === undefined ? undefined : isEmeter ? total : total / 60 };
}

function flat(fields: Fields): Found {
  const kilo = /^kw$/i.test(textAt(fields, 'unit') || textAt(fields, 'unit_of_measurement')) ? 1000 : 1;
  for (const name of names) {
    const value = numberAt(fields, name);
    if (value !== undefined) return { value: value * kilo, what: name, energyWh: energyOf(fields) };
  }
  const attributes = objectAt(fields, 'attributes');
  const state = numberAt(fields, 'state');
  if (attributes && state !== undefined) {
    return { value: /^kw$/i.test(textAt(attributes, 'unit_of_measurement')) ? state * 1000 : state, what: 'state' };
  }
  const empty = names.find(name => Object.hasOwn(fields, name));
  if (empty !== undefined) return `its "${empty}" has no reading now`;
  return 'no power is known in it: say by a "template" where it stands, such as value_json.power';
}

function energyOf(fields: Fields): number | undefined {
  const wh = numberAt(fields, 'energy_wh');
  if (wh !== undefined) return wh;
  const kwh = numberAt(fields, 'energy_kwh') ?? numberAt(fields, 'energy');
  return kwh === undefined ? undefined : kwh * 1000;
}
