/** A named pipe that commands write a line to; tells when the first byte of an expected line arrived. */
import { execFileSync } from 'node:child_process';
import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { folder } from '../../fixture/processes.ts';

export interface OutputPipe {
  readonly path: string;
  /** performance.now() at which `line` was read. */
  arrival(line: string, limitMs: number): Promise<number>;
  close(): void;
}

export function outputPipe(): OutputPipe {
  const path = join(folder('hearth-bench-'), 'out');
  execFileSync('mkfifo', [path]);
  // Opened for writing too, so that the end of one writer is not the end of the pipe.
  const socket = new Socket({ fd: openSync(path, constants.O_RDWR | constants.O_NONBLOCK), readable: true });
  let text = '';
  let look: (() => void) | undefined;
  socket.on('data', chunk => {
    text += chunk.toString();
    look?.();
  });
  return {
    path,
    arrival: (line, limitMs) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`no line ${line} in ${limitMs} ms`)), limitMs);
        look = () => {
          if (!text.includes(`${line}\n`)) return;
          const now = performance.now();
          text = '';
          look = undefined;
          clearTimeout(late);
          resolve(now);
        };
        look();
      }),
    close: () => socket.destroy(),
  };
}
