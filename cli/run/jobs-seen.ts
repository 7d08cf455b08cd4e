/** What is retained about jobs, gathered once. */
import type { IPublishPacket, MqttClient } from 'mqtt';
import { z } from 'zod';
import { type JobIs, jobIsPayload } from '../../shared/schemas/job.ts';
import { parseTopic } from '../../shared/topics.ts';
import { json, type Known, learn } from '../fleet.ts';

export interface JobSeen {
  is?: JobIs | undefined;
  /** As it was sent, without what is large. */
  own?: object | undefined;
}

/** Where no supervisor ever was, nothing marks the end: what came is taken as complete after this silence. */
const quietMs = 1000;
const mostJobs = 200_000;
/** A supervisor that is newer may know more keys. */
const anyDocument = z.looseObject({});

/** The supervisor's own status, asked for last, comes last: it is the end. @param job an id, or `+` for all. */
export async function gatherJobs(
  client: MqttClient,
  base: string,
  job: string,
  parts: readonly ('is' | 'own')[],
): Promise<{ readonly known: Known; readonly jobs: ReadonlyMap<string, JobSeen> }> {
  const known: Known = { nodes: new Map() };
  const jobs = new Map<string, JobSeen>();
  const end = `${base}/status`;
  let complete = () => {};
  const all = new Promise<void>(resolve => {
    complete = resolve;
  });
  const quiet = setTimeout(() => complete(), quietMs);
  client.on('message', (topic: string, payload: Buffer, packet: IPublishPacket) => {
    learn(known, base, topic, payload);
    note(jobs, base, topic, payload);
    if (topic === end && packet.retain) complete();
    else quiet.refresh();
  });
  await client.subscribeAsync([...parts.map(part => `${base}/job/${job}/${part}`), end], { qos: 0 });
  quiet.refresh();
  await all;
  clearTimeout(quiet);
  return { known, jobs };
}

function note(jobs: Map<string, JobSeen>, base: string, topic: string, payload: Buffer): void {
  const parsed = parseTopic(topic, base);
  if (!parsed.ok || parsed.value.kind !== 'noun' || parsed.value.noun !== 'job' || payload.length === 0) return;
  const { target, part } = parsed.value;
  if (target.kind !== 'one' || jobs.size >= mostJobs) return;
  const seen = jobs.get(target.id) ?? {};
  if (part === 'is') seen.is = json(jobIsPayload, payload);
  else if (part === 'own') seen.own = json(anyDocument, payload);
  jobs.set(target.id, seen);
}
