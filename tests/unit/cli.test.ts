import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { resolveConfig } from '../../broker/config.ts';
import { banner, mosquittoFlags } from '../../cli/banner.ts';
import { formatNodes } from '../../cli/commands/nodes.ts';
import { type Known, learn } from '../../cli/fleet.ts';
import { itemText, Narrator } from '../../cli/narrator.ts';
import { giveBack, keyLevels, readValueArgument, setTopic } from '../../cli/set-input.ts';
import { ago, table } from '../../cli/table.ts';
import { folder } from '../fixture/processes.ts';

const cli = suite('cli');

const bytes = (text: string) => Buffer.from(text);
const is = (items: object, more: object = {}) =>
  bytes(JSON.stringify({ node: 'n1', epoch: 3, state: 'ready', rev: 4, err: '', ver: '0.1.0', items, ...more }));

cli('a key is written with dots or with slashes, and a dot survives between slashes', () => {
  assert.equal(keyLevels('services.hello.run'), ['services', 'hello', 'run']);
  assert.equal(keyLevels('services/my.app'), ['services', 'my.app']);
  assert.equal(keyLevels('/services/hello/'), ['services', 'hello']);
  assert.equal(keyLevels('.'), []);
  assert.throws(() => keyLevels('services..run'), /no key: write it as services.hello/);
});

cli('the topic of a set is checked before anything is sent', () => {
  assert.is(setTopic('hearth', 'n1', ['services', 'hello']), 'hearth/node/n1/set/services/hello');
  assert.throws(() => setTopic('hearth', 'N 1', ['services']), /"N 1" is not a node id/);
  assert.throws(() => setTopic('hearth', 'all', ['services']), /one node at a time/);
  assert.throws(() => setTopic('hearth', 'n1', ['g++']), /"g\+\+" cannot be a key/);
});

cli('a value is text, a file, or text that begins with @', async () => {
  const file = join(folder(), 'value');
  writeFileSync(file, 'from a file\n');
  assert.is((await readValueArgument('007')).bytes.toString(), '007');
  assert.is((await readValueArgument(`@${file}`)).bytes.toString(), 'from a file\n');
  assert.is((await readValueArgument('@@home')).bytes.toString(), '@home');
  const missing = await readValueArgument('@/no/such').then(
    () => '',
    error => error.message,
  );
  assert.match(missing, /@\/no\/such: there is no such file.*write "@@\/no\/such"/);
});

cli('what was typed is given back whole', () => {
  assert.match(giveBack({ bytes: bytes('sleep 1000'), typed: false }), /What you sent: sleep 1000$/);
  const long = giveBack({ bytes: bytes('x'.repeat(5000)), typed: true });
  const file = /is kept in (\/.*value)\.$/.exec(long)?.[1] ?? '';
  assert.is(readFileSync(file, 'utf8').length, 5000);
  rmSync(dirname(file), { recursive: true });
});

