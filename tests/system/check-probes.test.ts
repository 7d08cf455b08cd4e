/** How a real machine is looked at: programs, ports, pages and names, and what stands in the way of each. */

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { machineAt } from '../../node-agent/checks/machine.ts';
import type { Check } from '../../shared/schemas/check.ts';
import { dnsServer, look, page, serving, withFiles } from '../fixture/check-world.ts';
import { folder, freePort, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const probes = suite('checks: looking at a machine');
const said = async (check: Check, machine = machineAt(), until?: number | AbortSignal) => {
  const { state, saw } = await look(check, machine, until);
  return `${state} ${saw}`;
};
const alive = (pid: number) => existsSync(`/proc/${pid}`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));

probes('command: a script, a list of arguments, and what is not there', async () => {
  assert.is(await said({ command: { run: 'echo a; echo b >&2' } }), 'pass exit code 0: a');
  assert.is(await said({ command: { run: ['sh', '-c', 'exit 4'] } }), 'fail exit code 4');
  assert.is(await said({ command: { run: ['/no/such'] } }), 'unknown there is no program "/no/such" here');
  assert.match(await said({ command: { run: 'no-such-command' } }), /^unknown exit code 127: .*not found$/);
  assert.match(await said({ command: { run: ['/etc/passwd'] } }), /^unknown "\/etc\/passwd" cannot be run: EACCES$/);
  assert.is(await said({ command: { run: 'kill -SEGV $$' } }), 'fail was ended by SIGSEGV');
});

probes('command: nothing to read, nobody’s secrets, and a lower priority than the agent', async () => {
  process.env.HEARTH_TOKEN = 'hunter2';
  process.env.DB_PASSWORD = 'hunter2';
  assert.is(
    await said({ command: { run: 'cat; env | grep hunter2', max_lines: 0, unknown: [1] } }),
    'unknown exit code 1, which says that it cannot know',
  );
  const nicer = 'until [ "$(cut -d " " -f 19 /proc/$$/stat)" -ge 5 ]; do :; done; echo nice';
  assert.is(await said({ command: { run: nicer } }), 'pass exit code 0: nice');
  delete process.env.HEARTH_TOKEN;
  delete process.env.DB_PASSWORD;
});

probes('command: at its timeout everybody of it ends', async () => {
  const file = join(folder(), 'pids');
  const run = `echo started; sleep 1000 & echo $! > ${file}; echo $$ >> ${file}; wait`;
  const timeout = new AbortController();
  const looking = said({ command: { run } }, machineAt(), timeout.signal);
  const pids = await until('both run', () => {
    const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map(Number) : [];
    return lines.length === 2 && lines.every(alive) && lines;
  });
  // However long they took to start.
  timeout.abort();
  assert.is(await looking, 'fail did not end in time and was ended: started');
  await until('nobody is left', () => pids.every(pid => !alive(pid)));
});

probes('command: what it leaves behind ends with it, and holds nobody up', async () => {
  const file = join(folder(), 'pid');
  // A look that waited for it would be told to end, and say so.
  assert.is(await said({ command: { run: `sleep 1000 & echo $! > ${file}` } }), 'pass exit code 0');
  await until('it is gone', () => !alive(Number(readFileSync(file, 'utf8'))));
});

probes('command: output without end is no endless work', async () => {
  assert.is(await said({ command: { run: 'yes' } }), 'fail wrote more than 8 MB and was ended');
  const cut = await said({ command: { run: 'seq 100000', absent: 'nothing of it' } });
  assert.match(cut, /^unknown its output is longer than 64 kB/);
});

probes('command: a line of control characters and secrets is made harmless', async () => {
  const shown = await said({ command: { run: `printf '\\033[2Jpassword=hunter2 \\342\\200\\256x\\n'; exit 1` } });
  assert.is(shown, 'fail exit code 1: \\u001b[2Jpassword=… \\u202ex');
});

probes('port: answers, is silent, must not answer', async () => {
  const server = await serving(0);
  const free = await freePort();
  assert.is(await said({ port: { port: server.port } }), `pass port ${server.port} answers`);
  assert.is(await said({ port: { port: server.port, host: 'localhost' } }), `pass port ${server.port} answers`);
  assert.is(
    await said({ port: { port: server.port, answers: false } }),
    `fail somebody answers at port ${server.port}`,
  );
  assert.is(await said({ port: { port: free } }), `fail port ${free}: nobody listens there`);
  assert.is(await said({ port: { port: free, answers: false } }), `pass nobody answers at port ${free}`);
  const nowhere = { port: 1, host: 'no-such-host.invalid' };
  assert.is(await said({ port: nowhere }), 'fail the name no-such-host.invalid has no address');
  assert.is(
    await said({ port: { ...nowhere, answers: false } }),
    'unknown the name no-such-host.invalid has no address',
  );
  await server.end?.();
});

