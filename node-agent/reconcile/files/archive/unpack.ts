/** An archive, told by its bytes -> a folder that nobody else can reach yet. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileHost } from '../host.ts';
import { Wrong } from '../wrong.ts';
import { type ArchiveLimits, Judge } from './entries.ts';
import { isTar, type Packing, readTar, type TakeEntry } from './tar.ts';
import { readZip } from './zip.ts';

/** What was made, by its path in the folder. The text of a file is its SHA-256, that of a symlink its target. */
export type Tree = Map<string, { readonly kind: 'file' | 'folder' | 'symlink'; readonly text: string }>;

const packings: readonly (readonly [magic: string, packing: Packing])[] = [
  ['1f8b', 'gzip'],
  ['fd377a585a00', 'xz'],
  ['28b52ffd', 'zstd'],
  ['425a68', 'bzip2'],
];

/**
 * @param base an empty folder that only the agent's user may enter; it is used by this path throughout.
 * @param whose of everything that is made; undefined: the agent's.
 */
export async function unpackInto(
  host: FileHost,
  file: string,
  base: string,
  options: {
    readonly limits: ArchiveLimits;
    readonly strip: number;
    readonly uid: number | undefined;
    readonly gid: number | undefined;
    /** Bytes unpacked so far. */
    progress(bytes: number): void;
    readonly signal: AbortSignal;
  },
): Promise<Tree> {
  const { uid, gid } = options;
  const judge = new Judge(options.limits, options.strip);
  const tree: Tree = new Map();
  const folders = new Map<string, number>();
  const symlinks: (readonly [path: string, target: string])[] = [];
  let total = 0;
  const count = (bytes: number, packed: number) => {
    if (options.signal.aborted) throw new Wrong('given up');
    total += bytes;
    options.progress(total);
    judge.count(bytes, packed);
  };
  const makeFolder = async (path: string, mode: number) => {
    if (!folders.has(path)) await host.mkdir(join(base, path), 0o700);
    folders.set(path, mode);
    tree.set(path, { kind: 'folder', text: '' });
  };
  const take: TakeEntry = async (entry, bytes) => {
    const judged = judge.judge(entry);
    if (!judged) {
      if (entry.kind === 'file') for await (const _ of bytes);
      return;
    }
    for (const folder of judged.folders) await makeFolder(folder, 0o755);
    const { made } = judged;
    switch (made.kind) {
      case 'folder':
        return makeFolder(made.path, made.mode);
      case 'symlink':
        symlinks.push([made.path, made.target]);
        return;
      case 'link':
        await host.link(join(base, made.of), join(base, made.path));
        tree.set(made.path, tree.get(made.of) ?? { kind: 'file', text: '' });
        return;
      case 'file': {
        const hash = createHash('sha256');
        const out = await host.openNew(join(base, made.path));
        try {
          for await (const chunk of bytes) {
            hash.update(chunk);
            await out.write(chunk);
          }
        } finally {
          await out.close({ mode: made.mode, uid, gid });
        }
        tree.set(made.path, { kind: 'file', text: hash.digest('hex') });
      }
    }
  };
  const format = await formatOf(file);
  if (format === 'zip') await readZip(file, take, count);
  else await readTar(file, format, take, count);
  for (const [path, target] of symlinks) {
    await host.symlink(target, join(base, path), uid, gid);
    tree.set(path, { kind: 'symlink', text: target });
  }
  // Inner ones first: one that became somebody else's is not entered again.
  for (const [path, mode] of [...folders].sort(([a], [b]) => (a < b ? 1 : -1))) {
    await host.allowFolder(join(base, path), { mode, uid, gid });
  }
  return tree;
}

async function formatOf(file: string): Promise<Packing | 'zip'> {
  const handle = await open(file, 'r');
  const block = Buffer.alloc(512);
  const { bytesRead } = await handle.read(block, 0, 512, 0).finally(() => handle.close());
  const begin = block.subarray(0, bytesRead);
  const hex = begin.toString('hex', 0, 8);
  if (hex.startsWith('504b0304') || hex.startsWith('504b0506')) return 'zip';
  const packing = packings.find(([magic]) => hex.startsWith(magic));
  if (packing) return packing[1];
  if (isTar(begin)) return 'none';
  throw new Wrong('the source is no archive that is known: use tar, tar.gz or zip');
}
