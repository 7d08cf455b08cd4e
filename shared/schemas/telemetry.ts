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
  jobs: z.number().int().nonnegative().optional(),
  up_s: measure.optional(),
});
export type Load = z.output<typeof loadPayload>;

/** Busy share of every core, in the kernel's order. */
export const coresPayload = z.object({ node: z.string().max(20), pct: z.array(measure).max(4096) });
export type Cores = z.output<typeof coresPayload>;

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
