/** A node that sends magic packets for others: what it tells of itself, what it obeys, and the sockets it does it with. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { systemClock } from '../../shared/system-clock.ts';
import { mostRelayed } from '../../shared/wake/magic-packet.ts';
import { createWakeSender, type WakeReport, type WakeSender } from '../../shared/wake/sender.ts';
import { joined, newSigner } from '../fixture/agent-rig.ts';

const test = suite('wake: agents');
const mac = 'dc:a6:32:00:00:01';

test('info names what it can and its networks; an order is sent and answered; what is none is refused', () => {
  const signer = newSigner();
  const asked: (readonly string[])[] = [];
  let report: WakeReport = { sent: ['192.168.1.7'], failed: ['10.0.0.1: down'] };
  const waker: WakeSender = {
    nets: () => ['192.168.1.0/24', '10.0.0.0/8'],
    send(macs, done) {
      asked.push(macs);
      done(report);
    },
  };
  const one = joined(signer, { waker });
  const info = one.link.of('info').at(-1);
  assert.deepEqual([info?.caps, info?.nets], ['wol', '192.168.1.0/24,10.0.0.0/8']);
  const done = () => one.link.of('done').at(-1);
  one.cmd(signer, 1, 'wake', { macs: `${mac},dc:a6:32:00:00:02` });
  assert.deepEqual([asked.at(-1), done()], [[mac, 'dc:a6:32:00:00:02'], { id: 'o1', ok: true }]);
  report = { sent: [], failed: ['192.168.1.7: send EPERM'] };
  one.cmd(signer, 2, 'wake', { macs: mac });
  assert.deepEqual([done()?.ok, done()?.error], [false, '192.168.1.7: send EPERM']);
  asked.length = 0;
  const many = Array.from({ length: mostRelayed + 1 }, () => mac).join();
  for (const [i, macs] of [many, '', 'x; reboot', 7].entries()) {
    one.cmd(signer, 3 + i, 'wake', { macs });
    assert.equal(done()?.ok, false, String(macs));
  }
  assert.deepEqual(asked, []);
});

test('a node without a way to send says so, and names no capability', () => {
  const signer = newSigner();
  const one = joined(signer);
  assert.equal(one.link.of('info').at(-1)?.caps, undefined);
  one.cmd(signer, 1, 'wake', { macs: mac });
  assert.equal(one.link.of('done').at(-1)?.error, 'this node sends no magic packets');
});

test('an address that is gone is named, and the others send all the same', async () => {
  const subnet = (address: string, broadcast: string) => ({ name: 'x', address, broadcast, net: `${broadcast}/8` });
  const report = (...subnets: ReturnType<typeof subnet>[]) =>
    new Promise<WakeReport>(resolve =>
      createWakeSender({ clock: systemClock(), subnets: () => subnets }).send([mac, mac], resolve),
    );
  const gone = subnet('203.0.113.7', '203.0.113.255');
  const { sent, failed } = await report(subnet('127.0.0.1', '127.255.255.255'), gone);
  assert.deepEqual(sent, ['127.0.0.1']);
  assert.match(failed.join(), /^203\.0\.113\.7: .*EADDRNOTAVAIL/);
  assert.deepEqual(await report(), { sent: [], failed: [] });
});

test.run();
