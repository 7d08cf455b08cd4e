/** A supervisor that has lost something on the way: its place at an outside broker, or its journal. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { proto } from '../../shared/limits.ts';
import { up } from '../fixture/cluster.ts';
import { startMosquitto } from '../fixture/mosquitto.ts';
import { connectClient, type Heard } from '../fixture/mqtt-client.ts';
import { folder, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { startProxy } from './bus/proxy.ts';

const test = suite('up: what was lost');

/** What one says that asks whether it is alone. */
const probe = JSON.stringify({
  ...{ cluster: 'c'.repeat(32), boot: 'ffffffff', gen: 0, rev: 0, ver: '0' },
  ...{ proto, at_ms: 0, standing: 'probing' },
});

testWith(
  test,
  ['mosquitto'],
  'a supervisor that comes back to a broker where another one has settled says so and ends',
  async () => {
    const mosquitto = await startMosquitto();
    const proxy = await startProxy(mosquitto.port);
    const first = await up({ flags: ['--broker', proxy.url, '--no-agent'] });
    proxy.freeze();
    // Its will, as soon as the broker misses it.
    const watcher = await connectClient(mosquitto.url, ['hearth/status', 'hearth/hello']);
    await watcher.wait('offline', ({ text }) => text === 'offline');
    const second = await up({ flags: ['--broker', mosquitto.url, '--no-agent'] });
    // For some seconds it stands no firmer than one that comes back: then which of them stays is left to chance.
    const isSettled = ({ topic, text }: Heard) => topic === 'hearth/hello' && JSON.parse(text).standing === 'settled';
    await until('the second one has settled', async () => {
      await watcher.publish('hearth/hello', probe);
      return watcher.heard.some(isSettled);
    });
    proxy.thaw();
    await first.process.line(/hearth: Another supervisor is already running on the base "hearth".*--base\./);
    assert.is(await first.process.ended, 1);
    watcher.forget();
    assert.is(await second.process.stop(), 0);
    await watcher.wait('the farewell of the one that stayed', ({ text }) => text === 'offline');
    await watcher.close();
    await proxy.close();
    await mosquitto.process.stop();
  },
);

test('a data folder whose journal is gone is refused: the fleet would be emptied revision by revision', async () => {
  const data = folder('hearth-data-');
  const first = await up({ data, flags: ['--no-agent'] });
  assert.is(await first.process.stop(), 0);
  rmSync(join(data, 'journal'), { recursive: true });
  const said = await up({ data, flags: ['--no-agent'] }).then(
    () => assert.unreachable('it came up'),
    (error: Error) => error.message,
  );
  assert.match(String(said), /hearth: The journal in .* is gone: restore .* from a backup, or .*--data FOLDER/);
});

test.run();
