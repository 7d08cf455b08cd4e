// `npm start`, `npm test` and friends: install what is missing, build what is stale, then run. No dependency may be
// imported at the top of this file: on a fresh clone there is none.
import './platform.mjs';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, sourceHash } from './build.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const read = path => (existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : '');
const say = line => process.stderr.write(`hearth: ${line}\n`);
const since = started => `${((performance.now() - started) / 1000).toFixed(1)} s`;

/** Undefined where npm was cut off while it wrote. */
function packagesIn(lock) {
  try {
    return JSON.parse(lock).packages;
  } catch {
    return undefined;
  }
}

/** Whether node_modules is what the lock file says. npm writes the second file when an install has succeeded. */
function isInstalled() {
  const found = packagesIn(read('node_modules/.package-lock.json'));
  if (!found) return false;
  const wanted = JSON.parse(read('package-lock.json')).packages;
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === '' || (found[path] ? found[path].version === version : optional),
  );
}

function installWhatIsMissing() {
  if (isInstalled()) return;
  const started = performance.now();
  say('installing packages (once, and again when they change) …');
  // No package here needs its install script: whether this npm would run them makes no difference.
  const npm = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (npm.error || npm.status !== 0) {
    say('the packages could not be installed, see above: is the network up, and is this folder writable?');
    process.exit(1);
  }
  say(`installed in ${since(started)}`);
}

async function buildWhatIsStale() {
  if (read('dist/source-hash') === sourceHash()) return;
  const started = performance.now();
  say('building …');
  await build();
  say(`built in ${since(started)}`);
}

function run(args) {
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
}

const args = process.argv.slice(2);
try {
  installWhatIsMissing();
  if (args[0] !== '--dev') await buildWhatIsStale();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
if (args[0] === '--run') run(['--import', 'tsx', ...args.slice(1)]);
else if (args[0] === '--dev') await (await import('./dev.mjs')).dev(args.slice(1));
else {
  // In this very process: one process less to carry, and signals arrive where they are meant.
  const program = join(root, 'dist/hearth.js');
  process.argv = [process.execPath, program, ...args];
  await import(pathToFileURL(program).href);
}
