/** What a machine draws by what it does: the model, its inverse, guesses by processor. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { boardOf, guessOf } from '../../broker/heat/power/guess.ts';
import { coresFor, isModel, labelsSaid, modelOf, wattsOf } from '../../broker/heat/power/model.ts';
import type { PowerModel } from '../../broker/heat/types.ts';
import { specResults } from '../fixture/power/spec.ts';

const model = suite('heat power, model');
const line: PowerModel = { idleW: 20, peakW: 100, exponent: 1, source: 'document', err: 0.1 };
const curved: PowerModel = {
  ...line,
  curve: [
    [0.1, 45],
    [0.5, 80],
  ],
  source: 'learned',
  err: 0.03,
};

model('watts by busy share: ends, bounds and what is no number', () => {
  assert.is(wattsOf(line, 0), 20);
  assert.is(wattsOf(line, 0.5), 60);
  assert.is(wattsOf(line, 1), 100);
  assert.is(wattsOf(line, 7), 100);
  assert.is(wattsOf(line, -1), 20);
  assert.is(wattsOf(line, Number.NaN), 20);
  assert.is(wattsOf({ ...line, exponent: 0.5 }, 0.25), 60);
  assert.is(wattsOf(curved, 0.1), 45);
  assert.is(wattsOf(curved, 0.3), 62.5);
  assert.is(wattsOf(curved, 1), 100);
});

model('a lower clock draws less above idle', () => {
  assert.is(wattsOf(line, 1, 0.5), 60);
  assert.is(wattsOf(line, 0, 0.5), 20);
  assert.is(wattsOf(line, 1, Number.NaN), 100);
  assert.is(wattsOf(line, 1, 0), 28);
  assert.is(wattsOf(line, 1, 99), 140);
});

model('cores for watts is the inverse', () => {
  const share = fc.double({ min: 0.001, max: 1, noNaN: true });
  const anyModel = fc.oneof(
    fc.constant(curved),
    fc
      .record({ exponent: fc.double({ min: 0.3, max: 2, noNaN: true }) })
      .map(({ exponent }) => ({ ...line, exponent })),
  );
  fc.assert(
    fc.property(anyModel, share, fc.integer({ min: 1, max: 256 }), (it, part, cores) => {
      const found = coresFor(it, cores, wattsOf(it, part));
      assert.ok(Math.abs(found / cores - part) < 1e-6, `${found / cores} for ${part}`);
    }),
    { seed: 6 },
  );
  assert.is(coresFor(line, 4, 10), 0);
  assert.is(coresFor(line, 4, 1000), 4);
  assert.is(coresFor({ ...line, peakW: 20 }, 4, 30), 0);
  assert.is(coresFor(line, 4, Number.NaN), 0);
});

model('what a document says comes first, then what was learned, then the guess', () => {
  const i5 = { cpu: 'Intel(R) Core(TM) i5-2520M CPU @ 2.50GHz', cores: 4 };
  const guess = modelOf(i5, undefined);
  assert.is(guess.source, 'guess');
  assert.is(modelOf(i5, undefined, curved), curved);
  assert.equal(modelOf(i5, { idle_w: 12, peak_w: 40 }, curved), {
    idleW: 12,
    peakW: 40,
    exponent: 1,
    source: 'document',
    err: 0.1,
  });
  const half = modelOf(i5, { peak_w: 33 });
  assert.is(half.peakW, 33);
  assert.is(half.idleW, guess.idleW);
  assert.is(half.source, 'document');
  assert.is(modelOf(i5, { peak_w: 5 }).idleW, 5, 'never above its peak');
  assert.is(modelOf(i5, undefined, { ...curved, idleW: Number.NaN }).source, 'guess');
});

model('labels of old mean the same', () => {
  assert.equal(labelsSaid({ watts_idle: '10', watts_max: '60' }), { idle_w: 10, peak_w: 60 });
  assert.equal(labelsSaid({ watts_idle: '', watts_max: 'x' }), {});
  assert.equal(labelsSaid({ watts_idle: '90', watts_max: '60' }), {});
  assert.equal(labelsSaid({ watts_idle: '-1', watts_max: '1e99' }), {});
});

model('models that were read from somewhere are looked at', () => {
  assert.ok(isModel(line) && isModel(curved));
  for (const junk of [undefined, null, 7, 'x', [], {}]) assert.not(isModel(junk));
  for (const bad of [
    { curve: null },
    { curve: [null] },
    { curve: 'x' },
    { rapl: null },
    { source: 'x' },
    { idleW: '20' },
    { idleW: -1 },
    { peakW: 10 },
    { exponent: 0 },
    { err: 2 },
    { peakW: Number.POSITIVE_INFINITY },
    {
      curve: [
        [0.5, 80],
        [0.4, 90],
      ] as const,
    },
    { curve: [[0.5, 120]] as const },
    { curve: [[0, 30]] as const },
    { rapl: { base: Number.NaN, slope: 1 } },
  ])
    assert.not(isModel({ ...line, ...bad }), JSON.stringify(bad));
});

/** As machines name their processors. */
const names: readonly [cpu: string, cores: number, idle: readonly [number, number], peak: readonly [number, number]][] =
  [
    ['arm,cortex-a72', 4, [2, 4], [5, 8]],
    ['Cortex-A53', 4, [1, 3], [3, 7]],
    ['ARMv6-compatible processor rev 7 (v6l)', 1, [0.4, 2], [1, 3]],
    ['Intel(R) Atom(TM) CPU D525   @ 1.80GHz', 4, [6, 20], [12, 35]],
    ['Intel(R) N100', 4, [4, 15], [10, 35]],
    ['Intel(R) Core(TM) i5-2520M CPU @ 2.50GHz', 4, [8, 20], [30, 60]],
    ['Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz', 8, [4, 15], [15, 40]],
    ['11th Gen Intel(R) Core(TM) i5-1135G7 @ 2.40GHz', 8, [4, 15], [15, 40]],
    ['Intel(R) Core(TM)2 Duo CPU     T7700  @ 2.40GHz', 2, [10, 30], [30, 60]],
    ['Intel(R) Core(TM)2 Duo CPU     E8400  @ 3.00GHz', 2, [30, 70], [70, 130]],
    ['Intel(R) Core(TM)2 Quad CPU    Q6600  @ 2.40GHz', 4, [45, 95], [105, 180]],
    ['Intel(R) Pentium(R) 4 CPU 3.00GHz', 2, [50, 120], [100, 230]],
    ['Intel(R) Pentium(R) CPU G4400 @ 3.30GHz', 2, [15, 45], [45, 100]],
    ['Intel(R) Core(TM) i5-4590 CPU @ 3.30GHz', 4, [20, 45], [65, 120]],
    ['Intel(R) Core(TM) i5-6500T CPU @ 2.50GHz', 4, [6, 18], [25, 55]],
    ['Intel(R) Core(TM) i7-2600K CPU @ 3.40GHz', 8, [25, 60], [85, 160]],
    ['AMD Athlon(tm) 64 X2 Dual Core Processor 4450e', 2, [30, 60], [70, 130]],
    ['AMD FX(tm)-8350 Eight-Core Processor', 8, [40, 90], [110, 240]],
    ['AMD E-350 Processor', 2, [8, 25], [20, 50]],
    ['AMD Ryzen 5 3600 6-Core Processor', 12, [25, 60], [70, 150]],
    ['AMD Ryzen 7 2700X Eight-Core Processor', 16, [30, 70], [100, 190]],
    ['AMD Ryzen 5 5500U with Radeon Graphics', 12, [4, 15], [15, 40]],
    ['AMD Ryzen Threadripper 1950X 16-Core Processor', 32, [70, 170], [200, 330]],
    ['Intel(R) Xeon(R) CPU           X3470  @ 2.93GHz', 8, [28, 60], [90, 160]],
    ['Intel(R) Xeon(R) CPU           X5675  @ 3.07GHz', 24, [50, 110], [160, 280]],
    ['Intel(R) Xeon(R) CPU E5-2660 0 @ 2.20GHz', 32, [45, 100], [160, 280]],
    ['Intel(R) Xeon(R) CPU E3-1230 v6 @ 3.50GHz', 8, [11, 40], [45, 120]],
  ];

