/** `hearth apply` and `hearth export` from end to end: a real supervisor, its node, and the command. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Cluster, hearthCommand, startAgent, up } from '../fixture/cluster.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { folder, start } from '../fixture/processes.ts';

const apply = suite<{ cluster: Cluster; at: string }>('apply on the command line');

apply.before(async context => {
  context.cluster = await up({ flags: ['--node', 'n1', '--stop-services'] });
  context.at = folder();
});

apply.after(async ({ cluster }) => {
  assert.is(await cluster.process.stop(), 0);
});

type Context = { cluster: Cluster; at: string };

async function hearth({ cluster, at }: Context, ...args: string[]) {
  const env = { ...process.env, HEARTH_DATA: cluster.data };
  const running = start(process.execPath, [hearthCommand, ...args], { cwd: at, env });
  const code = await running.ended;
  return { code, out: running.output() };
}
const file = ({ at }: Context, text: string, name = 'main.yaml') =>
  writeFileSync(join(at, name), `version: 1\n${text}`);

/** What is retained, and every `set` from here on. */
async function watch({ cluster }: Context) {
  const client = await connectClient(cluster.url, ['hearth/node/+/own', 'hearth/role/+/own', 'hearth/+/+/result']);
  return {
    ...client,
    own: async (path: string, fits: (own: Record<string, unknown>) => boolean) =>
      JSON.parse(
        (
          await client.wait(
            `own of ${path}`,
            ({ topic, text }) => topic === `hearth/${path}/own` && text !== '' && fits(JSON.parse(text)),
          )
        ).text,
      ),
  };
}

const main = `roles:
  all: {services: {beat: exec sleep 1000}}
  web:
    services:
      site: {run: exec sleep 1001, env: {A: "1"}}
      old: exec sleep 1002
nodes:
  n1: {roles: [web], labels: {room: attic}}
`;

const rooms = `rooms:
  attic:
    mode: heat
    target_c: 20.5
    preset: eco
    schedule: [{days: mon-fri, at: "06:00", preset: comfort}]
    rules: [{if: price > 0.35, add_c: -1}]
    thermometer: {topic: zigbee2mqtt/attic, template: "{{ value_json.t | float }}", broker: uplink, stale_min: 30}
    filler: {run: [sleep, "1000"], env: {A: "1"}}
  study: {max_w: 300, thermometer: zigbee2mqtt/study, filler: folding}
`;

apply('rooms: shown dry, applied, and an export of them makes the same rooms of an empty cluster', async context => {
  file(context, rooms, 'rooms.yaml');
  const dry = await hearth(context, 'apply', '-f', 'rooms.yaml', '--dry-run');
  assert.match(
    dry.out,
    /room\/attic: 7 added\n {2}\+ mode: "heat"\n[\s\S]*room\/study: 3 added\n[\s\S]*Nothing was sent\.\n$/,
  );
  const applied = await hearth(context, 'apply', '-f', 'rooms.yaml', '--wait');
  assert.is(applied.code, 0, applied.out);
  assert.match(applied.out, /room\/attic: rev \d+, 7 added\nroom\/study: rev \d+, 3 added\n/);
  assert.match((await hearth(context, 'apply', '-f', 'rooms.yaml')).out, /^room\/attic: nothing to do\n/);
  const told = (await hearth(context, 'export')).out;
  assert.match(told, / {4}thermometer: zigbee2mqtt\/study\n {4}filler: folding\n$/);
  const empty = { at: context.at, cluster: await up({ flags: ['--no-agent'] }) };
  writeFileSync(join(context.at, 'exported.yaml'), told);
  const again = await hearth(empty, 'apply', '-f', 'exported.yaml');
  assert.is(again.code, 0, again.out);
  assert.is((await hearth(empty, 'export')).out, told);
  file(context, 'rooms: {study: {max_w: 300}}', 'rooms.yaml');
  const pruned = await hearth(context, 'apply', '-f', 'rooms.yaml', '--prune');
  assert.match(pruned.out, /room\/attic: rev \d+, 7 removed/);
  assert.match((await hearth(context, 'export')).out, /name: cluster\nrooms:\n {2}study:\n {4}max_w: 300\n$/);
  assert.is(await empty.cluster.process.stop(), 0);
});

