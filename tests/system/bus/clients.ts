/** Wills, takeovers, answers, and the clients that people have at hand. */
import assert from 'node:assert/strict';
import { start } from '../../fixture/processes.ts';
import { findProgram } from '../../fixture/programs.ts';
import { textOf } from './listener.ts';
import type { Register, Rig } from './rig.ts';

const will = { topic: 'hearth/node/n1/lwt', payload: '{"online":false}' };

/** Ends with exit code 0, or the test fails with what it printed. */
async function runClient(rig: Rig, program: string, ...args: string[]): Promise<string> {
  const started = start(findProgram(program) ?? program, ['-h', '127.0.0.1', '-p', `${rig.port}`, ...args]);
  assert.equal(await started.ended, 0, `${program} ${args.join(' ')}\n${started.output()}`);
  return started.output();
}

export function clientCases(test: Register): void {
  for (const version of [4, 5] as const) {
    const name = version === 5 ? '5' : '3.1.1';
    test(`a killed client's will arrives, a DISCONNECT's does not, MQTT ${name}`, async rig => {
      const listener = await rig.listener.start('hearth/node/+/lwt');
      const polite = await rig.peer({ version, id: 'hearth-n2', will: { ...will, topic: 'hearth/node/n2/lwt' } });
      const doomed = await rig.peer({ version, id: 'hearth-n1', will });
      await polite.end();
      await doomed.kill();
      const heard = await listener.heard('hearth/node/n1/lwt');
      assert.equal(textOf(heard), will.payload);
      assert.deepEqual(
        listener.messages.map(({ topic }) => topic),
        ['hearth/node/n1/lwt'],
      );
    });

    test(`the same client id again takes over: the old connection ends, the new one is served, MQTT ${name}`, async rig => {
      const listener = await rig.listener.start('hearth/node/+/is');
      const old = await rig.peer({ version, id: 'hearth-n1' });
      await old.subscribe('hearth/node/n1/cmd');
      const fresh = await rig.peer({ version, id: 'hearth-n1' });
      await old.closed;
      await fresh.subscribe('hearth/node/n1/cmd');
      await listener.publish('hearth/node/n1/cmd', 'restart');
      await fresh.message('hearth/node/n1/cmd', 'restart');
      assert.deepEqual(fresh.payloads('hearth/node/n1/cmd'), ['restart']);
      assert.deepEqual(old.heard, []);
      await fresh.publish('hearth/node/n1/is', '{"epoch":2}');
      await listener.heard('hearth/node/n1/is');
    });
  }

  test('an MQTT 5 request brings its response topic and correlation, and gets its answer', async rig => {
    const listener = await rig.listener.start('hearth/node/+/do/#');
    const asker = await rig.peer({ version: 5, id: 'asker' });
    await asker.subscribe('answers/asker');
    const correlationData = Buffer.from([0, 1, 254, 255]);
    await asker.publish('hearth/node/n1/do/restart', '', {
      properties: { responseTopic: 'answers/asker', correlationData },
    });
    const { respond } = await listener.heard('hearth/node/n1/do/restart');
    assert.equal(respond?.topic, 'answers/asker');
    assert.ok(respond?.correlation && correlationData.equals(respond.correlation));
    await listener.publish(respond.topic, '{"ok":true}', { qos: 1, correlation: respond.correlation });
    const answer = await asker.message('answers/asker');
    assert.equal(`${answer.payload}`, '{"ok":true}');
    assert.deepEqual(answer.properties?.correlationData, correlationData);
  });

  test('a response topic that the asker may not write to is not passed on', async rig => {
    const listener = await rig.listener.start('hearth/node/+/do/#');
    const asker = await rig.peer({ version: 5 });
    for (const [i, responseTopic] of ['hearth/node/n1/want', 'hearth/status', 'hearth/node/n2/cmd'].entries()) {
      await asker.publish(`hearth/node/n1/do/verb${i}`, '', { properties: { responseTopic } });
      assert.equal((await listener.heard(`hearth/node/n1/do/verb${i}`)).respond, undefined, responseTopic);
    }
  });

  for (const version of ['mqttv311', 'mqttv5']) {
    test(
      `mosquitto_pub and mosquitto_sub, ${version}`,
      async rig => {
        const listener = await rig.listener.start('hearth/node/+/set/#');
        await listener.publish('hearth/node/n1/own', '{"a":1}', { qos: 1, retain: true });
        const own = await runClient(rig, 'mosquitto_sub', '-V', version, '-v', '-C', '1', '-W', '60', '-t', 'hearth/#');
        assert.equal(own, 'hearth/node/n1/own {"a":1}\n');
        for (const qos of ['0', '1', '2']) {
          const topic = `hearth/node/n1/set/services/q${qos}`;
          await runClient(rig, 'mosquitto_pub', '-V', version, '-q', qos, '-t', topic, '-m', 'sleep 1000');
          assert.equal(textOf(await listener.heard(topic)), 'sleep 1000');
        }
        await runClient(rig, 'mosquitto_pub', '-V', version, '-q', '1', '-t', 'hearth/node/n1/set/services/none', '-n');
        assert.equal((await listener.heard('hearth/node/n1/set/services/none')).payload.length, 0);
      },
      ['mosquitto_pub', 'mosquitto_sub'],
    );
  }

  test(
    'mosquitto_rr asks and prints the answer',
    async rig => {
      const listener = await rig.listener.start('hearth/node/+/do/#');
      const args = [
        '-V',
        'mqttv5',
        '-W',
        '60',
        '-q',
        '1',
        '-t',
        'hearth/node/n1/do/restart',
        '-e',
        'answers/rr',
        '-m',
        '{}',
      ];
      const answer = async () => {
        const { respond } = await listener.heard('hearth/node/n1/do/restart');
        assert.equal(respond?.topic, 'answers/rr');
        const { correlation } = respond;
        await listener.publish(respond.topic, 'accepted', { qos: 1, ...(correlation && { correlation }) });
      };
      const [printed] = await Promise.all([runClient(rig, 'mosquitto_rr', ...args), answer()]);
      assert.equal(printed, 'accepted\n');
    },
    ['mosquitto_rr'],
  );
}

