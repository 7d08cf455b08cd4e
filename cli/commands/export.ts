/** `hearth export`: what people said of roles, nodes and rooms, as a file that `hearth apply` reads. */
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isItemName, printable } from '../../shared/names.ts';
import { UserError } from '../../shared/user-error.ts';
import { exportText } from '../apply/export-file.ts';
import { type ClientFlags, connect, disconnect } from '../connection.ts';
import { gatherDocuments, type Retained } from '../documents.ts';
import { supervisorAway } from './nodes.ts';

export interface ExportFlags extends ClientFlags {
  /** Where to; standard output where left out. */
  readonly output?: string;
  readonly name?: string;
}

export async function exportDocuments(flags: ExportFlags): Promise<number> {
  const name = flags.name ?? nameOf(flags.output);
  if (!isItemName(name)) {
    throw new UserError(`--name: "${printable(name)}" is no name: use 1 to 64 of A-Z a-z 0-9 . _ @ : ~ -`, 2);
  }
  const { client, base, broker } = await connect(flags);
  let retained: Retained;
  try {
    retained = await gatherDocuments(client, base);
  } finally {
    await disconnect(client);
  }
  if (retained.known.supervisor === undefined) throw new UserError(supervisorAway(retained.known, base, broker));
  if (retained.known.supervisor === 'offline') console.error(`hearth: ${supervisorAway(retained.known, base, broker)}`);
  const text = exportText(retained.documents, { name, schema: schemaAddress() });
  if (flags.output === undefined) process.stdout.write(text);
  else write(flags.output, text);
  return 0;
}

const nameOf = (file: string | undefined): string => {
  const name = basename(file ?? 'cluster', extname(file ?? ''));
  return isItemName(name) ? name : 'cluster';
};

/** The schema lies beside the program, built or not. */
function schemaAddress(): string | undefined {
  const folders = ['..', '../..'].map(up => join(import.meta.dirname, up, 'docs/reference/schemas/cluster-file.json'));
  const file = folders.find(existsSync);
  return file === undefined ? undefined : pathToFileURL(file).href;
}

/** Beside, then renamed over: nobody finds half a file. */
function write(file: string, text: string): void {
  const beside = `${file}.${process.pid}.part`;
  try {
    writeFileSync(beside, text, { flag: 'wx' });
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    throw new UserError(`-o ${printable(file, 300)}: it cannot be written (${(error as NodeJS.ErrnoException).code}).`);
  }
}
