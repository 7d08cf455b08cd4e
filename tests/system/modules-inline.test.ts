/** Inline code: computes, within bounds, and comes at nothing else. */

import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { listProcesses } from '../../node-agent/reconcile/services/processes.ts';
import { permissionFlag } from '../../node-agent/work/executor/modules/launch.ts';
import { attacks } from '../fixture/inline-attacks.ts';
import { ModulesRig } from '../fixture/modules-rig.ts';

const inline = suite('modules inline');
const rig = new ModulesRig();
/** Without a network namespace: what the process takes away from itself has to hold alone. */
const bare = new ModulesRig({ findWall: done => setImmediate(done, []) });
let visits = 0;
const listener = createServer(socket => {
  visits++;
  socket.destroy();
});
inline.before(() => new Promise<void>(resolve => listener.listen(0, '127.0.0.1', resolve)));
inline.after(async () => {
  await rig.end();
  await bare.end();
  listener.close();
});
const port = () => String((listener.address() as AddressInfo).port);

inline('computes, with what the language and the web have, and prints', async () => {
  const code = `export default async (data, ctx) => {
    await new Promise(done => setTimeout(done, 5));
    let n = 0; const id = setInterval(() => n++, 1);
    clearTimeout(setTimeout(() => n += 100, 1)); clearImmediate(setImmediate(() => n += 100));
    while (n < 2) await new Promise((done, _) => setTimeout(done, 1, 'x').refresh());
    clearInterval(id); id.unref();
    if (n >= 100) throw new Error('a timer that was ended ran');
    console.log('seen', { a: 1 });
    ctx.log(ctx.job);
    class Mine extends Error { name = 'Mine'; toString() { return 'mine' } }
    const wasm = await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode('x'));
    return { data, common: ctx.common, index: ctx.index, text: String(new Mine('x')), bytes: digest.byteLength,
      url: new URL('http://a/b').pathname, wasm: wasm instanceof WebAssembly.Module, clone: structuredClone([1]) };
  }`;
  const end = await rig.one({ code, common: { c: 1 } }, [1, 'zwei']);
  assert.equal(end, {
    value: {
      data: [1, 'zwei'],
      common: { c: 1 },
      index: 0,
      text: 'mine',
      bytes: 32,
      url: '/b',
      wasm: true,
      clone: [1],
    },
    errout: 'seen { a: 1 }\nj1\n',
  });
});

inline('has an own network, nobody as its account, and no environment', async () => {
  const lane = rig.lane({ code: 'export default () => new Promise(() => {})' });
  const [task] = lane.start([undefined]);
  await lane.until(() => lane.said.length === 1);
  const found = listProcesses().filter(({ parent, pid }) => {
    if (parent !== process.pid) return false;
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(permissionFlag());
  });
  const own = found.map(({ pid }) => ({
    status: readFileSync(`/proc/${pid}/status`, 'utf8'),
    devices: readFileSync(`/proc/${pid}/net/dev`, 'utf8').trim().split('\n').length,
    environment: readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .map(line => line.split('=')[0])
      .filter(name => name !== '' && name !== 'PWD' && name !== '_' && name !== 'OLDPWD' && name !== 'SHLVL'),
  }));
  assert.ok(own.length > 0);
  for (const { status, devices, environment } of own) {
    assert.is(devices, 3);
    assert.equal(environment, ['HEARTH_UNIT']);
    if (process.geteuid?.() === 0) {
      assert.match(status, /^Uid:\t65534\t65534\t65534\t65534$/m);
      assert.match(status, /^Gid:\t65534\t/m);
      assert.match(status, /^Groups:\s*$/m);
      assert.match(status, /^CapEff:\t0+$/m);
    }
  }
  lane.stop(task?.token ?? 0);
  await lane.until(() => lane.said.at(-1)?.startsWith('ended') === true);
  lane.close();
});

for (const [name, each] of [
  ['behind the wall', rig],
  ['without one', bare],
] as const) {
  inline(`${Object.keys(attacks).length} attacks lead nowhere, ${name}`, async () => {
    const said = await Promise.all(
      Object.entries(attacks).map(async ([attack, code]) => {
        const end = await each.one({ code: code.replaceAll('PORT', port()) });
        return [attack, end] as const;
      }),
    );
    for (const [attack, end] of said) {
      assert.not.match(JSON.stringify(end.value ?? ''), /through/, attack);
      assert.ok(end.why === undefined || end.why === 'error', `${attack}: ${JSON.stringify(end)}`);
    }
    assert.is(visits, 0);
  });
}

