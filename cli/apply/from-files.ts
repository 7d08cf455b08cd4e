/** `from: ./path` of file items: small text goes inline, everything else becomes an artifact that is uploaded before the sets. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { decodeText } from '../../shared/codec.ts';
import type { Json } from '../../shared/merge-patch.ts';
import { printable } from '../../shared/names.ts';
import { inlineBytes } from '../../shared/schemas/file.ts';
import type { Written } from './cluster-file.ts';
import type { Source } from './source.ts';

/** A file of this machine that has to be in the artifact store. */
export interface Upload {
  readonly path: string;
  readonly bytes: number;
}

interface LocalFile {
  readonly size: number;
  readonly sha256: string;
  /** Its text, where it is one that fits inline. */
  readonly text: string | undefined;
}

interface Resolved {
  readonly nouns: readonly Written[];
  readonly uploads: ReadonlyMap<string, Upload>;
  readonly mistakes: readonly string[];
}

/** @param folder where relative paths start. */
export async function withoutFrom(nouns: readonly Written[], folder: string, source: Source): Promise<Resolved> {
  const uploads = new Map<string, Upload>();
  const mistakes: string[] = [];
  const known = new Map<string, Promise<LocalFile | string>>();
  const look = (path: string): Promise<LocalFile | string> => {
    const looked = known.get(path) ?? localFile(path);
    known.set(path, looked);
    return looked;
  };
  const resolved: Written[] = [];
  for (const noun of nouns) {
    const files: Record<string, Json> = {};
    for (const [name, said] of Object.entries((noun.document.files ?? {}) as Record<string, Item>)) {
      const { from, ...item } = said;
      if (from === undefined) {
        files[name] = item as Json;
        continue;
      }
      const path = resolve(folder, from);
      const found = await look(path);
      const put = typeof found === 'string' ? found : placed(item, found);
      if (typeof put === 'string') {
        const at = [...noun.at, 'files', name, 'from'];
        mistakes.push(`${source.at(at, 'value')}: ${at.join('.')}: ${printable(from, 200)} ${put}`);
        continue;
      }
      if (put.source !== undefined && typeof found !== 'string') uploads.set(found.sha256, { path, bytes: found.size });
      files[name] = put as Json;
    }
    const document = noun.document.files === undefined ? noun.document : { ...noun.document, files };
    resolved.push({ ...noun, document });
  }
  return { nouns: resolved, uploads, mistakes };
}

type Item = { readonly from?: string; readonly [key: string]: Json | undefined };

/** The item with its bytes, or what is wrong. Pure. */
export function placed(item: Item, { size, sha256, text }: LocalFile): Item | string {
  if (item.sha256 !== undefined && item.sha256 !== sha256) return `has another SHA-256: ${sha256}`;
  const { sha256: _, ...rest } = item;
  if (text !== undefined && item.unpack !== true) return { ...rest, content: text };
  if (item.template === true) {
    return `cannot be a template: that is text of at most ${inlineBytes / 1024} kB, and this is ${size} bytes${size > inlineBytes ? '' : ' that are no text'}`;
  }
  return { ...rest, source: `artifact:${sha256}` };
}

/** @returns what is wrong where it cannot be read. */
async function localFile(path: string): Promise<LocalFile | string> {
  try {
    // A pipe or a device would never end.
    if (!(await stat(path)).isFile()) return 'is not a file';
    const hash = createHash('sha256');
    const head: Buffer[] = [];
    let size = 0;
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      if (size <= inlineBytes) head.push(chunk);
      size += chunk.length;
    }
    const sha256 = hash.digest('hex');
    const text = size <= inlineBytes ? decodeText(Buffer.concat(head)) : undefined;
    const isText = text?.ok === true && !text.value.includes('\0');
    return { size, sha256, text: isText ? text.value : undefined };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return `is not there: looked for ${printable(path, 300)}`;
    return `cannot be read (${code ?? 'unknown'})`;
  }
}
