/**
 * What a check may assert, kind by kind. Texts are looked for as they stand: no patterns, so that none can make the agent
 * think for ever.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { sha256Schema } from './file.ts';
import { runSchema } from './service.ts';

const plain = (max: number) =>
  z
    .string()
    .min(1, 'an empty text is in everything')
    .max(max)
    .refine(text => !text.includes('\0'), 'may not contain a NUL character');
const wanted = plain(500);
const path = plain(4096).startsWith('/', 'must be an absolute path');
const host = z
  .string()
  .max(253)
  .regex(/^[A-Za-z0-9_:][A-Za-z0-9_.:%-]*$/, 'not a host: use a name or an address');
const port = z.number().int().min(1).max(65_535);
const percent = z.number().min(0).max(100);
const count = z.number().int().min(0).max(1_000_000);
const interface_ = z.string().regex(/^(?!\.{1,2}$)[A-Za-z0-9_.:@-]{1,15}$/, 'not a network interface');
/** As the kernel and ps(1) show it. */
const processName = z.string().regex(/^[^\s/\0]{1,64}$/, 'not the name of a process: use its program, without a path');
const processNames = z.array(processName).min(1).max(32);

/** Anybody who may read the node's document reads the address, too. */
const url = plain(2048)
  .regex(/^https?:\/\/[^\s/@]+(\/\S*)?$/, 'not an address: use http://HOST/… or https://HOST/…, without a password')
  .refine(text => URL.canParse(text), 'not an address that can be read');

/** Whether at least one of the keys says something. */
const says =
  (...keys: readonly string[]) =>
  (value: object): boolean =>
    keys.some(key => (value as Record<string, unknown>)[key] !== undefined);

