/** The examples of docs/examples/, on a real supervisor and two real nodes. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ExampleCluster, exampleCluster, examples, runExample } from '../fixture/example-cluster.ts';
import { folder } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const test = suite<{ cluster: ExampleCluster }>('examples of jobs');

test.before(async context => {
  context.cluster = await exampleCluster();
});
test.after(async ({ cluster }) => {
  await cluster?.stop();
});

test('pi: darts are thrown and summed', async ({ cluster }) => {
  const said = await runExample(cluster, 'pi', ['40', '20000']);
  const [, pi, darts] = /^pi is about (\d\.\d+), after (\d+) darts$/m.exec(said) ?? [];
  assert.is(darts, '800000', said);
  assert.ok(Math.abs(Number(pi) - Math.PI) < 0.01, said);
  assert.is(await runExample(cluster, 'pi', ['40', '20000']), said, 'the same seeds throw the same darts');
});

test('mandelbrot: the picture is the one that one machine draws', async ({ cluster }) => {
  const file = join(folder(), 'picture.pgm');
  const said = await runExample(cluster, 'mandelbrot', [file, '175', '100']);
  assert.match(said, /175 x 100, drawn by (one|two)/);
  const { default: draw } = (await import(join(examples, 'mandelbrot/plugins/mandelbrot.mjs'))) as {
    default: (band: object, ctx: object) => string;
  };
  const common = { width: 175, height: 100, iterations: 200 };
  const whole = Buffer.from(draw({ from: 0, rows: 100 }, { common }), 'base64');
  assert.equal(readFileSync(file), Buffer.concat([Buffer.from('P5 175 100 255\n'), whole]));
  assert.is(whole[50 * 175 + 125], 0, 'the middle is in the set');
  assert.ok((whole[0] ?? 0) > 200, 'and the corner is not');
});

testWith(test, ['awk'], 'frames: rendered by a command, through the artifact store', async ({ cluster }) => {
  const place = join(folder(), 'film');
  const said = await runExample(cluster, 'frames', [place]);
  const names = Array.from({ length: 12 }, (_, index) => `${String(index + 1).padStart(4, '0')}.ppm`);
  assert.equal(readdirSync(place).sort(), names);
  for (const name of names) {
    assert.match(said, new RegExp(`^${name} by (one|two)$`, 'm'));
    const picture = readFileSync(join(place, name), 'latin1');
    assert.match(picture, /^P3\n96 64\n255\n/);
    assert.is(picture.trim().split(/\s+/).length, 4 + 3 * 96 * 64, `${name} is whole`);
  }
  const hashes = new Set(
    names.map(name =>
      createHash('sha256')
        .update(readFileSync(join(place, name)))
        .digest('hex'),
    ),
  );
  assert.is(hashes.size, 12, 'each shows something else');
});

testWith(
  test,
  ['minizinc'],
  'solver: the cheapest plan of a grid, which one machine finds too',
  async ({ cluster }) => {
    const said = await runExample(cluster, 'solver');
    assert.match(said, /^cheapest: 2 bars of 550 cm with a saw of 2 mm, for 104 euros$/m);
  },
);

test.run();
