/** What the controller learns of a room, in the simulator, and what it makes of it. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { control, freshControl } from '../../broker/heat/control/controller.ts';
import { fitted, freshFit } from '../../broker/heat/control/least-squares.ts';
import { lossesWPerC } from '../../broker/heat/control/losses.ts';
import { response } from '../../broker/heat/control/response.ts';
import { freshSwing, swung } from '../../broker/heat/control/swing.ts';
import { calmed, simc, startGains } from '../../broker/heat/control/tuning.ts';
import { RoomRig } from '../heat/one-room.ts';
import { roomKind } from '../heat/room.ts';
import { coarse, wire, zigbee } from '../heat/sensor.ts';
import { Dice } from '../sim/random.ts';

const medium = roomKind('room', 15, 'medium', { wallsOut: 12, airOut: 12, glass: 1, facing: 180 });

/** Days with a set-back at night and weather that changes. */
function days(it: RoomRig, count: number, targets: readonly [number, number] = [18.5, 20.5]): number {
  const dice = new Dice(3, 'weather');
  let off = 0;
  for (let day = 0; day < count; day++) {
    const mean = 4 + dice.between(-6, 6);
    for (let hour = 0; hour < 24; hour++) {
      it.outdoorC = mean - 3 * Math.cos((2 * Math.PI * (hour - 3)) / 24);
      it.more = { outdoorC: it.outdoorC };
      it.targetC = hour >= 6 && hour < 22 ? targets[1] : targets[0];
      const error = it.run(1);
      if (day === count - 1 && hour >= 10 && hour < 22) off += error / 12;
    }
  }
  return off;
}

const learning = suite('controller, learning');

learning('least squares find what made the numbers, with noise', () => {
  const dice = new Dice(1, 'fit');
  let fit = freshFit([0, 0], [10, 10]);
  for (let i = 0; i < 500; i++) {
    const x = [dice.between(-1, 1), dice.between(-1, 1)];
    fit = fitted(fit, x, 2 * (x[0] as number) - 3 * (x[1] as number) + dice.between(-0.1, 0.1), 0.999, 0.003);
  }
  assert.ok(Math.abs((fit.theta[0] as number) - 2) < 0.05);
  assert.ok(Math.abs((fit.theta[1] as number) + 3) < 0.05);
  assert.equal(fitted(fit, [Number.NaN, 1], 1, 0.99, 1), fit);
  assert.equal(fitted(fit, [1, 1], Number.POSITIVE_INFINITY, 0.99, 1), fit);
});

learning('SIMC, its integral time for a room', () => {
  // k' = 1/500 per s and W: an integrator with θ = 1000 s; τc = θ.
  const gains = simc({ slope: 1 / 500_000, deadS: 1000 }, 500);
  assert.ok(Math.abs(gains.kc - 500_000 / 2000) < 1e-9);
  assert.equal(simc({ slope: 1 / 500_000, deadS: 1000, tauS: 1200 }, 500).tiS, 1200);
  assert.equal(simc({ slope: 1 / 500_000, deadS: 1000 }, 500).tiS, 2000);
  assert.equal(simc({ slope: 1 / 500_000, deadS: 100, tauS: 300 }, 500).tiS, 900);
  // Bounds around the gains without knowledge.
  assert.equal(simc({ slope: 1, deadS: 1000 }, 600).kc, startGains(600).kc / 6);
  assert.equal(simc({ slope: 1e-12, deadS: 1000 }, 600).kc, startGains(600).kc * 4);
  assert.deepEqual(calmed({ kc: 100, tiS: 1000 }, 0.5), { kc: 50, tiS: 2000 });
});

for (const [name, sensor] of [
  ['0.1 °C on change', zigbee],
  ['1/16 °C', wire],
  ['0.5 °C steps', coarse],
] as const)
  learning(`slope and losses of a room, thermometer of ${name}`, () => {
    const it = new RoomRig({ kind: medium, minW: 60, maxW: 700, sensor, startC: 18.5 });
    const off = days(it, 20);
    const learned = response(it.state.response, 640);
    assert.ok(learned, 'learned');
    // The first half hour of a step of 100 W in this room, as the model that was learned says, and as it is.
    const [warm, cold] = [it.room, new RoomRig({ kind: medium, maxW: 700 }).room];
    for (const key of ['airC', 'furnitureC', 'wallsC'] as const) cold[key] = warm[key];
    const around = { outdoorC: 4, sun: 0, people: 0, open: false };
    for (let s = 0; s < 1800; s += 30) {
      warm.step(30, 400, around);
      cold.step(30, 300, around);
    }
    const really = (warm.airC - cold.airC) / 100;
    const ratio = (learned.slope * (1800 - Math.min(900, learned.deadS))) / really;
    assert.ok(ratio > 0.5 && ratio < 2, `${ratio} times what it is`);
    assert.ok(off < (sensor === coarse ? 0.2 : 0.06), `${off} °C`);
    // 24 W per °C less what the warm neighbour's wall makes of it.
    const losses = lossesWPerC(it.state.losses, 640);
    assert.ok(losses > 13 && losses < 30, `${losses} W/°C`);
  });

