/** `hearth rollout`: how far changes to roles are, which node one failed on and why, and how to go on. */
import { randomBytes } from 'node:crypto';
import type { MqttClient } from 'mqtt';
import { z } from 'zod';
import { isId, nearest, printable } from '../../shared/names.ts';
import { resultPayload } from '../../shared/schemas/fabric.ts';
import { type RoleIs, roleIsPayload } from '../../shared/schemas/rollout.ts';
import { parseTopic } from '../../shared/topics.ts';
import { UserError } from '../../shared/user-error.ts';
import { type ClientFlags, connect, disconnect } from '../connection.ts';
import { json, type Known, learn } from '../fleet.ts';
import { gatherRetained } from '../retained.ts';
import { ago, table } from '../table.ts';
import { supervisorAway } from './nodes.ts';

export interface RolloutFlags extends ClientFlags {
  readonly json?: boolean;
  /** Print what was put back, as it was set. */
  readonly showFailed?: boolean;
}

const verbs = ['pause', 'resume', 'abort', 'retry'];
const answerMs = 10_000;
const mostRoles = 5000;
/** A supervisor that is newer may know more keys. */
const anyDocument = z.looseObject({ rev: z.number() });

interface Seen {
  readonly known: Known;
  readonly rollouts: Map<string, RoleIs>;
  readonly failed: Map<string, string>;
}

/** @returns 0; for one role 1 where its last change was put back or stopped. */
export async function rollout(
  role: string | undefined,
  verb: string | undefined,
  flags: RolloutFlags,
): Promise<number> {
  if (role !== undefined && role !== 'all' && !isId(role)) {
    throw new UserError(`"${printable(role)}" is not a role: use 1 to 20 of a-z, 0-9 and "-".`, 2);
  }
  if (flags.showFailed && role === undefined)
    throw new UserError('Of which role? hearth rollout ROLE --show-failed', 2);
  if (verb !== undefined && !verbs.includes(verb)) {
    const near = nearest(verb, verbs);
    const hint = near === undefined ? `use ${verbs.join(', ')}` : `did you mean "${near}"?`;
    throw new UserError(`"${printable(verb)}" is nothing that a rollout does: ${hint}`, 2);
  }
  const { client, base, broker } = await connect(flags);
  try {
    if (role !== undefined && verb !== undefined) return await order(client, base, role, verb);
    const seen = await gather(client, base, role ?? '+');
    if (seen.known.supervisor !== 'online') console.error(`hearth: ${supervisorAway(seen.known, base, broker)}`);
    return role === undefined ? all(seen, flags) : one(role, seen, flags);
  } finally {
    await disconnect(client);
  }
}

function all({ rollouts }: Seen, flags: RolloutFlags): number {
  const list = [...rollouts.values()].sort((a, b) => b.since_ms - a.since_ms);
  if (flags.json) console.log(JSON.stringify(list, undefined, 2));
  else if (list.length === 0) console.log('No change to a role was rolled out yet.');
  else console.log(formatRollouts(list, Date.now()));
  return 0;
}

function one(role: string, { rollouts, failed }: Seen, flags: RolloutFlags): number {
  const is = rollouts.get(role);
  if (!is)
    throw new UserError(`No change to the role "${role}" was rolled out yet, or the last one reached all at once.`);
  if (flags.showFailed) {
    const text = failed.get(role);
    if (text === undefined) throw new UserError(`No change to the role "${role}" was put back.`);
    console.log(text);
    return 0;
  }
  console.log(flags.json ? JSON.stringify(is, undefined, 2) : describeRollout(is, Date.now()));
  return is.state === 'reverted' || is.state === 'stopped' ? 1 : 0;
}

export function formatRollouts(list: readonly RoleIs[], now: number): string {
  const rows = list.map(is =>
    [
      is.role,
      is.state,
      String(is.rev),
      `${is.ok_n}/${is.nodes}`,
      is.failed,
      is.current,
      ago(now - is.since_ms),
      is.why,
    ].map(cell => printable(cell, 80)),
  );
  return table(['ROLE', 'STATE', 'REV', 'WELL', 'FAILED', 'NOW', 'SINCE', 'WHY'], rows);
}

