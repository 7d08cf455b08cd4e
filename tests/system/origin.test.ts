/**
 * Loopback is no boundary for a browser: a page of another origin, in a real one, tries to read the fleet and to publish
 * over WebSocket, directly and under a name of its own that points at 127.0.0.1. The dashboard's own page may do both.
 */
import * as assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { generate } from 'mqtt-packet';
import type { Browser, Page } from 'playwright-core';
import { suite as describe } from 'uvu';
import { type RunningHttp, startHttp } from '../../broker/http/server.ts';
import { createEmbeddedBroker, type EmbeddedBroker } from '../../broker/mqtt/embedded.ts';
import { silentLog } from '../../shared/log.ts';
import { patienceMs, until } from '../fixture/processes.ts';
import { findProgram, testWith } from '../fixture/programs.ts';
import { openBrowser } from './dashboard/browser.ts';
import { handFleet } from './dashboard/hand-fleet.ts';
import { sampleFleet } from './dashboard/sample-fleet.ts';

const suite = describe('a page of another origin');
const dashboardFolder = join(import.meta.dirname, '../../dashboard');
const topic = 'hearth/node/attic-pi/set/services/evil';

let browser: Browser;
let broker: EmbeddedBroker;
let http: RunningHttp;
let other: Server;
let otherPort = 0;
let attached = 0;
const heard: string[] = [];

suite.before(async () => {
  if (!findProgram('chromium')) return;
  browser = await openBrowser(['--host-resolver-rules=MAP evil.example 127.0.0.1']);
  broker = await createEmbeddedBroker({ base: 'hearth', log: silentLog, authenticator: 'open' });
  broker.bus.start(['hearth/#'], {
    message: message => void heard.push(`${message.topic} ${Buffer.from(message.payload)}`),
    up() {},
    down() {},
  });
  http = await startHttp({
    ...{ host: '127.0.0.1', port: 0, log: silentLog, dashboardFolder, fleet: handFleet(sampleFleet(Date.now())) },
    attach: stream => {
      attached += 1;
      broker.attach(stream);
    },
  });
  other = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>other</title>');
  });
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve));
  const address = other.address();
  otherPort = typeof address === 'object' && address ? address.port : 0;
});
suite.before.each(() => {
  heard.length = 0;
  attached = 0;
});
suite.after(async () => {
  await browser?.close();
  await http?.close();
  await broker?.close();
  other?.closeAllConnections();
  other?.close();
});

async function newPage(): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(patienceMs);
  return page;
}

async function at(url: string): Promise<Page> {
  const page = await newPage();
  await page.goto(url);
  return page;
}

/** Runs in the page, as text: connects and publishes with QoS 1. `published` once the broker acknowledged it. */
function publish(page: Page, host: string, payload: string): Promise<string> {
  const bytes = (packet: Buffer) => JSON.stringify([...packet]);
  const clientId = 'page';
  const hello = bytes(
    generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, clientId, keepalive: 0 }),
  );
  const message = { qos: 1, messageId: 1, dup: false, retain: false, topic, payload } as const;
  const word = bytes(generate({ cmd: 'publish', ...message }));
  return page.evaluate(`new Promise(resolve => {
    const socket = new WebSocket('ws://${host}/mqtt', 'mqtt');
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => socket.send(new Uint8Array(${hello}));
    socket.onmessage = ({ data }) => {
      const kind = new Uint8Array(data)[0] >> 4;
      if (kind === 2) socket.send(new Uint8Array(${word}));
      if (kind === 4) resolve('published');
    };
    socket.onerror = () => resolve('error');
    socket.onclose = () => resolve('closed');
  })`);
}

const read = (page: Page, url: string, mode: string): Promise<string> =>
  page.evaluate(
    `fetch('${url}', { mode: '${mode}' }).then(async a => a.status + ' ' + (await a.text()), () => 'blocked')`,
  );

const stream = (page: Page, url: string): Promise<string> =>
  page.evaluate(`new Promise(resolve => {
    const source = new EventSource('${url}');
    const over = word => { source.close(); resolve(word); };
    source.addEventListener('snapshot', () => over('snapshot'));
    source.onerror = () => over('blocked');
  })`);

/** An element that loads the address: `load` or `error`. */
const element = (page: Page, tag: string, url: string): Promise<string> =>
  page.evaluate(`new Promise(resolve => {
    const it = document.createElement('${tag}');
    it.onload = () => resolve('load');
    it.onerror = () => resolve('error');
    it.src = '${url}';
    document.body.append(it);
  })`);

testWith(suite, ['chromium'], "Hearth's own page may publish and read", async () => {
  for (const name of ['127.0.0.1', 'localhost']) {
    const host = `${name}:${http.port}`;
    const page = await at(`http://${host}/`);
    assert.equal(await publish(page, host, `from ${name}`), 'published');
    await until('it is heard', () => heard.includes(`${topic} from ${name}`));
    assert.match(await read(page, `http://${host}/api/fleet`, 'cors'), /^200 .*attic-pi/);
    assert.equal(await stream(page, `http://${host}/api/fleet/stream`), 'snapshot');
  }
  assert.equal(attached, 2);
});

testWith(suite, ['chromium'], 'a page on another port or name may neither publish nor read', async () => {
  for (const from of [
    `http://127.0.0.1:${otherPort}/`,
    `http://localhost:${otherPort}/`,
    `http://evil.example:${otherPort}/`,
  ]) {
    const page = await at(from);
    for (const name of ['127.0.0.1', 'localhost']) {
      const host = `${name}:${http.port}`;
      assert.equal(await publish(page, host, 'evil'), 'error', `${from} to ${host}`);
      assert.equal(await read(page, `http://${host}/api/fleet`, 'cors'), 'blocked');
      assert.doesNotMatch(await read(page, `http://${host}/api/fleet`, 'no-cors'), /attic-pi/);
      assert.equal(await stream(page, `http://${host}/api/fleet/stream`), 'blocked');
      assert.equal(await element(page, 'script', `http://${host}/fleet-state.js`), 'error');
      assert.equal(await element(page, 'img', `http://${host}/icon.svg`), 'error');
    }
  }
  assert.equal(attached, 0, 'no byte of it reached the broker');
  assert.deepEqual(heard, []);
});

testWith(suite, ['chromium'], 'a name of its own that points here (DNS rebinding) gets nothing', async () => {
  const host = `evil.example:${http.port}`;
  const page = await newPage();
  const answer = await page.goto(`http://${host}/`);
  assert.equal(answer?.status(), 403);
  assert.match((await answer?.text()) ?? '', /is not this server: open http:\/\/localhost/);
  assert.match(await read(page, '/api/fleet', 'cors'), /^403 /);
  assert.equal(await publish(page, host, 'evil'), 'error');
  // The page's own origin is what it says it is, but the address it asks for is ours.
  assert.equal(await publish(page, `127.0.0.1:${http.port}`, 'evil'), 'error');
  assert.equal(attached, 0);
  assert.deepEqual(heard, []);
});

testWith(suite, ['chromium'], 'a foreign page cannot frame the dashboard', async () => {
  const page = await at(`http://127.0.0.1:${otherPort}/`);
  await page.evaluate(`{
    const frame = document.createElement('iframe');
    frame.src = 'http://127.0.0.1:${http.port}/';
    document.body.append(frame);
  }`);
  const frame = await until('the frame', () => page.frames().find(one => one !== page.mainFrame()));
  await until('it was refused', () => frame.url().startsWith('chrome-error:'));
});

suite.run();
