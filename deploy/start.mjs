// `npm start`, `npm test` and friends: install what is missing, build what is stale, then run. No dependency may be
// imported at the top of this file: on a fresh clone there is none.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, sourceHash } from './build.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`hearth: Node ${process.versions.node} is too old: install Node 20.19 or newer (https://nodejs.org).`);
  process.exit(1);
}

const read = path => (existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : '');

/** npm writes what it installed beside the packages; ours remembers which lock file that was. */
function installWhatIsMissing() {
  const lock = read('package-lock.json');
  if (existsSync(join(root, 'node_modules/.package-lock.json')) && read('node_modules/.hearth-lock') === lock) return;
  console.error('hearth: installing packages (once, and again when they change) …');
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (npm.status !== 0) {
    console.error('hearth: npm ci failed, see above: is the network up, and is this folder writable?');
    process.exit(1);
  }
  writeFileSync(join(root, 'node_modules/.hearth-lock'), lock);
}

installWhatIsMissing();
if (read('dist/source-hash') !== sourceHash()) {
  console.error('hearth: building …');
  await build();
}

const args = process.argv.slice(2);
const [node, ...rest] =
  args[0] === '--run'
    ? [process.execPath, '--import', 'tsx', ...args.slice(1)]
    : [process.execPath, join(root, 'dist/hearth.js'), ...args];
const child = spawn(node, rest, { cwd: args[0] === '--run' ? root : process.cwd(), stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
