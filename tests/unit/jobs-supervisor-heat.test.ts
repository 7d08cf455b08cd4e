/** Jobs of class heat under a supervisor: a room that asks for warmth lets them go, and one that asks for none holds them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { JobIs } from '../../shared/schemas/job.ts';
import { spansOf, workNode } from '../fixture/jobs-rig.ts';
import { type Rig, rig } from '../fixture/supervisor-rig.ts';

const test = suite('jobs: heat');
const isOf = (one: Rig, job: string): JobIs => JSON.parse(one.broker.retained.get(`hearth/job/${job}/is`) ?? '{}');

test('demand in watts lets a job of heat go; without demand what is not begun is asked back', () => {
  const one = rig();
  const node = workNode(one, 'n1');
  const sensor = one.broker.connect('sensor');
  const say = (what: string, text: string) => {
    one.ask(what, text);
    one.sync();
  };
  const measure = (what: string, text: string) => {
    sensor.publish(`hearth/room/attic/in/${what}`, text);
    one.sync();
  };
  const beat = () => {
    node.client.part('load', { node: 'n1', epoch: 1, seq: 0, cpu_pct: 0, load1: 0, mem_pct: 1, mem_mb: 1, up_s: 1 });
    one.clock.advance(2000);
    one.sync();
  };
  node.client.info({ caps: 'jobs,heat', cores: 4 });
  say('node/n1/set/labels/room', 'attic');
  say('node/n1/set/heat', '{"idle_w":20,"peak_w":120}');
  say('room/attic/set', '{"mode":"heat","target_c":21}');
  say('job/warm/set', JSON.stringify({ run: 'x {}', array: '1-8', class: 'heat' }));
  for (let n = 0; n < 5; n++) beat();
  assert.equal(spansOf(node), []);
  assert.is(isOf(one, 'warm').waiting, 'for heat');
  for (let n = 0; n < 20 && spansOf(node).length === 0; n++) {
    measure('temp_c', '17');
    measure('demand_w', '110');
    beat();
  }
  const [span] = spansOf(node);
  assert.ok(span, `nothing was sent: ${one.broker.retained.get('hearth/room/attic/is')}`);
  const [recipe] = node.work().flatMap(({ recipes = [] }) => recipes);
  assert.is(recipe?.heat, true);
  node.report({ started: [[span?.t ?? 0, 1]] });
  one.clock.advance(1500);
  one.sync();
  assert.is(isOf(one, 'warm').waiting, undefined);
  say('room/attic/set/mode', 'off');
  for (let n = 0; n < 10; n++) beat();
  node.report({ frozen: [[span?.t ?? 0, 1]] });
  one.clock.advance(1500);
  one.sync();
  assert.is(isOf(one, 'warm').waiting, 'for heat');
  const taken = node.work().flatMap(({ take = [] }) => take);
  if ((span?.n ?? 1) > 1) assert.ok(taken.length > 0, 'what it has not begun is asked back');
  one.ask('job/warm/do/explain', '');
  assert.match(JSON.stringify(one.broker.published.at(-1)), /heat is not asked of it/);
});

test.run();
