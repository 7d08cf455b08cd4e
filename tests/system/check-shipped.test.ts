/** Every shipped check fails where it should, passes where it should, and never passes where it cannot know. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { machineAt } from '../../node-agent/checks/machine.ts';
import { checkSets } from '../../shared/check-sets/index.ts';
import type { Check } from '../../shared/schemas/check.ts';
import { inOwnWorld, look, page, type Standing, serving } from '../fixture/check-world.ts';
import { folder } from '../fixture/processes.ts';
import { shipped } from '../fixture/shipped-checks.ts';
import { names } from '../fixture/shipped-settings.ts';

/** Of a machine without any files these are true, and the first three look at the disk on which its folder lies. */
const trueOfNothing = ['base:disk', 'base:disk-full', 'base:inodes', 'hardening:no-telnetd'];

if (inOwnWorld(import.meta.filename)) {
  const checks = suite('shipped checks');
  const all = Object.entries(checkSets).flatMap(([set, each]) =>
    Object.entries(each).map(([name, check]) => ({ name: `${set}:${name}`, check })),
  );

  checks('none is without a machine on which it fails, and one on which it passes', () => {
    assert.equal(Object.keys(shipped).sort(), all.map(({ name }) => name).sort());
  });

  for (const { name, check } of all) {
    const settings = shipped[name];
    if (!settings) continue;
    const found = async (setting: () => Standing | Promise<Standing>) => {
      const standing = await setting();
      try {
        return await look(check, standing.machine);
      } finally {
        await standing.end?.();
      }
    };
    checks(`${name} fails`, async () => {
      const { state, saw } = await found(settings.fails);
      assert.is(state, 'fail', saw);
      assert.match(saw, settings.saw);
    });
    checks(`${name} passes`, async () => {
      const { state, saw } = await found(settings.passes);
      assert.is(state, 'pass', saw);
    });
    if (trueOfNothing.includes(name)) continue;
    checks(`${name} does not pass on a machine that tells nothing`, async () => {
      const empty = folder();
      const { state, saw } = await look(check, machineAt(empty, { env: { PATH: empty } }));
      assert.is.not(state, 'pass', saw);
    });
  }

  checks('a name with several addresses: one that answers is enough, and one too many', async () => {
    const end = names('127.0.0.9 two.example\n127.0.0.1 two.example\n127.0.0.8 none.example\n127.0.0.9 none.example\n');
    const server = await serving(0, page('200 OK'));
    const { port } = server;
    const state = async (check: Check) => (await look(check)).state;
    assert.is(await state({ port: { host: 'two.example', port } }), 'pass');
    assert.is(await state({ port: { host: 'two.example', port, answers: false } }), 'fail');
    assert.is(await state({ http: { url: `http://two.example:${port}/` } }), 'pass');
    assert.equal(await look({ port: { host: 'none.example', port } }), {
      state: 'fail',
      saw: `port ${port}: nobody listens there`,
    });
    assert.is(await state({ port: { host: 'none.example', port, answers: false } }), 'pass');
    await server.end?.();
    end();
  });

  checks.run();
}
