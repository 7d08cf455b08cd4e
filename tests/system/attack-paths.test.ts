/** Paths that climb, on every route; and archives whose names climb, which `hearth restore` is given. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { packBackup, unpackBackup } from '../../broker/backup/archive.ts';
import { ask, asStranger, secureSocket } from '../fixture/attacker.ts';
import { hearthCommand } from '../fixture/cluster.ts';
import { type LanCluster, lanCluster } from '../fixture/lan-cluster.ts';
import { folder, until } from '../fixture/processes.ts';

const attack = suite('attack: paths');
let cluster: LanCluster;
/** What must never be in an answer: it is in files that climbing would reach. */
let treasures: readonly string[];

attack.before(async () => {
  cluster = await lanCluster();
  const trust = join(cluster.data, 'trust');
  const keys = readdirSync(trust).map(name => readFileSync(join(trust, name), 'utf8'));
  const lines = keys.flatMap(text => /PRIVATE KEY-----\n(.*)\n/.exec(text)?.[1] ?? []);
  assert.ok(lines.length >= 2);
  treasures = [...lines, 'root:x:0:0', '"dependencies"'];
});
attack.after(() => cluster?.stop());

const climbs = (target: string): string[] => {
  const forms = [
    '../',
    '..%2f',
    '%2e%2e/',
    '%2e%2e%2f',
    '..%252f',
    '%252e%252e%252f',
    '..\\',
    '..%5c',
    '..%255c',
    '....//',
    '..;/',
    '..%c0%af',
    '%u002e%u002e/',
  ];
  return [
    ...forms.map(form => form.repeat(8) + target),
    ...forms.map(form => `x/${form.repeat(9)}${target}`),
    `/${target}`,
    `//${target}`,
    `%2f${target}`,
    `file:///${target}`,
    `${target}%00.html`,
    `..%00/${target}`,
    `./././../../../../../../${target}`,
  ];
};
const targets = () => ['etc/passwd', 'package.json', `${cluster.data.slice(1)}/trust/cluster-key.pem`];
const routes = [
  '',
  'artifacts/',
  'join/',
  'trust/',
  'api/trust/',
  'api/',
  'api/fleet/',
  'mqtt/',
  'install.sh/',
  'login/',
];

/** The request line as it is. @returns everything that was answered. */
async function raw(line: string, plain: boolean): Promise<string> {
  const { http: port } = cluster.ready;
  const socket = plain ? connect(port, '127.0.0.1') : await secureSocket(port);
  socket.on('error', () => {});
  let said = '';
  socket.on('data', data => (said += data.toString('latin1')));
  socket.write(Buffer.from(`${line} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: close\r\n\r\n`, 'latin1'));
  await until('the answer ends', () => socket.closed || undefined, 20_000);
  return said;
}

attack('no path of any route leaves it, for the owner, who may read everything that is served', async () => {
  let [asked, denied] = [0, 0];
  for (const route of routes) {
    for (const target of targets()) {
      for (const climb of climbs(target)) {
        for (const method of ['GET', 'POST'] as const) {
          if (method === 'POST' && !/^(join|api)/.test(route)) continue;
          const answer = await ask(cluster, `/${route}${climb}`, {
            plain: true,
            method,
            ...(method === 'POST' && { body: {} }),
          });
          asked++;
          if (answer.status >= 400 && answer.status < 500) denied++;
          else assert.unreachable(`${method} /${route}${climb}: ${answer.status} ${answer.body.slice(0, 200)}`);
          const found = treasures.find(text => answer.body.includes(text));
          assert.is(found, undefined, `/${route}${climb}`);
        }
      }
    }
  }
  assert.is(denied, asked);
  for (const line of [
    'GET /../../../../etc/passwd',
    'GET ../../etc/passwd',
    'GET http://127.0.0.1/../../etc/passwd',
    'GET /app.js/../../../etc/passwd',
    'GET /\0/etc/passwd',
    'GET /..\\..\\etc\\passwd',
    'GET /%',
    'GET /%zz',
    'CONNECT 127.0.0.1:22',
    'TRACE /',
    'PROPFIND /',
  ]) {
    for (const plain of [true, false]) {
      const said = await raw(line, plain);
      assert.ok(said === '' || /^HTTP\/1\.1 4\d\d/.test(said), `${line}: ${said.slice(0, 100)}`);
      assert.not(
        treasures.some(text => said.includes(text)),
        line,
      );
    }
  }
});

