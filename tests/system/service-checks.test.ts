/** Checks of services for real: commands, addresses and ports, each of them passing and failing; and reloads. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttp, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcp } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Caretaker } from '../../node-agent/reconcile/services/caretaker.ts';
import { listProcesses, readProcess, unitOf } from '../../node-agent/reconcile/services/processes.ts';
import { createCaretaker } from '../../node-agent/reconcile/services/real-caretaker.ts';
import { createRealHost } from '../../node-agent/reconcile/services/real-host.ts';
import { createSecrets } from '../../node-agent/reconcile/services/secrets.ts';
import { openSealKey } from '../../node-agent/seal-key.ts';
import { silentLog } from '../../shared/log.ts';
import type { Service } from '../../shared/schemas/service.ts';
import type { Health } from '../../shared/schemas/service-life.ts';
import { sealSecret } from '../../shared/sealed-secret.ts';
import { HostWatch } from '../fixture/host-conformance.ts';
import { freePort, until } from '../fixture/processes.ts';
import { hosted, open, servicesSuite } from '../fixture/services-rig.ts';

const services = servicesSuite('checks of services');

const newUnit = (spec: Service = { run: 'x' }, pid?: number) => ({
  unit: randomBytes(16).toString('hex'),
  service: 'a',
  spec,
  ...(pid === undefined ? {} : { pid }),
});

/** What one check says. A busy machine may need more than the 5 s that one has by default. */
const check = (caretaker: Caretaker, health: Health, unit = newUnit()): Promise<string | undefined> =>
  new Promise(resolve => caretaker.check(unit, { timeout_s: 60, ...health }, resolve));

const caretakerIn = (home: string, atOnce = 4) => createCaretaker({ folder: home, log: silentLog, atOnce });

async function listening(server: Server | ReturnType<typeof createTcp>): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

services('command: passes with exit code 0, in the folder and environment of the service', async ({ home }) => {
  const caretaker = caretakerIn(home);
  const cwd = join(home, 'work');
  mkdirSync(cwd);
  const unit = newUnit({ run: 'x', cwd, env: { NAME: 'a b' } }, 4711);
  const command = `[ "$NAME $HEARTH_PID $HEARTH_SERVICE $HEARTH_UNIT" = "a b 4711 a ${unit.unit}" ] && [ "$PWD" = ${cwd} ]`;
  assert.is(await check(caretaker, { command }, unit), undefined);
  assert.is(await check(caretaker, { command: ['test', '-d', cwd] }, unit), undefined);
  caretaker.close();
});

services(
  'command: fails with another code, a signal, no program and no folder, with its last line',
  async ({ home }) => {
    const caretaker = caretakerIn(home);
    const says = (command: NonNullable<Health['command']>, spec: Service = { run: 'x' }) =>
      check(caretaker, { command }, newUnit(spec));
    assert.is(await says('echo one; echo "two \u0007" >&2; exit 3'), 'exit 3; last line: two \\u0007');
    assert.is(await says('kill -TERM $$'), 'killed by TERM');
    assert.is(await says(['/no/such/program']), 'cannot be run: there is no such program');
    assert.match((await says('true', { run: 'x', cwd: '/no/such/folder' })) ?? '', /^cannot be run: /);
    assert.match(
      (await says('head -c 3000000 /dev/zero | tr "\\0" x; exit 1')) ?? '',
      /^exit 1; last line: x{100,160}…?$/,
    );
    caretaker.close();
  },
);

services(
  'command: out of time it is ended with all that it started; and what it leaves behind is, too',
  async ({ home }) => {
    const caretaker = caretakerIn(home);
    const file = join(home, 'pids');
    const unit = newUnit();
    // Known by their unit: a busy machine may not have come to a line of the command by then.
    const both = () => listProcesses().filter(({ pid }) => unitOf(pid) === unit.unit);
    const late = await check(caretaker, { command: 'sleep 1000 & sleep 1000', timeout_s: 0.3 }, unit);
    assert.is(late, 'it had not ended after 0.3 s');
    await until('both are gone', () => both().length === 0);
    assert.is(await check(caretaker, { command: `sleep 1000 & echo $! >${file}` }), undefined);
    const left = Number(readFileSync(file, 'utf8'));
    await until('what it left is gone', () => readProcess(left) === undefined);
    caretaker.close();
  },
);

