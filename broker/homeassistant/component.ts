/** Devices and their components, and their JSON with the abbreviations that Home Assistant knows. */
import { printable } from '../../shared/names.ts';
import { entityId, hubObject, uniqueId } from './ids.ts';
import type { HaView } from './view.ts';

export type Platform = 'binary_sensor' | 'button' | 'climate' | 'number' | 'sensor' | 'switch' | 'update';
export const platforms: readonly string[] = [
  'binary_sensor',
  'button',
  'climate',
  'number',
  'sensor',
  'switch',
  'update',
] satisfies Platform[];

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A component without what all have: unique id and entity id. Keys in full. */
export interface Component {
  readonly key: string;
  readonly platform: Platform;
  /** Null: the device's own name. */
  readonly name: string | null;
  readonly config: Readonly<Record<string, Json>>;
}

export interface Device {
  /** {@link hubObject} and its like. */
  readonly object: string;
  readonly name: string;
  /** Words in front of its entity ids. */
  readonly words: readonly string[];
  /** Further keys of the device, in full. */
  readonly about: Readonly<Record<string, string>>;
  readonly isHub?: boolean;
  /** Topics that must say `online`, for components that do not say better. */
  readonly availability: readonly string[];
  readonly components: readonly Component[];
}

/** Abbreviations that Home Assistant replaces; a fleet's announcements are retained, and a third shorter with them. */
export const abbreviations: Readonly<Record<string, string>> = {
  action_template: 'act_tpl',
  action_topic: 'act_t',
  availability: 'avty',
  availability_mode: 'avty_mode',
  command_topic: 'cmd_t',
  current_temperature_template: 'curr_temp_tpl',
  current_temperature_topic: 'curr_temp_t',
  default_entity_id: 'def_ent_id',
  device_class: 'dev_cla',
  enabled_by_default: 'en',
  entity_category: 'ent_cat',
  expire_after: 'exp_aft',
  json_attributes_template: 'json_attr_tpl',
  json_attributes_topic: 'json_attr_t',
  latest_version_template: 'l_ver_tpl',
  latest_version_topic: 'l_ver_t',
  mode_command_topic: 'mode_cmd_t',
  mode_state_template: 'mode_stat_tpl',
  mode_state_topic: 'mode_stat_t',
  optimistic: 'opt',
  payload_install: 'pl_inst',
  payload_off: 'pl_off',
  payload_on: 'pl_on',
  platform: 'p',
  preset_mode_command_topic: 'pr_mode_cmd_t',
  preset_mode_state_topic: 'pr_mode_stat_t',
  preset_mode_value_template: 'pr_mode_val_tpl',
  preset_modes: 'pr_modes',
  state_class: 'stat_cla',
  state_off: 'stat_off',
  state_on: 'stat_on',
  state_topic: 'stat_t',
  suggested_display_precision: 'sug_dsp_prc',
  temperature_command_topic: 'temp_cmd_t',
  temperature_state_template: 'temp_stat_tpl',
  temperature_state_topic: 'temp_stat_t',
  temperature_unit: 'temp_unit',
  title: 'tit',
  topic: 't',
  unique_id: 'uniq_id',
  unit_of_measurement: 'unit_of_meas',
  value_template: 'val_tpl',
};
const ofDevice: Readonly<Record<string, string>> = {
  configuration_url: 'cu',
  hw_version: 'hw',
  identifiers: 'ids',
  manufacturer: 'mf',
  model: 'mdl',
  suggested_area: 'sa',
  sw_version: 'sw',
};

function shortened(keys: Readonly<Record<string, Json>>, table: Readonly<Record<string, string>>) {
  return Object.fromEntries(Object.entries(keys).map(([key, value]) => [table[key] ?? key, value]));
}

/** What was announced of a device before. */
export interface Known {
  /** Whether it had this component. */
  has(key: string): boolean;
  /** After how many seconds its telemetry expires. */
  readonly expireS?: number | undefined;
}

export const availabilityOf = (topics: readonly string[]): Json => topics.map(topic => ({ t: topic }));

/** Text of people and machines as it may stand in JSON that a strict parser reads: nothing unseen, no half of a pair. */
export function named(text: string | undefined, fallback: string, most = 64): string {
  const clean = Buffer.from(printable((text ?? '').trim(), most))
    .toString()
    .trim();
  return clean === '' ? fallback : clean;
}

/** The JSON of a device's announcement. */
export function announcementOf(view: Pick<HaView, 'base' | 'cluster' | 'ver'>, device: Device): string {
  const { object, name, words, about, availability } = device;
  const hub = hubObject(view.cluster);
  const version = versionOf(view.ver);
  const cmps = Object.fromEntries(
    device.components.map(({ key, platform, name: ofEntity, config }) => [
      key,
      shortened(
        {
          platform,
          unique_id: uniqueId(object, key),
          default_entity_id: entityId(platform, view.base, ...words, ofEntity === null ? '' : key),
          name: ofEntity,
          ...config,
        },
        abbreviations,
      ),
    ]),
  );
  const payload = {
    dev: {
      ...shortened({ identifiers: [object], name, manufacturer: 'Hearth', ...about }, ofDevice),
      ...(device.isHub ? {} : { via_device: hub }),
    },
    o: { name: 'Hearth', ...(version === undefined ? {} : { sw: version }) },
    ...(availability.length === 0 ? {} : { avty: availabilityOf(availability), avty_mode: 'all' }),
    cmps,
  };
  return JSON.stringify(payload);
}

/** A version as it may be shown; undefined for what is none. */
export const versionOf = (ver: string | undefined): string | undefined =>
  ver !== undefined && /^[0-9A-Za-z.+-]{1,32}$/.test(ver) ? ver : undefined;

/** Home Assistant drops the whole device for an address that it cannot read. */
export function webAddress(url: string | undefined): string | undefined {
  if (url === undefined || url.length > 256) return undefined;
  try {
    const { protocol, hostname, href } = new URL(url);
    return (protocol === 'http:' || protocol === 'https:') && hostname !== '' ? href : undefined;
  } catch {
    return undefined;
  }
}
