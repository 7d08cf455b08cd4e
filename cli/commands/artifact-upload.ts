/**
 * Brings one file to the supervisor's store. `HEAD /artifacts/SHA256/upload` says how much of it is there, `PATCH` appends
 * from that byte on (docs/artifacts.md); a line that breaks is waited for, and gone on with.
 */
import { createReadStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { fullJitter } from '../../shared/clock.ts';
import { systemRandom } from '../../shared/system-clock.ts';
import { UserError } from '../../shared/user-error.ts';
import type { AdminFlags } from '../admin.ts';
import { progressBar } from '../progress-bar.ts';
import { askSupervisor, drained, refusalOf, told } from '../supervisor-request.ts';

/** In a row, without a byte that came through. */
const mostFailures = 6;

interface Standing {
  readonly offset: number;
  readonly complete: boolean;
}

/** @returns whether it was not there before. @throws UserError. */
export async function upload(file: string, sha256: string, size: number, flags: AdminFlags): Promise<boolean> {
  const random = systemRandom();
  let failures = 0;
  let furthest = -1;
  let connected = false;
  for (;;) {
    try {
      const { offset, complete } = await standing(sha256, flags);
      connected = true;
      if (complete) return furthest >= 0;
      if (offset > furthest) failures = 0;
      furthest = Math.max(furthest, offset);
      const done = await append(file, sha256, size, offset, flags);
      if (done !== undefined) return done;
    } catch (error) {
      // What the supervisor said is its last word; a line that broke is not, and one that never was is not waited for.
      if (error instanceof UserError || !connected) throw told(error, flags);
      if (++failures >= mostFailures) {
        const { message } = told(error, flags);
        throw new UserError(`${message} The same command goes on where this one stopped.`);
      }
      await pause(fullJitter(failures, 500, 8000, random));
    }
  }
}

async function standing(sha256: string, flags: AdminFlags): Promise<Standing> {
  const answer = await askSupervisor(flags, { method: 'HEAD', path: `/artifacts/${sha256}/upload` });
  await drained(answer);
  const { statusCode, headers } = answer;
  if (statusCode === 401 || statusCode === 403) {
    throw new UserError(
      'Bringing an artifact takes an operator: run this as the user who runs the supervisor, or put an API token into HEARTH_TOKEN.',
    );
  }
  if (statusCode !== 204) throw await refusalOf(answer);
  return { offset: offsetIn(headers['upload-offset']), complete: headers['upload-complete'] === '?1' };
}

function offsetIn(header: string | string[] | undefined): number {
  if (typeof header === 'string' && /^\d{1,15}$/.test(header)) return Number(header);
  throw new UserError('The supervisor does not say where the upload goes on: it may be older than this command.');
}

/** Above this a refusal could be lost: who has not read a body to its end cuts the line with its answer still on it. */
const askFirstBytes = 64 * 1024;

/** @returns whether it is new, once it is whole; undefined: what is there has to be asked anew. */
async function append(
  file: string,
  sha256: string,
  size: number,
  offset: number,
  flags: AdminFlags,
): Promise<boolean | undefined> {
  const name = basename(file);
  const send = (length: number, body?: Readable) =>
    askSupervisor(flags, {
      method: 'PATCH',
      path: `/artifacts/${sha256}/upload`,
      headers: {
        'content-type': 'application/partial-upload',
        'content-length': String(length),
        'upload-offset': String(offset),
        'upload-length': String(size),
        'x-hearth-name': encodeURIComponent(name),
      },
      ...(body && { body }),
    }).then(judge);
  const left = size - offset;
  if (left === 0) return send(0);
  if (left > askFirstBytes) await send(0);
  const bar = progressBar(name, size, offset);
  const body = createReadStream(file, { start: offset, end: size - 1, highWaterMark: 256 * 1024 });
  let bytes = offset;
  body.on('data', piece => {
    bytes += piece.length;
    bar.at(bytes);
  });
  // Nothing is read before the line is there.
  body.pause();
  try {
    return await send(left, body);
  } finally {
    bar.end();
    body.destroy();
  }
}

async function judge(answer: IncomingMessage): Promise<boolean | undefined> {
  const { statusCode, headers } = answer;
  // Another connection got further, or it is not all there yet.
  const goesOn = statusCode === 204 || (statusCode === 409 && headers['upload-offset'] !== undefined);
  if (statusCode !== 201 && statusCode !== 200 && !goesOn) throw await refusalOf(answer);
  await drained(answer);
  return goesOn ? undefined : statusCode === 201;
}
