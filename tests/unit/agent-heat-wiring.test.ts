/** The order to heat from its topic to a node's heat, and what info, load and `is` say of it; simulated nodes. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HeatHandlers, HeatSide } from '../../node-agent/heat/side.ts';
import { SimulatedHeat } from '../../node-agent/heat/simulated-heat.ts';
import { createSyntheticTelemetry } from '../../node-agent/telemetry/synthetic.ts';
import type { HeatOrder } from '../../shared/schemas/heat.ts';
import { joined, newSigner } from '../fixture/agent-rig.ts';
import { manualClock, seededRandom } from '../fixture/manual-clock.ts';

const wiring = suite('agent heat: wiring');
const signer = newSigner();

class PlayedHeat implements HeatSide {
  readonly orders: HeatOrder[] = [];
  handlers: HeatHandlers | undefined;
  cores: number | undefined;
  error = '';
  readonly can = ['heat', 'heat-quota'];
  forgotten = 0;
  readonly there: [number, number][] = [];

  start(handlers: HeatHandlers): void {
    this.handlers = handlers;
  }
  order(order: HeatOrder, done: (error?: string) => void): void {
    this.orders.push(order);
    done(order.cores > 100 ? 'too much' : undefined);
  }
  tasksThere(running: number, waiting: number): void {
    this.there.push([running, waiting]);
  }
  forget(done: () => void): void {
    this.forgotten++;
    done();
  }
  close(done: () => void): void {
    done();
  }
}

const order = { cores: 2.5, lease_s: 45, max_temp_c: 80, burner: true };

wiring('an order is checked, obeyed and answered', () => {
  const heat = new PlayedHeat();
  const one = joined(signer, { heat });
  one.cmd(signer, 1, 'heat', order);
  assert.equal(heat.orders, [order]);
  one.cmd(signer, 2, 'heat', { ...order, cores: 200 });
  one.cmd(signer, 3, 'heat', { ...order, lease_s: 3600 });
  one.cmd(signer, 4, 'heat', { ...order, cores: -1 });
  one.cmd(signer, 5, 'heat', {});
  assert.is(heat.orders.length, 2);
  const done = one.link.of('done');
  assert.equal(
    done.map(({ ok }) => ok),
    [true, false, false, false, false],
  );
  assert.is(done[1]?.error, 'too much');
  assert.match(String(done[2]?.error), /^the order to heat cannot be read: .*lease_s/);
});

wiring('a node without heat says so', () => {
  const one = joined(signer);
  one.cmd(signer, 1, 'heat', order);
  assert.match(String(one.link.of('done').at(-1)?.error), /this node gives no heat/);
});

wiring('info says by what it dims, load how much it heats, and is what stands in the way', () => {
  const heat = new PlayedHeat();
  const one = joined(signer, { heat });
  one.clock.pass(6000);
  assert.match(String(one.link.of('info').at(-1)?.caps), /\bheat,heat-quota$/);
  const load = () => one.link.of('load').at(-1) ?? {};
  assert.not.ok('heat_cores' in load());
  heat.cores = 1.23456;
  heat.error = 'the burner ended at once';
  heat.handlers?.changed();
  one.clock.pass(6000);
  assert.is(load().heat_cores, 1.23);
  assert.is(one.link.of('is').at(-1)?.err, 'the burner ended at once');
});

wiring('a node that leaves ends its heat first', () => {
  const heat = new PlayedHeat();
  const one = joined(signer, { heat });
  one.cmd(signer, 1, 'forget');
  assert.is(heat.forgotten, 1);
});

wiring('an agent that is to stop its services ends its heat, too; else the lease does', () => {
  for (const stopServices of [true, false]) {
    const heat = new PlayedHeat();
    const one = joined(signer, { heat });
    let stopped = false;
    one.agent.stop({ stopServices }, () => {
      stopped = true;
    });
    one.clock.pass(1000);
    assert.equal([heat.forgotten, stopped], [stopServices ? 1 : 0, true]);
  }
});

wiring('a simulated node follows its level, and cools down with its lease', () => {
  const clock = manualClock();
  const telemetry = createSyntheticTelemetry({ clock, random: seededRandom(3) });
  const heat = new SimulatedHeat({ ...telemetry, clock });
  heat.start({ changed() {}, tasks() {}, service: () => ({}) });
  const mean = (seconds: number) => {
    let sum = 0;
    for (let at = 0; at < seconds; at++) {
      clock.advance(1000);
      sum += telemetry.sample().load.cpu_pct ?? 0;
    }
    return sum / seconds;
  };
  for (let round = 0; round < 4; round++) {
    heat.order({ ...order, cores: telemetry.cores * 0.75, lease_s: 45 }, () => {});
    clock.advance(15_000);
  }
  heat.order({ ...order, cores: telemetry.cores * 0.75, lease_s: 45 }, () => {});
  const level = mean(30);
  assert.ok(Math.abs(level - 75) < 5, `${level}`);
  assert.ok((heat.cores ?? 0) > 0);
  const warm = telemetry.sample().load.temp_c ?? 0;
  clock.advance(300_000);
  assert.is(heat.cores, undefined);
  assert.ok((telemetry.sample().load.temp_c ?? 0) < warm);
});

wiring.run();