apply('a dry run says what the node would do, and sends nothing', async context => {
  const { close, heard } = await watch(context);
  file(context, main);
  const { code, out } = await hearth(context, 'apply', '-f', 'main.yaml', '--dry-run');
  assert.is(code, 0, out);
  assert.match(
    out,
    /role\/all: 1 added\nrole\/web: 2 added\nnode\/n1: 2 added\n\nn1 would\n {2}start beat\n {2}start old\n {2}start site\n/,
  );
  assert.match(out, /Nothing was sent\.\n$/);
  assert.ok(!out.includes('\u001b'), 'no colours where nobody sees them');
  const told = JSON.parse((await hearth(context, 'apply', '-f', 'main.yaml', '--dry-run', '--json')).out);
  assert.equal(
    [told.dry_run, told.nodes[0].node, told.nodes[0].online, told.nodes[0].steps.length],
    [true, 'n1', true, 3],
  );
  assert.equal(
    heard.filter(({ topic }) => topic.endsWith('/result')),
    [],
  );
  await close();
});

apply('apply sends one set for each noun, and waits for the node; again there is nothing to do', async context => {
  const it = await watch(context);
  const { code, out } = await hearth(context, 'apply', '-f', 'main.yaml', '--wait');
  assert.is(code, 0, out);
  assert.match(out, /role\/all: rev \d+, 1 added\nrole\/web: rev \d+, 2 added\nnode\/n1: rev \d+, 2 added\n/);
  assert.match(out, /n1: done \(1 of 1\)\n/);
  const own = await it.own('role/web', ({ applied }) => applied !== undefined);
  assert.equal(own.applied, { main: ['services/old', 'services/site'] });
  assert.is(it.heard.filter(({ topic }) => topic.endsWith('/result')).length, 3);
  const again = await hearth(context, 'apply', '-f', 'main.yaml', '--wait', '--prune');
  assert.is(again.code, 0, again.out);
  assert.match(again.out, /role\/all: nothing to do\nrole\/web: nothing to do\nnode\/n1: nothing to do\nn1: done/);
  assert.is(it.heard.filter(({ topic }) => topic.endsWith('/result')).length, 3);
  await it.close();
});

apply('what left the file is told, and pruned it goes; what a person set beside it stays', async context => {
  const it = await watch(context);
  await it.publish('hearth/role/web/set/services/hand', 'exec sleep 1003');
  await it.own('role/web', ({ services }) => 'hand' in (services as object));
  file(context, main.replace(/ +old:.*\n/, '').replace('{A: "1"}', '{B: "2"}'));
  const hinted = await hearth(context, 'apply', '-f', 'main.yaml', '--dry-run');
  assert.match(hinted.out, /role\/web: "main" put services\/old there .*--prune removes it/);
  const { code, out } = await hearth(context, 'apply', '-f', 'main.yaml', '--prune', '--wait');
  assert.is(code, 0, out);
  assert.match(out, /role\/web: rev \d+, 1 changed, 1 removed\n/);
  const own = await it.own('role/web', ({ services }) => !('old' in (services as object)));
  assert.equal(own.services, { site: { run: 'exec sleep 1001', env: { B: '2' } }, hand: { run: 'exec sleep 1003' } });
  await it.close();
});

apply('a file that is too long to go inline is in the artifact store before anybody is told of it', async context => {
  writeFileSync(join(context.at, 'blob'), Buffer.alloc(40_000, 7));
  writeFileSync(join(context.at, 'short'), 'hello\n');
  file(
    context,
    `roles: {none: {files: {blob: {path: ${context.at}/x, from: blob}, short: {path: ${context.at}/y, from: ./short}}}}`,
    'files.yaml',
  );
  const { code, out } = await hearth(context, 'apply', '-f', 'files.yaml');
  assert.is(code, 0, out);
  assert.match(out, /files\.yaml:2:\d+: no node has the role "none" yet/);
  const sha256 = /blob: artifact:([0-9a-f]{64})/.exec(out)?.[1];
  const listed = JSON.parse((await hearth(context, 'artifact', 'list', '--json')).out);
  assert.equal(
    listed.artifacts
      .map((one: { sha256: string; size: number }) => [one.sha256, one.size])
      .filter(([hash]: [string]) => hash === sha256),
    [[sha256, 40_000]],
  );
  const it = await watch(context);
  const own = await it.own('role/none', () => true);
  assert.equal([own.files.short.content, own.files.blob.source], ['hello\n', `artifact:${sha256}`]);
  await it.close();
});

