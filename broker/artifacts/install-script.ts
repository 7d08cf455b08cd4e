/** The script that a bare machine runs: the template in deploy/, with what this supervisor hands out written into it. */
import { createHash } from 'node:crypto';

/** As `uname -m` groups them. */
export const architectures = ['x64', 'arm64', 'armv7l'] as const;
export type Architecture = (typeof architectures)[number];

/** One archive that the script fetches by its hash: gzipped tar. */
export interface Archive {
  readonly sha256: string;
  readonly size: number;
}

/** What is written into the script. The same parts give the same bytes: no address, no time, no secret. */
export interface ScriptParts {
  /** Of Hearth. */
  readonly ver: string;
  /** `agent.js` and what lies beside it, and `hearth-agent`. */
  readonly agent: Archive;
  /** Archives that hold `bin/node`. Where there is none for an architecture: one sentence on why. */
  readonly runtimes: Readonly<
    Record<Architecture, (Archive & { readonly node: string }) | { readonly missing: string }>
  >;
}

export interface InstallScript {
  readonly text: string;
  /** Of `text`: what `hearth token` prints beside the line, for who checks before running. */
  readonly sha256: string;
}

/** @param template deploy/install.sh with its parts, whose line `#@parts` is replaced. */
export function renderInstallScript(template: string, parts: ScriptParts): InstallScript {
  const [before, after, ...more] = template.split(/^#@parts\n/m);
  if (before === undefined || after === undefined || more.length > 0)
    throw new Error('the template has no one #@parts');
  const text = `${before}${assignments(parts)}${after}`;
  return { text, sha256: createHash('sha256').update(text).digest('hex') };
}

function assignments({ ver, agent, runtimes }: ScriptParts): string {
  const lines = [`VERSION=${word(ver)}`, `AGENT_SHA256=${word(agent.sha256)}`, `AGENT_SIZE=${word(agent.size)}`];
  for (const arch of architectures) {
    const runtime = runtimes[arch];
    const name = arch.toUpperCase();
    if ('missing' in runtime) lines.push(`NODE_MISSING_${name}=${word(runtime.missing)}`);
    else {
      lines.push(`NODE_VERSION_${name}=${word(runtime.node)}`, `NODE_SHA256_${name}=${word(runtime.sha256)}`);
      lines.push(`NODE_SIZE_${name}=${word(runtime.size)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** One word of sh, whatever is in it; no line of its own. */
const word = (value: string | number): string =>
  `'${String(value)
    .replace(/[^\x20-\x7e]/g, '?')
    .replaceAll("'", "'\\''")}'`;