learning('nothing is learned where it is told not to, nor where nothing moves', () => {
  const deaf = new RoomRig({ kind: medium, minW: 60, maxW: 700, startC: 18 });
  for (let day = 0; day < 3; day++) {
    deaf.more = { learn: false };
    deaf.targetC = day % 2 ? 18 : 21;
    deaf.run(24);
  }
  assert.deepEqual(deaf.state.response, {
    ...freshControl().response,
    excitedLeftMs: deaf.state.response.excitedLeftMs,
  });
  const still = new RoomRig({ kind: medium, minW: 60, maxW: 700, startC: 20 });
  still.run(48);
  const { samples } = still.state.response;
  still.run(72);
  assert.equal(still.state.response.samples, samples);
});

learning('too warm and too cold in turns calms; a day now and then does not, and it wears off', () => {
  const turns = (everyMs: number, count: number) => {
    let state = freshSwing();
    for (let i = 0; i < count; i++) state = swung(state, everyMs, i % 2 ? 0.4 : -0.4);
    return state;
  };
  assert.ok(turns(40 * 60_000, 12).calm < 0.7);
  assert.ok(turns(40 * 60_000, 200).calm >= 0.08);
  assert.equal(turns(6 * 3_600_000, 50).calm, 1);
  const later = swung(turns(40 * 60_000, 12), 60 * 86_400_000, undefined);
  assert.ok(later.calm > 0.9);
});

learning('a room that its heater warms far too fast is calmed down', () => {
  const it = new RoomRig({
    kind: roomKind('cell', 8, 'light', { wallsOut: 5, airOut: 5, glass: 1, facing: 180 }),
    maxW: 4000,
    startC: 17,
    outdoorC: 5,
  });
  const first = it.run(24);
  const later = it.run(48);
  assert.ok(later < 0.35 && later < first, `${first} °C, then ${later} °C`);
});

learning('early start: warm when the schedule says, not hours before', () => {
  const it = new RoomRig({ kind: medium, minW: 60, maxW: 700, startC: 18 });
  let at6 = 0;
  let at3 = 0;
  for (let day = 0; day < 8; day++) {
    for (let half = 0; half < 48; half++) {
      const hour = half / 2;
      const warm = hour >= 6 && hour < 21;
      it.targetC = warm ? 20.5 : 18.5;
      const inS = ((6 - hour + 24) % 24 || 24) * 3600;
      let left = inS;
      const next = () => (warm ? {} : { next: { targetC: 20.5, inS: left } });
      it.more = next();
      it.run(0.5, () => {
        left -= 30;
        it.more = next();
      });
      if (hour === 5.5) at6 = it.room.airC;
      if (hour === 2.5) at3 = it.room.airC;
    }
  }
  assert.ok(at6 > 20.1, `${at6} °C at six`);
  assert.ok(at3 < 19.2, `${at3} °C at three`);
});

learning('a schedule that is cooler next, or long ahead, changes nothing', () => {
  const base = {
    now: 1,
    aim: {
      room: 'r',
      targetC: 18,
      shownC: 18,
      preset: 'none',
      mode: 'heat',
      limitC: 28,
      maxW: 1e5,
      minW: 0,
      factor: 1,
      priority: 50,
      quiet: false,
    },
    sensed: { ok: true, c: 18, ageS: 0 },
    minW: 0,
    maxW: 500,
    heatW: 0,
  } as const;
  for (const next of [
    { targetC: 15, inS: 60 },
    { targetC: 21, inS: 80_000 },
    { targetC: Number.NaN, inS: 60 },
    { targetC: 21, inS: Number.NaN },
    { targetC: 21, inS: -5 },
  ])
    assert.equal(control(freshControl(), { ...base, next }).demandW, 0);
  assert.ok(control(freshControl(), { ...base, next: { targetC: 21, inS: 600 } }).demandW > 400);
});

learning.run();
