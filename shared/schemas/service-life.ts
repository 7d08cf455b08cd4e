/** Keys of a service that say when it starts, how it is known to be well, and when it runs. */
import { z } from 'zod';
import { cronProblem } from '../cron-pattern.ts';
import { isItemName } from '../names.ts';

/** No NUL: neither argv nor the environment can carry it. */
export const argument = z.string().refine(text => !text.includes('\0'), 'may not contain a NUL character');

/** One `/bin/sh -c` script as a string, or argv without a shell as an array. */
export const runSchema = z.union(
  [
    argument.refine(text => text.trim() !== '', 'an empty command').max(16 * 1024, 'a command is at most 16 kB long'),
    z
      .array(argument.max(4096))
      .min(1, 'an empty command')
      .max(256)
      .refine(argv => argv[0] !== '', 'an empty command'),
  ],
  'a command line, or a list of arguments',
);

const isItemPath = (text: string): boolean => {
  const [kind, name, ...rest] = text.includes('/') ? text.split('/') : ['services', text];
  return rest.length === 0 && ['services', 'packages', 'files'].includes(kind ?? '') && isItemName(name ?? '');
};
/** Paths of items of the same node; a bare name is a service's. */
export const itemPaths = z
  .array(
    z
      .string()
      .refine(isItemPath, 'not an item: use services/NAME, packages/NAME or files/NAME; a bare name is a service'),
  )
  .max(32);

/** Signals that a person may name. */
export const signalNames = ['TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2'] as const;

/** A signal of that list, or a command. */
export const reloadSchema = z.union([z.enum(signalNames), runSchema], 'a signal (such as HUP) or a command');

const text = z
  .string()
  .min(1, 'an empty text is in every line')
  .max(500)
  .refine(said => !/[\n\r\0]/.test(said), 'one line of text');

const host = z.string().regex(/^[A-Za-z0-9.:_-]{1,255}$/, 'not a host: use a name or an address');
const port = z.number().int().min(1).max(65535);

const isUrl = (said: string): boolean => {
  if (!/^https?:\/\/[^\s\p{Cc}]+$/u.test(said)) return false;
  try {
    const { username, password } = new URL(said);
    return username === '' && password === '';
  } catch {
    return false;
  }
};
const url = z
  .string()
  .max(2048)
  .refine(isUrl, 'not an address: use http://… or https://…, without a name and password in it');

const checkKeys = ['command', 'http', 'tcp', 'log', 'no_log'] as const;

/** One check, and how often it is done. */
export const healthSchema = z
  .strictObject({
    /** Well when it ends with exit code 0. In the service's folder, with its environment; `HEARTH_PID` is its process. */
    command: runSchema.optional(),
    /** Well when this address answers: with a status from 200 to 399, or the one that is named. */
    http: z
      .union([
        url,
        z.strictObject({
          url,
          /** The one status that is well. Default: 200 to 399. */
          status: z.number().int().min(100).max(599).optional(),
          /** A text that the first 64 kB of the answer must contain. */
          contains: z.string().min(1).max(500).optional(),
        }),
      ])
      .optional(),
    /** Well when this port takes a connection: `5432` on this machine, `HOST:PORT`, or both by name. */
    tcp: z
      .union(
        [
          z
            .string()
            .regex(/^([A-Za-z0-9._-]{1,255}:|\[[0-9A-Fa-f:.]+\]:)?[0-9]{1,5}$/, 'not a port: use PORT or HOST:PORT'),
          port,
          z.strictObject({ host: host.optional(), port }),
        ],
        'a port, HOST:PORT, or an object with "port"',
      )
      .optional(),
    /** Well once a line of its output has this text; not well where none has after `within_s`. */
    log: text.optional(),
    /** Not well once a line of its output has this text. */
    no_log: text.optional(),
    /** Of `log`: seconds after its start. Default 30. */
    within_s: z.number().min(0.1).max(86_400).optional(),
    /** Seconds between two checks. Default 10. */
    every_s: z.number().min(0.5).max(86_400).optional(),
    /** Seconds after which a check has failed. Default 5. */
    timeout_s: z.number().min(0.1).max(300).optional(),
    /** Seconds after its start in which a failed check does not count. Default 30. */
    start_s: z.number().min(0).max(86_400).optional(),
    /** Failed checks in a row that make it unhealthy. Default 3. */
    fails: z.number().int().min(1).max(100).optional(),
  })
  .superRefine((health, context) => {
    const said = checkKeys.filter(key => health[key] !== undefined);
    const wrong = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    if (said.length !== 1) wrong([], `a health check is one of ${checkKeys.join(', ')}`);
    if (health.within_s !== undefined && health.log === undefined) wrong(['within_s'], 'is of "log"');
    if (health.log === undefined && health.no_log === undefined) return;
    for (const key of ['every_s', 'timeout_s', 'start_s', 'fails'] as const)
      if (health[key] !== undefined)
        wrong([key], 'is of a check that is done again and again: lines are seen as they come');
  });
export type Health = z.output<typeof healthSchema>;

/** When others that wait for it may start. */
export const readySchema = z.union(
  [
    /** Its check has passed once; or it has ended with exit code 0. */
    z.enum(['health', 'exit']),
    z
      .strictObject({
        /** A line of its output has this text. */
        log: text.optional(),
        /** Seconds since its start. */
        delay_s: z.number().min(0).max(3600).optional(),
      })
      .refine(ready => (ready.log === undefined) !== (ready.delay_s === undefined), 'is one of "log" and "delay_s"'),
  ],
  '"health", "exit", {"log": "text"} or {"delay_s": seconds}',
);
export type Ready = z.output<typeof readySchema>;

const isTimezone = (name: string): boolean => {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
};

const cron = z
  .string()
  .max(200)
  .superRefine((said, context) => {
    const message = cronProblem(said);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

/** Times at which it runs, once each. */
export const scheduleSchema = z.union(
  [
    cron,
    z.strictObject({
      /** Five fields as in crontab(5), or a word such as `@daily`. */
      cron,
      /** Of these times, such as `Europe/Berlin`. Default: the node's own. */
      timezone: z
        .string()
        .max(64)
        .refine(isTimezone, 'not a time zone: use a name such as Europe/Berlin or UTC')
        .optional(),
      /** A time that was missed, as the machine or its agent was off, is made up for by one run. Default false. */
      catch_up: z.boolean().optional(),
    }),
  ],
  'times such as "30 3 * * *" or "@daily", or an object with "cron"',
);
export type Schedule = z.output<typeof scheduleSchema>;
