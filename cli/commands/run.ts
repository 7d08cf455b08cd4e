/** `hearth run`: a command for every value, on whatever nodes there are, read as if it ran here. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { HearthError } from '../../client/errors.ts';
import { Session } from '../../client/session.ts';
import { makeId } from '../../client/work.ts';
import type { CompiledRun } from '../../shared/jobs/placeholders.ts';
import { isJobId, printable } from '../../shared/names.ts';
import type { CommittedResult } from '../../shared/schemas/job-out.ts';
import { UserError } from '../../shared/user-error.ts';
import { connect, disconnect } from '../connection.ts';
import { type Bringing, checkedRun, commandText, documentOf, runOf } from '../run/document.ts';
import { explainTable } from '../run/explained.ts';
import type { RunFlags } from '../run/flags.ts';
import { Following, type View } from '../run/following.ts';
import { Joblog, logLine, readLog, succeededIn } from '../run/joblog.ts';
import { pairs } from '../run/reading.ts';
import { readValues, type TaskValues } from '../run/values.ts';

/** Of what is no task's failure: as GNU parallel, so that 1 to 101 count tasks. */
const otherError = 255;
const reconnectMs = 700;

/** @returns 0, the number of failed tasks (101: more than 100), 130 where it was canceled. @throws UserError 2 or 255. */
export async function run(words: readonly string[], flags: RunFlags): Promise<number> {
  try {
    return await runJob(words, flags);
  } catch (error) {
    if (error instanceof HearthError) throw new UserError(error.message, otherError);
    if (error instanceof UserError && error.exitCode !== 2) throw new UserError(error.message, otherError);
    throw error;
  }
}

/** What is known before anybody is asked. */
interface Plan {
  readonly values: TaskValues;
  readonly compiled: CompiledRun | undefined;
  /** Number of the task that has this index in the job, from 1: not all may be run again. */
  readonly seq: (index: number) => number;
  /** Tasks whose results were logged by an earlier run of the same job. */
  readonly logged: ReadonlySet<number>;
}

async function runJob(words: readonly string[], flags: RunFlags): Promise<number> {
  checkFlags(flags);
  const all = await readValues(flags.sources, flags.items);
  // As with an empty list anywhere: nothing is to be done, and that is done.
  if (!all) return 0;
  const compiled = words.length > 0 ? checkedRun(runOf(words, flags.shell === true), all.names, flags) : undefined;
  const plan = planned(all, compiled, words, flags);
  if (!plan) return 0;
  if (flags.dryRun) return await dryRun(plan, flags);
  const document = await documentOf(words, flags, plan.values, bringing(flags));
  const id = flags.id ?? makeId(document);
  const { client, base } = await connect(flags, { reconnectPeriod: reconnectMs });
  const session = new Session(client, base);
  try {
    if (flags.explain) return await explain(session, id, document);
    if (flags.detach) {
      await session.submit(id, document);
      console.log(id);
      return 0;
    }
    client.on('close', () => console.error('hearth: the connection is lost; trying again …'));
    const log = flags.joblog === undefined ? undefined : new Joblog(flags.joblog, flags.resume === true);
    const following = new Following(session, id, viewOf(plan, flags, log, document.stdin));
    try {
      await session.submit(id, document);
      return await following.end();
    } finally {
      following.close();
      log?.close();
    }
  } finally {
    client.removeAllListeners('close');
    await disconnect(client);
  }
}

function checkFlags({ id, resume, joblog, detach, json, tag, output, outputDir, explain: asked }: RunFlags): void {
  if (id !== undefined && !isJobId(id)) {
    throw new UserError(`--id: "${printable(id)}" is no id of a job: use 1 to 64 of a-z, 0-9 and "-".`, 2);
  }
  const wrong: readonly (readonly [boolean, string])[] = [
    [resume === true && joblog === undefined, '--resume needs --joblog FILE: it says what was done.'],
    [detach === true && joblog !== undefined, '--joblog is written while the job is watched: leave out --detach.'],
    [json === true && tag === true, '--json says the values already: leave out --tag.'],
    [outputDir !== undefined && output === undefined, '--output-dir is for --output NAME=PATH: name what is left.'],
    [
      detach === true && outputDir !== undefined,
      '--output-dir is filled while the job is watched: leave out --detach.',
    ],
    [asked === true && id !== undefined, '--explain asks with a job of its own: leave out --id.'],
  ];
  for (const [is, text] of wrong) if (is) throw new UserError(text, 2);
}