attack('an upload is named by its hash, and by nothing else', async () => {
  const body = Buffer.from('an artifact');
  const sha256 = createHash('sha256').update(body).digest('hex');
  const place = join(cluster.data, 'cache/artifacts');
  const before = readdirSync(cluster.data, { recursive: true }).length;
  for (const name of [
    ...climbs('tmp/hearth-climbed').slice(0, 13),
    sha256.toUpperCase(),
    `${sha256}.open`,
    `${sha256}%2f..%2f${sha256}`,
    `incoming%2f${sha256}`,
    `${sha256.slice(1)}`,
    '__proto__',
    `${sha256}%00`,
  ]) {
    const answer = await ask(cluster, `/artifacts/${name}`, { plain: true, method: 'PUT', body });
    assert.ok(answer.status >= 400 && answer.status < 500, `${name}: ${answer.status} ${answer.body}`);
  }
  assert.not(existsSync('/tmp/hearth-climbed'));
  assert.is(readdirSync(cluster.data, { recursive: true }).length, before, 'nothing new anywhere');
  // Nobody brings other bytes under a good name, or reads what is not open.
  const wrong = await ask(cluster, `/artifacts/${sha256}`, { plain: true, method: 'PUT', body: 'other bytes' });
  assert.ok(wrong.status >= 400 && wrong.status < 500);
  assert.not(existsSync(join(place, sha256)));
  assert.is((await ask(cluster, `/artifacts/${sha256}`, { plain: true, method: 'PUT', body })).status, 201);
  assert.is((await ask(cluster, `/artifacts/${sha256}`, { headers: asStranger })).status, 404);
  // A link that somebody put under a hash is not followed.
  const stolen = createHash('sha256').update('x').digest('hex');
  symlinkSync(join(cluster.data, 'trust/cluster-key.pem'), join(place, stolen));
  cluster = await cluster.again();
  const linked = await ask(cluster, `/artifacts/${stolen}`, { plain: true });
  assert.not(
    treasures.some(text => linked.body.includes(text)),
    'through a link',
  );
});

attack('a backup whose names climb, or that is none, leaves nothing anywhere', async () => {
  const place = folder();
  const good = join(place, 'good.gz');
  await cluster.hearth('backup', good, '--data', cluster.data);
  const { head, entries, files } = unpackBackup(readFileSync(good), 'good');
  const [first] = files;
  if (!first) return assert.unreachable('no files');
  const names = [
    '../climbed',
    '/tmp/hearth-climbed',
    '..',
    '.',
    '.ssh',
    'a/b',
    'a\\..\\b',
    'x\0',
    '',
    'x'.repeat(65),
    '__proto__/x',
  ];
  for (const [index, file] of names.entries()) {
    const hostile = join(place, `hostile-${index}.gz`);
    writeFileSync(hostile, packBackup({ head, entries, files: [...files, { ...first, file, mode: 0o6777 }] }));
    const target = join(place, `new-${index}`);
    const run = spawnSync(process.execPath, [hearthCommand, 'restore', hostile, '--data', target], {
      encoding: 'utf8',
    });
    assert.is.not(run.status, 0, JSON.stringify(file));
    assert.match(run.stderr, /no whole backup|is damaged/);
    assert.not(existsSync(target) || existsSync(`${target}.restoring`), JSON.stringify(file));
  }
  assert.not(existsSync(join(place, 'climbed')) || existsSync('/tmp/hearth-climbed'));
  // Where somebody waits with a link, it is the link that goes.
  const elsewhere = join(place, 'elsewhere');
  mkdirSync(elsewhere);
  writeFileSync(join(elsewhere, 'kept'), '');
  symlinkSync(elsewhere, join(place, 'linked.restoring'));
  const run = spawnSync(process.execPath, [hearthCommand, 'restore', good, '--data', join(place, 'linked')], {
    encoding: 'utf8',
  });
  assert.is(run.status, 0, run.stderr);
  assert.equal(readdirSync(elsewhere), ['kept']);
});

attack.run();
