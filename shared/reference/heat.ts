/** Payloads of heating: rooms, what is measured in them, and a node's part in it. */
import { z } from 'zod';
import { heatOrderArgs, nodeHeatInput } from '../schemas/heat.ts';
import { roomDefaults, roomInput, roomIsPayload, roomOwnPayload, roomReadingPayload } from '../schemas/room.ts';
import type { Payload } from './payload.ts';
import { at, payload } from './payload.ts';

const roomSet = roomInput.extend({
  rev: z.number().int().nonnegative().optional(),
  tx: z.string().max(64).optional(),
});

const { presets } = roomDefaults;
const room = {
  name: 'for people',
  mode: '`off` (default) or `heat`',
  target_c: `how warm it is to be, 5 to 30 °C; ${roomDefaults.target_c} by default. Said without a preset, it ends the preset`,
  preset: '`none` (default), `eco`, `comfort`, `boost`, `away`',
  presets: `what they mean here, °C: ${presets.eco}, ${presets.comfort}, ${presets.boost} and ${presets.away} by default`,
  boost_min: `minutes after which \`boost\` ends by itself and what was before counts again, 5 to 600, ${roomDefaults.boost_min} by default`,
  max_w: 'watts that the room never gets more than',
  priority: `of rooms that want more than the fuse gives, the higher comes first, 0 to 100, ${roomDefaults.priority} by default`,
  limit_c: `above this everything in the room is off, whatever anybody says, 10 to 40, ${roomDefaults.limit_c} by default`,
  quiet:
    'times in which its machines are to be quiet: `[{"days": "mon-fri", "from": "22:00", "to": "06:30"}]`; `days` is the day on which it begins',
  schedule:
    'entries `{"days", "at", …}` with one of `target_c`, `preset`, `mode`: from that time on, until the next; what a person says holds until the next',
  tz: "IANA time zone of `schedule`, `quiet` and `hour`; the supervisor's by default",
  burner: 'whether the built-in burner may make up what jobs and filler leave missing; yes by default',
  rules:
    '`{"if": EXPRESSION, …}` with `add_c`, `demand_pct`, `min_w` (a number, or `surplus_w`), `max_w`: what changes while `if` is true. An expression compares `price`, `surplus_w`, `temp_c`, `outdoor_c`, `target_c` and `hour` with numbers, in the grammar of CEL',
  learn: 'whether it is learned how the room answers to heat; yes by default',
  thermometer:
    'where its temperature comes from, beside `in/temp_c`: a topic, `{"topic", "template", "broker"}`, or `{"node", "sensor"}`; `stale_min` minutes old (10 by default, up to 90) it is too old to heat by',
  outdoor: 'the same for the temperature outdoors, beside `in/outdoor_c`',
  applied: 'which keys each file given to `hearth apply` put here',
  filler: 'what runs where no job wants to: the name of a service, `{"boinc": {}}`, or `{"run": COMMAND}`',
};