/** A few sentences about one rollout, and the way on. */
export function describeRollout(is: RoleIs, now: number): string {
  const { role, state, rev, nodes, ok_n, failed_n, current, failed, why } = is;
  const states: Readonly<Record<RoleIs['state'], string>> = {
    rolling: 'is on its way',
    paused: 'is paused',
    done: 'is done',
    stopped: 'has stopped: no further node gets it',
    reverted: 'was put back: all nodes have the document before',
  };
  const since = ago(now - is.since_ms);
  const lines = [`${role}: revision ${rev} ${states[state]} (since ${since === 'now' ? 'just now' : since}).`];
  if (state !== 'reverted') {
    lines.push(`  ${ok_n} of ${nodes} nodes are well with it${failed_n === 0 ? '' : `, ${failed_n} are not`}.`);
  }
  if (current !== '') lines.push(`  Being looked at: ${current}.`);
  if (failed !== '') lines.push(`  Failed on ${failed}: ${why}`);
  else if (why !== '') lines.push(`  Why: ${why}`);
  const ways: Readonly<Partial<Record<RoleIs['state'], string>>> = {
    paused: `"hearth rollout ${role} resume" goes on, "… abort" puts it back.`,
    stopped: `"hearth rollout ${role} retry" goes on, "… abort" puts it back.`,
    reverted: `"hearth rollout ${role} --show-failed" prints what was put back, "… retry" tries it again.`,
    ...(failed_n > 0 ? { done: `"hearth rollout ${role} retry" tries again where it failed.` } : {}),
  };
  if (ways[state] !== undefined) lines.push(`  ${ways[state]}`);
  return lines.map(line => printable(line, 700)).join('\n');
}

/** What is retained about rollouts. */
async function gather(client: MqttClient, base: string, role: string): Promise<Seen> {
  const seen: Seen = { known: { nodes: new Map() }, rollouts: new Map(), failed: new Map() };
  const topics = ['is', 'failed'].map(part => `${base}/role/${role}/${part}`);
  await gatherRetained(client, base, topics, (topic, payload) => {
    learn(seen.known, base, topic, payload);
    note(seen, base, topic, payload);
  });
  return seen;
}

function note(seen: Seen, base: string, topic: string, payload: Buffer): void {
  const parsed = parseTopic(topic, base);
  if (!parsed.ok || parsed.value.kind !== 'noun' || parsed.value.noun !== 'role') return;
  const { target, part } = parsed.value;
  if (target.kind !== 'one' || payload.length === 0 || seen.rollouts.size >= mostRoles) return;
  if (part === 'is') {
    const is = json(roleIsPayload, payload);
    if (is) seen.rollouts.set(target.id, is);
  } else if (part === 'failed') {
    const document = json(anyDocument, payload);
    if (!document) return;
    const { rev: _, ...said } = document;
    seen.failed.set(target.id, JSON.stringify(said, undefined, 2));
  }
}

async function order(client: MqttClient, base: string, role: string, verb: string): Promise<number> {
  const tx = `rollout-${randomBytes(6).toString('hex')}`;
  let late: NodeJS.Timeout | undefined;
  const answer = new Promise<{ ok: boolean; error?: string | undefined } | undefined>(resolve => {
    late = setTimeout(() => resolve(undefined), answerMs);
    client.on('message', (topic: string, payload: Buffer) => {
      if (topic !== `${base}/role/${role}/result` && topic !== `${base}/result`) return;
      const result = json(resultPayload, payload);
      // What the broker itself refused comes without the mark.
      const mine = result?.tx === tx || (result?.tx === undefined && result?.by === client.options.clientId);
      if (result && mine) resolve(result);
    });
  });
  await client.subscribeAsync([`${base}/role/${role}/result`, `${base}/result`], { qos: 1 });
  await client.publishAsync(`${base}/role/${role}/do/${verb}`, JSON.stringify({ tx }), { qos: 1 });
  const result = await answer;
  clearTimeout(late);
  if (!result) throw new UserError(`No answer in ${answerMs / 1000} s: is the supervisor there? "hearth doctor" says.`);
  if (!result.ok) throw new UserError(`Refused: ${result.error ?? 'no reason was given'}`);
  console.log(`${role}: ${done[verb] ?? 'done'}.`);
  return 0;
}

const done: Readonly<Record<string, string>> = {
  pause: 'no further node gets the change until "resume"',
  resume: 'it goes on',
  abort: 'all nodes get the document before',
  retry: 'it is tried again',
};