inline('an endless loop is ended for real', async () => {
  const lane = rig.lane({ code: 'export default () => { for (;;); }' });
  const [task] = lane.start([undefined]);
  await lane.until(() => lane.said.length === 1);
  lane.stop(task?.token ?? 0);
  await lane.until(() => lane.said.length === 2);
  assert.equal(lane.told.get(task?.token ?? 0)?.end, {
    why: 'error',
    err: 'it did not end when it was told to, and was ended',
  });
  lane.close();
});

inline('a loop while it is loaded counts as its first task', async () => {
  const lane = rig.lane({ code: 'for (;;); export default () => 1' });
  const [task] = lane.start([undefined]);
  await lane.until(() => lane.said[0] === `began ${task?.token}`);
  lane.stop(task?.token ?? 0);
  await lane.until(() => lane.said.length === 2);
  lane.close();
});

for (const [name, code] of [
  ['objects', 'export default () => { const all = []; for (;;) all.push({ a: [1, 2, 3] }); }'],
  [
    'bytes beside the heap',
    'export default async () => { const all = []; for (;;) { all.push(new Uint8Array(20e6).fill(1)); await new Promise(done => setImmediate(done)); } }',
  ],
  [
    'bytes without a pause',
    'export default () => { const all = []; for (;;) all.push(new Uint8Array(20e6).fill(1)); }',
  ],
] as const) {
  inline(`memory without end is ended: ${name}`, async () => {
    const end = await rig.one({ code, mem_mb: 64 });
    assert.ok(end.why === 'memory' || /Array buffer allocation failed/.test(end.err ?? ''), JSON.stringify(end));
  });
}

inline('code that is wrong, or has no function, says so', async () => {
  assert.match((await rig.one({ code: 'export default (' })).err ?? '', /inline code cannot be loaded: SyntaxError/);
  assert.match((await rig.one({ code: 'export const a = 1' })).err ?? '', /its default export is no function/);
  assert.match(
    (await rig.one({ code: 'export default () => { throw new RangeError("no") }' })).err ?? '',
    /^RangeError: no$/,
  );
  assert.match(
    (await rig.one({ code: 'export default () => { throw { toString() { throw 1 } } }' })).err ?? '',
    /it threw/,
  );
});

inline('runs where the node allows it, and where it can be kept from the network', async () => {
  const code = 'export default () => 1';
  const closed = new ModulesRig();
  closed.configure({ inline: false });
  assert.match((await closed.one({ code })).err ?? '', /runs no inline code/);
  assert.is((await closed.one({ code })).why, 'denied');
  await closed.end();
  const open = new ModulesRig({ findWall: done => setImmediate(done, undefined) });
  assert.is((await open.one({ code })).why, 'denied');
  assert.match((await open.one({ code })).err ?? '', /cannot keep inline code from the network/);
  assert.equal(await open.one({ code, grant: { net: true } }), { value: 1 });
  await open.end();
});

inline('what is not allowed any more does not go on in a lane that is open', async () => {
  const own = new ModulesRig();
  const lane = own.lane({ code: 'export default () => 1' });
  assert.equal((await lane.all([1]))[0]?.end, { value: 1 });
  own.configure({ inline: false });
  assert.is((await lane.all([1]))[0]?.end?.why, 'denied');
  lane.close();
  await own.end();
});

inline('two jobs never share a process', async () => {
  const code = 'globalThis.n ??= 0; export default () => ++globalThis.n';
  assert.equal(
    (await rig.run({ code }, [1, 2])).map(({ end }) => end?.value),
    [1, 2],
  );
  assert.equal(
    (await rig.run({ code }, [1, 2])).map(({ end }) => end?.value),
    [1, 2],
  );
});

inline('with the network granted there is still no way to the machine itself', async () => {
  const tries = [
    `fetch('http://127.0.0.1:${port()}/')`,
    `fetch('http://localhost:${port()}/')`,
    `fetch('http://[::1]:${port()}/')`,
    `fetch('http://[::ffff:127.0.0.1]:${port()}/')`,
    `fetch('http://0.0.0.0:${port()}/')`,
    `fetch('http://2130706433:${port()}/')`,
    `globalThis[Symbol.for('undici.globalDispatcher.1')].request({ origin: 'http://127.0.0.1:${port()}', path: '/', method: 'GET' })`,
  ];
  for (const each of tries) {
    const code = `export default async () => { globalThis.Headers; try { await ${each}; return 'through' } catch (e) { return String(e.cause ?? e) } }`;
    const end = await rig.one({ code, grant: { net: true } });
    assert.match(String(end.value), /no way to the machine|is not a function/, `${each}: ${JSON.stringify(end)}`);
  }
  assert.is(visits, 0);
});

inline.run();
