/** A supervisor on an outside broker that is open to the network: people log in; machines are told why they cannot join. */
import * as assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { suite as describe } from 'uvu';
import { hearthCommand, up } from '../fixture/cluster.ts';
import { joiningAgent } from '../fixture/lan-cluster.ts';
import { startMosquitto } from '../fixture/mosquitto.ts';
import { folder, start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const suite = describe('open to the network, on an outside broker');

/** As somebody whom nobody knows. */
function status(port: number, ca: string, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { host: `localhost:${port}`, authorization: 'Bearer nobody' };
    request({ host: '127.0.0.1', port, path, ca, servername: 'localhost', headers }, response => {
      response.resume();
      resolve(response.statusCode);
    })
      .once('error', reject)
      .end();
  });
}

testWith(suite, ['mosquitto'], 'the dashboard is there over TLS, and a join says what to do instead', async () => {
  const broker = await startMosquitto();
  const cluster = await up({ flags: ['--lan', '--broker', broker.url, '--node', 'own'] });
  const hearth = async (...args: string[]) => {
    const run = start(process.execPath, [hearthCommand, ...args, '--data', cluster.data]);
    return { how: await run.ended, said: run.output() };
  };
  // The ready file is there a moment before the banner.
  const banner = /Open to the network, with a login:\n {2}dashboard {4}https:/;
  await until('the banner is printed', () => banner.test(cluster.process.output()));
  assert.doesNotMatch(cluster.process.output(), /hearth token/);
  const { said: ca } = await hearth('ca', 'show', '--pem');
  assert.equal(await status(cluster.ready.http, ca, '/api/fleet'), 401);
  const why = /runs on another one\. There, start "hearth agent --broker URL --node ID"/;
  const token = await hearth('token');
  assert.equal(token.how, 1);
  assert.match(token.said, why);
  const where = ['--supervisor', `127.0.0.1:${cluster.ready.http}`];
  const machine = joiningAgent({ data: folder('hearth-agent-'), flags: where });
  await machine.line(why);
  await machine.stop();
  // Not the port of a broker of its own: commands that are told no broker do not go there.
  assert.equal(JSON.parse(readFileSync(join(cluster.data, 'run.json'), 'utf8')).outside, true);
  const doctor = await hearth('doctor');
  assert.doesNotMatch(doctor.said, /not heard of on the network/);
  assert.match(readFileSync(join(cluster.data, 'logs/supervisor.log'), 'utf8'), /"ready"/);
  await cluster.process.stop();
  await broker.process.stop();
});

suite.run();
