/** `hearth set --wait` answers for what was set, whatever else is wrong with the node. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hearthCommand, up } from '../fixture/cluster.ts';
import { start } from '../fixture/processes.ts';

const waiting = suite('cli set --wait');

waiting('another service that cannot start is no failure of this one', async () => {
  const cluster = await up({ flags: ['--node', 'n1', '--stop-services'] });
  const set = async (...args: string[]) => {
    const started = start(process.execPath, [hearthCommand, 'set', 'n1', ...args, '--wait', '--broker', cluster.url]);
    return { code: await started.ended, out: started.output() };
  };
  const bad = await set('services.bad', '{"run":"sleep 1","cwd":"/no such"}');
  assert.is(bad.code, 1);
  assert.match(bad.out, /n1: services\/bad: cannot be started: its folder \(cwd\) \/no such: it does not exist/);
  const good = await set('services.good', 'exec sleep 1000');
  assert.is(good.code, 0, good.out);
  const gone = await set('services.good', '--clear');
  assert.is(gone.code, 0, gone.out);
  assert.not.match(gone.out, /bad/);
  assert.is(await cluster.process.stop(), 0);
});

waiting.run();
