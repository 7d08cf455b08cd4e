/** Which artifacts documents name, and where: what is in use is never thrown out. Pure. */

export interface ArtifactUse {
  readonly sha256: string;
  /** For people, such as `node pi-3: files.web.source`. */
  readonly where: string;
}

/** Asked whenever something would be thrown out. */
export type UsesOf = () => Iterable<ArtifactUse>;

const named = /^artifact:([0-9a-f]{64})$/;

/**
 * Every `artifact:SHA256` that stands as a value in a document, however deep.
 * @param where what the document is, such as `role web`.
 */
export function* usesIn(document: unknown, where: string): Generator<ArtifactUse> {
  // Documents are bounded in depth and size where they are accepted; a stack needs no bound of its own.
  const left: (readonly [value: unknown, path: readonly string[]])[] = [[document, []]];
  for (let next = left.pop(); next; next = left.pop()) {
    const [value, path] = next;
    if (typeof value === 'string') {
      const sha256 = named.exec(value)?.[1];
      if (sha256 !== undefined) yield { sha256, where: path.length === 0 ? where : `${where}: ${path.join('.')}` };
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, inside] of Object.entries(value)) left.push([inside, [...path, key]]);
    }
  }
}

const mostPlaces = 5;

/** Where one is used, each place once, the first few by name. */
export function placesOf(uses: Iterable<ArtifactUse>, sha256: string): readonly string[] {
  return [...new Set([...uses].filter(one => one.sha256 === sha256).map(({ where }) => where))].sort();
}

/** `node a: files.x, node b: files.x and 3 more`. */
export function inWords(places: readonly string[]): string {
  const more = places.length - mostPlaces;
  return more > 0 ? `${places.slice(0, mostPlaces).join(', ')} and ${more} more` : places.join(', ');
}
