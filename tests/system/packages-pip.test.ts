import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { onStage, packageConformance } from '../fixture/packages/conformance.ts';
import { type PipWorld, pipWorld } from '../fixture/packages/pip-world.ts';
import { testWith } from '../fixture/programs.ts';

const pip = suite('packages: pip');
packageConformance(pip, ['python3'], pipWorld);

testWith(pip, ['python3'], 'an environment that is not there yet is made', () =>
  onStage(pipWorld, async ({ world, agent }) => {
    const into = join((world as PipWorld).place, 'another', 'venv');
    const node = agent();
    const wanted = { one: { provider: 'pip', into, version: '1.0.0' } } as const;
    assert.equal((await node.applied(wanted)).errors, []);
    assert.ok(existsSync(join(into, 'bin/python')));
    assert.is(node.status('one')?.ver, '1.0.0');
    assert.equal((await node.applied(wanted)).steps, []);
  }),
);

testWith(pip, ['python3'], 'a folder with anything else in it does not become an environment', () =>
  onStage(pipWorld, async ({ world, agent }) => {
    const { place } = world as PipWorld;
    const into = join(place, 'full');
    mkdirSync(into);
    writeFileSync(join(into, 'letter'), 'mine');
    const node = agent();
    await node.applied({ one: { provider: 'pip', into } });
    assert.match(node.status('one')?.err ?? '', 'is no virtual environment, and not empty');
    assert.equal(readdirSync(into), ['letter']);
    // Nor is a Python of the system's taken for one.
    const fake = join(place, 'system');
    mkdirSync(join(fake, 'bin'), { recursive: true });
    const system = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
    writeFileSync(join(fake, 'bin/python'), `#!/bin/sh\nexec ${system} "$@"\n`, { mode: 0o755 });
    await node.applied({ one: { provider: 'pip', into: fake, name: 'no-such-thing-in-any-python' } });
    assert.match(node.status('one')?.err ?? '', 'has a Python that is no virtual environment');
  }),
);

pip.run();
