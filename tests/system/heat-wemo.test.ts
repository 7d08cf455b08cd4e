/** A Wemo Insight asked over real HTTP: well behaved, slow, too long, redirecting, gone, and moved to another port. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { askByHttp, lookupInHouse } from '../../broker/heat/sources/wemo-http.ts';
import { WemoPolls } from '../../broker/heat/sources/wemo-polls.ts';
import { systemClock } from '../../shared/system-clock.ts';
import { until } from '../fixture/processes.ts';
import { startWemo, type WemoPlug, wemoAnswer } from '../fixture/sources/wemo-plug.ts';

const test = suite('wemo over HTTP');
/** Loopback has 16 million addresses: this process takes one that no other test has. */
const host = `127.${(process.pid >> 8) & 255}.${process.pid & 255}.49`;

const ask = (port: number, name = host) =>
  new Promise<{ error: string | undefined; answer: string }>(resolve =>
    askByHttp({ host: name, port }, (error, answer) => resolve({ error, answer })),
  );

async function withWemo(run: (plug: WemoPlug) => Promise<void>, port = 49_153): Promise<void> {
  const plug = await startWemo(host, port);
  try {
    await run(plug);
  } finally {
    await plug.close();
  }
}

test('the question is a SOAP call, and its answer comes back', () =>
  withWemo(async plug => {
    const { error, answer } = await ask(plug.port);
    assert.equal(error, undefined);
    assert.match(answer, /<InsightParams>1\|1548203519/);
    assert.equal(plug.asked.length, 1);
    assert.match(
      plug.asked[0] ?? '',
      /^POST \/upnp\/control\/insight1 "urn:Belkin:service:insight:1#GetInsightParams" <\?xml/,
    );
    assert.match(plug.asked[0] ?? '', /<u:GetInsightParams xmlns:u="urn:Belkin:service:insight:1">/);
  }));

test('a redirect, an error, a long answer and a cut one are sentences', () =>
  withWemo(async plug => {
    plug.answer = response => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
    assert.equal((await ask(plug.port)).error, 'it answers with status 302');
    plug.answer = response => void response.writeHead(500).end();
    assert.equal((await ask(plug.port)).error, 'it answers with status 500');
    plug.answer = response => void response.end('x'.repeat(17 * 1024));
    assert.equal((await ask(plug.port)).error, 'its answer is longer than 16 kB');
    plug.answer = response => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('half');
      setImmediate(() => response.destroy());
    };
    assert.match((await ask(plug.port)).error ?? '', /cut|aborted/);
  }));

test('nobody there, and a plug that never answers', async () => {
  assert.equal((await ask(49_151)).error, 'nobody answers on its port');
  await withWemo(async plug => {
    plug.answer = () => {};
    assert.equal((await ask(plug.port)).error, 'no answer within 5 s');
  });
});

test('a name is looked up, and asked only where it stands for an address of the house', () =>
  withWemo(async plug => {
    // `localhost` is 127.0.0.1 and ::1: of the house, and nobody is there.
    assert.ok((await ask(49_151, 'localhost')).error);
    assert.ok((await ask(plug.port, 'no-such-name.invalid')).error);
    assert.equal(plug.asked.length, 0);
  }));

test('what a name stands for is looked at each time: nothing outside the house, and no link-local address', async () => {
  const found = (name: string) =>
    new Promise(resolve =>
      lookupInHouse(name, { all: true }, (error, addresses) => resolve(error?.message ?? addresses)),
    );
  // The resolver gives back an address as it is.
  for (const name of ['8.8.8.8', '169.254.169.254', '::ffff:169.254.169.254', 'fe80::1', '2606:4700::1111'])
    assert.equal(await found(name), `${name} is not in a private network`);
  assert.deepEqual(await found('192.168.1.40'), [{ address: '192.168.1.40', family: 4 }]);
});

test('polled, it is followed to the port that it moved to', async () => {
  const real = systemClock();
  // A thousand times as fast: what takes ten seconds between two questions.
  const clock = { now: real.now, wall: real.wall, after: (ms: number, run: () => void) => real.after(ms / 1000, run) };
  const told: number[] = [];
  const polls = new WemoPolls({ clock, ask: askByHttp, meter: (_, { watts }) => void told.push(watts) });
  await withWemo(async plug => {
    polls.replace(new Map([['n1', `http://${host}:49153`]]));
    await until('a reading', () => told.length > 0);
    assert.equal(told[0], 61.5);
    assert.ok(plug.asked.length > 0);
  });
  await withWemo(async plug => {
    plug.answer = response => void response.end(wemoAnswer('1|1|1|1|1|1|1|7000|1|1|1'));
    await until('a reading of the other port', () => told.includes(7));
  }, 49_155);
  polls.stop();
});

test.run();