/** @returns undefined where everything was done before. */
function planned(
  all: TaskValues,
  compiled: CompiledRun | undefined,
  words: readonly string[],
  flags: RunFlags,
): Plan | undefined {
  const whole = { values: all, compiled, seq: (index: number) => index + 1, logged: new Set<number>() };
  if (!flags.resume || flags.joblog === undefined) return whole;
  const done = succeededIn(readLog(flags.joblog));
  // The job is there, or it is sent again as it was: what is in the log is only not said again.
  if (flags.id !== undefined) return { ...whole, logged: done };
  const left: number[] = [];
  for (let index = 0; index < all.n; index++) if (!done.has(index + 1)) left.push(index);
  if (left.length === 0) return undefined;
  if (left.length === all.n) return whole;
  if (compiled && words.some(word => word.includes('{#}'))) {
    throw new UserError('--resume of a command with {#} takes the id of the job: hearth run --id ID … --resume.', 2);
  }
  return { ...whole, values: remaining(all, left), seq: index => (left[index] ?? 0) + 1 };
}

function remaining(all: TaskValues, left: readonly number[]): TaskValues {
  const [name = '', ...more] = all.names;
  if (more.length > 0) {
    throw new UserError('--resume of several dimensions takes the id of the job: hearth run --id ID … --resume.', 2);
  }
  const n = left.length;
  const at = (index: number) => all.at(left[index] ?? 0);
  if (all.items) return { n, names: all.names, at, items: left.map(index => all.items?.[index]) };
  return { n, names: all.names, at, dimensions: { [name]: left.map(index => all.at(index)[name] ?? '') } };
}

async function dryRun({ values, compiled, seq }: Plan, flags: RunFlags): Promise<number> {
  let text = '';
  for (let index = 0; index < values.n; index++) {
    text += `${commandText(compiled, values, flags, index, seq(index))}\n`;
    if (text.length < 65_536 && index < values.n - 1) continue;
    const part = text;
    text = '';
    await new Promise<void>(resolve => process.stdout.write(part, () => resolve()));
  }
  return 0;
}

function viewOf(plan: Plan, flags: RunFlags, log: Joblog | undefined, stdin: string | undefined): View {
  const { values, compiled, seq, logged } = plan;
  const send = Buffer.byteLength(stdin ?? '');
  const command = (index: number) => commandText(compiled, values, flags, index, seq(index));
  const seen = (results: readonly CommittedResult[]) => {
    const fresh = logged.size === 0 ? results : results.filter(({ index }) => !logged.has(seq(index)));
    const now = Date.now();
    log?.write(
      fresh.map(one => logLine(one, { seq: seq(one.index), command: command(one.index), send }, now)).join(''),
    );
    return fresh;
  };
  return {
    order: flags.order !== false,
    json: flags.json === true,
    bar: flags.bar !== false,
    seen,
    seq,
    reducing: flags.reduceRun !== undefined || flags.reducePlugin !== undefined,
    args: index => values.at(index),
    whole: async sha256 => {
      await (await import('./artifact.ts')).fetchArtifact(sha256, '-', flags);
    },
    ...(flags.tag ? { tag: (index: number) => Object.values(values.at(index)).join(' ') } : {}),
    ...(flags.outputDir === undefined ? {} : { fetch: fetching(flags.outputDir, plan, flags) }),
  };
}

/** Of one task: into the folder itself; of several: each into a folder with its number. */
function fetching(folder: string, { values, seq }: Plan, flags: RunFlags) {
  const paths = new Map(pairs(flags.output, '--output'));
  return async ({ index, end }: CommittedResult): Promise<void> => {
    const { fetchArtifact } = await import('./artifact.ts');
    for (const [name, sha256] of Object.entries(end?.files ?? {})) {
      const path = paths.get(name);
      // Names that were not asked for are nobody's path here.
      if (path === undefined || !/^[0-9a-f]{64}$/.test(sha256)) continue;
      const to = values.n === 1 ? join(folder, path) : join(folder, String(seq(index)), path);
      mkdirSync(dirname(to), { recursive: true });
      await fetchArtifact(sha256, to, flags);
    }
  };
}

function bringing(flags: RunFlags): Bringing {
  const bring = async (path: string) => {
    const { sha256 } = await (await import('./artifact.ts')).bringArtifact(path, flags);
    return `artifact:${sha256}`;
  };
  return {
    file: bring,
    async text(name, text) {
      const folder = mkdtempSync(join(tmpdir(), 'hearth-run-'));
      try {
        const file = join(folder, name);
        writeFileSync(file, text);
        return await bring(file);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  };
}

/** A job that is paused from the start, asked about, and gone again. */
async function explain(session: Session, id: string, document: object): Promise<number> {
  await session.submit(id, document);
  try {
    const { explain: nodes = [] } = await session.order(id, 'explain');
    console.log(explainTable(nodes));
    return nodes.some(({ why }) => why === undefined) ? 0 : 1;
  } finally {
    await session.order(id, 'cancel').catch(() => {});
  }
}
