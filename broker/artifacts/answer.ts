/** `GET /artifacts/<sha256>` in terms of HTTP (RFC 9110), for whatever server carries it. */
import type { Readable } from 'node:stream';
import type { ArtifactStore, ByteRange } from './artifact-store.ts';
import { ArtifactError } from './artifact-store.ts';

export interface ArtifactQuestion {
  readonly method: 'GET' | 'HEAD';
  readonly sha256: string;
  readonly range?: string | undefined;
  readonly ifRange?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  /** The asker is nobody in particular: what is not open is not there for them. */
  readonly openOnly: boolean;
}

export interface ArtifactAnswer {
  readonly status: 200 | 206 | 304 | 404 | 416;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent for HEAD and where there is nothing to send; to be read or destroyed. */
  readonly body?: Readable;
  /** Of a 404 and 416. */
  readonly sentence?: string;
}

export async function answerArtifact(store: ArtifactStore, question: ArtifactQuestion): Promise<ArtifactAnswer> {
  const artifact = store.find(question.sha256);
  if (!artifact || (question.openOnly && !artifact.open)) return missing;
  const etag = `"${artifact.sha256}"`;
  const headers = {
    etag,
    'accept-ranges': 'bytes',
    // Its name is its content: it can never change.
    'cache-control': `${artifact.open ? 'public' : 'private'}, max-age=31536000, immutable`,
  };
  if (matches(question.ifNoneMatch, etag)) return { status: 304, headers };
  const asked = question.ifRange === undefined || question.ifRange === etag ? question.range : undefined;
  const range = parseRange(asked, artifact.size);
  if (range === 'beyond') {
    const sentence = `This artifact has ${artifact.size} bytes.`;
    return { status: 416, headers: { ...headers, 'content-range': `bytes */${artifact.size}` }, sentence };
  }
  const { first, last } = range ?? { first: 0, last: artifact.size - 1 };
  const whole = {
    ...headers,
    'content-type': 'application/octet-stream',
    'content-disposition': 'attachment',
    'content-length': String(last - first + 1),
  };
  const status = range ? 206 : 200;
  const all = range ? { ...whole, 'content-range': `bytes ${first}-${last}/${artifact.size}` } : whole;
  if (question.method === 'HEAD') return { status, headers: all };
  try {
    return { status, headers: all, body: await store.read(artifact, range) };
  } catch (error) {
    if (error instanceof ArtifactError && error.status === 404) return missing;
    throw error;
  }
}

const missing: ArtifactAnswer = { status: 404, headers: {}, sentence: 'There is no such artifact here.' };

const matches = (header: string | undefined, etag: string): boolean =>
  (header ?? '').split(',').some(one => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag);

/**
 * One range of bytes, cut at the end. A header of another shape, or with several ranges, is as if it were not there, as the RFC
 * allows.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'beyond' | undefined {
  const [, from, to] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '') ?? [];
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined;
  if (from === '') {
    const length = Math.min(Number(to), size);
    return length === 0 ? 'beyond' : { first: size - length, last: size - 1 };
  }
  const first = Number(from);
  const last = to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== '' && Number(to) < first) return undefined;
  return first >= size ? 'beyond' : { first, last };
}
