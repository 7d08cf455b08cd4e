// The Mandelbrot set, drawn by all nodes together, into a PGM picture. `node main.mjs [FILE] [WIDTH] [HEIGHT]`
import { writeFileSync } from 'node:fs';
import { connect } from 'hearth/client';

const [file = 'mandelbrot.pgm', width = '700', height = '400'] = process.argv.slice(2);
const common = { width: Number(width), height: Number(height), iterations: 200 };
const { HEARTH_BROKER, HEARTH_TOKEN, HEARTH_CA } = process.env;

/** The picture in bands of ten rows: each is a task. */
function* bands() {
  for (let from = 0; from < common.height; from += 10) yield { from, rows: Math.min(10, common.height - from) };
}

const hearth = await connect(HEARTH_BROKER, { token: HEARTH_TOKEN, ca: HEARTH_CA });
const picture = Buffer.alloc(common.width * common.height);
const nodes = new Set();
for await (const { index, value, node } of hearth.stream('mandelbrot', bands(), { common })) {
  picture.set(Buffer.from(value, 'base64'), index * 10 * common.width);
  nodes.add(node);
}
writeFileSync(file, Buffer.concat([Buffer.from(`P5 ${common.width} ${common.height} 255\n`), picture]));
console.log(`${file}: ${common.width} x ${common.height}, drawn by ${[...nodes].sort().join(', ')}`);
await hearth.close();