services('command: cancelled, or the agent closed, it is ended and says nothing', async ({ home }) => {
  const caretaker = caretakerIn(home);
  const file = join(home, 'pid');
  let said = 0;
  for (const end of [(each: { cancel(): void }) => each.cancel(), () => caretaker.close()]) {
    rmSync(file, { force: true });
    const each = caretaker.check(newUnit(), { command: `echo $$ >${file}; sleep 1000` }, () => said++);
    const pid = await until('it runs', () => existsSync(file) && Number(readFileSync(file, 'utf8')));
    end(each);
    await until('it is gone', () => readProcess(pid) === undefined);
  }
  assert.is(said, 0);
});

const asRoot = process.getuid?.() === 0 ? services : services.skip;
asRoot('command: with the rights of the user that the service runs as, and its environment', async ({ home }) => {
  const caretaker = caretakerIn(home);
  const unit = newUnit({ run: 'x', user: 'nobody', cwd: '/', env: { NAME: 'a b' } }, 4711);
  const command = '[ "$(id -un) $NAME $HEARTH_PID" = "nobody a b 4711" ]';
  assert.is(await check(caretaker, { command }, unit), undefined);
  caretaker.close();
});

services('command: less urgent than the agent', async ({ home }) => {
  const caretaker = caretakerIn(home);
  const command = 'while [ "$(nice)" -lt 5 ]; do :; done';
  assert.is(await check(caretaker, { command }), undefined);
  caretaker.close();
});

services(
  'http: passes with 2xx and 3xx, the status and the text that it asks for, and fails otherwise',
  async ({ home }) => {
    const caretaker = caretakerIn(home);
    const server = createHttp((request, response) => {
      const [, what = ''] = (request.url ?? '').split(/[/?]/);
      if (what === 'silent') return;
      if (what === 'cut') request.socket.destroy();
      else if (what === 'flood') {
        const pour = () => {
          while (!response.destroyed && response.write('x'.repeat(65_536))) {}
        };
        response.on('drain', pour);
        pour();
      } else response.writeHead(Number(what)).end('all is well');
    });
    const at = `http://127.0.0.1:${await listening(server)}`;
    const says = (http: NonNullable<Health['http']>, timeout_s = 60) => check(caretaker, { http, timeout_s });
    for (const status of [200, 204, 302, 399]) assert.is(await says(`${at}/${status}`), undefined, String(status));
    assert.is(await says(`${at}/503?token=secret`), `${at}/503 answered 503`, 'without what is in the query');
    assert.is(await says({ url: `${at}/401`, status: 401 }), undefined);
    assert.is(await says({ url: `${at}/200`, status: 401 }), `${at}/200 answered 200`);
    assert.is(await says({ url: `${at}/200`, contains: 'is well' }), undefined);
    assert.is(await says({ url: `${at}/200`, contains: 'is ill' }), `the answer of ${at}/200 does not have "is ill"`);
    assert.is(await says({ url: `${at}/flood`, contains: 'y' }), `the answer of ${at}/flood does not have "y"`);
    assert.is(await says(`${at}/silent`, 0.2), `${at}/silent: no answer in 0.2 s`);
    assert.is(await says(`${at}/cut`), `${at}/cut: the connection was cut`);
    const nobody = `http://127.0.0.1:${await freePort()}`;
    assert.is(await says(nobody), `${nobody}/: nobody listens there`);
    server.closeAllConnections();
    server.close();
    caretaker.close();
  },
);

services('tcp: passes where somebody listens, and fails where nobody does', async ({ home }) => {
  const caretaker = caretakerIn(home);
  const server = createTcp(socket => socket.destroy());
  const port = await listening(server);
  for (const tcp of [
    port,
    String(port),
    `127.0.0.1:${port}`,
    `localhost:${port}`,
    { port },
    { host: '127.0.0.1', port },
  ])
    assert.is(await check(caretaker, { tcp }), undefined, JSON.stringify(tcp));
  const nobody = await freePort();
  assert.is(await check(caretaker, { tcp: nobody }), `127.0.0.1:${nobody}: nobody listens there`);
  assert.match((await check(caretaker, { tcp: 'no-such-host.invalid:1' })) ?? '', /^no-such-host\.invalid:1: /);
  server.close();
  caretaker.close();
});

