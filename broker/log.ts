/** The supervisor's log: everything from `info` on as JSON lines in a bounded file, warnings and errors on stderr too. */
import { pino, stdSerializers } from 'pino';
import type { Log } from '../shared/log.ts';
import { printable } from '../shared/names.ts';
import { type LogFile, openLogFile } from './log-file.ts';

export interface SupervisorLog extends Log {
  close(): void;
}

/** An error's own sentence is no enumerable property of it. */
const serializers = { error: stdSerializers.err };

/** @param say prints a line for the person at the terminal. */
export function openLog(file: string, say: (line: string) => void): SupervisorLog {
  const out: LogFile = openLogFile(file);
  const level = process.env.HEARTH_LOG === 'debug' ? 'debug' : 'info';
  const json = pino({ level, base: { pid: process.pid }, serializers }, { write: line => out.write(line) });
  return {
    debug: (fields, text) => json.debug(fields, text),
    info: (fields, text) => json.info(fields, text),
    warn: (fields, text) => {
      json.warn(fields, text);
      say(`hearth: ${text}${reason(fields)}`);
    },
    error: (fields, text) => {
      json.error(fields, text);
      say(`hearth: ${text}${reason(fields)}`);
    },
    close: () => out.close(),
  };
}

/** The error's own sentence, where the fields carry one. */
function reason(fields: object): string {
  const { err, error } = fields as { err?: unknown; error?: unknown };
  const cause = err ?? error;
  if (cause instanceof Error) return `: ${printable(cause.message, 300)}`;
  return typeof cause === 'string' ? `: ${printable(cause, 300)}` : '';
}
