import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { defaultDataFolder, type Flags, resolveConfig } from '../../broker/config.ts';
import { parseConfigFile } from '../../broker/config-file.ts';
import { UserError } from '../../shared/user-error.ts';
import { folder } from '../fixture/processes.ts';
import { cpuMs } from '../fixture/promised-time.ts';

const config = suite('config');

const around = (env: Record<string, string> = {}) => ({ env, cwd: '/work', home: '/home/u', root: false });

/** The sentence of the refusal. */
function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.instance(error, UserError);
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
}

config('defaults', () => {
  assert.equal(resolveConfig({}, around()), {
    data: '/home/u/.local/share/hearth',
    base: 'hearth',
    mqttPort: 1883,
    httpPort: 22581,
    lan: false,
    tlsPort: 8883,
    inline: [],
    shares: new Map(),
    agent: true,
    stopServices: false,
    discovery: 'homeassistant',
    periodMs: 5000,
  });
});

config('who may send inline code, and what each sender gets', () => {
  const { inline, shares } = resolveConfig({ inline: ' anna , ben', shares: 'anna=2, ben=0.5' }, around());
  assert.equal(inline, ['anna', 'ben']);
  assert.equal(
    [...shares],
    [
      ['anna', 2],
      ['ben', 0.5],
    ],
  );
  for (const inline of ['anna;ben', 'a,,b', '*']) assert.throws(() => resolveConfig({ inline }, around()), /anna,ben/);
  for (const shares of ['anna', 'anna=', 'anna=-1', 'anna=0', 'anna=2 ben=1']) {
    assert.throws(() => resolveConfig({ shares }, around()), /--shares/);
  }
});

config('the data folder follows XDG, a relative XDG_DATA_HOME is ignored, and root has /var/lib', () => {
  assert.is(defaultDataFolder(around({ XDG_DATA_HOME: '/x/share' })), '/x/share/hearth');
  assert.is(defaultDataFolder(around({ XDG_DATA_HOME: 'share' })), '/home/u/.local/share/hearth');
  assert.is(defaultDataFolder({ ...around({ XDG_DATA_HOME: '/x' }), root: true }), '/var/lib/hearth');
});

config('flags win over the environment, the environment over hearth.yaml, the file over defaults', () => {
  const data = folder();
  writeFileSync(
    join(data, 'hearth.yaml'),
    'version: 1\nmqtt-port: 3001\nhttp-port: 3002\nbase: file\nno-agent: true\nready-file: ready.json\n',
  );
  const flags: Flags = { data, mqttPort: '1001' };
  const found = resolveConfig(flags, around({ HEARTH_MQTT_PORT: '2001', HEARTH_HTTP_PORT: '2002' }));
  assert.is(found.mqttPort, 1001);
  assert.is(found.httpPort, 2002);
  assert.is(found.base, 'file');
  assert.is(found.agent, false);
  assert.is(found.readyFile, join(data, 'ready.json'), 'a path in the file starts at the data folder');
  assert.is(resolveConfig({ ...flags, readyFile: 'r.json' }, around()).readyFile, '/work/r.json');
});

config('a switch in the environment can say no to the file', () => {
  const data = folder();
  writeFileSync(join(data, 'hearth.yaml'), 'version: 1\nno-agent: true\n');
  assert.is(resolveConfig({ data }, around({ HEARTH_NO_AGENT: 'off' })).agent, true);
});

config('--config names another file, which must be there', () => {
  const data = folder();
  mkdirSync(join(data, 'etc'));
  const file = join(data, 'etc/other.yaml');
  assert.match(
    refusal(() => resolveConfig({ data, config: file }, around())),
    /no such settings file/,
  );
  writeFileSync(file, 'version: 1\nnode: cellar\n');
  assert.is(resolveConfig({ data, config: file }, around()).node, 'cellar');
});

const refusedFlags: readonly [Flags, RegExp][] = [
  [{ mqttPort: '70000' }, /^--mqtt-port: "70000" does not do: a port is 0/],
  [{ mqttPort: '1883.5' }, /^--mqtt-port: "1883.5" does not do: a whole number/],
  [{ mqttPort: '' }, /^--mqtt-port: "" does not do: a whole number/],
  [{ node: 'All Nodes' }, /^--node: "All Nodes" does not do: a node id is/],
  [{ node: 'all' }, /^--node: "all" does not do/],
  [{ base: 'much-too-long' }, /^--base: "much-too-long" does not do: a topic base/],
  [{ broker: 'localhost:1883' }, /^--broker: .* not the address of an MQTT broker: write it as mqtt:/],
  [{ period: '10' }, /^--period: "10" does not do: at least 500 ms/],
];
for (const [flags, sentence] of refusedFlags) {
  config(`refused: ${JSON.stringify(flags)}`, () => {
    assert.match(
      refusal(() => resolveConfig({ data: '/nowhere', ...flags }, around())),
      sentence,
    );
  });
}

config('the environment variable is named that is wrong', () => {
  const env = { HEARTH_STOP_SERVICES: 'perhaps' };
  assert.match(
    refusal(() => resolveConfig({ data: '/nowhere' }, around(env))),
    /^HEARTH_STOP_SERVICES: "perhaps"/,
  );
});

const refusedFiles: readonly [string, RegExp][] = [
  ['version: 1\n\nmqtt-prot: 1884\n', /^f\.yaml, line 3: there is no setting "mqtt-prot": did you mean "mqtt-port"\.$/],
  ['version: 1\ndata: /x\n', /^f\.yaml, line 2: .*"data".* --data/],
  ['version: 1\nmqtt-port: "1884"\n', /^f\.yaml, line 2: mqtt-port: "1884" does not do/],
  ['# nothing\nmqtt-port: 1884\n', /there is no version: write "version: 1"/],
  ['version: 2\n', /has version 2, but this Hearth reads up to 1/],
  ['version: one\n', /^f\.yaml, line 1: version: "one" does not do/],
  ['- version\n', /holds no settings/],
  ['', /holds no settings/],
  ['version: 1\nnode: [\n', /^f\.yaml, line \d: /],
  ['version: 1\nnode: a\nnode: b\n', /^f\.yaml, line 3: .*unique/],
  [`version: 1\n${'a'.repeat(300_000)}: 1\n`, /characters long/],
];
for (const [text, sentence] of refusedFiles) {
  config(`hearth.yaml refused: ${JSON.stringify(text.slice(0, 30))}`, () => {
    assert.match(
      refusal(() => parseConfigFile(text, 'f.yaml')),
      sentence,
    );
  });
}

config('an alias bomb in hearth.yaml is refused, not unfolded', async () => {
  const levels = Array.from({ length: 12 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(', ')}]`);
  const text = ['version: 1', 'l0: &l0 x', ...levels].join('\n');
  let said = '';
  const ms = await cpuMs(async () => {
    said = refusal(() => parseConfigFile(text, 'f.yaml'));
  });
  assert.match(said, /more aliases/);
  assert.ok(ms < 2000, `${ms} ms`);
});

config.run();
