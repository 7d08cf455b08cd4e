/**
 * The commands of docs/network.md, in the fences marked ```` ```sh checked ````, in order and as they stand there, on
 * one cluster: settings in the environment give it free ports and folders, and what a person would replace is replaced.
 * A line that this test does not know fails it. Shares debian: the runtimes are fetched once.
 */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { suite as describe } from 'uvu';
import * as assert from 'uvu/assert';
import { hearthCommand } from '../fixture/cluster.ts';
import { type JoiningAgent, joiningAgent } from '../fixture/lan-cluster.ts';
import { folder, freePort, type Started, start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { realRuntimes } from '../fixture/runtimes.ts';

const suite = describe('docs/network.md');
const text = readFileSync(join(import.meta.dirname, '../../docs/network.md'), 'utf8');
const lines = [...text.matchAll(/^```sh checked\n([\s\S]*?)^```$/gm)].flatMap(([, body = '']) =>
  body.trim().split('\n'),
);

const password = 'correct horse battery';
const place = folder();
const home = join(place, 'home');
const data = join(home, 'data');
const restored = join(home, 'restored');
const env: NodeJS.ProcessEnv = {};
let supervisor: Started;
const asking: JoiningAgent[] = [];
/** What was printed and is pasted later. */
let token = '';
let apiToken = '';

/** Runs a line in a shell, with this machine's addresses, folders and codes where the document has examples. */
function run(line: string, more: NodeJS.ProcessEnv = {}, stdin = ''): Started {
  const here = line
    .replaceAll('192.168.1.5:22581', `127.0.0.1:${env.HEARTH_HTTP_PORT}`)
    .replaceAll('192.168.1.5:8883', `127.0.0.1:${env.HEARTH_TLS_PORT}`)
    .replace('-h 192.168.1.5 -p 8883', `-h 127.0.0.1 -p ${env.HEARTH_TLS_PORT}`)
    .replaceAll('/mnt/stick', home)
    .replaceAll('/srv/hearth', restored);
  const input = join(place, 'stdin');
  writeFileSync(input, stdin);
  // A supervisor would take it for an outside broker; an agent that is installed has to be above it.
  const url = `mqtt://127.0.0.1:${env.HEARTH_MQTT_PORT}`;
  const broker = /^(exec )?hearth (up|doctor)/.test(line) ? {} : { HEARTH_BROKER: url };
  return start('sh', ['-c', `exec <'${input}'; ${here}`], { cwd: home, env: { ...env, ...broker, ...more } });
}

async function done(line: string, more: NodeJS.ProcessEnv = {}, stdin = ''): Promise<string> {
  const running = run(line, more, stdin);
  assert.is(await running.ended, 0, `${line}: ${running.output()}`);
  return running.output();
}

async function up(line: string): Promise<void> {
  rmSync(env.HEARTH_READY_FILE ?? '', { force: true });
  supervisor = run(`exec ${line}`);
  const said = await supervisor.line(/is up after[\s\S]*hearth token/);
  assert.match(said[0], /Open to the network/);
}

const isReady = (node: string) => async () => new RegExp(`^${node} +ready`, 'm').test(await done('hearth nodes'));

/** What each line of the document does, one after another. */
const steps: readonly (readonly [line: RegExp, run: (line: string) => Promise<unknown>])[] = [
  [/^hearth up --lan$/, up],
  [
    /^hearth doctor$/,
    async line => {
      const looking = run(line);
      await looking.ended;
      assert.match(looking.output(), /MQTT over TLS on \d+ takes connections/);
    },
  ],
  [
    /^hearth token$/,
    async line => {
      token = /^ {2}curl .*--token (\S+)$/m.exec(await done(line))?.[1] ?? '';
    },
  ],
  [
    /^curl -fsSL .*install\.sh \| sh -s -- --token hearth1\.…@192\.168\.1\.5:22581$/,
    async line => {
      const pasted = line.replace(/hearth1\.\S+/, token);
      const said = await done(`${pasted} --user --init none --node pi-3`);
      assert.match(said, /node pi-3 is ready/, said);
    },
  ],
  [
    /^hearth nodes --pending /,
    async line => {
      const flags = ['--supervisor', `127.0.0.1:${env.HEARTH_HTTP_PORT}`, '--node'];
      for (const node of ['asks-1', 'asks-2']) {
        const agent = joiningAgent({ flags: [...flags, node] });
        asking.push(agent);
        const [, code = '?'] = await agent.line(/waiting to be approved as (\S+):/);
        assert.match(await done(line), new RegExp(`^${code} +${node}`, 'm'));
      }
    },
  ],
  [/^hearth approve 5r6u /, line => decided(line, '5r6u', 0)],
  [/^hearth deny w37c$/, line => decided(line, 'w37c', 1)],
  [/^hearth rule add /, line => done(line)],
  [/^hearth rule list$/, async line => assert.match(await done(line), /b8:27:eb +let in, node pi-\{n\}, room cellar/)],
  [/^hearth nodes --joined /, async line => assert.match(await done(line), /^asks-1 +active[\s\S]*^pi-3 +active/m)],
  [/^hearth revoke pi-3 /, line => done(line)],
  [
    /^hearth token --node pi-3 /,
    async line => {
      token = /^ {2}curl .*--token (\S+)$/m.exec(await done(line))?.[1] ?? '';
      assert.match(await done('hearth nodes --joined'), /^pi-3 +revoked/m);
    },
  ],
  [
    /^hearth-agent adopt hearth1\.…/,
    async line => {
      await done(line.replace(/hearth1\.\S+/, token));
      await until('pi-3 is back', isReady('pi-3'));
    },
  ],
  [/^hearth user add anna --role admin /, line => done(line, {}, `${password}\n`)],
  [
    /^hearth api create grafana --role viewer /,
    async line => {
      apiToken = /^hearth_\S+$/m.exec(await done(line))?.[0] ?? '';
    },
  ],
  [/^hearth audit /, async line => assert.match(await done(line), /api\.create +grafana/)],
  [/^hearth ca show --pem > hearth\.pem$/, line => done(line)],
  [
    /^mosquitto_sub /,
    async line => {
      const watching = run(`exec ${line}`, { PASSWORD: password });
      await watching.line(/^hearth\/status online$/m);
      await watching.stop();
    },
  ],
  [/^curl --cacert .*api\/fleet$/, async line => assert.match(await done(line, { TOKEN: apiToken }), /"pi-3"/)],
  [
    /^export HEARTH_TOKEN=/,
    async line => {
      const admin = /^hearth_\S+$/m.exec(await done('hearth api create cli --role admin'))?.[0] ?? '';
      const exported = await done(`${line}; env`, { TOKEN: admin });
      for (const name of ['HEARTH_TOKEN', 'HEARTH_CA'])
        env[name] = new RegExp(`^${name}=(.+)$`, 'm').exec(exported)?.[1];
    },
  ],
  [/^hearth nodes --broker mqtts:/, async line => assert.match(await done(line), /^pi-3 +ready/m)],
  [
    /^hearth user list --url https:/,
    async line => {
      assert.match(await done(line), /^anna +admin/m);
      delete env.HEARTH_TOKEN;
      delete env.HEARTH_CA;
    },
  ],
  [/^hearth set pi-3 services\.web /, line => done(line)],
  [
    /^hearth secret set pi-3 web\.env\.API_KEY /,
    async line => assert.match(await done(line, {}, 's3cret\n'), /accepted.*\(sealed\)/),
  ],
  [/^hearth backup /, line => done(line)],
  [
    /^hearth restore /,
    async line => {
      await supervisor.stop();
      await done(line);
    },
  ],
  [
    /^hearth up --lan --data /,
    async line => {
      await up(line);
      env.HEARTH_DATA = restored;
      await until('pi-3 has found the restored supervisor', isReady('pi-3'));
      assert.match(await done('hearth user list'), /^anna +admin/m);
    },
  ],
];

async function decided(line: string, example: string, who: number): Promise<void> {
  const [, code = ''] = (await asking[who]?.line(/waiting to be approved as (\S+):/)) ?? [];
  // Its beginning, as the document has it.
  await done(line.replace(example, code.slice(0, 4)));
}

testWith(suite, ['curl', 'mosquitto_sub', 'sha256sum'], 'its commands, one after another', async () => {
  const bin = join(place, 'bin');
  for (const path of [home, bin, join(home, '.local/bin')]) mkdirSync(path, { recursive: true });
  writeFileSync(join(bin, 'hearth'), `#!/bin/sh\nexec '${process.execPath}' '${hearthCommand}' "$@"\n`, {
    mode: 0o755,
  });
  const [mqtt, http, tls] = [await freePort(), await freePort(), await freePort()];
  const path = [bin, join(home, '.local/bin'), process.env.PATH].join(delimiter);
  Object.assign(env, { PATH: path, HOME: home, HEARTH_DATA: data, HEARTH_READY_FILE: join(home, 'ready.json') });
  Object.assign(env, { HEARTH_MQTT_PORT: mqtt, HEARTH_HTTP_PORT: http, HEARTH_TLS_PORT: tls });
  await realRuntimes(data);
  const since = performance.now();
  let gone: SpawnSyncReturns<string> | undefined;
  try {
    for (const [index, line] of lines.entries()) {
      const [pattern, step] = steps[index] ?? [];
      assert.ok(pattern?.test(line) && step, `line ${index + 1} is not one that is tried here: ${line}`);
      await step?.(line);
    }
    assert.is(lines.length, steps.length, 'docs/network.md has lost a command');
  } finally {
    // First: it is not this process's child, so nothing else ends it.
    gone = spawnSync('hearth-agent', ['uninstall'], { env, encoding: 'utf8' });
    if (gone.status !== 0) console.log(`hearth-agent uninstall: ${gone.error ?? gone.stderr}`);
    for (const agent of asking) await agent.stop();
    await supervisor?.stop();
  }
  assert.is(gone.status, 0);
  console.log(`the commands of docs/network.md: ${((performance.now() - since) / 1000).toFixed(1)} s`);
});

suite.run();