/** `ADDRESS`, `ADDRESS:PORT`, `[ADDRESS]:PORT`. */
function isServer(text: string): boolean {
  const [, bracketed, plain = text, after] = /^(?:\[([^\]]*)\]|([0-9.]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const right = after === undefined || (Number(after) > 0 && Number(after) < 65_536);
  return right && (bracketed === undefined ? isIP(plain) !== 0 : isIP(bracketed) === 6);
}

/** Kind of assertion -> what it takes. To add one: its probe in node-agent/checks/probes/, its words in docs/checks.md. */
export const assertions = {
  /** Passes with exit code 0, in time. Started with a small environment, no input and low priority. */
  command: z.strictObject({
    run: runSchema,
    /** The output (both streams, first 64 kB) has this text. */
    contains: wanted.optional(),
    /** The output has not this text. */
    absent: wanted.optional(),
    /** The output has at most so many lines that are not empty. */
    max_lines: count.optional(),
    /** Exit codes that say "cannot be known". Besides 126 and 127: no such command. */
    unknown: z.array(z.number().int().min(1).max(255)).max(16).optional(),
    /** Its output is never shown. */
    quiet: z.boolean().optional(),
  }),
  /** Somebody answers at a TCP port, or nobody does. */
  port: z
    .strictObject({
      port,
      /** Default 127.0.0.1. */
      host: host.optional(),
      /** False: it must NOT answer. Default true. */
      answers: z.boolean().optional(),
      /** Sent once connected, such as `PING\r\n`. */
      send: wanted.optional(),
      /** Within the first 4 kB of the answer. */
      contains: wanted.optional(),
    })
    .refine(one => one.answers !== false || !says('send', 'contains')(one), 'a port that must not answer says nothing'),
  /** Whether a socket of this machine listens at the port, whatever its address. */
  listens: z.strictObject({
    port,
    /** Default tcp. */
    proto: z.enum(['tcp', 'udp']).optional(),
    /** False: nobody may. Default true. */
    exists: z.boolean().optional(),
  }),
  http: z.strictObject({
    url,
    /** Exactly this status. Default: 200 to 299; redirects are not followed. */
    status: z.number().int().min(100).max(599).optional(),
    /** Within the first 256 kB of the body. */
    contains: wanted.optional(),
    absent: wanted.optional(),
    /** The certificate of an https server is not judged. */
    insecure: z.boolean().optional(),
  }),
  dns: z.strictObject({
    name: host,
    /** Default A. */
    type: z.enum(['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SRV', 'TXT']).optional(),
    /** One of the answers is exactly this; an SRV answer is written `PRIORITY WEIGHT PORT NAME`, MX `PRIORITY NAME`. */
    expected: wanted.optional(),
    /** `ADDRESS` or `ADDRESS:PORT` (IPv6: `[ADDRESS]:PORT`). Default: the machine's resolvers. */
    server: z
      .string()
      .max(80)
      .refine(isServer, 'not the address of a DNS server, such as 192.168.1.1 or [::1]:53')
      .optional(),
  }),
  file: z
    .strictObject({
      path,
      /** False: there must be no such file. Default true. */
      exists: z.boolean().optional(),
      /** Within the first megabyte. */
      contains: wanted.optional(),
      absent: wanted.optional(),
      /** Of the whole file, up to 64 MB. */
      sha256: sha256Schema.optional(),
      /** Permissions, octal, such as "0640". */
      mode: z
        .string()
        .regex(/^[0-7]{3,4}$/, 'not permissions: use an octal number such as "0644"')
        .optional(),
      /** Written within so many seconds. */
      max_age_s: z.number().int().min(1).optional(),
    })
    .refine(
      one => one.exists !== false || !says('contains', 'absent', 'sha256', 'mode', 'max_age_s')(one),
      'a file that must not exist has no content, permissions or age',
    ),
  /** Of the file system that `path` is on. At least one limit. */
  disk: z
    .strictObject({
      path,
      /** As df(1) counts. */
      max_pct: percent.optional(),
      min_free_mb: z.number().min(0).optional(),
      max_inodes_pct: percent.optional(),
    })
    .refine(says('max_pct', 'min_free_mb', 'max_inodes_pct'), 'say max_pct, min_free_mb or max_inodes_pct'),
  mount: z.strictObject({
    path,
    /** Such as `ext4`. */
    type: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,32}$/, 'not a type of file system')
      .optional(),
    /** True: may be written; false: is read-only. */
    rw: z.boolean().optional(),
  }),
  /** systemd units in state "failed". */
  units_failed: z.strictObject({
    /** Default 0. */
    max: count.optional(),
  }),
  /** Processes of programs; the kernel's own do not count. */
  processes: z
    .strictObject({
      max: count.optional(),
      max_zombies: count.optional(),
      /** Every one of them runs. */
      running: processNames.optional(),
      /** None of them runs. */
      absent: processNames.optional(),
    })
    .refine(says('max', 'max_zombies', 'running', 'absent'), 'say max, max_zombies, running or absent'),
  user: z.strictObject({
    name: z.string().regex(/^[A-Za-z_0-9][A-Za-z0-9_.-]{0,31}\$?$/, 'not the name of a user'),
    /** False: there must be no such user. Default true. */
    exists: z.boolean().optional(),
  }),
  clock: z
    .strictObject({
      /** True: set by a time server, as chrony, ntpd or systemd say. */
      synchronised: z.literal(true).optional(),
      /** Of what chrony or ntpd say. */
      max_offset_ms: z.number().positive().optional(),
      /** Such as `UTC` or `Europe/Berlin`. */
      zone: z
        .string()
        .regex(/^[A-Za-z0-9_+/-]{1,64}$/, 'not a time zone')
        .optional(),
    })
    .refine(says('synchronised', 'max_offset_ms', 'zone'), 'say synchronised, max_offset_ms or zone'),
  /** Fails at `max_c` degrees and above. */
  temperature: z.strictObject({ max_c: z.number().min(-40).max(150) }),
  /** Of a Raspberry Pi. */
  under_voltage: z.strictObject({
    /** It may have been too low, as long as it is not now. Default: not since the start of the machine. */
    now: z.literal(true).optional(),
  }),
  sysctl: z.strictObject({
    key: z
      .string()
      .max(200)
      .regex(/^[a-z0-9_]+([./][A-Za-z0-9_@:-]+)+$/, 'not a kernel setting, such as net.ipv4.tcp_syncookies'),
    value: z.string().max(200),
  }),
  /** The default route (IPv4). */
  route: z.strictObject({
    dev: interface_.optional(),
    /** The gateway. */
    via: z.ipv4().optional(),
  }),
  link: z.strictObject({
    /** Default: that of the default route. */
    dev: interface_.optional(),
    min_mbps: z.number().positive().optional(),
    duplex: z.enum(['full', 'half']).optional(),
  }),
  /** Updates that wait to be installed, as the machine's own lists say (apt). */
  updates: z.strictObject({
    /** Default: any number. */
    max: count.optional(),
    /** Of those that come from a security archive. Default 0. */
    max_security: count.optional(),
    /** Older lists say nothing. Default 14. */
    lists_days: z.number().positive().max(365).optional(),
  }),
} as const;
