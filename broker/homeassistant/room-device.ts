/**
 * A room as a device: its thermostat, and what it draws.
 *
 * The room's `status` is `offline` while its thermometer is not to be relied upon or no node of it lives; the thermostat is
 * "unavailable" then, and Home Assistant sends nothing for it. So what must still be possible, and what must still be seen,
 * hangs on the supervisor alone: the switch that forbids heating, the watts, the energy, the bound on the watts, and
 * the sensor that says what is wrong.
 *
 * `is` is retained, and over the uplink it is told on change only: nothing made of it expires. The supervisor's will takes it
 * all away, the room's `status` what is measured.
 */
import { presetNames, roomLimits, roomModes } from '../../shared/schemas/room.ts';
import { type Component, type Device, named, webAddress } from './component.ts';
import { roomObject } from './ids.ts';
import { attribute, isSaid, readingOf } from './templates.ts';
import type { HaRoom, HaView } from './view.ts';

const degrees = { device_class: 'temperature', unit_of_measurement: '°C', suggested_display_precision: 1 } as const;
const watts = { device_class: 'power', unit_of_measurement: 'W', suggested_display_precision: 0 } as const;
/** Most that the key `max_w` takes. */
const mostW = 100_000;

export function roomDevice(view: HaView, room: HaRoom): Device {
  const { base, cluster } = view;
  const name = named(room.name, room.id);
  const url = webAddress(view.url);
  const at = `${base}/room/${room.id}`;
  const is = `${at}/is`;
  const both = [{ t: `${base}/status` }, { t: `${at}/status` }];
  const sensor = (key: string, field: string, title: string, config: Component['config']): Component => ({
    key,
    platform: 'sensor',
    name: title,
    config: { state_topic: is, value_template: readingOf(field), state_class: 'measurement', ...config },
  });
  return {
    object: roomObject(cluster, room.id),
    name,
    words: [room.id],
    about: { model: 'Room', suggested_area: name, ...(url === undefined ? {} : { configuration_url: url }) },
    availability: [`${base}/status`],
    components: [
      {
        key: 'climate',
        platform: 'climate',
        name: null,
        config: {
          availability: both,
          modes: roomModes,
          mode_state_topic: is,
          mode_state_template: readingOf('mode'),
          mode_command_topic: `${at}/set/mode`,
          temperature_state_topic: is,
          temperature_state_template: readingOf('target_c'),
          temperature_command_topic: `${at}/set/target_c`,
          current_temperature_topic: is,
          current_temperature_template: readingOf('temp_c'),
          action_topic: is,
          action_template: readingOf('action'),
          // Home Assistant has `none` by itself, and refuses it here.
          preset_modes: presetNames.filter(preset => preset !== 'none'),
          preset_mode_state_topic: is,
          preset_mode_value_template: readingOf('preset'),
          preset_mode_command_topic: `${at}/set/preset`,
          ...rangeOf(room),
          temp_step: 0.5,
          precision: 0.1,
          temperature_unit: 'C',
          optimistic: false,
          // Mode and temperature are two messages, and none of them may get lost.
          qos: 1,
        },
      },
      {
        key: 'allowed',
        platform: 'switch',
        name: 'Heating allowed',
        config: {
          state_topic: is,
          value_template: readingOf('mode'),
          command_topic: `${at}/set/mode`,
          payload_on: 'heat',
          payload_off: 'off',
          state_on: 'heat',
          state_off: 'off',
          optimistic: false,
          entity_category: 'config',
          qos: 1,
        },
      },
      sensor('temperature', 'temp_c', 'Temperature', { ...degrees, availability: both }),
      ...(room.outdoor ? [sensor('outdoor', 'outdoor_c', 'Outdoor temperature', { ...degrees })] : []),
      sensor('power', 'heat_w', 'Power', { ...watts }),
      sensor('demand', 'demand_w', 'Demand', { ...watts }),
      sensor('energy', 'energy_kwh', 'Energy', {
        device_class: 'energy',
        unit_of_measurement: 'kWh',
        suggested_display_precision: 2,
        state_class: 'total_increasing',
      }),
      {
        key: 'max_power',
        platform: 'number',
        name: 'Maximum power',
        config: {
          state_topic: is,
          value_template: readingOf('max_w'),
          command_topic: `${at}/set/max_w`,
          device_class: 'power',
          unit_of_measurement: 'W',
          min: 0,
          max: mostW,
          step: 1,
          mode: 'box',
          optimistic: false,
          entity_category: 'config',
          qos: 1,
        },
      },
      {
        key: 'problem',
        platform: 'binary_sensor',
        name: 'Problem',
        config: {
          state_topic: is,
          value_template: isSaid('err'),
          device_class: 'problem',
          json_attributes_topic: is,
          json_attributes_template: attribute('reason', 'err'),
          entity_category: 'diagnostic',
        },
      },
    ],
  };
}

/** Within what a room takes, and at least a degree wide. */
function rangeOf({ minC = roomLimits.coldest, maxC = roomLimits.warmest }: HaRoom) {
  const min_temp = Math.max(roomLimits.coldest, minC);
  const max_temp = Math.min(roomLimits.warmest, maxC);
  return max_temp - min_temp >= 1
    ? { min_temp, max_temp }
    : { min_temp: roomLimits.coldest, max_temp: roomLimits.warmest };
}
