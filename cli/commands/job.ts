/** `hearth job`: what was sent, how it is, and what becomes of it. */
import type { MqttClient } from 'mqtt';
import { HearthError } from '../../client/errors.ts';
import { hasEnded } from '../../client/follow.ts';
import { Session } from '../../client/session.ts';
import { isJobId, printable } from '../../shared/names.ts';
import { resultPayload } from '../../shared/schemas/fabric.ts';
import { type JobIs, jobDocument } from '../../shared/schemas/job.ts';
import { UserError } from '../../shared/user-error.ts';
import type { AdminFlags } from '../admin.ts';
import { type ClientFlags, connect, disconnect } from '../connection.ts';
import { json } from '../fleet.ts';
import { explainTable } from '../run/explained.ts';
import { Following } from '../run/following.ts';
import { gatherJobs } from '../run/jobs-seen.ts';
import { duration } from '../run/progress.ts';
import { whole } from '../run/reading.ts';
import { ago, table } from '../table.ts';
import { supervisorAway } from './nodes.ts';

interface ListFlags extends ClientFlags {
  readonly json?: boolean;
  readonly all?: boolean;
}

/** Of those that have ended. */
const usualEnded = 20;
const answerMs = 10_000;
const reconnectMs = 700;

const checked = (id: string): string => {
  if (isJobId(id)) return id;
  throw new UserError(`"${printable(id)}" is no id of a job: use 1 to 64 of a-z, 0-9 and "-".`, 2);
};

export async function listJobs(flags: ListFlags): Promise<number> {
  const { client, base, broker } = await connect(flags);
  try {
    const { known, jobs } = await gatherJobs(client, base, '+', ['is']);
    const list = [...jobs.values()].flatMap(({ is }) => is ?? []).sort((a, b) => b.submitted_ms - a.submitted_ms);
    if (flags.json) console.log(JSON.stringify(list, undefined, 2));
    else if (list.length > 0) console.log(formatJobs(list, flags.all === true, Date.now()));
    if (known.supervisor !== 'online') console.error(`hearth: ${supervisorAway(known, base, broker)}`);
    else if (list.length === 0) console.error('hearth: no job is known: "hearth run" sends one.');
    return 0;
  } finally {
    await disconnect(client);
  }
}

export function formatJobs(list: readonly JobIs[], all: boolean, now: number): string {
  const open = list.filter(is => !hasEnded(is));
  const ended = list.filter(hasEnded);
  const shown = [...open, ...(all ? ended : ended.slice(0, usualEnded))];
  const rows = shown.map(is =>
    [
      is.job,
      is.paused && !hasEnded(is) ? 'paused' : is.waiting === undefined ? is.state : `waits ${is.waiting}`,
      `${is.succeeded + is.failed}/${is.tasks}`,
      is.failed > 0 ? String(is.failed) : '',
      is.running > 0 ? String(is.running) : '',
      is.wh === undefined ? '' : `${is.wh.toPrecision(2)} Wh`,
      is.by,
      ago(Math.max(0, now - is.submitted_ms)),
      is.err,
    ].map(cell => printable(cell, 80)),
  );
  const text = table(['JOB', 'STATE', 'DONE', 'FAILED', 'RUNNING', 'ENERGY', 'BY', 'SENT', 'ERROR'], rows);
  const left = list.length - shown.length;
  return left > 0 ? `${text}\nand ${left} more that have ended: --all` : text;
}

export async function showJob(id: string, flags: ListFlags): Promise<number> {
  const { client, base, broker } = await connect(flags);
  try {
    const { known, jobs } = await gatherJobs(client, base, checked(id), ['is', 'own']);
    const job = jobs.get(id);
    if (known.supervisor !== 'online') console.error(`hearth: ${supervisorAway(known, base, broker)}`);
    if (!job?.is) throw new UserError(`There is no job ${id}: "hearth job list" shows those that there are.`);
    if (flags.json) console.log(JSON.stringify({ is: job.is, own: job.own }, undefined, 2));
    else console.log(describeJob(job.is, job.own, Date.now()));
    return 0;
  } finally {
    await disconnect(client);
  }
}

export function describeJob(is: JobIs, own: object | undefined, now: number): string {
  const { job, state, paused, tasks, queued, running, succeeded, failed, by, submitted_ms, started_ms, ended_ms } = is;
  const since = (ms: number) => {
    const text = ago(Math.max(0, now - ms));
    return text === 'now' ? 'just now' : `${text} ago`;
  };
  const lines = [
    `${job}: ${paused && !hasEnded(is) ? `${state}, paused` : state}${is.waiting === undefined ? '' : `, waits ${is.waiting}`}${is.err === '' ? '' : `: ${is.err}`}`,
    `  ${succeeded} of ${tasks} tasks succeeded, ${failed} failed, ${running} run, ${queued} wait.`,
    `  Sent by ${by} ${since(submitted_ms)}${started_ms === undefined ? '' : `, started ${since(started_ms)}`}.`,
  ];
  if (started_ms !== undefined && ended_ms !== undefined) {
    lines.push(`  Ended ${since(ended_ms)}, after ${duration((ended_ms - started_ms) / 1000)}.`);
  }
  if (is.wh !== undefined) lines.push(`  Energy: about ${is.wh.toPrecision(3)} Wh.`);
  if (own) lines.push(`  ${JSON.stringify(unusual(own))}`);
  if (failed > 0 && hasEnded(is)) lines.push(`  "hearth job retry ${job}" tries its failed tasks again.`);
  return lines.map(line => printable(line, 2000)).join('\n');
}

