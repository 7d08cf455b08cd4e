/** `hearth agent`: the agent's own program, in this process; it reads its own flags. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UserError } from '../../shared/user-error.ts';

/** Never returns while the agent runs; it ends the process itself. */
export async function agent(flags: readonly string[], dist: string): Promise<number> {
  const bundle = join(dist, 'agent.js');
  if (!existsSync(bundle)) throw new UserError(`${bundle} is missing: build it with "npm run build".`);
  process.argv = [process.execPath, bundle, ...flags];
  await import(pathToFileURL(bundle).href);
  return new Promise<number>(() => {});
}
