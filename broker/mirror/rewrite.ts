/** Links of an index lead to the mirror instead of where they led: the same bytes but for these, as they pass. */
import { Transform } from 'node:stream';

export interface Link {
  /** Such as `https://registry.npmjs.org`; what follows it in the text is a slash. */
  readonly url: string;
  readonly to: string;
}

export function rewriting(links: readonly Link[]): Transform {
  const pairs = links.map(({ url, to }) => ({ from: Buffer.from(`${url}/`), to: Buffer.from(`${to}/`) }));
  const longest = Math.max(...pairs.map(({ from }) => from.length));
  let left = Buffer.alloc(0);
  /** What cannot be the beginning of a link any more goes on. */
  const turn = (text: Buffer, last: boolean): Buffer => {
    const out: Buffer[] = [];
    let at = 0;
    for (;;) {
      let next: { readonly index: number; readonly pair: (typeof pairs)[number] } | undefined;
      for (const pair of pairs) {
        const index = text.indexOf(pair.from, at);
        if (index >= 0 && (!next || index < next.index)) next = { index, pair };
      }
      if (!next) break;
      out.push(text.subarray(at, next.index), next.pair.to);
      at = next.index + next.pair.from.length;
    }
    const end = last ? text.length : Math.max(at, text.length - longest + 1);
    out.push(text.subarray(at, end));
    left = Buffer.from(text.subarray(end));
    return Buffer.concat(out);
  };
  return new Transform({
    transform: (piece: Buffer, _encoding, done) => done(null, turn(Buffer.concat([left, piece]), false)),
    flush: done => done(null, turn(left, true)),
  });
}