probes('port: what it says is waited for, to the end of the time', async () => {
  const timeout = new AbortController();
  // The look knows that it is connected in the same turn of the loop as the listener does, or in the next.
  const silent = await serving(0, () => setImmediate(() => setImmediate(() => timeout.abort())));
  assert.is(
    await said({ port: { port: silent.port, contains: 'x' } }, machineAt(), timeout.signal),
    `fail port ${silent.port} answers, but not with the text: it says nothing`,
  );
  await silent.end?.();
  const pieces = await serving(0, socket => {
    socket.write('+PO');
    setImmediate(() => socket.write('NG\r\n'));
  });
  assert.is(await said({ port: { port: pieces.port, contains: '+PONG' } }), `pass port ${pieces.port} answers`);
  await pieces.end?.();
  const flood = await serving(0, socket => {
    const more = () => socket.writable && socket.write('x'.repeat(4096), more);
    more();
  });
  assert.match(await said({ port: { port: flood.port, contains: '+PONG' } }), /^fail .* but not with the text$/);
  await flood.end?.();
});

probes('listens: by the kernel’s tables, TCP and UDP, whatever the address', async () => {
  const server = await serving(0);
  const dns = await dnsServer({});
  assert.match(await said({ listens: { port: server.port } }), /^pass somebody listens at tcp/);
  assert.match(await said({ listens: { port: server.port, exists: false } }), /^fail somebody listens/);
  assert.match(await said({ listens: { port: server.port, proto: 'udp' } }), /^fail nobody listens at udp/);
  assert.match(await said({ listens: { port: dns.port, proto: 'udp' } }), /^pass somebody listens at udp/);
  await server.end?.();
  await dns.end?.();
  assert.match(await said({ listens: { port: server.port } }), /^fail nobody listens/);
  assert.match(await said({ listens: { port: server.port, exists: false } }, withFiles({})), /^unknown/);
});

probes('http: status, text, silence, and a certificate that nobody knows', async () => {
  const server = await serving(0, page('200 OK', 'it works'));
  const url = `http://localhost:${server.port}/`;
  assert.is(await said({ http: { url } }), 'pass status 200');
  assert.is(await said({ http: { url, contains: 'it works' } }), 'pass status 200');
  assert.is(await said({ http: { url, contains: 'hello' } }), 'fail status 200, but the page lacks the text');
  assert.is(await said({ http: { url, absent: 'works' } }), 'fail status 200, but the page has the text');
  assert.is(await said({ http: { url, status: 404 } }), 'fail status 200 instead of 404');
  await server.end?.();
  assert.is(await said({ http: { url } }), 'fail no answer: nobody listens there');
  const silent = await serving(0);
  assert.is(
    await said({ http: { url: `http://127.0.0.1:${silent.port}/` } }, machineAt(), 300),
    'fail no answer in time',
  );
  await silent.end?.();
  const noise = await serving(0, socket => socket.end('SSH-2.0-x\r\n'));
  assert.match(await said({ http: { url: `http://127.0.0.1:${noise.port}/` } }), /^fail no answer: HPE_/);
  await noise.end?.();
});

testWith(
  probes,
  ['openssl'],
  'https: a certificate that nobody knows is no answer, unless it is not judged',
  async () => {
    const [key, cert] = ['key.pem', 'cert.pem'].map(name => join(folder(), name)) as [string, string];
    const args = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      '/CN=localhost',
    ];
    execFileSync('openssl', [...args, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    const files = { key: readFileSync(key), cert: readFileSync(cert) };
    const server = createTlsServer(files, (_, response) => response.end('safe'));
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const url = `https://localhost:${port}/`;
    assert.match(await said({ http: { url } }), /^fail no answer: DEPTH_ZERO_SELF_SIGNED_CERT$/);
    assert.is(await said({ http: { url, insecure: true, contains: 'safe' } }), 'pass status 200');
    await new Promise(resolve => server.close(resolve));
  },
);

probes('http: a body without end is cut', async () => {
  const flood = await serving(0, socket => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const more = () => socket.writable && socket.write('x'.repeat(65_536), more);
      more();
    });
  });
  const url = `http://127.0.0.1:${flood.port}/`;
  assert.is(await said({ http: { url, contains: 'y' } }), 'fail status 200, but the page lacks the text');
  await flood.end?.();
});

probes('dns: by a server of one’s own', async () => {
  const server = await dnsServer({ 'n1.example': '10.0.0.1' });
  const at = `127.0.0.1:${server.port}`;
  assert.is(await said({ dns: { name: 'n1.example', server: at } }), 'pass n1.example resolves');
  assert.is(
    await said({ dns: { name: 'n1.example', server: at, expected: '10.0.0.1' } }),
    'pass n1.example is 10.0.0.1',
  );
  assert.is(
    await said({ dns: { name: 'n1.example', server: at, expected: '10.0.0.2' } }),
    'fail n1.example is 10.0.0.1, not 10.0.0.2',
  );
  assert.is(await said({ dns: { name: 'n2.example', server: at } }), 'fail n2.example: there is no such name');
  await server.end?.();
  assert.is(await said({ dns: { name: 'n1.example', server: at } }), 'fail n1.example: no DNS server answers');
});

probes('a kind that only a newer Hearth knows is unknown', async () => {
  assert.match(await said({ severity: 'critical' } as Check), /^unknown this version of the agent does not know/);
});

probes.run();
