/** `hearth room` against a real supervisor: made, seen, changed, kept over a restart, forgotten. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Cluster, hearthCommand, up } from '../fixture/cluster.ts';
import { start, until } from '../fixture/processes.ts';

const rooms = suite('cli room, for real');

async function hearth({ url }: Cluster, ...args: string[]): Promise<{ code: number | string; out: string }> {
  const started = start(process.execPath, [hearthCommand, 'room', ...args, '--broker', url]);
  return { code: await started.ended, out: started.output() };
}

rooms('a room in a few commands', async () => {
  const first = await up({ flags: ['--no-agent'] });
  const said = async (...args: string[]) => {
    const { code, out } = await hearth(first, ...args);
    assert.is(code, 0, out);
    return out;
  };
  assert.match(await said(), 'there is no room');
  assert.match(await said('attic', 'heat', '21.5'), 'attic: it is heated to 21.5 °C (revision 1).');
  assert.match(await said('attic', 'set', 'max_w', '800'), 'max_w = 800 (revision 2)');
  assert.match(await said('attic', 'set', 'rules', '[{"if":"price > 0.35","add_c":-1}]'), 'revision 3');
  assert.match(await said('attic', 'preset', 'away'), 'preset away');
  assert.match(await said('attic', 'clear', 'preset'), 'preset cleared');
  const wrong = await hearth(first, 'attic', 'set', 'target_c', '35');
  assert.is(wrong.code, 1);
  assert.match(wrong.out, 'Refused: target_c: at most 30 °C');
  assert.match((await hearth(first, 'attik', 'forget')).out, 'did you mean "attic"');
  assert.match((await hearth(first, 'cellar')).out, 'There is no room cellar');
  const looked = async (cluster: Cluster) => {
    const { out } = await hearth(cluster, 'attic', '--json');
    const seen = JSON.parse(out);
    // Said once a second at most: what was said last may be from before the preset was cleared.
    return seen.is?.preset === 'none' && seen;
  };
  const seen = await until('the room was looked at', async () => await looked(first));
  assert.equal(seen.own, {
    mode: 'heat',
    target_c: 21.5,
    max_w: 800,
    rules: [{ if: 'price > 0.35', add_c: -1 }],
    rev: 5,
  });
  assert.is(seen.online, false, 'without a thermometer nothing is heated');
  assert.is(seen.is.action, 'idle');
  assert.is(seen.is.demand_w, 0);
  assert.match(await said(), /ROOM +STATE.*\nattic +no thermometer or node +21\.5 °C/);
  assert.is(await first.process.stop(), 0);
  const again = await up({ data: first.data, flags: ['--no-agent'] });
  const kept = await until('the room is there again', async () => await looked(again));
  assert.equal(kept.own, seen.own);
  const gone = await hearth(again, 'attic', 'forget');
  assert.is(gone.code, 0, gone.out);
  assert.match((await hearth(again)).out, 'there is no room');
  assert.is(await again.process.stop(), 0);
});

rooms.run();
