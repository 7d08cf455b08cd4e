/** Settings that name Hearth's own broker as the user's are refused before anything starts; others are not. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { refuseOwnBroker } from '../../broker/uplink/own-broker.ts';
import { UserError } from '../../shared/user-error.ts';

const test = suite("uplink to Hearth's own broker");

const machine = { hostname: 'Cellar.home.arpa', addresses: ['127.0.0.1', '::1', '192.168.7.5', 'fd00::5'] };
type Settings = Parameters<typeof refuseOwnBroker>[0];
const settings: Settings = { lan: false, mqttPort: 1883, tlsPort: 8883, httpPort: 22581 };

function refusal(more: Partial<Settings>): string | undefined {
  try {
    refuseOwnBroker({ ...settings, ...more }, machine);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof UserError);
    assert.equal(error.exitCode, 2);
    return error.message;
  }
}

test('the embedded broker by each name of this machine alone, and by each of its ports', () => {
  for (const host of ['localhost', 'LocalHost.', 'x.localhost', '127.0.0.1', '127.1', '0.0.0.0', '[::1]', '[::]']) {
    for (const end of ['', ':1883'])
      assert.match(refusal({ uplink: `mqtt://${host}${end}` }) ?? '', /own broker/, host);
  }
  assert.match(refusal({ uplink: 'mqtt://[::ffff:127.0.0.1]' }) ?? '', /--mqtt-port 1883/);
  assert.match(refusal({ uplink: 'ws://localhost:22581/mqtt' }) ?? '', /--http-port 22581/);
  assert.equal(
    refusal({ uplink: 'mqtt://anna:s3cret@localhost' }),
    "--uplink mqtt://localhost is Hearth's own broker (--mqtt-port 1883 of this machine). Home Assistant finds everything on that one already: leave --uplink out, or name another broker, such as mqtt://USER:PASSWORD@homeassistant.local:1883.",
  );
});

test('with --lan by each address and name of this machine', () => {
  const hosts = ['cellar', 'CELLAR.local', 'cellar.home.arpa', '192.168.7.5', '[fd00::5]', '[FD00:0::5]', '127.0.1.1'];
  for (const host of hosts) {
    assert.match(refusal({ lan: true, uplink: `mqtts://${host}` }) ?? '', /--tls-port 8883/, host);
    assert.match(refusal({ lan: true, uplink: `ws://${host}:22581/mqtt` }) ?? '', /--http-port/, host);
    assert.equal(refusal({ uplink: `mqtts://${host}` }), undefined, 'nobody listens there');
  }
});

test('the broker of --broker, however it is written', () => {
  const same = [
    ['mqtt://localhost', 'mqtt://127.0.0.1:1883'],
    ['mqtt://a:b@Broker.lan', 'mqtt://c:d@broker.lan.:1883'],
    ['mqtts://broker.lan', 'wss://broker.lan:8883/x'],
    ['ws://broker.lan', 'mqtt://broker.lan:80'],
    ['mqtt://[::1]:1884', 'mqtt://localhost:1884'],
  ] as const;
  for (const [uplink, broker] of same) {
    for (const both of [
      { uplink, broker },
      { uplink: broker, broker: uplink },
    ])
      assert.match(
        refusal(both) ?? '',
        /is the broker that --broker names, .*leave --uplink out/,
        `${uplink} ${broker}`,
      );
  }
});

test('another broker on this machine, and brokers elsewhere', () => {
  for (const uplink of [
    'mqtt://localhost:1884',
    // Another program may have the port there: Hearth listens at 127.0.0.1 alone.
    'mqtt://192.168.7.5:1883',
    'mqtt://cellar:1883',
    'mqtts://localhost',
    'mqtt://homeassistant.local',
    'mqtt://192.168.7.6',
    'mqtt://notlocalhost',
  ])
    assert.equal(refusal({ uplink }), undefined, uplink);
  // The embedded broker is not there.
  assert.equal(refusal({ uplink: 'mqtt://localhost', broker: 'mqtt://localhost:1884' }), undefined);
  assert.equal(refusal({ uplink: 'mqtt://localhost:0', mqttPort: 0 }), undefined);
  assert.equal(refusal({}), undefined);
});

test.run();
