/** `hearth room`: what was typed becomes a message, and what is retained becomes text. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { describeRoom, formatRooms } from '../../cli/room/seen.ts';
import { readWish, wishTopic } from '../../cli/room/wish.ts';
import type { RoomIs } from '../../shared/schemas/room.ts';

const cli = suite('cli room');

const said = async (what: string, ...words: string[]) => {
  const wish = await readWish(what, words);
  return `${wishTopic('hearth', 'attic', wish)} ${wish.payload}`;
};
const refused = async (what: string, ...words: string[]) =>
  await said(what, ...words).then(
    () => 'taken',
    error => error.message,
  );

cli('words become messages', async () => {
  assert.is(await said('heat'), 'hearth/room/attic/set {"mode":"heat"}');
  assert.is(await said('heat', '21.5'), 'hearth/room/attic/set {"mode":"heat","target_c":21.5}');
  assert.is(await said('off'), 'hearth/room/attic/set {"mode":"off"}');
  assert.is(await said('preset', 'eco'), 'hearth/room/attic/set {"preset":"eco"}');
  assert.is(await said('set', 'presets.eco', '16'), 'hearth/room/attic/set/presets/eco 16');
  assert.is(await said('set', 'name', '@@home'), 'hearth/room/attic/set/name @home');
  assert.is(await said('clear', 'target_c'), 'hearth/room/attic/set/target_c ');
  assert.is(await said('forget'), 'hearth/room/attic/do/forget ');
});

cli('what is no wish is refused before anybody is asked', async () => {
  assert.match(await refused('het', '21'), 'did you mean "heat"');
  assert.match(await refused('heat', '70F'), '5 to 30 °C');
  assert.match(await refused('heat', '31'), '5 to 30 °C');
  assert.match(await refused('heat', '0x10'), 'no temperature');
  assert.match(await refused('heat', '21', 'now'), 'too much');
  assert.match(await refused('preset', 'ecco'), 'did you mean "eco"');
  assert.match(await refused('preset'), 'use none, eco');
  assert.match(await refused('set', 'name'), 'What to set?');
  assert.match(await refused('set', 'name', 'Big', 'attic'), "in quotes: 'Big attic'");
  assert.match(await refused('set', 'name', ''), 'clears the key');
  assert.match(await refused('set', 'a..b', '1'), 'no key');
  assert.match(await refused('set', 'g++', '1'), 'cannot be a key');
  assert.match(await refused('clear'), 'Which key?');
  assert.match(await refused('forget', 'it'), 'too much');
});

const is: RoomIs = {
  ...{ room: 'attic', mode: 'heat', target_c: 21, aim_c: 19.5, temp_c: 19.24, preset: 'eco', action: 'heating' },
  ...{ demand_w: 312.4, heat_w: 280, energy_kwh: 12.345, max_w: 800, nodes: 2, temp_age_s: 4.4, jobs: 3, err: '' },
};

cli('rooms as a table, hostile text made harmless', () => {
  const text = formatRooms([
    { room: 'attic', online: true, is, own: {} },
    { room: 'bath', online: false, is: { ...is, err: 'stale\u001b[2J', preset: 'none' }, own: {} },
    { room: 'cellar', online: false, own: {} },
  ]);
  const lines = text.split('\n');
  assert.match(lines[0] ?? '', /^ROOM +STATE +TARGET +PRESET +IS +WANTS +GETS +ENERGY +NODES +ERROR$/);
  assert.match(lines[1] ?? '', /^attic +heating +21\.0 °C +eco +19\.2 °C +312 W +280 W +12\.3 kWh +2$/);
  assert.match(lines[2] ?? '', /^bath +no thermometer or node .*stale\\u001b\[2J$/);
  assert.match(lines[3] ?? '', /^cellar +not looked at yet$/);
});

cli('one room in a few lines', () => {
  const text = describeRoom({ room: 'attic', online: true, is, own: { mode: 'heat', rev: 7 } });
  assert.match(text, 'attic: heating');
  assert.match(text, 'Target 21.0 °C (eco), by its rules 19.5 °C. It is 19.2 °C, 4 s ago.');
  assert.match(text, 'Wants 312 W, 800 W at most, gets 280 W from 2 nodes, with 3 tasks of jobs.');
  assert.match(text, '{"mode":"heat"} (revision 7)');
});

cli.run();
