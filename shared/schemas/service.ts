import { z } from 'zod';
import { isItemName } from '../names.ts';
import {
  argument,
  healthSchema,
  itemPaths,
  readySchema,
  reloadSchema,
  runSchema,
  scheduleSchema,
  signalNames,
} from './service-life.ts';

export { runSchema } from './service-life.ts';

const envName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'not a variable name: use letters, digits and _');
const limitsSchema = z.strictObject({
  /** Memory of all its processes together, MB of 1024 kB, swap included. */
  memory_mb: z.number().int().min(4).max(4_194_304).optional(),
  /** Processor time of all its processes together; 100 is one core. */
  cpu_pct: z.number().min(1).max(100_000).optional(),
  /** On top of what every service is nicer by than the agent. */
  nice: z.number().int().min(0).max(19).optional(),
  /** Processes and threads. */
  pids: z.number().int().min(1).max(4_194_304).optional(),
});
export type Limits = z.output<typeof limitsSchema>;

/** A user's or group's name or number; no option of a program begins so. */
const account = '[A-Za-z0-9_][A-Za-z0-9._-]{0,31}';
const userSchema = z.string().regex(new RegExp(`^${account}(?::${account})?$`), 'not a user: write USER or USER:GROUP');

const pathPart = '[a-z0-9]+(?:[._-]+[a-z0-9]+)*';
/** As registries name them (OCI distribution specification 1.1, "Pulling manifests"). */
const imageSchema = z
  .string()
  .max(255)
  .regex(
    new RegExp(
      `^(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?/)?${pathPart}(?:/${pathPart})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`,
    ),
    'not an image: write NAME, NAME:TAG or REGISTRY/NAME:TAG',
  );

const volumeSchema = z
  .string()
  .max(1024)
  .regex(
    /^\/[^:\p{Cc}]*:\/[^:\p{Cc}]*(?::r[ow])?$/u,
    'not a volume: write /HERE:/IN/THE/CONTAINER, with :ro if only read',
  );

const portSchema = z
  .string()
  .regex(
    /^(?:\d{1,3}(?:\.\d{1,3}){3}:)?\d{1,5}:\d{1,5}(?:\/(?:tcp|udp))?$/,
    'not a port: write HERE:CONTAINER, such as 8080:80, with /udp for UDP',
  )
  .refine(text => {
    const [container = '', here = '', address] = text.replace(/\/.*$/, '').split(':').reverse();
    const ports = [container, here].map(Number).every(port => port >= 1 && port <= 65_535);
    return ports && (address ?? '0').split('.').every(part => Number(part) <= 255);
  }, 'a port is from 1 to 65535, and a part of an address to 255');

/** Every key of a service; {@link serviceSchema} says which of them need each other. */
const serviceKeys = z.strictObject({
  /** Left out only where `image` says what to run: then the image's own command. */
  run: runSchema.optional(),
  cwd: argument.max(4096).startsWith('/', 'must be an absolute path').optional(),
  env: z.record(envName, argument.max(16 * 1024)).optional(),
  /**
   * `always` (default): started again whatever its exit code; `on-failure`: not after exit 0; `never`: once. With a
   * schedule `never` is the default.
   */
  restart: z.enum(['always', 'on-failure', 'never']).optional(),
  stop: z
    .strictObject({
      /** Sent first to every process of the service. Default TERM. */
      signal: z.enum(signalNames).optional(),
      /** Seconds between that signal and KILL. Default 10. */
      grace_s: z.number().min(0).max(3600).optional(),
    })
    .optional(),
  /** Items that are attempted first where the node has them: an order of start, and nothing else. */
  after: itemPaths.optional(),
  /** Items without which it is not started; and a file or package among them that changes restarts it. */
  needs: itemPaths.optional(),
  /** Sent to its process, or run, instead of a restart, where a file that it needs has changed. */
  reload: reloadSchema.optional(),
  health: healthSchema.optional(),
  /** From when on it counts as there for those that wait for it. Default: when its process runs. */
  ready: readySchema.optional(),
  schedule: scheduleSchema.optional(),
  limits: limitsSchema.optional(),
  /** Whose rights it has, `user` or `user:group`: the agent's where left out. With an image, one that the image knows. */
  user: userSchema.optional(),
  /** Runs in a container of podman or docker. */
  image: imageSchema.optional(),
  volumes: z.array(volumeSchema).max(32).optional(),
  ports: z.array(portSchema).max(64).optional(),
  /** Output that is kept, MB: the newest so many, and as much of before. Default 1. */
  log_mb: z.number().int().min(1).max(1024).optional(),
});

/** What a person may say about a service. Unknown keys are errors. */
export const serviceSchema = serviceKeys
  .refine(({ run, image }) => run !== undefined || image !== undefined, {
    path: ['run'],
    error: 'missing: a command line, or a list of arguments',
  })
  .refine(({ image, volumes }) => image !== undefined || volumes === undefined, {
    path: ['volumes'],
    error: 'only a container has volumes: name its "image"',
  })
  .refine(({ image, ports }) => image !== undefined || ports === undefined, {
    path: ['ports'],
    error: 'only a container has ports of its own: name its "image"',
  })
  .refine(({ ready, health }) => ready !== 'health' || health !== undefined, {
    path: ['ready'],
    error: 'there is no "health" that says when it is ready',
  })
  .refine(
    ({ ready, restart, schedule }) => ready !== 'exit' || schedule !== undefined || (restart ?? 'always') !== 'always',
    {
      path: ['ready'],
      error: 'what is ready by its end has to end: say "restart": "never" or "on-failure"',
    },
  )
  .refine(({ schedule, restart }) => schedule === undefined || restart !== 'always', {
    path: ['restart'],
    error: 'what is always started again has no schedule: leave it out, or use "on-failure"',
  });
export type Service = z.output<typeof serviceSchema>;

/** A service as set: a bare command line is short for `{"run": …}`. */
export const serviceInput = z.union(
  [runSchema.transform(run => ({ run })), serviceSchema],
  'a command line, a list of arguments, or an object with "run"',
);

export const serviceNameSchema = z
  .string()
  .refine(isItemName, 'not a service name: use 1 to 64 of A-Z a-z 0-9 . _ @ : ~ -');
