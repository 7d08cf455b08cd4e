/** What docs/heating.md shows is accepted: its JSON, its commands, its messages; and its defaults are those of the schema. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { acceptSet } from '../../broker/heat/rooms/accept.ts';
import { noRoom } from '../../broker/heat/rooms/entry.ts';
import { readingNamed, readReading } from '../../broker/heat/rooms/readings.ts';
import { readWish } from '../../cli/room/wish.ts';
import { roomDefaults, roomDocument, roomInput, roomIsPayload, roomLimits } from '../../shared/schemas/room.ts';

const doc = suite('docs/heating.md');
const page = readFileSync(new URL('../../docs/heating.md', import.meta.url), 'utf8');
const fences = [...page.matchAll(/^ *```(\w*)[^\n]*\n([\s\S]*?)^ *```$/gm)].map(([, kind, text]) => ({
  kind,
  text: text ?? '',
}));
const lines = fences.flatMap(({ text }) => text.split('\n')).map(line => line.trim());
const bytes = (text: string) => new TextEncoder().encode(text);

/** Words of a line as a shell has them, comments left out. */
const words = (line: string): string[] =>
  [...line.replace(/ {2,}[^'"{].*$/, '').matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');

function accepted(path: readonly string[], payload: Uint8Array, what: string): void {
  const { entry } = acceptSet(noRoom, path, payload, 0);
  assert.ok(entry.ok, `${what}: ${entry.ok ? '' : `${entry.error.at}: ${entry.error.message}`}`);
}

doc('JSON is a schedule, or rules', () => {
  const json = fences.filter(({ kind }) => kind === 'json').map(({ text }) => text);
  assert.is(json.length, 2);
  for (const text of json) accepted([text.includes('"if"') ? 'rules' : 'schedule'], bytes(text), text);
});

doc('commands', async () => {
  const commands = lines.filter(line => /^hearth room \S+ \S/.test(line));
  assert.ok(commands.length >= 15, `${commands.length}`);
  for (const line of commands) {
    const [, , , what = '', ...rest] = words(line);
    if (rest.some(word => word.startsWith('@'))) continue;
    const wish = await readWish(what, rest);
    if (wish.part === 'set' && wish.payload.length > 0) accepted(wish.rest, wish.payload, line);
  }
});

doc('messages', () => {
  const sent = lines.filter(line => line.startsWith('mosquitto_pub -t hearth/room/'));
  assert.ok(sent.length >= 8, `${sent.length}`);
  for (const line of sent) {
    const [, , topic = '', , payload = ''] = words(line);
    const [, , , part, ...rest] = topic.split('/');
    if (part === 'set') accepted(rest, bytes(payload), line);
    else {
      const reading = readingNamed(rest[0] ?? '');
      assert.ok(reading.ok && readReading(reading.value, bytes(payload)).ok, line);
    }
  }
});

doc('the state that it shows', () => {
  const state = fences.find(({ text }) => text.startsWith('{"room"'))?.text ?? '';
  assert.ok(roomIsPayload.strict().safeParse(JSON.parse(state)).success);
});

doc('keys and defaults', () => {
  const rows = new Map(
    [...page.matchAll(/^\| (`[^|]+) \|([^|]*)\|([^|]*)\|$/gm)].flatMap(([, keys = '', , fallback = '']) =>
      [...keys.matchAll(/`(\w+)`/g)].map(([, key = '']) => [key, fallback.trim().replaceAll('`', '')] as const),
    ),
  );
  assert.equal([...rows.keys()].sort(), Object.keys(roomDocument.shape).sort());
  assert.equal(Object.keys(roomInput.shape).sort(), Object.keys(roomDocument.shape).sort());
  for (const key of ['mode', 'target_c', 'boost_min', 'priority', 'limit_c', 'learn'] as const) {
    assert.is(rows.get(key), String(roomDefaults[key]), key);
  }
  assert.is(rows.get('presets'), `${Object.values(roomDefaults.presets).join(', ')} °C`);
  assert.match(page, `at most ${roomLimits.rooms} rooms`);
});

doc.run();