services('a few at a time, and the others in their turn', async ({ home }) => {
  const caretaker = caretakerIn(home, 2);
  let most = 0;
  const waiting = new Set<() => void>();
  const server = createHttp((_request, response) => {
    waiting.add(() => response.end());
    most = Math.max(most, waiting.size);
    // Two are there, or these are the last: both are answered.
    if (waiting.size === 2) {
      for (const answer of waiting) answer();
      waiting.clear();
    }
  });
  const http = `http://127.0.0.1:${await listening(server)}`;
  const answers = await Promise.all(Array.from({ length: 6 }, () => check(caretaker, { http, timeout_s: 60 })));
  assert.equal(answers, Array(6).fill(undefined));
  assert.is(most, 2);
  server.closeAllConnections();
  server.close();
  caretaker.close();
});

services('a sealed value is opened for a check, and nobody reads it in what the check says', async ({ home }) => {
  const secret = 'correct horse battery';
  const place = { node: 'n1', service: 'a', name: 'TOKEN' };
  const TOKEN = await sealSecret(openSealKey(home).publicKey, place, secret);
  const caretaker = createCaretaker({ folder: home, log: silentLog, secrets: createSecrets(home, () => 'n1') });
  const says = (command: string) => check(caretaker, { command }, newUnit({ run: 'x', env: { TOKEN } }));
  assert.is(await says(`[ "$TOKEN" = '${secret}' ]`), undefined);
  assert.is(await says('echo "wrong: $TOKEN"; exit 1'), 'exit 1; last line: wrong: ***');
  const closed = caretakerIn(home);
  const refused = await check(closed, { command: 'true' }, newUnit({ run: 'x', env: { TOKEN } }));
  assert.is(refused, 'cannot be run: the secret env.TOKEN was not opened');
  const found = execFileSync('sh', ['-c', `grep -rlF 'correct horse' '${home}' || true`]).toString();
  assert.is(found, '', 'no file has it');
  caretaker.close();
  closed.close();
});

services('reload: a signal to the process that was started, and to no other; or a command', async ({ home }) => {
  const watch = await hosted(home);
  const caretaker = caretakerIn(home);
  const reload = (unit: Parameters<Caretaker['reload']>[0], how: string) =>
    new Promise<string | undefined>(resolve => caretaker.reload(unit, how, resolve));
  const run = 'trap "echo again" HUP; trap "exit 0" TERM; echo armed; while :; do read -r x <fifo; done';
  execFileSync('mkfifo', [join(home, 'fifo')]);
  const unit = await watch.start({ run, cwd: home });
  await watch.says(unit.unit, 'armed');
  const { pid, ...rest } = unit;
  const known = pid === undefined ? rest : { ...rest, pid };
  assert.is(await reload(known, 'HUP'), undefined);
  await watch.says(unit.unit, 'again');
  assert.is(await reload(known, `[ "$HEARTH_PID" = ${pid} ]`), undefined);
  assert.is(await reload(known, 'echo bad; exit 2'), 'exit 2; last line: bad');
  await watch.stop(unit.unit, 0);
  assert.is(await reload({ ...known, pid: process.pid }, 'HUP'), 'HUP was not sent: its process has ended');
  caretaker.close();
});

services('what a unit was started with is kept for the next agent', async ({ home }) => {
  const watch = await hosted(home);
  const { unit } = await watch.start({ run: 'sleep 4321' });
  const caretaker = caretakerIn(home);
  caretaker.remember({ unit, service: 'a', spec: { run: 'sleep 4321' }, marks: { 'files/conf': 'two' } });
  caretaker.remember({ unit: 'f'.repeat(32), service: 'b', spec: { run: 'x' }, marks: { 'files/conf': 'one' } });
  caretaker.close();
  watch.host.close();
  const next = new HostWatch(createRealHost({ folder: home, log: silentLog }));
  open.hosts.push(next);
  const found = await next.adopt();
  assert.equal(found.find(each => each.unit === unit)?.marks, { 'files/conf': 'two' });
});

services.run();
