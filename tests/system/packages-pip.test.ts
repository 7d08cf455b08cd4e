import { existsSync } from 'node:fs';
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

pip.run();
