/** The node that `hearth up` brings along: what its services find, and what its log says, in a folder with any name. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { up } from '../fixture/cluster.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { folder, until } from '../fixture/processes.ts';

const local = suite('local node');

interface Item {
  readonly state: string;
  readonly err?: string;
}

local(
  'services get the umask that hearth up was started with; the supervisor keeps its own files to itself',
  async () => {
    const strange = join(folder('hearth-local-'), 'a \'b" $HOME `id` ü\n-n');
    mkdirSync(strange);
    const under = ['/bin/sh', '-c', 'umask 027; exec "$@"', 'sh'];
    const cluster = await up({ data: strange, under, flags: ['--node', 'n1', '--stop-services'] });
    const client = await connectClient(cluster.url, ['hearth/node/n1/is', 'hearth/event']);
    const file = join(folder(), 'made');
    await client.publish('hearth/node/n1/set/services/maker', `umask >${file}; exec sleep 1000`);
    await client.publish('hearth/node/n1/set/services/loop', '{"run":["/no/such program","a b"]}');
    const item = (name: string, text: string) =>
      (JSON.parse(text) as { items: Record<string, Item> }).items[`services/${name}`];
    const running = ({ topic, text }: { topic: string; text: string }) =>
      topic.endsWith('/is') && item('maker', text)?.state === 'running';
    await client.wait('the service runs', running);
    await until('it wrote', () => existsSync(file) && readFileSync(file, 'utf8') !== '');
    assert.is(readFileSync(file, 'utf8'), '0027\n');
    assert.match(readFileSync(`/proc/${cluster.ready.pid}/status`, 'utf8'), /^Umask:\t0077$/m);

    const loop = await client.wait(
      'a crash loop is told',
      ({ topic, text }) => topic.endsWith('/event') && /crash-loop/.test(text),
    );
    assert.match(
      JSON.parse(loop.text).text,
      /^services\/loop: exit 127 after .* last line: \/no\/such program: not found$/,
    );
    assert.is(await cluster.process.stop(), 0);
    const log = readFileSync(join(strange, 'logs/agent.log'), 'utf8');
    assert.is(log.match(/"kind":"crash-loop"/g)?.length, 1, 'said once');
    await client.close();
  },
);

local.run();
