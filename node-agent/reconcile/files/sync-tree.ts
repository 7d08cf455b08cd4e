/** A whole unpacked folder onto stable storage: by one call of the system where it has one, else file by file. */
import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileHost } from './host.ts';
import type { Manifest } from './manifest.ts';

/** From so many files on, one sync of the file system is quicker than one of each. */
const many = 64;

export async function syncTree(host: FileHost, base: string, manifest: Manifest): Promise<void> {
  if (manifest.size > many && (await syncFileSystem(base))) return;
  for (const [path, { kind }] of manifest) {
    if (kind === 'folder') await host.syncFolder(join(base, path));
    if (kind !== 'file') continue;
    const handle = await open(join(base, path), 'r');
    await handle.sync().finally(() => handle.close());
  }
  await host.syncFolder(base);
}

/** sync(1) of coreutils 8.24 and of busybox: the whole file system that holds the folder. */
async function syncFileSystem(base: string): Promise<boolean> {
  const folder = await open(base, 'r');
  try {
    return await new Promise(resolve => {
      // The folder is held open by us under this name, and by the other process under ours.
      execFile('sync', ['-f', base.replace('/proc/self/', `/proc/${process.pid}/`)], { timeout: 120_000 }, error =>
        resolve(error === null),
      );
    });
  } finally {
    await folder.close();
  }
}
