/** Packages and files as services see them: whether they are there, and when they became another. */
import type { ItemStatus } from '../../shared/schemas/observed.ts';
import type { Document } from './reconciler.ts';
import type { ItemStates, Standing } from './services/around.ts';

/** What is known of a kind's items. */
export interface KindView {
  items(): Readonly<Record<string, ItemStatus>>;
  /** Another text when the item is another: a file's hash, a package's version. */
  markOf(name: string): string | undefined;
}

export class KindStates implements ItemStates {
  readonly #kinds: Readonly<Record<'packages' | 'files', KindView | undefined>>;
  #document: Document | undefined;
  /** Path -> standing and mark, as they were last told. */
  #told = new Map<string, string>();

  constructor(kinds: Readonly<Record<'packages' | 'files', KindView | undefined>>) {
    this.#kinds = kinds;
  }

  /** Before the services hear of the document. */
  expect(document: Document): void {
    this.#document = document;
  }

  stateOf(path: string): Standing | undefined {
    const [kind, name] = split(path);
    if (kind !== 'packages' && kind !== 'files') return undefined;
    const said = this.#document?.[kind];
    if (!said || !Object.hasOwn(said, name)) return undefined;
    return standingOf(this.#kinds[kind]?.items()[path], said[name]?.drift === 'report');
  }

  markOf(path: string): string | undefined {
    const [kind, name] = split(path);
    return kind === 'packages' || kind === 'files' ? this.#kinds[kind]?.markOf(name) : undefined;
  }

  /** Items that are not as they were at the last call. */
  changed(): readonly string[] {
    const now = new Map<string, string>();
    for (const kind of ['packages', 'files'] as const) {
      for (const name of Object.keys(this.#document?.[kind] ?? {})) {
        const path = `${kind}/${name}`;
        now.set(path, `${this.stateOf(path)} ${this.markOf(path) ?? ''}`);
      }
    }
    const before = this.#told;
    this.#told = now;
    const gone = [...before.keys()].filter(path => !now.has(path));
    return [...gone, ...[...now].flatMap(([path, told]) => (before.get(path) === told ? [] : [path]))];
  }
}

function split(path: string): readonly [kind: string, name: string] {
  const at = path.indexOf('/');
  return [path.slice(0, at), path.slice(at + 1)];
}

/** What is only reported when somebody changed it is there, in whatever form. */
function standingOf(status: ItemStatus | undefined, onlyReported: boolean): Standing {
  if (status?.state === 'ok' || (status?.state === 'drifted' && onlyReported)) return 'ok';
  return status?.state === 'failed' ? 'failed' : 'pending';
}
