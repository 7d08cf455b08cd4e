/** The verbs of `do/<verb>` on a node, and how their arguments are read. */
import { z } from 'zod';
import { check, decodeText, parseJson } from '../../shared/codec.ts';
import { fail, ok, type Result } from '../../shared/errors.ts';
import { followLimits } from '../../shared/limits.ts';
import { nearest, printable } from '../../shared/names.ts';
import { serviceNameSchema } from '../../shared/schemas/service.ts';
import { readTx } from '../desired/desired.ts';

const ofService = z.strictObject({ service: serviceNameSchema });
const ofOutput = z.strictObject({
  service: serviceNameSchema,
  /** Of what was written before, the last so many lines come first. */
  lines: z.number().int().min(0).max(followLimits.lines).optional(),
  /** Those go to `log/<service>/<to>`, where nobody else is bothered by them. */
  to: z
    .string()
    .regex(/^[a-z0-9]{1,20}$/, 'use 1 to 20 of a-z and 0-9')
    .optional(),
  /** Seconds for which new output is sent; 0: none of it. */
  for_s: z.number().min(0).max(followLimits.seconds).optional(),
});
const nothing = z.strictObject({});
/** Of `wake`, seconds in which the node is to be online. */
export const wakeWithinS = { least: 10, usual: 180, most: 900 } as const;
const ofWake = z.strictObject({
  within_s: z.number().min(wakeWithinS.least).max(wakeWithinS.most).default(wakeWithinS.usual),
});

/** Verbs an agent of this version obeys, and those that the supervisor does. `bare` is the argument that a payload which is no JSON object gives. */
export const verbs = {
  restart: { args: ofService, bare: 'service' },
  follow: { args: ofOutput, bare: 'service' },
  rebirth: { args: nothing, bare: undefined },
  forget: { args: nothing, bare: undefined },
  drain: { args: nothing, bare: undefined },
  wake: { args: ofWake, bare: undefined },
  resume: { args: nothing, bare: undefined },
  reboot: { args: nothing, bare: undefined },
  shutdown: { args: nothing, bare: undefined },
  identify: { args: nothing, bare: undefined },
  upgrade: { args: nothing, bare: undefined },
  calibrate: { args: nothing, bare: undefined },
  rediscover: { args: nothing, bare: undefined },
} as const;
export type Verb = keyof typeof verbs;
/** Those that heating does, for one node. */
export const heatingVerbs = ['calibrate', 'rediscover'] as const satisfies readonly Verb[];
export const isHeatingVerb = (verb: Verb): verb is (typeof heatingVerbs)[number] =>
  heatingVerbs.some(own => own === verb);
/** Those that a node is sent: of the others `drain` becomes desired state, and who is to `wake` hears nothing. */
export type SentVerb = Exclude<Verb, 'drain' | 'wake' | (typeof heatingVerbs)[number]>;

/** Verbs of the contract that nothing does yet. */
const later = ['suspend', 'exec'];

export interface Order {
  readonly verb: Verb;
  readonly args:
    | z.output<typeof nothing>
    | z.output<typeof ofService>
    | z.output<typeof ofOutput>
    | z.output<typeof ofWake>;
}

export function checkVerb(word: string): Result<Verb> {
  if (Object.hasOwn(verbs, word)) return ok(word as Verb);
  if (later.includes(word)) return fail('not-available', `"${word}" is not available yet`);
  const known = [...Object.keys(verbs), ...later];
  const near = nearest(word, known);
  const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean "${near}"?`;
  return fail('unknown-verb', `"${printable(word)}" is no verb of a node: ${hint}`);
}

/** Reads the payload of a `do`: empty, `PRESS` (what Home Assistant's buttons send), a JSON object, or a bare word. */
export function readArgs(verb: Verb, payload: Uint8Array): { tx?: string; args: Result<Order['args']> } {
  const text = decodeText(payload);
  if (!text.ok) return { args: text };
  const { args: schema, bare } = verbs[verb];
  const word = text.value.trim();
  if (word.startsWith('{')) {
    const json = parseJson(word);
    if (!json.ok) return { args: json };
    const { tx, ...args } = json.value as Record<string, unknown>;
    const mark = readTx(tx);
    if (!mark.ok) return { args: mark };
    return { ...(mark.value === undefined ? {} : { tx: mark.value }), args: check(schema, args) };
  }
  if (word === '' || word === 'PRESS') {
    if (bare === undefined) return { args: check(schema, {}) };
    return { args: fail('empty', `"${verb}" needs a ${bare}: send its name, or {"${bare}":"NAME"}`) };
  }
  if (bare === undefined) return { args: fail('schema', `"${verb}" takes no argument: send an empty payload`) };
  return { args: check(schema, { [bare]: word }) };
}
