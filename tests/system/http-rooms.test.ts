/** Turning a room over the HTTP port: who may, what may be said, and how it is answered. */
import * as assert from 'node:assert/strict';
import { suite as describe } from 'uvu';
import type { RoomAnswer } from '../../broker/http/seams.ts';
import { login, type WebRig, webRig } from '../fixture/web-rig.ts';
import { sampleRooms } from './dashboard/sample-fleet.ts';

const suite = describe('HTTP: rooms');
const asked: { room: string; patch: object; who: string; address: string }[] = [];
let answer: RoomAnswer | undefined = { ok: true, rev: 7 };
let rig: WebRig;

suite.before(async () => {
  const rooms = {
    async set(room: string, patch: object, { name }: { name: string }, address: string) {
      asked.push({ room, patch, who: name, address });
      return answer;
    },
  };
  rig = await webRig({ rooms });
  for (const room of sampleRooms(Date.now())) rig.fleet.putRoom(room.id, room);
  for (const role of ['operator', 'viewer', 'integration'] as const) await rig.user(role, role);
});
suite.before.each(() => {
  asked.length = 0;
});
suite.after(() => rig?.close());

const path = '/api/room/study/set';

suite('operators turn dials; who may only look is refused, and so is a change that another page made', async () => {
  const { cookie, csrf } = await login(rig, 'operator');
  const said = await rig.ask(path, { cookie, csrf, body: { target_c: 21.5, mode: 'heat' } });
  assert.deepEqual([said.status, said.json()], [200, { rev: 7 }]);
  assert.deepEqual(asked, [
    { room: 'study', patch: { target_c: 21.5, mode: 'heat' }, who: 'operator', address: 'local' },
  ]);
  asked.length = 0;
  assert.equal((await rig.ask(path, { cookie, body: { mode: 'off' } })).status, 403);
  assert.equal((await rig.ask(path, { body: { mode: 'off' } })).status, 401);
  for (const role of ['viewer', 'integration'] as const) {
    const token = await rig.token(`only-${role}`, role);
    const refused = await rig.ask(path, { token, body: { mode: 'off' } });
    assert.equal(refused.status, 403, role);
    assert.match(refused.body, new RegExp(`role ${role}, which may not do this`));
  }
  assert.deepEqual(asked, []);
});

suite('dials and nothing else, of a room that is there; what was refused is said', async () => {
  const token = await rig.token('script', 'operator');
  for (const body of [
    {},
    [],
    [{ mode: 'off' }],
    { filler: { run: 'id' } },
    { mode: 'off', name: 'x' },
    '"off"',
    '{"a":',
  ]) {
    const wrong = await rig.ask(path, { token, body });
    assert.equal(wrong.status, 400, JSON.stringify(body));
  }
  for (const room of ['nowhere', '__proto__', '%3Cb%3E', '..%2f..']) {
    const gone = await rig.ask(`/api/room/${room}/set`, { token, body: { mode: 'off' } });
    assert.equal(gone.status, 404, room);
  }
  assert.deepEqual(asked, []);
  const answers: [RoomAnswer | undefined, number, RegExp][] = [
    [{ ok: false, sentence: 'target_c: at most 30 °C' }, 422, /at most 30 °C/],
    [{ ok: false, sentence: 'no broker', away: true }, 503, /no broker/],
    [undefined, 504, /no answer came in time/],
  ];
  for (const [said, status, text] of answers) {
    answer = said;
    const told = await rig.ask(path, { token, body: { target_c: 40 } });
    assert.equal(told.status, status);
    assert.match(told.json<{ error: string }>().error, text);
  }
});

suite.run();