/** The document without what has its default anyway. */
function unusual(own: object): object {
  const usual = jobDocument.safeParse({ run: 'true' });
  const defaults: Readonly<Record<string, unknown>> = usual.success ? { ...usual.data, run: undefined } : {};
  return Object.fromEntries(
    Object.entries(own).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(defaults[key])),
  );
}

interface FollowFlags extends ClientFlags, AdminFlags {
  readonly order?: boolean;
  readonly json?: boolean;
  readonly bar?: boolean;
}

/** @param wait for its end; else only what there is now. @returns as `hearth run`. */
export async function followJob(id: string, wait: boolean, flags: FollowFlags): Promise<number> {
  checked(id);
  return await asking(async () => {
    const { client, base } = await connect(flags, { reconnectPeriod: wait ? reconnectMs : 0 });
    const session = new Session(client, base);
    try {
      const following = new Following(session, id, {
        order: flags.order !== false,
        json: flags.json === true,
        bar: wait && flags.bar !== false,
        leaving: true,
        upToNow: !wait,
        whole: async sha256 => {
          await (await import('./artifact.ts')).fetchArtifact(sha256, '-', flags);
        },
      });
      try {
        // Says whether there is such a job, which silence would not.
        await session.order(id, 'out', { from: 0, to: 0 });
        return await following.end();
      } finally {
        following.close();
      }
    } finally {
      client.removeAllListeners('close');
      await disconnect(client);
    }
  });
}

const done: Readonly<Record<string, string>> = {
  cancel: 'canceled',
  pause: 'paused: what runs goes on',
  resume: 'it goes on',
  retry: 'its failed tasks are tried again',
  forget: 'forgotten',
};

/** @returns 0; 1 where one was refused: the others were done all the same. */
export async function orderJobs(
  ids: readonly string[],
  verb: 'cancel' | 'pause' | 'resume' | 'retry' | 'forget',
  flags: ClientFlags,
): Promise<number> {
  for (const id of ids) checked(id);
  const { client, base } = await connect(flags);
  const session = new Session(client, base);
  let refused = 0;
  try {
    for (const id of ids) {
      try {
        await session.order(id, verb, {}, { patienceMs: answerMs });
        console.log(`${id}: ${done[verb]}.`);
      } catch (error) {
        if (!(error instanceof HearthError)) throw error;
        refused++;
        console.error(`hearth: ${printable(error.message, 1000)}`);
        if (error.code !== 'refused') break;
      }
    }
    return refused === 0 ? 0 : 1;
  } finally {
    await disconnect(client);
  }
}

export async function explainJob(id: string, flags: ListFlags): Promise<number> {
  return await asking(async () => {
    const { client, base } = await connect(flags);
    try {
      const session = new Session(client, base);
      const { explain: nodes = [] } = await session.order(checked(id), 'explain', {}, { patienceMs: answerMs });
      console.log(flags.json ? JSON.stringify(nodes, undefined, 2) : explainTable(nodes));
      return 0;
    } finally {
      await disconnect(client);
    }
  });
}

export async function setPriority(id: string, text: string, flags: ClientFlags): Promise<number> {
  const priority = whole(text, 'The priority', -100, 100);
  const { client, base } = await connect(flags);
  try {
    const answer = await prioritized(client, `${base}/job/${checked(id)}`, String(priority));
    if (!answer)
      throw new UserError(`No answer in ${answerMs / 1000} s: is the supervisor there? "hearth doctor" says.`);
    if (!answer.ok) throw new UserError(`Refused: ${answer.error ?? 'no reason was given'}`);
    console.log(`${id}: its priority is ${priority}.`);
    return 0;
  } finally {
    await disconnect(client);
  }
}

/** A key of a document has no mark to know its answer by: it is known by who asked. */
async function prioritized(client: MqttClient, topic: string, value: string) {
  let late: NodeJS.Timeout | undefined;
  const answer = new Promise<{ ok: boolean; error?: string | undefined } | undefined>(resolve => {
    late = setTimeout(() => resolve(undefined), answerMs);
    client.on('message', (_topic: string, payload: Buffer) => {
      const result = json(resultPayload, payload);
      const { clientId, username } = client.options;
      if (result && (result.by === undefined || result.by === clientId || result.by === username)) resolve(result);
    });
  });
  await client.subscribeAsync([`${topic}/result`], { qos: 1 });
  await client.publishAsync(`${topic}/set/priority`, value, { qos: 1 });
  const result = await answer;
  clearTimeout(late);
  return result;
}

async function asking(ask: () => Promise<number>): Promise<number> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof HearthError) throw new UserError(printable(error.message, 1000));
    throw error;
  }
}