for (const [cpu, cores, idle, peak] of names)
  model(`guesses ${cpu}`, () => {
    const { idleW, peakW, err, source } = guessOf({ cpu, cores, arch: 'x64' });
    assert.ok(idleW >= idle[0] && idleW <= idle[1], `${idleW} W idle`);
    assert.ok(peakW >= peak[0] && peakW <= peak[1], `${peakW} W busy`);
    assert.ok(err >= 0.3 && source === 'guess');
    const board = boardOf({ cpu, cores });
    assert.ok(board.watts > 0.2 && board.watts < idleW && board.efficiency > 0.7 && board.efficiency < 0.95);
  });

model('a guess is within its band of what was metered', () => {
  const cpus: readonly (readonly [machine: RegExp, cpu: string, cores: number])[] = [
    [/X3470/, 'Intel(R) Xeon(R) CPU X3470 @ 2.93GHz', 8],
    [/X3480/, 'Intel(R) Xeon(R) CPU X3480 @ 3.07GHz', 8],
    [/X5675/, 'Intel(R) Xeon(R) CPU X5675 @ 3.07GHz', 24],
    [/E5-2660/, 'Intel(R) Xeon(R) CPU E5-2660 0 @ 2.20GHz', 32],
    [/RX300 S7/, 'Intel(R) Xeon(R) CPU E5-2660 0 @ 2.20GHz', 32],
    [/Xeon 3075/, 'Intel(R) Xeon(R) CPU 3075 @ 2.66GHz', 2],
    [/Xeon 3040/, 'Intel(R) Xeon(R) CPU 3040 @ 1.86GHz', 2],
  ];
  for (const [machine, cpu, cores] of cpus) {
    const guess = guessOf({ cpu, cores });
    const watts = specResults.find(result => machine.test(result.machine))?.watts ?? [];
    const peak = watts.at(-1) ?? 0;
    assert.ok(Math.abs(guess.peakW - peak) <= guess.err * guess.peakW, `${cpu}: ${guess.peakW} W, metered ${peak} W`);
  }
});

model('who is unknown, or says nonsense, is guessed all the same', () => {
  for (const cpu of [undefined, '', 'Frobnicator 9000', 'x'.repeat(100_000)])
    for (const cores of [undefined, 0, -3, Number.NaN, 1e9])
      for (const arch of [undefined, 'arm64', 'x64'])
        assert.ok(isModel(guessOf({ cpu, cores, arch })), `${cpu} ${cores}`);
});

model.run();
