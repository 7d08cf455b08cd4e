/** A broker that says no: to the user, to a topic, to a size; and addresses that cannot be one. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startMosquitto } from '../../fixture/mosquitto.ts';
import { folder } from '../../fixture/processes.ts';
import { findProgram } from '../../fixture/programs.ts';
import { Listener } from './listener.ts';
import { outsideBus } from './rig.ts';
import { filter, type RegisterOutside, scene } from './scene.ts';
import { startStrictBroker } from './strict-broker.ts';

export function outsideRefusalCases(test: RegisterOutside): void {
  test('user name and password: right, wrong, none', async () => {
    const file = join(folder(), 'passwords');
    writeFileSync(file, '');
    const made = spawnSync(findProgram('mosquitto_passwd') ?? '', ['-b', file, 'hearth', 'p@ss:w/rd']);
    assert.equal(made.status, 0, `${made.stderr}`);
    const mosquitto = await startMosquitto(['allow_anonymous false', `password_file ${file}`, 'user root']);
    const { port } = mosquitto;
    try {
      const right = new Listener(outsideBus(`mqtt://hearth:p%40ss%3Aw%2Frd@127.0.0.1:${port}`));
      await right.start(filter);
      await right.stop();
      const given = new Listener(outsideBus(mosquitto.url, { username: 'hearth', password: 'p@ss:w/rd' }));
      await given.start(filter);
      await given.stop();
      for (const url of [`mqtt://hearth:secret-guess@127.0.0.1:${port}`, mosquitto.url]) {
        const wrong = new Listener(outsideBus(url));
        wrong.bus.start([filter], wrong);
        const { reason } = await wrong.event('down');
        assert.match(reason, /^broker mqtt:\/\/127\.0\.0\.1:\d+: (not authorised|user name or password are wrong)/);
        assert.ok(!reason.includes('secret-guess'));
        await wrong.stop();
      }
    } finally {
      await mosquitto.process.stop();
    }
  }, ['mosquitto_passwd']);

  test("a publish that the broker's access rules refuse is told through done, on MQTT 5", async () => {
    const acl = join(folder(), 'acl');
    writeFileSync(acl, 'topic readwrite hearth/#\n');
    await scene({ settings: [`acl_file ${acl}`, 'user root'] }, async ({ listener }) => {
      await listener.start(filter);
      await assert.rejects(listener.publish('elsewhere/x', 'x'), /elsewhere\/x was not sent: .*Not authorized/);
      await listener.publish('hearth/status', 'online');
    });
  });

  test('a message the broker will not take does not hold up the others', () =>
    scene({ settings: ['max_packet_size 2000'] }, async ({ listener, peer }) => {
      await listener.start(filter);
      const watcher = await peer();
      await watcher.subscribe('hearth/event');
      const before = listener.publish('hearth/event', 'before');
      const large = listener.publish('hearth/event', 'x'.repeat(4000));
      const after = listener.publish('hearth/event', 'after');
      await assert.rejects(large, /the broker takes packets up to 2000 bytes/);
      await Promise.all([before, after]);
      await watcher.message('hearth/event', 'after');
      assert.equal(listener.eventsOf('down').length, 0);
    }));

  test('one that makes a 3.1.1 broker close is given up after three broken connections, and takes no others along', () =>
    scene({ settings: ['max_packet_size 2000'], five: 'refused' }, async ({ listener, peer }) => {
      await listener.start(filter);
      const watcher = await peer();
      await watcher.subscribe('hearth/event');
      const others = ['a', 'b'].map(text => listener.publish('hearth/event', text));
      const large = listener.publish('hearth/event', 'x'.repeat(4000));
      others.push(...['c', 'd'].map(text => listener.publish('hearth/event', text)));
      await assert.rejects(large, /broke 3 times/);
      await Promise.all(others);
      await watcher.message('hearth/event', 'd');
      assert.deepEqual([...new Set(watcher.payloads('hearth/event'))], ['a', 'b', 'c', 'd']);
    }));

  test('an address that cannot be one is refused in one sentence, without its password', () => {
    for (const url of ['nonsense', 'http://h:1883', 'mqtt://', 'mqtt://user:hunter2@h:port']) {
      assert.throws(
        () => outsideBus(url),
        (error: Error) => /no broker's address: use mqtt:/.test(error.message) && !error.message.includes('hunter2'),
      );
    }
    return Promise.resolve();
  });

  test("the broker's window of unacknowledged messages (Receive Maximum) is kept", async () => {
    const broker = await startStrictBroker(5);
    const listener = new Listener(outsideBus(broker.url));
    try {
      await listener.start(filter);
      await Promise.all(Array.from({ length: 50 }, (_, i) => listener.publish('hearth/event', `${i}`)));
      assert.equal(broker.mostUnderWay, 5);
    } finally {
      await listener.stop();
      broker.close();
    }
  });
}
