/** A room as people write it: how warm it is to be when, by which thermometer, within which bounds. */
import { z } from 'zod';
import { isId } from '../names.ts';
import { applied } from './node-document.ts';
import { brokerChoice, thermometerInput, thermometerSchema } from './reading.ts';
import { runSchema } from './service-life.ts';

export const roomLimits = {
  rooms: 64,
  schedule: 100,
  quiet: 20,
  rules: 20,
  /** Degrees that anybody may ask for. */
  coldest: 5,
  warmest: 30,
} as const;

export const roomIdSchema = z.string().refine(isId, 'not a room id: use 1 to 20 of a-z, 0-9 and "-"');
export const roomModes = ['off', 'heat'] as const;
/** `none` is no preset: what `target_c` says counts. */
export const presetNames = ['none', 'eco', 'comfort', 'boost', 'away'] as const;
export type PresetName = (typeof presetNames)[number];

const degrees = z
  .number()
  .min(roomLimits.coldest, `at least ${roomLimits.coldest} °C`)
  .max(roomLimits.warmest, `at most ${roomLimits.warmest} °C`);
const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time of day as HH:MM');
/** `mon`, `mon-fri`, `sat,sun`; default: every day. */
const days = z
  .string()
  .regex(
    /^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?(,(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?)*$/,
    'days as mon, mon-fri or sat,sun',
  );

/** From this time on; exactly one of the three. */
const scheduleEntry = z
  .strictObject({
    days: days.optional(),
    at: timeOfDay,
    target_c: degrees.optional(),
    preset: z.enum(presetNames).optional(),
    mode: z.enum(roomModes).optional(),
  })
  .refine(
    ({ target_c, preset, mode }) => [target_c, preset, mode].filter(said => said !== undefined).length === 1,
    'say one of "target_c", "preset" and "mode"',
  );

/** A service of the nodes by name, BOINC through its own command, or any command. */
export const fillerSchema = z.union(
  [
    z.strictObject({ service: z.string().regex(/^[A-Za-z0-9._@:~-]{1,64}$/) }),
    z.strictObject({
      boinc: z.strictObject({ host: z.string().max(200).optional(), password_file: z.string().max(1000).optional() }),
    }),
    z.strictObject({
      run: runSchema,
      user: z.string().max(32).optional(),
      env: z.record(z.string(), z.string().max(4096)).optional(),
    }),
  ],
  'a service’s name, {"boinc": {}}, or {"run": COMMAND}',
);
export type Filler = z.output<typeof fillerSchema>;
const fillerInput = z.union(
  [
    z
      .string()
      .regex(/^[A-Za-z0-9._@:~-]{1,64}$/, 'not a service’s name: a command goes in {"run": COMMAND}')
      .transform((service): Filler => ({ service })),
    fillerSchema,
  ],
  'a service’s name, {"boinc": {}}, or {"run": COMMAND}',
);

/**
 * While `if` is true (an expression over `price`, `surplus_w`, `temp_c`, `outdoor_c`, `target_c`, `hour`), the target is
 * moved, or the watts are. All that are true count, in order.
 */
const rule = z
  .strictObject({
    if: z.string().min(1).max(300),
    add_c: z.number().min(-10).max(5).optional(),
    demand_pct: z.number().min(0).max(200).optional(),
    /** At least so many watts, whatever the thermometer says; never above the room's hard limit. `surplus_w` is a number of its own. */
    min_w: z.union([z.number().min(0).max(100_000), z.literal('surplus_w')]).optional(),
    max_w: z.number().min(0).max(100_000).optional(),
  })
  .refine(
    ({ add_c, demand_pct, min_w, max_w }) => [add_c, demand_pct, min_w, max_w].some(said => said !== undefined),
    'say what changes: "add_c", "demand_pct", "min_w" or "max_w"',
  );
export type RoomRule = z.output<typeof rule>;

const keys = {
  /** For people. */
  name: z.string().min(1).max(64).optional(),
  mode: z.enum(roomModes).optional(),
  target_c: degrees.optional(),
  preset: z.enum(presetNames).optional(),
  /** What each preset means here. */
  presets: z.strictObject({ eco: degrees, comfort: degrees, boost: degrees, away: degrees }).partial().optional(),
  /** `boost` ends by itself after so many minutes. Default 60. */
  boost_min: z.number().min(5).max(600).optional(),
  /** Never more than this in the room. */
  max_w: z.number().min(0).max(100_000).optional(),
  /** Of rooms that want more than the fuse gives, the higher comes first. Default 50. */
  priority: z.number().int().min(0).max(100).optional(),
  /** Above this everything is off, whatever anybody says. Default 28. */
  limit_c: z.number().min(10).max(40).optional(),
  quiet: z
    .array(z.strictObject({ days: days.optional(), from: timeOfDay, to: timeOfDay }))
    .max(roomLimits.quiet)
    .optional(),
  schedule: z.array(scheduleEntry).max(roomLimits.schedule).optional(),
  /** IANA time zone of `schedule` and `quiet`. Default: the supervisor's. */
  tz: z.string().max(64).refine(isTimeZone, 'not a time zone: use a name such as Europe/Berlin').optional(),
  burner: z.boolean().optional(),
  rules: z.array(rule).max(roomLimits.rules).optional(),
  /** Learns how the room answers. Default true. */
  learn: z.boolean().optional(),
  applied: applied.optional(),
} as const;

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The accepted document. What one machine knows as a time zone another one may not: a document is read all the same. */
export const roomDocument = z.strictObject({
  ...keys,
  tz: z.string().max(64).optional(),
  thermometer: thermometerSchema.optional(),
  outdoor: thermometerSchema.optional(),
  filler: fillerSchema.optional(),
});
export type RoomDocument = z.output<typeof roomDocument>;
/** The same as people may write it, with its short forms. */
export const roomInput = z.strictObject({
  ...keys,
  thermometer: thermometerInput.optional(),
  outdoor: thermometerInput.optional(),
  filler: fillerInput.optional(),
});
export const roomOwnPayload = roomDocument.extend({ rev: z.number().int().nonnegative() });

export const roomDefaults = {
  mode: 'off',
  target_c: 20,
  presets: { eco: 17, comfort: 21, boost: 23, away: 12 },
  boost_min: 60,
  priority: 50,
  limit_c: 28,
  stale_min: 10,
  burner: true,
  learn: true,
} as const;

export const roomReadings = ['temp_c', 'outdoor_c', 'demand_w', 'price', 'surplus_w'] as const;
export type RoomReading = (typeof roomReadings)[number];
/** `in/<reading>` with its time; a bare number is short for `{"value": …}`. */
export const roomReadingPayload = z.strictObject({ value: z.number(), at_ms: z.number().optional() });
export { brokerChoice };

/** `is` of a room, retained, on change and every 30 s: flat. What is not known has no key. */
export const roomIsPayload = z.object({
  room: roomIdSchema,
  mode: z.enum(roomModes),
  target_c: z.number(),
  /** What rules make of the target, where that is another one. */
  aim_c: z.number().optional(),
  temp_c: z.number().optional(),
  outdoor_c: z.number().optional(),
  preset: z.enum(presetNames),
  action: z.enum(['off', 'idle', 'heating']),
  /** Watts asked for. */
  demand_w: z.number(),
  /** Watts that its nodes draw. */
  heat_w: z.number(),
  energy_kwh: z.number(),
  max_w: z.number().optional(),
  nodes: z.number().int(),
  temp_age_s: z.number().optional(),
  /** Tasks of jobs that run in the room. */
  jobs: z.number().int(),
  /** What is in the way, one sentence; empty where nothing is. */
  err: z.string().max(300),
});
export type RoomIs = z.output<typeof roomIsPayload>;
