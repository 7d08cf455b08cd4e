import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { onStage, packageConformance } from '../fixture/packages/conformance.ts';
import { npmWorld } from '../fixture/packages/npm-world.ts';
import { testWith } from '../fixture/programs.ts';

const npm = suite('packages: npm');
packageConformance(npm, ['npm'], npmWorld);

testWith(npm, ['npm'], 'a scoped package goes by an item with a name', () =>
  onStage(npmWorld, async ({ world, agent, item }) => {
    const node = agent();
    const wanted = { scoped: item({ name: '@some/scoped', version: '1.0.0' }) };
    assert.equal((await node.applied(wanted)).errors, []);
    assert.is(world.installed('@some/scoped'), '1.0.0');
    assert.equal((await node.applied(wanted)).steps, []);
    await node.applied({});
    assert.is(world.installed('@some/scoped'), undefined);
  }),
);

npm.run();
