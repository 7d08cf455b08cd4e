// A film, frame by frame, by a command: scene and renderer come out of the artifact store, and frames go into it.
// `node main.mjs [FOLDER]`
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'hearth/client';

const [folder = 'frames'] = process.argv.slice(2);
const { HEARTH_BROKER, HEARTH_TOKEN, HEARTH_CA, HEARTH_URL = 'http://127.0.0.1:22581' } = process.env;
const headers = HEARTH_TOKEN === undefined ? {} : { authorization: `Bearer ${HEARTH_TOKEN}` };

/** `PUT /artifacts/SHA256`: the file's name there is its hash. */
async function put(path) {
  const body = readFileSync(path);
  const sha256 = createHash('sha256').update(body).digest('hex');
  const answer = await fetch(`${HEARTH_URL}/artifacts/${sha256}`, { method: 'PUT', body, headers });
  if (!answer.ok) throw new Error(`${path} was not taken: ${answer.status} ${await answer.text()}`);
  return `artifact:${sha256}`;
}

async function get(sha256) {
  const answer = await fetch(`${HEARTH_URL}/artifacts/${sha256}`, { headers });
  if (!answer.ok) throw new Error(`${sha256} was not given: ${answer.status} ${await answer.text()}`);
  return Buffer.from(await answer.arrayBuffer());
}

const here = import.meta.dirname;
const inputs = { renderer: await put(join(here, 'render.awk')), scene: await put(join(here, 'scene.txt')) };
const frames = Number(/^frames (\d+)$/m.exec(readFileSync(join(here, 'scene.txt'), 'utf8'))?.[1]);

const hearth = await connect(HEARTH_BROKER, { token: HEARTH_TOKEN, ca: HEARTH_CA });
mkdirSync(folder, { recursive: true });
const work = { run: 'awk -v frame={i} -f {renderer} {scene} > {picture}' };
const outputs = { picture: 'frame.ppm' };
for await (const { index, node, files } of hearth.stream(work, `1-${frames}`, { inputs, outputs })) {
  const name = `${String(index + 1).padStart(4, '0')}.ppm`;
  writeFileSync(join(folder, name), await get(files.picture));
  console.log(`${name} by ${node}`);
}
await hearth.close();
