/** How the executor is started: with Node, from the bundle or from the sources. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Much short-lived memory, and little that stays. */
const flags: readonly string[] = ['--max-semi-space-size=8', '--max-old-space-size=512'];

/** Node's arguments for it, without its own. */
export function program(): readonly string[] {
  const here = dirname(fileURLToPath(import.meta.url));
  // This file is a part of agent.js, or of one of its parts beside the executor.
  const bundled = [join(here, 'agent-parts', 'executor.js'), join(here, 'executor.js')].find(existsSync);
  if (bundled !== undefined) return [...flags, bundled];
  return [...flags, '--import', import.meta.resolve('tsx'), join(here, 'main.ts')];
}