cli('retained topics become a table, hostile names made harmless', () => {
  const known: Known = { nodes: new Map() };
  const say = (topic: string, payload: Buffer) => learn(known, 'hearth', topic, payload);
  say('hearth/status', bytes('online'));
  say('hearth/node/n1/status', bytes('online'));
  say('hearth/node/n1/info', bytes('{"node":"n1","cores":4,"mem_mb":2048,"os":"\\u001b[31mDebian"}'));
  say(
    'hearth/node/n1/is',
    is({ 'services/a': { state: 'running', since_ms: 1000 }, 'services/b': { state: 'backoff' } }),
  );
  say('hearth/node/n2/status', bytes('offline'));
  say('hearth/node/n3/status', bytes('online'));
  say('hearth/node/n3/status', bytes(''));
  say('hearth/node/n2/is', bytes('{broken'));
  assert.is(known.supervisor, 'online');
  const text = formatNodes([...known.nodes.values()], 61_000);
  const lines = text.split('\n');
  assert.is(lines.length, 3);
  assert.match(lines[0] ?? '', /^NODE {2}STATE {4}CORES {2}MEMORY {2}SERVICES/);
  assert.match(lines[1] ?? '', /^n1 {4}ready {4}4 {6}2\.0 GB {2}1\/2 {7}1 min/);
  assert.match(lines[1] ?? '', /\\u001b\[31mDebian/);
  assert.match(lines[2] ?? '', /^n2 {4}offline/);
});

cli('columns are as wide as their widest cell', () => {
  assert.is(table(['A', 'B'], [['long cell', 'x']]), 'A          B\nlong cell  x');
  assert.is(ago(125_000), '2 min');
  assert.is(ago(86_400_000), '1 d');
  assert.is(ago(10), 'now');
});

cli('the narrator tells changes, not repetitions', () => {
  const narrator = new Narrator('hearth', { loads: true });
  const tell = (topic: string, payload: Buffer) => narrator.tell(topic, payload, false);
  assert.is(tell('hearth/node/n1/status', bytes('online')), 'n1  online');
  assert.is(tell('hearth/node/n1/status', bytes('online')), undefined);
  const running = is({ 'services/a': { state: 'running', pid: 7 } });
  assert.match(tell('hearth/node/n1/is', running) ?? '', /n1 {2}ready\n +n1 {2}services\/a running, pid 7/);
  assert.is(tell('hearth/node/n1/is', running), undefined);
  assert.is(tell('hearth/node/n1/is', is({})), 'n1  services/a gone');
  assert.is(tell('hearth/node/n1/set/services/a', bytes('')), 'n1  set services.a cleared');
  assert.is(tell('hearth/node/n1/set/services/a', bytes('x\u001b')), 'n1  set services.a ← x\\u001b');
  assert.match(
    tell('hearth/node/n1/result', bytes('{"ok":false,"part":"set","key":"x","error":"no","at_ms":1}')) ?? '',
    /n1 {2}set x refused: no/,
  );
  assert.is(tell('hearth/node/n1/load', bytes('{"node":"n1","epoch":1,"seq":1,"cpu_pct":12.4}')), 'n1  cpu 12 %');
  assert.is(tell('hearth/node/n1/load', bytes('no json')), undefined);
  assert.is(tell('hearth/node/n1/log/a', bytes('a line\n')), 'n1/a | a line');
  assert.match(tell('hearth/what', Buffer.from([0xff])) ?? '', /hearth\/what {2}1 bytes that are no text/);
});

cli('the narrator of one node leaves out the events of others', () => {
  const narrator = new Narrator('hearth', { node: 'n1', loads: false });
  const event = (node: string) => bytes(`{"at_ms":1,"level":"warn","kind":"twin","node":"${node}","text":"two"}`);
  assert.is(narrator.tell('hearth/event', event('n2'), false), undefined);
  assert.is(narrator.tell('hearth/event', event('n1'), false), 'WARN: n1  twin: two');
});

cli('the lines to paste name ports and hosts only where they are not the defaults', () => {
  assert.is(mosquittoFlags(undefined, 1883), '');
  assert.is(mosquittoFlags(undefined, 1884), ' -p 1884');
  assert.is(mosquittoFlags('mqtt://user:secret@broker.lan:1884', 1884), ' -h broker.lan -p 1884 -u user -P …');
  const around = { env: {}, cwd: '/', home: '/h', root: false };
  const config = resolveConfig({ data: '/nowhere' }, around);
  const facts = { ver: '1', ms: 400, http: 22581, mqtt: 1883, cluster: 'c', node: 'pi' };
  const text = banner(config, facts);
  assert.match(text, /^ {2}mosquitto_sub -v -t 'hearth\/#'$/m);
  assert.match(text, /^ {2}mosquitto_pub -t hearth\/node\/pi\/set\/services\/hello -m 'sleep 1000'$/m);
  assert.match(text, /^ {2}mosquitto_pub -t hearth\/node\/pi\/set\/services\/hello -n$/m);
  assert.match(text, 'http://127.0.0.1:22581/');
  const outside = resolveConfig({ data: '/nowhere', broker: 'mqtt://u:secret@h' }, around);
  assert.not.match(banner(outside, facts), 'secret');
});

cli('an item that waits says why, and until when', () => {
  const next_ms = new Date(2026, 0, 2, 3, 4, 5).getTime();
  const item = { state: 'backoff', restarts: 2, exit: 3, err: 'exit 3 after 0.1 s', next_ms };
  assert.is(itemText(item), 'backoff, 2 restarts, exit code 3, next try at 03:04:05: exit 3 after 0.1 s');
});

cli.run();
