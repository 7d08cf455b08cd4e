import * as assert from 'node:assert/strict';
import { suite as describe } from 'uvu';
import { type AskerHeaders, refusal } from '../../broker/http/origin.ts';

const suite = describe('Host and Origin of a request');
const port = 22581;

const welcome: readonly AskerHeaders[] = [
  { host: 'localhost:22581' },
  { host: 'LocalHost:22581' },
  { host: '127.0.0.1:22581' },
  { host: '127.8.255.1:22581' },
  { host: '[::1]:22581' },
  { host: 'localhost:22581', origin: 'http://localhost:22581' },
  { host: '127.0.0.1:22581', origin: 'http://127.0.0.1:22581' },
  { host: '[::1]:22581', origin: 'http://[::1]:22581', 'sec-fetch-site': 'same-origin' },
  { host: 'localhost:22581', 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' },
  // A link on another site that leads here.
  { host: 'localhost:22581', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
];

const unwelcome: readonly AskerHeaders[] = [
  {},
  { host: '' },
  { host: 'localhost' },
  { host: 'localhost:80' },
  { host: 'localhost:22582' },
  { host: 'localhost:022581x' },
  { host: 'localhost:225810' },
  // DNS rebinding: the name is the attacker's, the address ours.
  { host: 'evil.example:22581' },
  { host: 'evil.example:22581', origin: 'http://evil.example:22581' },
  { host: 'localhost.evil.example:22581' },
  { host: '127.0.0.1.evil.example:22581' },
  { host: '127.0.0.1.:22581' },
  { host: 'localhost.:22581' },
  { host: 'user@localhost:22581' },
  { host: 'localhost:22581, evil.example' },
  { host: '127.0.0.256:22581' },
  { host: '127.1:22581' },
  { host: '2130706433:22581' },
  { host: '0.0.0.0:22581' },
  { host: '[::]:22581' },
  { host: '[::ffff:127.0.0.1]:22581' },
  { host: '192.168.1.5:22581' },
  { host: '128.0.0.1:22581' },
  // The right Host, another page.
  { host: 'localhost:22581', origin: 'http://evil.example' },
  { host: 'localhost:22581', origin: 'http://evil.example:22581' },
  { host: 'localhost:22581', origin: 'http://localhost:3000' },
  { host: 'localhost:22581', origin: 'http://localhost' },
  { host: 'localhost:22581', origin: 'https://localhost:22581' },
  { host: 'localhost:22581', origin: 'http://127.0.0.1:22581' },
  { host: 'localhost:22581', origin: 'http://localhost:22581/' },
  { host: 'localhost:22581', origin: 'http://localhost:22581@evil.example' },
  { host: 'localhost:22581', origin: 'null' },
  { host: 'localhost:22581', origin: '' },
  { host: 'localhost:22581', origin: 'file://' },
  { host: 'localhost:22581', origin: 'chrome-extension://abcdef' },
  // A foreign page's <img> or <script> names no Origin.
  { host: 'localhost:22581', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
  { host: 'localhost:22581', 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' },
  { host: 'localhost:22581', 'sec-fetch-site': 'cross-site' },
  { host: 'localhost:22581', 'sec-fetch-site': ['none', 'cross-site'], 'sec-fetch-mode': 'no-cors' },
];

for (const headers of welcome) {
  suite(`goes on: ${JSON.stringify(headers)}`, () => assert.equal(refusal(headers, port), undefined));
}
for (const headers of unwelcome) {
  suite(`refused: ${JSON.stringify(headers)}`, () => {
    const sentence = refusal(headers, port);
    assert.match(sentence ?? '', /^[^\n]+\.$/, 'one sentence');
  });
}

suite('port 80 is the one a browser leaves out', () => {
  assert.equal(refusal({ host: 'localhost', origin: 'http://localhost' }, 80), undefined);
  assert.equal(refusal({ host: 'localhost:80' }, 80), undefined);
});

suite('what was sent is cut and made printable in the sentence', () => {
  const sentence = refusal({ host: `\u001b[31m"${'x'.repeat(5000)}` }, port) ?? '';
  assert.ok(sentence.length < 250);
  assert.ok(!sentence.includes('\u001b'));
});

const own = () => [
  '127.0.0.1',
  '::1',
  '192.168.1.5',
  'fd00::2',
  'localhost',
  '0a.hearth.internal',
  'barn',
  'barn.local',
];
const lan = { secure: true, names: 'network', own } as const;

suite("over TLS this machine's names and every address are its own, and its pages are https", () => {
  for (const host of [
    'localhost',
    '127.0.0.1',
    '[::1]',
    'barn',
    'Barn.local',
    '192.168.1.5',
    '[fd00::2]',
    '[::ffff:10.0.0.1]',
  ]) {
    assert.equal(refusal({ host: `${host}:${port}`, origin: `https://${host}:${port}` }, port, lan), undefined, host);
    assert.ok(refusal({ host: `${host}:${port}`, origin: `http://${host}:${port}` }, port, lan), host);
    assert.ok(refusal({ host: `${host}:${port + 1}` }, port, lan), host);
  }
  for (const host of [
    'evil.example',
    'barn.local.evil.example',
    'barn.',
    '1.2.3',
    '1.2.3.4.',
    '256.1.1.1',
    '2130706433',
    'xbarn',
  ]) {
    const sentence = refusal({ host: `${host}:${port}` }, port, lan);
    assert.match(sentence ?? '', /open https:\/\/barn\.local:22581 or https:\/\/192\.168\.1\.5:22581 instead\.$/, host);
  }
  assert.equal(refusal({ host: 'barn', origin: 'https://barn' }, 443, lan), undefined);
  assert.ok(refusal({ host: 'barn', origin: 'https://barn' }, 80, lan));
});

suite("on plain loopback a name of the network is not this machine's, for whoever answers for it there", () => {
  for (const host of ['barn.local', 'barn', '192.168.1.5', '[fd00::2]']) {
    assert.ok(refusal({ host: `${host}:${port}` }, port, { secure: false, names: 'loopback', own }), host);
  }
});

suite("what is everybody's goes under any name, but to no page of another site", () => {
  const open = { secure: false, names: 'public', own } as const;
  assert.equal(refusal({ host: 'pi.fritz.box:22581' }, port, open), undefined);
  assert.equal(refusal({ host: 'pi.fritz.box:8080' }, port, open), undefined);
  assert.ok(refusal({ host: 'pi.fritz.box:22581', origin: 'http://evil.example' }, port, open));
  assert.ok(refusal({ host: 'pi.fritz.box:22581', 'sec-fetch-site': 'cross-site' }, port, open));
  assert.ok(refusal({}, port, open));
  assert.ok(refusal({ host: 'a b' }, port, open));
});

suite.run();
