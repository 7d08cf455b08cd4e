/** What is retained about jobs, gathered once. */
import type { MqttClient } from 'mqtt';
import { z } from 'zod';
import { type JobIs, jobIsPayload } from '../../shared/schemas/job.ts';
import { parseTopic } from '../../shared/topics.ts';
import { json, type Known, learn } from '../fleet.ts';
import { gatherRetained } from '../retained.ts';

export interface JobSeen {
  is?: JobIs | undefined;
  /** As it was sent, without what is large. */
  own?: object | undefined;
}

const mostJobs = 200_000;
/** A supervisor that is newer may know more keys. */
const anyDocument = z.looseObject({});

/** @param job an id, or `+` for all. */
export async function gatherJobs(
  client: MqttClient,
  base: string,
  job: string,
  parts: readonly ('is' | 'own')[],
): Promise<{ readonly known: Known; readonly jobs: ReadonlyMap<string, JobSeen> }> {
  const known: Known = { nodes: new Map() };
  const jobs = new Map<string, JobSeen>();
  const topics = parts.map(part => `${base}/job/${job}/${part}`);
  await gatherRetained(client, base, topics, (topic, payload) => {
    learn(known, base, topic, payload);
    note(jobs, base, topic, payload);
  });
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
