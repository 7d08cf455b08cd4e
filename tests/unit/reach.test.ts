/** What a join line names and what nodes are told, of the addresses that a machine has. */
import * as assert from 'node:assert/strict';
import { suite as describe } from 'uvu';
import { Reach, reachableAddresses } from '../../broker/trust/reach.ts';

const suite = describe('where the supervisor is reached');
const at = (...addresses: string[]) =>
  addresses.map(address => ({
    address,
    family: address.includes(':') ? ('IPv6' as const) : ('IPv4' as const),
    internal: address === '127.0.0.1',
  }));
const home = {
  lo: at('127.0.0.1'),
  docker0: at('172.17.0.1'),
  eth0: at('fe80::1', 'fd00::5', '192.168.1.5', '169.254.3.3'),
  wlan0: at('192.168.1.6'),
  gone: undefined,
};

suite('real interfaces before virtual ones, IPv4 before IPv6, nothing that others cannot reach', () => {
  assert.deepEqual(reachableAddresses(home), ['192.168.1.5', '192.168.1.6', 'fd00::5', '172.17.0.1']);
  assert.deepEqual(reachableAddresses({ lo: at('127.0.0.1') }), []);
});

suite('a join line names the likeliest address, or the machine; nodes are told all, the name last', () => {
  const reach = new Reach(() => home, 'Attic.example');
  Object.assign(reach.ports, { http: 22581, tls: 8883 });
  assert.deepEqual(reach.entrance(), { host: '192.168.1.5', port: 22581 });
  assert.deepEqual(reach.brokers(), [
    'mqtts://192.168.1.5:8883',
    'mqtts://192.168.1.6:8883',
    'mqtts://[fd00::5]:8883',
    'mqtts://172.17.0.1:8883',
    'mqtts://attic.local:8883',
  ]);
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`eth${n}`, at(`10.0.0.${n + 1}`)]));
  const crowded = new Reach(() => many, 'attic');
  Object.assign(crowded.ports, { http: 1, tls: 2 });
  assert.equal(crowded.brokers().length, 8);
  const sixth = new Reach(() => ({ eth0: at('fd00::5') }), 'attic');
  Object.assign(sixth.ports, { http: 1, tls: 2 });
  assert.deepEqual(sixth.entrance(), { host: '[fd00::5]', port: 1 });
  const alone = new Reach(() => ({}), 'attic');
  Object.assign(alone.ports, { http: 1, tls: 2 });
  assert.deepEqual(alone.entrance(), { host: 'attic.local', port: 1 });
});

suite('nobody joins over loopback alone, nor on an outside broker: each in a sentence', () => {
  const reach = new Reach(() => home, 'attic');
  assert.match(String(reach.entrance()), /listens on this machine only/);
  assert.deepEqual(reach.brokers(), []);
  reach.ports.http = 22581;
  assert.match(String(reach.entrance()), /runs on another one/);
  assert.deepEqual(reach.brokers(), []);
});

suite.run();
