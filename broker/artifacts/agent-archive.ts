/** The agent as it is given to machines: its bundle, `hearth-agent` which runs it, and what says that it is a module. */
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../shared/user-error.ts';
import { packUp, settle } from './archive.ts';
import { assembleScript } from './assemble-script.ts';
import type { Archive } from './install-script.ts';

export interface AgentFiles {
  /** Holds agent.js and agent-parts/. */
  readonly dist: string;
  /** Holds hearth-agent.sh and its parts. */
  readonly deploy: string;
}

/** Of what lies in dist/: the agent, its parts, and the licences of what is bundled. */
const agents = /^agent(\.js|-[a-z]+)(\.LEGAL\.txt)?$/;

/** @param keep takes the archive in; its file is gone afterwards. */
export async function packAgent(
  { dist, deploy }: AgentFiles,
  folder: string,
  keep: (file: string, archive: Archive) => Promise<void>,
): Promise<Archive> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const place = await mkdtemp(join(folder, 'agent-'));
  try {
    const files = join(place, 'files');
    await mkdir(files);
    const names = await readdir(dist).catch((): string[] => []);
    if (!names.includes('agent.js')) {
      throw new UserError(`${join(dist, 'agent.js')} is missing: build it with "npm run build".`);
    }
    for (const name of names.filter(one => agents.test(one))) await copy(join(dist, name), join(files, name));
    await writeFile(join(files, 'hearth-agent'), await assembleScript(join(deploy, 'hearth-agent.sh')));
    await settle(join(files, 'hearth-agent'), 0o755);
    await copyFile(join(deploy, '../LICENSE'), join(files, 'LICENSE'));
    await settle(join(files, 'LICENSE'), 0o644);
    await writeFile(join(files, 'package.json'), '{"type":"module"}\n');
    await settle(join(files, 'package.json'), 0o644);
    const file = join(place, 'agent.tar.gz');
    const archive = await packUp(files, file);
    await keep(file, archive);
    return archive;
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

/** A file, or a folder of files. */
async function copy(from: string, to: string): Promise<void> {
  const entries = await readdir(from).catch(() => undefined);
  if (entries === undefined) {
    await copyFile(from, to);
    return settle(to, 0o644);
  }
  await mkdir(to);
  for (const name of entries) {
    await copyFile(join(from, name), join(to, name));
    await settle(join(to, name), 0o644);
  }
}
