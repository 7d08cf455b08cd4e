/** A user's whole way with the clients that everybody has: the lines that `hearth up` prints, pasted into a shell. */
import { suite, type Test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Cluster, up } from '../fixture/cluster.ts';
import { type Mosquitto, startMosquitto } from '../fixture/mosquitto.ts';
import { type Started, start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

interface Context {
  cluster: Cluster;
  mosquitto?: Mosquitto;
}

const paste = (line: string): Started => start('sh', ['-c', `exec ${line}`]);

/** The line runs to its end with exit code 0. @returns what it printed. */
async function runs(line: string): Promise<string> {
  const started = paste(line);
  assert.is(await started.ended, 0, `${line}\n${started.output()}`);
  return started.output();
}

/** The three lines as they were printed. */
async function printedLines(cluster: Cluster): Promise<readonly [string, string, string]> {
  await cluster.process.line(/mosquitto_pub .* -n\n/);
  const lines = [...cluster.process.output().matchAll(/^ {2}(mosquitto_(?:sub|pub) .*)$/gm)].map(
    ([, line = '']) => line,
  );
  assert.is(lines.length, 3);
  const [sub = '', set = '', clear = ''] = lines;
  return [sub, set, clear];
}

const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** Waits for a line of `mosquitto_sub -v` that came after `from` characters. */
const says = (watching: Started, pattern: RegExp, from = 0) =>
  until(
    () => `a line fits ${pattern}\n${watching.output().slice(-3000)}`,
    () => pattern.exec(watching.output().slice(from)),
  );

function cases(test: Test<Context>): void {
  const clients = ['mosquitto', 'mosquitto_sub', 'mosquitto_pub'];

  testWith(test, clients, 'the three lines show the cluster, run a service and stop it', async ({ cluster }) => {
    const [sub, set, clear] = await printedLines(cluster);
    const { node } = cluster.ready;
    const at = `hearth/node/${node}`;
    const watching = paste(sub);
    await says(watching, /^hearth\/status online$/m);
    await says(watching, new RegExp(`^${at}/status online$`, 'm'));
    await says(watching, new RegExp(`^${at}/info \\{.*"cores":\\d`, 'm'));
    await says(watching, new RegExp(`^${at}/load \\{.*"cpu_pct":`, 'm'));

    await runs(set);
    await says(watching, new RegExp(`^${at}/result \\{.*"key":"services.hello".*\\}$`, 'm'));
    assert.match(watching.output(), new RegExp(`^${at}/result \\{.*"ok":true`, 'm'));
    const is = await says(
      watching,
      new RegExp(`^${at}/is .*"services/hello":(\\{[^}]*"state":"running"[^}]*\\})`, 'm'),
    );
    const { pid } = JSON.parse(is[1] ?? '') as { pid: number };
    assert.ok(isThere(pid), 'its process is there');

    const before = watching.output().length;
    await runs(clear);
    await says(watching, new RegExp(`^${at}/is (?!.*services/hello)`, 'm'), before);
    await says(watching, new RegExp(`^${at}/result \\{.*"ok":true`, 'm'), before);
    await until('its process is gone', () => !isThere(pid));
    await watching.stop();
  });

  testWith(test, clients, 'nonsense is answered with what is wrong, and changes nothing', async ({ cluster }) => {
    const [sub, set] = await printedLines(cluster);
    const { node } = cluster.ready;
    const flags = /^mosquitto_pub(.*) -t /.exec(set)?.[1] ?? '';
    const watching = paste(sub);
    await says(watching, new RegExp(`^hearth/node/${node}/status online$`, 'm'));
    const own = () => [...watching.output().matchAll(new RegExp(`^hearth/node/${node}/own .*$`, 'gm'))].at(-1)?.[0];
    // Retained messages come one after the other.
    await says(watching, new RegExp(`^hearth/node/${node}/own .*\\n`, 'm'));
    const before = own();
    const nonsense: readonly (readonly [topic: string, message: string, answeredOn: string, error: RegExp])[] = [
      [`hearth/node/${node}/set/servces/hello`, 'sleep 1', `hearth/node/${node}/result`, /services/],
      [`hearth/node/${node}/set/services/hello`, '{"run":', `hearth/node/${node}/result`, /JSON/],
      [`hearth/node/${node}/set`, '{"services":7}', `hearth/node/${node}/result`, /services/],
      [`hearth/node/${node}/do/dance`, '', `hearth/node/${node}/result`, /dance/],
      ['hearth/node/nobody-here/set/services/hello', 'sleep 1', 'hearth/node/nobody-here/result', /nobody-here/],
      ['hearth/nod/x/set/services/hello', 'sleep 1', 'hearth/result', /nod/],
    ];
    for (const [topic, message, answeredOn, error] of nonsense) {
      const from = watching.output().length;
      await runs(`mosquitto_pub${flags} -t ${topic} -m '${message}'`);
      const answer = await says(watching, new RegExp(`^${answeredOn} (\\{.*"ok":false.*\\})$`, 'm'), from);
      assert.match(JSON.parse(answer[1] ?? '').error, error, topic);
    }
    assert.is(own(), before);
    await watching.stop();
  });

  testWith(test, [...clients, 'mosquitto_rr'], 'mosquitto_rr -V 5 gets its answer', async ({ cluster }) => {
    const [, set] = await printedLines(cluster);
    const flags = /^mosquitto_pub(.*) -t /.exec(set)?.[1] ?? '';
    const at = `hearth/node/${cluster.ready.node}`;
    const ask = (topic: string, message: string) =>
      runs(`mosquitto_rr -V 5${flags} -W 60 -q 1 -e answers/me -t ${topic} -m '${message}'`);
    assert.is(JSON.parse(await ask(`${at}/set/services/asked`, 'sleep 1000')).ok, true);
    assert.is(JSON.parse(await ask(`${at}/set/services/asked/run`, '{"a":1}')).part, 'set');
    assert.is(JSON.parse(await ask(`${at}/set/nonsense`, '1')).ok, false);
    await runs(`mosquitto_pub${flags} -q 1 -t ${at}/set/services/asked -n`);
  });
}

const embedded = suite<Context>('hearth up');
embedded.before(async context => {
  context.cluster = await up({ flags: ['--period', '1000'] });
});
embedded.after(async ({ cluster }) => void (await cluster.process.stop()));
cases(embedded);
embedded.run();

const outside = suite<Context>('hearth up --broker');
testWith(outside, ['mosquitto'], 'starts on a Mosquitto', async context => {
  const mosquitto = await startMosquitto();
  context.mosquitto = mosquitto;
  context.cluster = await up({ flags: ['--period', '1000', '--broker', mosquitto.url] });
  assert.is(context.cluster.ready.mqtt, mosquitto.port);
});
cases(outside);
outside.after(async ({ cluster, mosquitto }) => {
  await cluster?.process.stop();
  await mosquitto?.process.stop();
});
outside.run();