apply('what is exported and applied again changes nothing, from standard input as well', async context => {
  const it = await watch(context);
  const { code, out } = await hearth(context, 'export');
  assert.is(code, 0);
  assert.match(
    out,
    /^# yaml-language-server: \$schema=file:\/\/.*\/cluster-file\.json\nversion: 1\nname: cluster\nroles:\n {2}all:\n/,
  );
  assert.not.match(out, /applied/);
  assert.is((await hearth(context, 'export', '-o', 'out.yaml', '--name', 'cluster')).code, 0);
  assert.is(readFileSync(join(context.at, 'out.yaml'), 'utf8'), out);
  const env = { ...process.env, HEARTH_DATA: context.cluster.data };
  const words = ['-f', '-', '--prune', '--json'];
  const piped = start(
    'sh',
    ['-c', `exec "$0" "$1" apply ${words.join(' ')} < out.yaml`, process.execPath, hearthCommand],
    { cwd: context.at, env },
  );
  assert.is(await piped.ended, 0, piped.output());
  const { documents } = JSON.parse(piped.output().replace(/^hearth: .*\n/gm, ''));
  assert.equal([...new Set(documents.map(({ state }: { state: string }) => state))], ['unchanged']);
  assert.equal(
    it.heard.filter(({ topic }) => topic.endsWith('/result')),
    [],
  );
  await it.close();
});

apply('what cannot be is one sentence and exit code 1 or 2, and nothing is sent', async context => {
  const it = await watch(context);
  file(context, 'nodes: {n2: {}}', 'bad.yaml');
  const stranger = await hearth(context, 'apply', '-f', 'bad.yaml');
  assert.is(stranger.code, 1);
  assert.match(stranger.out, /bad\.yaml:2:9: there is no node "n2": did you mean "n1"\?/);
  file(context, 'nodes: {n1: {services: {x: {rnu: y}}}}', 'bad.yaml');
  const wrong = await hearth(context, 'apply', '-f', 'bad.yaml', '--dry-run');
  assert.is(wrong.code, 1);
  assert.match(wrong.out, /bad\.yaml:2:29: .*unknown key "rnu": did you mean "run"\?/);
  const long = `roles: {all: {services: {${Array.from({ length: 10 }, (_, index) => `s${index}: ${'é'.repeat(8000)}`).join(', ')}}}}`;
  file(context, long, 'bad.yaml');
  assert.match((await hearth(context, 'apply', '-f', 'bad.yaml')).out, /Nothing was sent: node n1: .* at most 128 kB/);
  writeFileSync(join(context.at, 'bad.yaml'), '#'.repeat(1024 * 1024 + 1));
  assert.match((await hearth(context, 'apply', '-f', 'bad.yaml')).out, /longer than 1024 kB/);
  const none = await hearth(context, 'apply', '-f', 'none.yaml');
  assert.is(none.code, 2);
  assert.match(none.out, /none\.yaml: there is no such file/);
  assert.equal(
    it.heard.filter(({ topic }) => topic.endsWith('/result')),
    [],
  );
  await it.close();
});

apply('--wait fails where the node does not become what it was told', async context => {
  file(context, 'nodes: {n1: {services: {bad: {run: sleep 1, cwd: "/no such"}}}}', 'failing.yaml');
  const { code, out } = await hearth(context, 'apply', '-f', 'failing.yaml', '--wait');
  assert.is(code, 1);
  assert.match(out, /n1: services\/bad: cannot be started: .*\/no such/);
  assert.match(out, /Not as wanted, for the reason above: n1\. What was accepted stays wanted\./);
  file(context, '', 'failing.yaml');
  const gone = await hearth(context, 'apply', '-f', 'failing.yaml', '--prune', '--wait');
  assert.is(gone.code, 0, gone.out);
  assert.match(gone.out, /node\/n1: rev \d+, 1 removed/);
});

apply('--wait follows a rollout to its end, and says where a change was taken back', async context => {
  const it = await watch(context);
  const second = startAgent({ broker: context.cluster.url, node: 'n2' });
  await it.own('node/n2', () => true);
  const role = (run: string) =>
    file(context, `roles: {web: {services: {rolled: ${run}}}}\nnodes: {n2: {roles: [web]}}`, 'rolled.yaml');
  role('exec sleep 1004');
  assert.is((await hearth(context, 'apply', '-f', 'rolled.yaml', '--wait')).code, 0);
  role('exec sleep 1005');
  const well = await hearth(context, 'apply', '-f', 'rolled.yaml', '--wait');
  assert.is(well.code, 0, well.out);
  assert.match(well.out, /role\/web: 2 of 2 nodes are well with it\n/);
  role('exit 3');
  const bad = await hearth(context, 'apply', '-f', 'rolled.yaml', '--wait');
  assert.is(bad.code, 1);
  assert.match(bad.out, /role\/web: its rollout was taken back at n[12]: services\/rolled: .*exit 3/, bad.out);
  assert.match((await hearth(context, 'export')).out, /rolled: exec sleep 1005\n/);
  await it.close();
  await second.stop();
});

apply.run();
