/** `npm start` after an install that was cut off: it installs again instead of stumbling over what is there. */
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { folder, start } from '../fixture/processes.ts';

const root = join(import.meta.dirname, '../..');
const install = suite('install again');

for (const [what, text] of [
  ['none', undefined],
  ['empty', ''],
  ['cut off', '{"name":"hearth","packages":{"node_modules/ae'],
  ['something else', '[]'],
] as const) {
  install(`the record of the last install is ${what}`, async () => {
    const clone = folder('hearth-install-');
    for (const name of ['deploy', 'package.json', 'package-lock.json']) {
      cpSync(join(root, name), join(clone, name), { recursive: true });
    }
    mkdirSync(join(clone, 'node_modules'));
    if (text !== undefined) writeFileSync(join(clone, 'node_modules/.package-lock.json'), text);
    // An npm that says it was asked, and fails.
    const bin = folder();
    const asked = join(bin, 'asked');
    writeFileSync(join(bin, 'npm'), `#!/bin/sh\necho "$@" >${asked}\nexit 1\n`, { mode: 0o755 });
    const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
    const started = start(process.execPath, [join(clone, 'deploy/start.mjs'), 'up'], { env });
    assert.is(await started.ended, 1);
    assert.ok(existsSync(asked), started.output());
    assert.match(started.output(), /the packages could not be installed, see above/);
  });
}

install.run();
