// Builds dist/: the command (supervisor and command line, packages outside), the client library, and the agent,
// self-contained: agent.js and agent-parts/.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { agentBundle } from './agent-bundle.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What dist/ is made of. */
export const sources = [
  'broker',
  'node-agent',
  'shared',
  'client',
  'cli',
  'dashboard',
  'deploy',
  'package.json',
  'package-lock.json',
];

/** One hash over every source file's path, size and bytes: says whether dist/ is what a build would make now. */
export function sourceHash() {
  const hash = createHash('sha256');
  const visit = path => {
    const full = join(root, path);
    const stat = statSync(full);
    if (stat.isDirectory()) for (const name of readdirSync(full).sort()) visit(join(path, name));
    else hash.update(`${path}\0${stat.size}\0`).update(readFileSync(full));
  };
  for (const source of sources) visit(source);
  return hash.digest('hex');
}

/**
 * When this was built, to the day, so that one source gives one bundle all day long: no clock that shows less is believed.
 * SOURCE_DATE_EPOCH (reproducible-builds.org) says it instead where it is given.
 */
function builtMs() {
  const said = Number(process.env.SOURCE_DATE_EPOCH);
  const day = 86_400_000;
  return Math.floor((said > 0 ? said * 1000 : Date.now()) / day) * day;
}

/** What `hearth/client` is to TypeScript: only who publishes the package needs it. */
function declareTypes(place) {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const project = join(root, 'deploy/client-types.json');
  const { status } = spawnSync(process.execPath, [compiler, '-p', project, '--outDir', place], { stdio: 'inherit' });
  if (status !== 0) throw new Error('the types of the client library could not be made');
}

/** Builds beside and swaps: a program that starts meanwhile finds the old one or the new one, whole. */
export async function build({ types = false } = {}) {
  const { build: bundle } = await import('esbuild');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const hash = sourceHash();
  const beside = join(root, `.dist-${process.pid}`);
  rmSync(beside, { recursive: true, force: true });
  mkdirSync(beside, { recursive: true });
  const common = {
    absWorkingDir: root,
    outdir: beside,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
    loader: { '.sh': 'text' },
    define: { HEARTH_VERSION: JSON.stringify(version), HEARTH_BUILT_MS: String(builtMs()) },
  };
  try {
    await Promise.all([
      bundle({
        ...common,
        entryPoints: { hearth: 'cli/main.ts' },
        target: 'node20.19',
        packages: 'external',
        splitting: true,
        chunkNames: 'parts/[name]-[hash]',
      }),
      bundle({
        ...common,
        entryPoints: { client: 'client/index.ts', 'client-worker': 'client/worker/thread.ts' },
        target: 'node20.19',
        packages: 'external',
        splitting: true,
        chunkNames: 'parts/client-[name]-[hash]',
      }),
      bundle({ ...common, ...agentBundle }),
    ]);
    if (types) declareTypes(join(beside, 'types'));
    cpSync(join(root, 'dashboard'), join(beside, 'dashboard'), { recursive: true });
    writeFileSync(join(beside, 'source-hash'), hash);
    swap(beside, join(root, 'dist'));
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

function swap(beside, dist) {
  const old = `${beside}-old`;
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(beside, dist);
  rmSync(old, { recursive: true, force: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build({ types: true });
