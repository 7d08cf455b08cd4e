/** The agent's bundle opens what was sealed to it; run on the oldest Node, too. */
import { execFileSync, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { sealSecret } from '../../shared/sealed-secret.ts';
import { startAgent, up } from '../fixture/cluster.ts';
import { connectClient } from '../fixture/mqtt-client.ts';

const secrets = suite('secrets and the bundled agent');
const secret = 'correct horse';

secrets(
  'an agent says its key, opens what is sealed to it, and tells nobody what its service prints of it',
  async () => {
    const cluster = await up({ flags: ['--no-agent'] });
    const agent = startAgent({ broker: cluster.url, node: 'n7', flags: ['--stop-services'] });
    const client = await connectClient(cluster.url, ['#']);
    const info = await client.wait('info', ({ topic, text }) => topic.endsWith('n7/info') && text !== '');
    const { seal_key } = JSON.parse(info.text);
    assert.is(statSync(join(agent.data, 'seal-key.pem')).mode & 0o777, 0o600);
    const env = { TOKEN: await sealSecret(seal_key, { node: 'n7', service: 'solver', name: 'TOKEN' }, secret) };
    await client.wait('status', ({ topic, text }) => topic.endsWith('n7/status') && text === 'online');
    const run = 'printf %s "$TOKEN" | sha256sum; echo "$TOKEN"; exit 3';
    await client.publish('hearth/node/n7/set/services/solver', JSON.stringify({ run, env, restart: 'never' }));
    const is = await client.wait('is', ({ topic, text }) => topic.endsWith('n7/is') && text.includes('exit 3'));
    assert.match(is.text, /last line: \*\*\*/);
    const hash = execFileSync('sha256sum', { input: secret }).toString().trim();
    // Its exit code tells, too, of the agent's files that went while it looked.
    assert.is.not(spawnSync('grep', ['-rlF', hash, agent.data]).stdout.toString(), '');
    for (const { topic, text } of client.heard) assert.not.ok(text.includes('correct'), topic);
    await client.close();
    await agent.stop();
    await cluster.process.stop();
  },
);

secrets.run();
