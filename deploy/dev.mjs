// `npm run dev -- FLAGS`: `hearth up FLAGS` on a data folder of its own, rebuilt and restarted whenever a source changes.
import { spawn } from 'node:child_process';
import { watch } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, sources } from './build.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Editors write a file in several steps. */
const settleMs = 150;

export async function dev(flags) {
  let child;
  let ending = false;
  let again = false;
  let busy = false;
  const data = flags.includes('--data') || process.env.HEARTH_DATA ? [] : ['--data', join(root, '.hearth')];

  const ended = () => (child?.exitCode === null ? new Promise(resolve => child.once('exit', resolve)) : undefined);
  const cycle = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    do {
      again = false;
      try {
        await build();
        child?.kill('SIGTERM');
        await ended();
        if (!ending) {
          child = spawn(process.execPath, [join(root, 'dist/hearth.js'), 'up', ...data, ...flags], {
            stdio: 'inherit',
          });
        }
      } catch {
        console.error('hearth: it does not build; what runs is from before.');
      }
    } while (again && !ending);
    busy = false;
  };

  let timer;
  for (const source of sources) {
    watch(join(root, source), { recursive: true }, () => {
      clearTimeout(timer);
      timer = setTimeout(cycle, settleMs);
    });
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, async () => {
      ending = true;
      child?.kill(signal);
      await ended();
      process.exit(0);
    });
  }
  await cycle();
}
