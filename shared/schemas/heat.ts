/** A node's part in heating, on `heat` of its document or of a role's; and what is said of a node's power. */
import { z } from 'zod';
import { plugInput, plugSchema } from './reading.ts';

const watts = z.number().min(0).max(10_000);

const heatKeys = {
  /** Gives heat; default: where it is in a room. */
  on: z.boolean().optional(),
  /** Cores that may be busy for heat, at most. Default: all. */
  cores: z.number().min(0).max(4096).optional(),
  /** Its processor is kept below this for heat: throttled from here on, off 8 degrees above. Default 80. */
  max_temp_c: z.number().min(30).max(110).optional(),
  /** Share of its cores that it may use in the room's quiet hours: 100 for a machine without a fan. Default 0. */
  quiet_pct: z.number().min(0).max(100).optional(),
  /** Minutes that it goes on, or stays off, once begun. Defaults 10 and 10. */
  min_on_min: z.number().min(0).max(240).optional(),
  min_off_min: z.number().min(0).max(240).optional(),
  /** What it draws doing nothing, and with every core busy. Default: learned by a meter, else guessed by its processor. */
  idle_w: watts.optional(),
  peak_w: watts.optional(),
} as const;

const below = ({ idle_w, peak_w }: { readonly idle_w?: number | undefined; readonly peak_w?: number | undefined }) =>
  idle_w === undefined || peak_w === undefined || idle_w <= peak_w;
const belowText = '"idle_w" is above "peak_w"';

export const nodeHeatSchema = z.strictObject({ ...heatKeys, plug: plugSchema.optional() }).refine(below, belowText);
export const nodeHeatInput = z.strictObject({ ...heatKeys, plug: plugInput.optional() }).refine(below, belowText);
export type NodeHeat = z.output<typeof nodeHeatSchema>;

export const heatDefaults = { max_temp_c: 80, off_above_c: 8, quiet_pct: 0, min_on_min: 10, min_off_min: 10 } as const;

/** Where a number of watts comes from, the best first. */
export const wattsSources = ['meter', 'rapl', 'model'] as const;
export type WattsSource = (typeof wattsSources)[number];

/**
 * `power` of a node, every 10 s and on change, by the supervisor: flat. `watts` with where it comes from and how far it may
 * be off; `energy_kwh` never falls.
 */
export const powerPayload = z.object({
  node: z.string().max(20),
  watts: z.number().optional(),
  watts_source: z.enum(wattsSources).optional(),
  /** Half the width of the error band, W. */
  err_w: z.number().optional(),
  energy_kwh: z.number(),
  /** Cores that it is asked to keep busy; 0: no heat is asked of it. */
  heat_cores: z.number(),
  /** Its part in what its room was given. */
  heat_w: z.number(),
});
export type Power = z.output<typeof powerPayload>;

/**
 * Arguments of the order `heat`. It is a lease: whoever was told and hears nothing new before its end gives no heat any
 * more, whether the agent lives or not.
 */
export const heatOrderArgs = z.object({
  /** Busy cores, everything that runs counted. 0: no heat. */
  cores: z.number().min(0).max(4096),
  lease_s: z.number().min(5).max(60),
  max_temp_c: z.number().min(30).max(110),
  /** What is run when no job wants to: JSON of {@link Filler}; absent: nothing. */
  filler: z.string().max(20_000).optional(),
  /** Whether the built-in burner may make up what is missing. */
  burner: z.boolean(),
});
export type HeatOrder = z.output<typeof heatOrderArgs>;
