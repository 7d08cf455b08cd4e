/** What tasks leave goes to the supervisor's artifacts: by the agent's uploader, to a real supervisor, and past one that is away. */
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createUploader } from '../../node-agent/artifacts/uploader.ts';
import { systemClock, systemRandom } from '../../shared/system-clock.ts';
import { up } from '../fixture/cluster.ts';
import { folder } from '../fixture/processes.ts';

const uploads = suite('what tasks leave');
const parts = { clock: systemClock(), random: systemRandom() };

const bytes = randomBytes(3_000_000);
const file = join(folder(), 'frame');
writeFileSync(file, bytes);
const sha256 = createHash('sha256').update(bytes).digest('hex');

const bring = (urls: readonly string[], what = { sha256, bytes: bytes.length }): Promise<string | undefined> =>
  new Promise(resolve => createUploader({ ...parts, supervisor: () => ({ urls }) })(file, what, resolve));

uploads('the supervisor has it, once and again; what is not what it is said to be is refused', async () => {
  const cluster = await up();
  try {
    const url = `http://127.0.0.1:${cluster.ready.http}`;
    assert.is(await bring([url]), undefined);
    assert.is(await bring([url]), undefined);
    const answer = await fetch(`${url}/artifacts/${sha256}`);
    assert.ok(Buffer.from(await answer.arrayBuffer()).equals(bytes));
    assert.match((await bring([url], { sha256: '0'.repeat(64), bytes: bytes.length })) ?? '', /SHA-256|hash|bytes/i);
  } finally {
    await cluster.process.stop();
  }
});

uploads('a supervisor that is away or out of order is asked again, and another address at once', async () => {
  const heard: string[] = [];
  const server = createServer((request, response) => {
    let length = 0;
    request.on('data', chunk => {
      length += chunk.length;
    });
    request.on('end', () => {
      heard.push(`${request.method} ${request.url} ${length}`);
      response.statusCode = heard.length === 1 ? 503 : 201;
      response.end('{}');
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  assert.is(await bring(['http://127.0.0.1:1', `http://127.0.0.1:${port}`]), undefined);
  assert.equal(heard, Array(2).fill(`PUT /artifacts/${sha256} ${bytes.length}`));
  server.close();
});

uploads('canceled, nothing more is heard; a file that is gone is said', async () => {
  let heard = 0;
  const uploader = createUploader({ ...parts, supervisor: () => undefined });
  uploader(file, { sha256, bytes: 1 }, () => heard++).cancel();
  const gone = await new Promise<string | undefined>(resolve =>
    createUploader({ ...parts, supervisor: () => ({ urls: ['http://127.0.0.1:1'] }) })(
      '/no/file',
      { sha256, bytes: 1 },
      resolve,
    ),
  );
  assert.match(gone ?? '', /cannot be read \(ENOENT\)/);
  assert.is(heard, 0);
});

uploads.run();
