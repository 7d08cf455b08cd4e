/**
 * The agent as the install script put it on this machine: `<lib>/agent-<first 16 of the archive's SHA-256>/`, `layout`
 * (which of them is the installed one), `trial` (which one is being tried) and `put-back` (a line for each that was not
 * well). deploy/hearth-agent reads and writes the same files.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { agentNodeFlags } from '../../shared/agent-process.ts';
import { readBounded, removeFiles, replaceFile } from '../replace-file.ts';
import type { PutBack, Release } from './core.ts';

export interface Installation {
  /** First 16 characters of the hash of what runs. */
  readonly own: string;
  readonly onTrial: boolean;
  putBack(): readonly PutBack[];
  /** Unpacks the archive beside what runs, and lets it look at this node's files. `done` with one sentence where it cannot be. */
  stage(
    archive: string,
    release: Release,
    done: (error?: { readonly sentence: string; readonly later: boolean }) => void,
  ): void;
  /** From the next start on it is tried. These throw one sentence where they cannot be written. */
  tryNext(release: Release): void;
  commit(): void;
  giveUp(why: string, atMs: number): void;
  /** Removes what neither runs nor is installed. */
  dropOld(): void;
}

const named = /^agent-([0-9a-f]{16})$/;
const mostBytes = 64 * 1024;
const checkMs = 60_000;
const unpackMs = 120_000;
const putBackLines = 20;

/** @returns undefined where this agent was not put here by the install script: then whoever did updates it. */
export function findInstallation(
  data: string,
  env: NodeJS.ProcessEnv,
  self = import.meta.url,
): Installation | undefined {
  const lib = env.HEARTH_LIB;
  if (lib === undefined || lib === '') return undefined;
  // The bundle and its parts, which lie in a folder below it.
  const place = [dirname(fileURLToPath(self)), dirname(dirname(fileURLToPath(self)))].find(
    folder => dirname(folder) === lib && named.test(basename(folder)),
  );
  const own = place && named.exec(basename(place))?.[1];
  if (place === undefined || own === undefined || readBounded(join(lib, 'layout'), mostBytes) === undefined)
    return undefined;
  return new Installed(lib, place, own, data, env.HEARTH_TRIAL === place);
}

class Installed implements Installation {
  readonly own: string;
  readonly onTrial: boolean;
  readonly #lib: string;
  readonly #place: string;
  readonly #data: string;

  constructor(lib: string, place: string, own: string, data: string, onTrial: boolean) {
    this.#lib = lib;
    this.#place = place;
    this.own = own;
    this.#data = data;
    this.onTrial = onTrial;
  }

  putBack(): readonly PutBack[] {
    let text = '';
    try {
      text = readBounded(join(this.#lib, 'put-back'), mostBytes) ?? '';
    } catch {
      // Notes that cannot be read are none: at worst a release is tried once more.
    }
    return text.split('\n').flatMap(line => {
      const [name = '', ver = '', seconds = '', ...why] = line.split('\t');
      const sha16 = named.exec(name)?.[1];
      return sha16 === undefined || !/^\d{1,12}$/.test(seconds)
        ? []
        : [{ sha16, ver: ver.slice(0, 32), at: Number(seconds) * 1000, why: why.join(' ').slice(0, 200) }];
    });
  }

  stage(archive: string, release: Release, done: Parameters<Installation['stage']>[2]): void {
    let scratch: string;
    try {
      scratch = mkdtempSync(join(this.#lib, '.scratch.'));
    } catch (error) {
      done({ sentence: `cannot write ${this.#lib} (${(error as NodeJS.ErrnoException).code})`, later: true });
      return;
    }
    const end = (error?: Parameters<typeof done>[0]) => {
      rmSync(scratch, { recursive: true, force: true });
      done(error);
    };
    // As install.sh does it: whose hash the cluster's key has signed is not taken apart twice.
    const unpack = ['-c', 'gzip -dc "$1" | tar -xof - -C "$2" && sync', 'sh', archive, scratch];
    execFile('/bin/sh', unpack, { timeout: unpackMs, maxBuffer: mostBytes }, (error, _out, said) => {
      if (error) return end({ sentence: `the archive could not be unpacked: ${lastLine(said, error)}`, later: true });
      this.#check(scratch, why => {
        if (why !== undefined) return end({ sentence: why, later: false });
        try {
          const place = this.#folder(release);
          rmSync(place, { recursive: true, force: true });
          renameSync(scratch, place);
          done();
        } catch (failure) {
          end({ sentence: `cannot write ${this.#lib} (${(failure as NodeJS.ErrnoException).code})`, later: true });
        }
      });
    });
  }

  /** Its launcher is a script, and its agent understands what lies in this node's folder. */
  #check(folder: string, done: (why?: string) => void): void {
    const options = { timeout: checkMs, maxBuffer: mostBytes };
    execFile('/bin/sh', ['-n', join(folder, 'hearth-agent')], options, (error, _out, said) => {
      if (error) return done(`its launcher is no script: ${lastLine(said, error)}`);
      const args = [...agentNodeFlags, join(folder, 'agent.js'), '--check', '--data', this.#data];
      execFile(process.execPath, args, options, (failure, _told, errors) => {
        done(failure ? `it does not run here: ${lastLine(errors, failure)}` : undefined);
      });
    });
  }

  tryNext(release: Release): void {
    const lines = [`TO=${this.#folder(release)}`, `VERSION=${oneLine(release.ver)}`, 'STARTS=0', ''];
    replaceFile(this.#lib, 'trial', lines.join('\n'), true);
  }

  commit(): void {
    const trial = readBounded(join(this.#lib, 'trial'), mostBytes) ?? '';
    const version = /^VERSION=(.*)$/m.exec(trial)?.[1] ?? '';
    const layout = readBounded(join(this.#lib, 'layout'), mostBytes) ?? '';
    const changed = layout
      .replace(/^AGENT=.*$/m, () => `AGENT=${this.#place}`)
      .replace(/^VERSION=.*$/m, () => `VERSION=${version}`);
    replaceFile(this.#lib, 'layout', changed, true);
    removeFiles(this.#lib, 'trial');
  }

  giveUp(why: string, atMs: number): void {
    const trial = readBounded(join(this.#lib, 'trial'), mostBytes) ?? '';
    const version = /^VERSION=(.*)$/m.exec(trial)?.[1] ?? '';
    const before = (readBounded(join(this.#lib, 'put-back'), mostBytes) ?? '').split('\n').filter(line => line !== '');
    const line = [basename(this.#place), version, String(Math.floor(atMs / 1000)), oneLine(why)].join('\t');
    replaceFile(this.#lib, 'put-back', `${[...before, line].slice(-putBackLines).join('\n')}\n`, true);
    removeFiles(this.#lib, 'trial');
  }

  dropOld(): void {
    const layout = readBounded(join(this.#lib, 'layout'), mostBytes) ?? '';
    const installed = basename(/^AGENT=(.*)$/m.exec(layout)?.[1] ?? '');
    if (!named.test(installed)) return;
    for (const name of readdirSync(this.#lib)) {
      if (!named.test(name) || name === installed || name === basename(this.#place)) continue;
      rmSync(join(this.#lib, name), { recursive: true, force: true });
    }
  }

  #folder = ({ sha256 }: Release): string => join(this.#lib, `agent-${sha256.slice(0, 16)}`);
}

const oneLine = (text: string): string => text.replace(/[\n\r\t=]/g, ' ').slice(0, 200);

function lastLine(said: string, error: Error): string {
  return (said.trim().split('\n').at(-1) || error.message.split('\n')[0] || 'it failed').slice(0, 200);
}
