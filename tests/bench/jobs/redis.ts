/** A Redis of the bench's own, as durable as Hearth's journal: every write is synced before it is answered. */
import { join } from 'node:path';
import { folder, freePort, type Started, start } from '../../fixture/processes.ts';
import { findProgram } from '../../fixture/programs.ts';

export interface Redis {
  readonly port: number;
  readonly process: Started;
}

/** Undefined where there is none (`apt install redis-server`). */
export async function startRedis(): Promise<Redis | undefined> {
  const program = findProgram('redis-server');
  if (!program) return undefined;
  const port = await freePort();
  const settings = {
    port: String(port),
    bind: '127.0.0.1',
    dir: folder('hearth-redis-'),
    appendonly: 'yes',
    appendfsync: 'always',
    save: '',
    'maxmemory-policy': 'noeviction',
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]);
  const process = start(program, flags, { cwd: join(settings.dir) });
  await process.line(/Ready to accept connections/);
  return { port, process };
}
