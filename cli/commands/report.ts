/** `hearth report`: how the cluster is, from the retained topics, for a terminal, a program or a browser. */
import { randomBytes } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { checkId, nearest, printable } from '../../shared/names.ts';
import type { JobIs } from '../../shared/schemas/job.ts';
import type { Report } from '../../shared/schemas/report.ts';
import { parseTopic } from '../../shared/topics.ts';
import { UserError } from '../../shared/user-error.ts';
import { type ClientFlags, connect, disconnect } from '../connection.ts';
import { gather, json } from '../fleet.ts';
import { buildReport, failsOn, type WantForReport, wantForReport } from '../report/build.ts';
import { reportHtml } from '../report/html.ts';
import { jobsReport, learnJob } from '../report/jobs.ts';
import { reportText, summaryText } from '../report/text.ts';
import { supervisorAway } from './nodes.ts';

const mostNodes = 20_000;

export interface ReportFlags extends ClientFlags {
  readonly json?: boolean;
  readonly html?: boolean;
  readonly out?: string;
  readonly node?: string;
  readonly failOn?: string;
}

/** @returns 1 with `--fail-on` where something that weighs at least as much is wrong; the report is made all the same. */
export async function report(flags: ReportFlags): Promise<number> {
  const { node, failOn, out } = flags;
  if (flags.json && flags.html) throw new UserError('A report is JSON or HTML: say --json or --html, not both.', 2);
  if (failOn !== undefined && failOn !== 'warning' && failOn !== 'critical') {
    throw new UserError(`--fail-on takes "warning" or "critical", not "${printable(failOn)}".`, 2);
  }
  const id = node === undefined ? undefined : checkId(node, 'node');
  if (id && !id.ok) throw new UserError(`${id.error.message}.`, 2);

  const { client, base, broker } = await connect(flags);
  const wants = new Map<string, WantForReport>();
  const jobs = new Map<string, JobIs>();
  const hear = (topic: string, payload: Uint8Array) => {
    const parsed = parseTopic(topic, base);
    if (!parsed.ok || parsed.value.kind !== 'noun') return;
    const { noun, target, part } = parsed.value;
    if (noun === 'job' && part === 'is' && target.kind === 'one') learnJob(jobs, target.id, payload);
    if (noun !== 'node' || part !== 'want') return;
    const want = json(wantForReport, payload);
    if (want && target.kind === 'one' && wants.size < mostNodes) wants.set(target.id, want);
  };
  const others = node === undefined ? ['job/+/is'] : [];
  const known = await gather(client, base, { parts: ['want'], others, hear }).finally(() => disconnect(client));
  if (node !== undefined && !known.nodes.has(node)) {
    const near = nearest(node, known.nodes.keys());
    throw new UserError(`No node "${node}" is known at ${broker}${near ? `: did you mean ${near}?` : '.'}`);
  }
  const ofJobs = jobsReport(jobs);
  const made = { ...buildReport(known, wants, { base, now: Date.now(), node }), ...(ofJobs ? { jobs: ofJobs } : {}) };
  const text = textOf(made, flags);
  if (out === undefined) process.stdout.write(`${text.trimEnd()}\n`);
  else {
    await writeWhole(out, `${text.trimEnd()}\n`);
    console.log(summaryText(made));
  }
  if (known.supervisor !== 'online') console.error(`hearth: ${supervisorAway(known, base, broker)}`);
  return failOn !== undefined && failsOn(made, failOn) ? 1 : 0;
}

/** A file's name says what it holds where no flag does. */
function textOf(made: Report, { json: asJson, html, out = '' }: ReportFlags): string {
  if (asJson || (!html && out.endsWith('.json'))) return JSON.stringify(made, undefined, 2);
  if (html || /\.html?$/.test(out)) return reportHtml(made);
  return reportText(made);
}

/** Beside and over it: who reads the file meanwhile has the old report or the new one, whole. */
async function writeWhole(path: string, text: string): Promise<void> {
  const beside = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    await writeFile(beside, text, { flag: 'wx' });
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(`The report cannot be written to ${printable(path, 200)} (${code}): name another file.`);
  }
}
