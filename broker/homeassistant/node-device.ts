/**
 * A machine as a device: what it does and draws, and what can be asked of it. Only what it has becomes an entity; what it
 * once had stays one, for a sensor that drops out comes back, and an entity that goes takes its settings with it.
 *
 * Drained or not is told by `is.state`, which the node writes once it obeys: within a second or two while it is online, and
 * while it is not, the switch is unavailable. The document on `own` would say it sooner, but it holds what the node runs, and
 * a login for Home Assistant does not read it.
 */
import { type Component, type Device, type Known, named, versionOf, webAddress } from './component.ts';
import { nodeObject } from './ids.ts';
import { readingOf, wordOf } from './templates.ts';
import type { HaFacts, HaNode, HaView, TelemetryKey } from './view.ts';

/** Where nothing else is said, `power` comes so often. */
const powerEveryMs = 10_000;
/** Telemetry is not given up sooner than this, however short its period is: over the uplink it comes every 10 s. */
const leastExpireS = 30;
const mostExpireS = 3 * 86_400;

type Config = Component['config'];

const sensors: readonly {
  readonly key: string;
  readonly field: TelemetryKey;
  readonly name: string;
  readonly config: Config;
}[] = [
  {
    key: 'cpu',
    field: 'cpu_pct',
    name: 'Processor',
    config: { unit_of_measurement: '%', suggested_display_precision: 0 },
  },
  {
    key: 'memory',
    field: 'mem_pct',
    name: 'Memory',
    config: { unit_of_measurement: '%', suggested_display_precision: 0 },
  },
  {
    key: 'temperature',
    field: 'temp_c',
    name: 'Temperature',
    config: { device_class: 'temperature', unit_of_measurement: '°C', suggested_display_precision: 0 },
  },
  {
    key: 'load',
    field: 'load1',
    name: 'Load',
    config: { suggested_display_precision: 2, entity_category: 'diagnostic', enabled_by_default: false },
  },
  {
    key: 'frequency',
    field: 'cpu_mhz',
    name: 'Frequency',
    config: {
      device_class: 'frequency',
      unit_of_measurement: 'MHz',
      suggested_display_precision: 0,
      entity_category: 'diagnostic',
      enabled_by_default: false,
    },
  },
  { key: 'jobs', field: 'jobs', name: 'Jobs', config: {} },
];

/** Components that are made of loads. */
export const telemetryComponents: readonly string[] = sensors.map(({ key }) => key);
/** Components that stay once they were there. */
export const onceThere: readonly string[] = [...telemetryComponents, 'power'];
/** Whether telemetry may be announced to expire after so many seconds. */
export const isExpiry = (s: number): boolean => s >= leastExpireS && s <= mostExpireS;

export function nodeDevice(view: HaView, node: HaNode, info: HaFacts, known: Known): Device {
  const { base, cluster } = view;
  const at = `${base}/node/${node.id}`;
  const hub = [{ t: `${base}/status` }];
  const caps = new Set((info.caps ?? '').split(','));
  const room = view.rooms.find(({ id }) => id === node.room);
  const area = room ? named(room.name, room.id) : named(node.room, '');
  const ver = versionOf(info.ver);
  const url = webAddress(view.url);
  const button = (verb: string, name: string, config: Config): Component => ({
    key: verb,
    platform: 'button',
    name,
    config: { command_topic: `${at}/do/${verb}`, qos: 1, ...config },
  });
  return {
    object: nodeObject(cluster, node.id),
    name: node.id,
    words: ['node', node.id],
    about: {
      ...text('model', info.cpu),
      ...text('hw_version', info.arch),
      ...text('sw_version', ver),
      ...text('suggested_area', area),
      ...text('configuration_url', url),
    },
    availability: [`${base}/status`, `${at}/status`],
    components: [
      {
        key: 'connectivity',
        platform: 'binary_sensor',
        name: 'Connectivity',
        config: {
          state_topic: `${at}/status`,
          availability: hub,
          device_class: 'connectivity',
          payload_on: 'online',
          payload_off: 'offline',
          entity_category: 'diagnostic',
        },
      },
      ...sensors
        .filter(({ key, field }) => node.has.has(field) || known.has(key))
        .map(
          ({ key, field, name, config }): Component => ({
            key,
            platform: 'sensor',
            name,
            config: {
              state_topic: `${at}/load`,
              value_template: readingOf(field),
              state_class: 'measurement',
              ...expiring(node.loadEveryMs, known.expireS),
              ...config,
            },
          }),
        ),
      ...(node.power || known.has('power') ? powerSensors(at, hub, node.powerEveryMs) : []),
      {
        key: 'drain',
        platform: 'switch',
        name: 'Drain',
        config: {
          state_topic: `${at}/is`,
          value_template: wordOf('state', { draining: 'on', ready: 'off' }),
          command_topic: `${at}/set/drain`,
          payload_on: 'on',
          payload_off: 'off',
          optimistic: false,
          entity_category: 'config',
          qos: 1,
        },
      },
      button('identify', 'Identify', { device_class: 'identify', entity_category: 'diagnostic' }),
      ...(caps.has('reboot')
        ? [button('reboot', 'Reboot', { device_class: 'restart', entity_category: 'config' })]
        : []),
      // Who sleeps is offline: the supervisor does it.
      ...(node.wakes ? [button('wake', 'Wake', { availability: hub, entity_category: 'config' })] : []),
      ...(ver === undefined ? [] : [updateOf(base, at)]),
    ],
  };
}

const powerSensors = (at: string, hub: Config[string], everyMs = powerEveryMs): readonly Component[] => [
  {
    key: 'power',
    platform: 'sensor',
    name: 'Power',
    config: {
      state_topic: `${at}/power`,
      value_template: readingOf('watts'),
      device_class: 'power',
      unit_of_measurement: 'W',
      state_class: 'measurement',
      suggested_display_precision: 0,
      ...expiring(everyMs, undefined),
    },
  },
  {
    key: 'energy',
    platform: 'sensor',
    name: 'Energy',
    config: {
      state_topic: `${at}/power`,
      availability: hub,
      value_template: readingOf('energy_kwh'),
      device_class: 'energy',
      unit_of_measurement: 'kWh',
      state_class: 'total_increasing',
      suggested_display_precision: 2,
    },
  },
];

/** The supervisor hands out the agent of its own version, which it tells on `info`. */
const updateOf = (base: string, at: string): Component => ({
  key: 'agent',
  platform: 'update',
  name: 'Agent',
  config: {
    state_topic: `${at}/info`,
    value_template: readingOf('ver'),
    latest_version_topic: `${base}/info`,
    latest_version_template: readingOf('ver'),
    command_topic: `${at}/set/agent`,
    payload_install: 'follow',
    device_class: 'firmware',
    title: 'Hearth agent',
    entity_category: 'diagnostic',
    qos: 1,
  },
});

const text = (key: string, value: string | undefined): Readonly<Record<string, string>> => {
  const clean = named(value, '', 256);
  return clean === '' ? {} : { [key]: clean };
};

/** Three periods. Until loads have shown how often they come, what was announced before. */
function expiring(everyMs: number | undefined, before: number | undefined): Config {
  const three =
    everyMs === undefined || !(everyMs > 0) ? undefined : Math.max(leastExpireS, Math.ceil((3 * everyMs) / 1000));
  const s = three !== undefined && isExpiry(three) ? three : before;
  return s === undefined ? {} : { expire_after: s };
}
