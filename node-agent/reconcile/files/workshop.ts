/** What the steps of files share: the machine, the ledger, and where things come from. */
import { basename, dirname, join } from 'node:path';
import type { Random } from '../../../shared/clock.ts';
import type { Fetched, Fetching } from '../../artifacts/fetching.ts';
import type { ArchiveLimits } from './archive/entries.ts';
import type { FileHost } from './host.ts';
import type { Entry, Ledger } from './ledger.ts';
import type { Manifests } from './manifest.ts';
import type { Originals } from './originals.ts';
import { openPlace, type Place } from './place.ts';
import { isBelow } from './target.ts';
import { Wrong } from './wrong.ts';

export interface Workshop {
  readonly host: FileHost;
  readonly ledger: Ledger;
  readonly originals: Originals;
  readonly manifests: Manifests;
  readonly fetching: Fetching;
  readonly random: Random;
  readonly archives: ArchiveLimits;
  /** Fingerprints, by path, of what was found to be as wanted although it was touched. */
  readonly fine: Map<string, string>;
}

/** One step under way. */
export interface Work {
  readonly signal: AbortSignal;
  /** What is being done: `fetching 12 of 80 MB`. */
  doing(text: string): void;
  /** Worth a line in the log. */
  notice(level: 'info' | 'warn', text: string): void;
}

/** Temporary names: nothing else on the machine begins so, and they are in the ledger before they are made. */
export const temporary = (random: Random): string => `.hearth-${random.hex(8)}`;
export const isTemporary = (name: string): boolean => /^\.hearth-[0-9a-f]{16}$/.test(name);

/** The folder of a path, opened, and where the path is in it; `at` is undefined while the folder does not exist. */
export async function openPath(
  { host }: Workshop,
  path: string,
  uid: number | undefined,
): Promise<{ readonly place: Place; readonly at: string | undefined }> {
  const place = await openPlace(host, dirname(path), uid);
  return { place, at: place.missing.length === 0 ? join(place.base, basename(path)) : undefined };
}

/** Removes the folders that were made for a path, inner ones first, as far as nothing else is in them. */
export async function removeFolders(shop: Workshop, path: string, entry: Entry): Promise<void> {
  for (const folder of [...entry.folders].reverse()) {
    const { place, at } = await openPath(shop, folder, entry.uid).catch(() => ({ place: undefined, at: undefined }));
    try {
      if (at !== undefined && place && (await shop.host.rmdir(at))) {
        await shop.host.syncFolder(place.base);
        continue;
      }
    } finally {
      await place?.close();
    }
    if (at !== undefined) handOver(shop, path, folder);
  }
}

/** What is still in use by another item of ours is removed with that one. */
function handOver({ ledger }: Workshop, path: string, folder: string): void {
  for (const [other, entry] of ledger.entries) {
    if (other === path || !isBelow(other, folder) || entry.folders.includes(folder)) continue;
    ledger.set(other, { ...entry, folders: [folder, ...entry.folders].sort() });
    return;
  }
}

/** Names under which what people changed is kept beside. */
const editedNames = ['', '.2', '.3', '.4', '.5', '.6', '.7', '.8', '.9'];

/** @returns a name beside `at` that is free. */
export async function editedName({ host }: Workshop, at: string): Promise<string> {
  const name = basename(at);
  for (const end of editedNames) {
    const edited = `${name}.hearth-edited${end}`;
    if (!(await host.lstat(join(dirname(at), edited)))) return edited;
  }
  throw new Wrong(`${name}: nine versions that were edited by hand stand beside it (.hearth-edited): remove some`);
}

/** A failure that is worth another try whatever it was; all others are too, but later ones sooner. */
export class FetchFailed extends Wrong {
  readonly isLater: boolean;

  constructor(sentence: string, isLater: boolean) {
    super(sentence);
    this.isLater = isLater;
  }
}

/** A copy of the source. The caller releases it. */
export function fetchCopy(shop: Workshop, source: string, sha256: string | undefined, work: Work): Promise<Fetched> {
  return new Promise((resolve, reject) => {
    if (work.signal.aborted) return reject(new Wrong('given up'));
    let isOver = false;
    work.doing('fetching');
    const under = shop.fetching.fetch(
      { url: source, sha256 },
      {
        progress: (bytes, of) => {
          if (!isOver) work.doing(`fetching ${mb(bytes)}${of === undefined ? '' : ` of ${mb(of)}`} MB`);
        },
        done: (error, copy) => {
          if (isOver) return copy?.release();
          isOver = true;
          work.signal.removeEventListener('abort', cancel);
          if (copy) resolve(copy);
          else reject(new FetchFailed(error?.sentence ?? `${source}: there is no copy of it`, error?.later ?? true));
        },
      },
    );
    function cancel() {
      if (isOver) return;
      isOver = true;
      under.cancel();
      reject(new Wrong('given up'));
    }
    work.signal.addEventListener('abort', cancel, { once: true });
  });
}

const mb = (bytes: number): string => (bytes < 10e6 ? (bytes / 1e6).toFixed(1) : String(Math.round(bytes / 1e6)));
