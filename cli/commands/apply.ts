/** `hearth apply`: a file's word about roles, nodes and rooms becomes one `set` each; or, dry, what every node would do. */
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { printable } from '../../shared/names.ts';
import { clusterFileBytes } from '../../shared/schemas/cluster-file.ts';
import { UserError } from '../../shared/user-error.ts';
import type { AdminFlags } from '../admin.ts';
import { type ClusterFile, type FileText, readClusterFile, standardInput } from '../apply/cluster-file.ts';
import { problemOf, rolesOfNobody, strangers } from '../apply/judge.ts';
import { type NounPlan, planAll } from '../apply/plan.ts';
import { dryRunLines, hintsOf, paintFor } from '../apply/show.ts';
import { type Outlook, outlook } from '../apply/simulate.ts';
import { refuse } from '../apply/source.ts';
import { stepsOf } from '../apply/steps.ts';
import { type ClientFlags, type Connected, connect, disconnect } from '../connection.ts';
import { gatherDocuments, type Retained } from '../documents.ts';
import { carryOut } from './apply-sets.ts';
import { supervisorAway } from './nodes.ts';

export interface ApplyFlags extends ClientFlags, AdminFlags {
  readonly file: string;
  readonly dryRun?: boolean;
  readonly prune?: boolean;
  readonly adopt?: boolean;
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly json?: boolean;
}

/** What is to be done, worked out whole before anything is sent. */
export interface Work {
  readonly file: ClusterFile;
  readonly name: string;
  readonly plans: readonly NounPlan[];
  readonly outlook: Outlook;
  readonly retained: Retained;
}

/** @returns 0 when all was accepted (with `--wait`: and reached), else 1. */
export async function apply(flags: ApplyFlags): Promise<number> {
  const seconds = readSeconds(flags.timeout);
  const text = await readText(flags.file);
  const file = await readClusterFile(text);
  const connected = await connect(flags);
  try {
    const work = await plan(connected, file, text.file, flags);
    const warnings = [...rolesOfNobody(file, work.outlook), ...hintsOf(work.plans, work.name, flags.prune === true)];
    for (const warning of warnings) console.error(`hearth: ${warning}`);
    if (flags.dryRun) return showDry(work, flags);
    return await carryOut(connected, work, { ...flags, waitMs: seconds * 1000 });
  } finally {
    await disconnect(connected.client);
  }
}

function readSeconds(text: string | undefined): number {
  const seconds = Number(text ?? 60);
  if (Number.isFinite(seconds) && seconds > 0 && seconds <= 86_400) return seconds;
  throw new UserError(`--timeout: "${printable(text ?? '')}" is not a number of seconds between 0 and 86400.`, 2);
}

async function readText(file: string): Promise<FileText> {
  const tooLong = `is longer than ${clusterFileBytes / 1024} kB: a cluster file is not; let large files come by "from:"`;
  if (file === '-') {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of process.stdin) {
      size += (chunk as Buffer).length;
      if (size > clusterFileBytes) throw new UserError(`Standard input ${tooLong}.`);
      chunks.push(chunk as Buffer);
    }
    return { text: textOf(Buffer.concat(chunks), standardInput), file: standardInput, folder: process.cwd() };
  }
  try {
    const handle = await open(file, 'r');
    try {
      // Read to one byte more than may be: what a pipe or a device holds, its size does not say.
      const bytes = Buffer.alloc(clusterFileBytes + 1);
      let size = 0;
      for (let read = 1; read > 0 && size < bytes.length; size += read) {
        ({ bytesRead: read } = await handle.read(bytes, size, bytes.length - size));
      }
      if (size > clusterFileBytes) throw new UserError(`${file} ${tooLong}.`);
      return { text: textOf(bytes.subarray(0, size), file), file, folder: dirname(file) };
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EISDIR'
          ? 'it is a folder'
          : `it cannot be read (${code})`;
    throw new UserError(`-f ${printable(file, 300)}: ${why}.`, 2);
  }
}

function textOf(bytes: Buffer, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UserError(`${file} is not UTF-8 text: save it as such.`);
  }
}

async function plan(connected: Connected, file: ClusterFile, shown: string, flags: ApplyFlags): Promise<Work> {
  const { name = 'stdin' } = file;
  if (flags.prune && file.name === undefined) {
    throw new UserError(
      '--prune needs to know which file this is: write "name: …" into what comes from standard input.',
      2,
    );
  }
  const { client, base, broker } = connected;
  const retained = await gatherDocuments(client, base);
  if (retained.known.supervisor !== 'online') {
    throw new UserError(`Nothing was sent: ${supervisorAway(retained.known, base, broker)}`);
  }
  const { documents, wants } = retained;
  refuse(shown, strangers(file, documents));
  const said = new Map([...file.said].map(([path, { document }]) => [path, document]));
  const options = { name, prune: flags.prune === true, adopt: flags.adopt === true };
  const plans = planAll(documents, said, options);
  const sent = plans.filter(({ patch }) => patch !== undefined);
  const ahead = outlook(
    { documents, wants },
    sent.map(({ path, after }) => [path, after] as const),
  );
  const wrong = [...sent.flatMap(one => problemOf(one) ?? []), ...ahead.problems];
  if (wrong.length > 0) throw new UserError(`Nothing was sent: ${wrong.slice(0, 20).join('\n  ')}`);
  return { file, name, plans, outlook: ahead, retained };
}

function showDry({ plans, outlook: ahead, retained }: Work, { json }: ApplyFlags): number {
  const nodes = ahead.changes.map(stepsOf);
  const online = new Set([...retained.known.nodes.values()].flatMap(node => (node.online ? [node.id] : [])));
  if (json) {
    const documents = plans.map(({ path, added, changed, removed, leftover }) => ({
      path,
      added,
      changed,
      removed,
      leftover,
    }));
    const told = nodes.map(node => ({ ...node, online: online.has(node.node) }));
    console.log(JSON.stringify({ dry_run: true, documents, nodes: told }, undefined, 2));
    return 0;
  }
  const paint = paintFor(process.stdout.isTTY === true, process.env);
  console.log(dryRunLines(plans, nodes, online, retained.wants.size, paint).join('\n'));
  return 0;
}
