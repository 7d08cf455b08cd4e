import { z } from 'zod';

const measure = z.number().finite();

/**
 * `load`, the heartbeat too: one flat object of unquoted numbers, never null; a sensor that does not exist has no key.
 * Units stand in the keys.
 */
export const loadPayload = z.object({
  node: z.string().max(20),
  epoch: z.number().int(),
  seq: z.number().int().nonnegative(),
  cpu_pct: measure.optional(),
  load1: measure.optional(),
  mem_pct: measure.optional(),
  mem_mb: measure.optional(),
  disk_pct: measure.optional(),
  temp_c: measure.optional(),
  cpu_mhz: measure.optional(),
  rx_kbps: measure.optional(),
  tx_kbps: measure.optional(),
  watts: measure.optional(),
  /** Where `watts` comes from: what the machine measures itself. */
  watts_source: z.enum(['rapl', 'meter']).optional(),
  /** Cores that were busy for heat alone: jobs of class `heat`, filler and burner. Only while some heat is asked for. */
  heat_cores: measure.optional(),
  jobs: z.number().int().nonnegative().optional(),
  up_s: measure.optional(),
});
export type Load = z.output<typeof loadPayload>;

/** Busy share of every core, in the kernel's order. */
export const coresPayload = z.object({ node: z.string().max(20), pct: z.array(measure).max(4096) });
export type Cores = z.output<typeof coresPayload>;

/**
 * `sensors`, every 30 s: what a node's own thermometers of its surroundings show (1-wire, hwmon), °C, by names that stay:
 * `{"node":"n3","epoch":4,"w1_28_0316a2797d11_c":21.4}`. Never a processor's.
 */
export const sensorsPayload = z
  .looseObject({ node: z.string().max(20), epoch: z.number().int() })
  .refine(
    ({ node: _, epoch: __, ...all }) =>
      Object.keys(all).length <= 32 &&
      Object.entries(all).every(([key, c]) => /^[a-z0-9_]{1,48}_c$/.test(key) && Number.isFinite(c)),
    'at most 32 sensors, each a number',
  );
export type Sensors = z.output<typeof sensorsPayload>;

const text = z.string().max(256);

/** Facts about a machine: flat; lists are comma-joined, labels are `label_<k>`. Retained. */
export const infoPayload = z.looseObject({
  node: z.string().max(20),
  os: text.optional(),
  arch: text.optional(),
  cpu: text.optional(),
  cores: z.number().int().positive().max(4096).optional(),
  mem_mb: measure.optional(),
  macs: text.optional(),
  /** IPv4 networks that it shares with others, such as `192.168.1.0/24`. */
  nets: text.optional(),
  ver: text.optional(),
  roles: text.optional(),
  room: text.optional(),
  zone: text.optional(),
  /** What this agent may do, such as `root,cgroup2,reboot`. */
  caps: text.optional(),
  /** Another one after every start of the machine. */
  boot: text.optional(),
  clock_off_ms: measure.optional(),
  /** Public key for secrets: an uncompressed point on P-256, base64url. */
  seal_key: text.optional(),
});
export type Info = z.output<typeof infoPayload>;