export function embeddedClientCases(test: Register): void {
  test('connections are told apart, and a takeover drops the will of the old one', async rig => {
    const listener = await rig.listener.start('hearth/node/+/lwt', 'hearth/node/+/is');
    const old = await rig.peer({ id: 'hearth-n1', will });
    const first = (await listener.event('connected')).connection;
    assert.equal(first.clientId, 'hearth-n1');
    const fresh = await rig.peer({ id: 'hearth-n1', will });
    await old.closed;
    const second = (await listener.event('connected', 2)).connection;
    assert.notEqual(second.serial, first.serial);
    await fresh.publish('hearth/node/n1/is', '{}');
    assert.equal((await listener.heard('hearth/node/n1/is')).from?.serial, second.serial);
    assert.deepEqual(listener.eventsOf('disconnected'), []);
    assert.ok(!listener.messages.some(({ topic }) => topic.endsWith('/lwt')));
    await fresh.kill();
    assert.equal((await listener.event('disconnected')).connection.serial, second.serial);
    await listener.heard('hearth/node/n1/lwt');
  });

  test('kick drops the connection without its will', async rig => {
    const listener = await rig.listener.start('hearth/node/+/lwt', 'hearth/node/+/set/#');
    const peer = await rig.peer({ id: 'hearth-n1', will });
    const { connection } = await listener.event('connected');
    rig.bus.kick(connection, 'test');
    await peer.closed;
    await listener.event('disconnected');
    const other = await rig.peer();
    await other.publish('hearth/node/n1/set/a', 'x');
    await listener.heard('hearth/node/n1/set/a');
    assert.ok(!listener.messages.some(({ topic }) => topic.endsWith('/lwt')));
  });

  test("another's topic is refused: acknowledged, delivered to nobody, and told to the supervisor", async rig => {
    const listener = await rig.listener.start('hearth/node/+/is', 'hearth/node/+/set/#');
    const [peer, watcher] = [await rig.peer(), await rig.peer()];
    await watcher.subscribe('hearth/#');
    for (const topic of ['hearth/node/n1/is', 'hearth/node/n1/want', 'hearth/status']) await peer.publish(topic, 'x');
    await peer.publish('hearth/node/n1/set/a', 'x');
    await watcher.message('hearth/node/n1/set/a');
    assert.deepEqual(
      watcher.heard.map(({ topic }) => topic),
      ['hearth/node/n1/set/a'],
    );
    const { message, reason } = await listener.event('refused', 3);
    assert.equal(message.topic, 'hearth/status');
    assert.ok(reason.length > 10);
    assert.deepEqual(
      listener.messages.map(({ topic }) => topic),
      ['hearth/node/n1/set/a'],
    );
  });
}
