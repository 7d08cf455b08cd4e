/** Packets that are nearly right, without end: nothing is thrown, nobody else is closed, and what is passed on is well-formed. */
import { Buffer } from 'node:buffer';
import mqtt from 'mqtt-packet';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { seededRandom } from '../fixture/manual-clock.ts';
import { onBroker } from '../fixture/memory-broker-test.ts';
import { MemoryClient, turns } from '../fixture/memory-client.ts';

const test = suite('mqtt: nearly right');
/** Fixed, so that a failure repeats; `HEARTH_FUZZ_SEED` tries others. */
const seed = Number(process.env.HEARTH_FUZZ_SEED ?? 1);
const rounds = 1500;

function generator(start: number) {
  const random = seededRandom(start);
  const int = (below: number) => Math.floor(random.next() * below);
  const chance = (share: number) => random.next() < share;
  const pick = <T>(from: readonly T[]): T => from[int(from.length)] as T;
  const text = () => {
    const bytes = Buffer.from(
      pick(['', 'a', 'a/b', 'hearth/node/n1/set/x', 'ä', '\u0000', '#', 'r/t', 'x'.repeat(30)]),
    );
    // A length that lies makes the parser run out of packet, or read on in the middle.
    if (chance(0.1)) return Buffer.from([0xff, 0xff]);
    const length = chance(0.05) ? pick([bytes.length + 1, 0]) : bytes.length;
    return Buffer.concat([Buffer.from([length >> 8, length & 255]), bytes]);
  };
  const number = (bytes: number) =>
    Buffer.from(Array.from({ length: chance(0.1) ? int(bytes) : bytes }, () => int(256)));
  const values: Readonly<Record<number, () => Buffer>> = {
    1: () => number(1),
    2: () => number(4),
    3: text,
    8: text,
    9: text,
    11: () => number(1),
    17: () => number(4),
    21: text,
    22: text,
    23: () => number(1),
    24: () => number(4),
    33: () => number(2),
    34: () => number(2),
    35: () => number(2),
    38: () => Buffer.concat([text(), text()]),
    39: () => number(4),
  };
  const kinds = Object.keys(values).map(Number);
  const properties = () => {
    const of = chance(0.7) ? [1, 2, 3, 8, 9, 38, 38] : kinds;
    const list = Array.from({ length: int(4) }, () => pick(of));
    if (list[0] !== undefined && chance(0.2)) list.push(list[0]);
    const block = Buffer.concat(list.flatMap(kind => [Buffer.from([kind]), values[kind]?.() ?? Buffer.alloc(0)]));
    return Buffer.concat([Buffer.from([Math.min(127, block.length)]), block]);
  };
  const packet = (first: number, ...body: Buffer[]) => {
    const whole = Buffer.concat(body);
    const length = whole.length < 128 ? [whole.length] : [(whole.length & 127) | 128, whole.length >> 7];
    return Buffer.concat([Buffer.from([first, ...length]), whole]);
  };
  const five = (version: number) => (version === 5 ? properties() : Buffer.alloc(0));
  const string = (value: string) =>
    Buffer.concat([Buffer.from([value.length >> 8, value.length & 255]), Buffer.from(value)]);
  const make = {
    connect(version: number) {
      const will = chance(0.6);
      const flags = (chance(0.6) ? 2 : 0) | (will ? 4 | (int(3) << 3) | (chance(0.5) ? 32 : 0) : 0);
      return packet(
        0x10,
        string('MQTT'),
        Buffer.from([version, flags, 0, 10]),
        chance(0.7) && version === 5 ? Buffer.from([0]) : five(version),
        string(`c${int(9)}`),
        ...(will ? [five(version), string(pick(['w/t', 'hearth/node/n1/lwt', '#'])), text()] : []),
      );
    },
    publish(version: number) {
      const qos = int(3);
      const topic = pick(['hearth/node/n1/set/x', 'hearth/node/n1/load', 'a/b', 'z', '']);
      const id = qos > 0 ? Buffer.from([0, int(4)]) : Buffer.alloc(0);
      return packet(0x30 | (qos << 1) | int(2), string(topic), id, five(version), text());
    },
    subscribe: (version: number) =>
      packet(
        0x82,
        Buffer.from([0, 1 + int(3)]),
        five(version),
        string(pick(['#', 'a/+', 'a/#b', '$share/g/a', 'w/t'])),
        Buffer.from([int(64)]),
      ),
    other: (version: number) =>
      packet(
        pick([0x40, 0x50, 0x62, 0x70, 0xa2, 0xc0, 0xe0, 0xf0, 0x20]),
        Buffer.from(Array.from({ length: int(5) }, () => int(6))),
        ...(version === 5 && chance(0.3) ? [properties()] : []),
      ),
  };
  const spoil = (bytes: Buffer) => {
    if (!chance(0.15)) return bytes;
    const spoiled = Buffer.from(bytes);
    spoiled[int(spoiled.length)] = int(256);
    return spoiled;
  };
  const next = (version: number) => spoil(make[pick(['publish', 'publish', 'subscribe', 'other'] as const)](version));
  return { int, chance, connect: make.connect, next };
}

onBroker(test, 'whatever one client sends, the others are served, and hear only what is well-formed', async broker => {
  const from = generator(seed);
  const wrong: string[] = [];
  const watch = async (version: 4 | 5): Promise<MemoryClient> => {
    const watcher = await MemoryClient.connect(broker, { version, clientId: `watcher${version}` });
    watcher.parserErrors = wrong;
    watcher.acknowledges = true;
    watcher.subscribe('#');
    await turns(2);
    return watcher;
  };
  const watchers = [await watch(4), await watch(5)];
  for (let round = 0; round < rounds; round++) {
    const version = from.chance(0.7) ? 5 : 4;
    const client = new MemoryClient(broker, version);
    client.parserErrors = [];
    client.say(from.connect(version));
    for (let i = from.int(5); i >= 0; i--) {
      if (from.chance(0.4)) await turns(3);
      client.say(from.next(version));
    }
    await turns(4);
    if (from.chance(0.8)) client.destroy();
    await turns(2);
    for (const watcher of watchers) {
      watcher.packets.length = 0;
      assert.not.ok(watcher.destroyed, `round ${round}: a watcher was closed`);
    }
    assert.equal(wrong, [], `round ${round}: what was passed on`);
  }
  for (const watcher of watchers) watcher.say(mqtt.generate({ cmd: 'pingreq' }));
  // Who subscribes now gets what all of them left behind.
  watchers.push(await watch(5));
  await turns();
  assert.equal(
    watchers.map(({ packets }) => packets.some(({ cmd }) => cmd === 'pingresp' || cmd === 'suback')),
    [true, true, true],
  );
  assert.equal(wrong, []);
});

test.run();