export const heatPayloads: readonly Payload[] = [
  payload(
    'room-set',
    'Room',
    roomSet,
    'To `hearth/room/<id>/set`: a merge patch of the room’s document, all or nothing; `null` deletes a key. The room comes into being by it.',
    {
      ...room,
      rev: 'optional: refused where the document is above it already',
      tx: 'optional: comes back in `result`',
    },
    {
      ...{ mode: 'heat', target_c: 21, max_w: 800, thermometer: 'zigbee2mqtt/attic' },
      schedule: [
        { days: 'mon-fri', at: '06:00', preset: 'comfort' },
        { at: '22:00', preset: 'eco' },
      ],
      rules: [{ if: 'price > 0.35', add_c: -1 }],
    },
  ),
  payload(
    'room-own',
    'Accepted room',
    roomOwnPayload,
    'On `hearth/room/<id>/own`, retained: the document as people set it, short forms written out.',
    { ...room, rev: 'revision that last changed it' },
    { mode: 'heat', target_c: 21, thermometer: { topic: 'zigbee2mqtt/attic', broker: 'own' }, rev: 42 },
  ),
  payload(
    'room-is',
    'State of a room',
    roomIsPayload,
    'On `hearth/room/<id>/is`, retained: on change, at most once a second, and every 30 s. What is not known has no key.',
    {
      room: 'id',
      mode: '`off heat`',
      target_c: 'what its people or its schedule want, °C; also while it is off',
      aim_c: 'what its rules make of that, °C, where it is something else',
      temp_c: 'how warm it is, °C',
      outdoor_c: 'how warm it is outdoors, °C',
      preset: '`none eco comfort boost away`',
      action: '`off`; `idle`: nothing is wanted, or must not be; `heating`',
      demand_w: 'watts that it wants',
      heat_w: 'watts that its machines draw, whatever for: all of it is heat',
      energy_kwh: 'what it was given so far, kWh; never falls',
      max_w: 'watts that it never gets more than',
      nodes: 'machines that can heat it now',
      temp_age_s: 'how old `temp_c` is, s',
      jobs: 'tasks of jobs that run there',
      err: 'what is in the way, one sentence; empty where nothing is',
    },
    {
      ...{ room: 'attic', mode: 'heat', target_c: 21, temp_c: 19.8, preset: 'none', action: 'heating', demand_w: 310 },
      ...{ heat_w: 296, energy_kwh: 12.345, max_w: 800, nodes: 2, temp_age_s: 12, jobs: 6, err: '' },
    },
  ),
  payload(
    'reading',
    'Reading',
    roomReadingPayload,
    'To `hearth/room/<id>/in/<reading>`: a bare number, or with its time. Not kept on disk, and answered only where it is wrong. An empty payload takes the reading away. A copy that an outside broker retained counts only with `at_ms`.',
    {
      value: '°C of `temp_c` and `outdoor_c`; W of `demand_w` and `surplus_w`; of `price` what you like',
      at_ms: `when it was measured, ${at}; without, it was when it came. The future is refused`,
    },
    { value: 20.4, at_ms: 1_800_000_000_000 },
  ),
  payload(
    'node-heat',
    'Node’s part in heating',
    nodeHeatInput,
    'Value of `heat` in a node’s or role’s document. A node heats the room that its label `room` names.',
    {
      on: 'gives heat; yes by default, where it is in a room',
      cores: 'cores that may be busy for heat, at most; all by default',
      max_temp_c: 'its processor is kept below this: throttled from here on, off 8 °C above; 80 by default',
      quiet_pct:
        'share of its cores that it may use while the room is quiet: 100 for a machine without a fan; 0 by default',
      min_on_min: 'minutes that it goes on, once begun; 10 by default',
      min_off_min: 'minutes that it stays off, once ended; 10 by default',
      idle_w: 'what it draws doing nothing, W; else learned by a meter, or guessed',
      peak_w: 'what it draws with every core busy, W; else learned by a meter, or guessed',
      plug: 'the smart plug it draws its power through: a topic, `{"topic", "template", "broker"}`, or `{"wemo": "http://ADDRESS:49153"}`',
    },
    { cores: 3, max_temp_c: 75, plug: { topic: 'tele/plug1/SENSOR' } },
  ),
  payload(
    'heat-order',
    'Order to heat',
    heatOrderArgs,
    'Arguments of the order `heat`, from the supervisor to a node. It is a lease: who hears nothing new before its end gives no heat any more, whether the agent lives or not.',
    {
      cores: 'cores to keep busy, everything that runs counted; 0: no heat',
      lease_s: 'seconds for which it holds',
      max_temp_c: 'its processor is kept below this, °C',
      filler: 'what runs where no job wants to, as JSON',
      burner: 'whether the built-in burner may make up what is missing',
    },
    { cores: 3.5, lease_s: 45, max_temp_c: 80, burner: true },
  ),
];
