/** Discovery over a real cable: supervisors on one host, an agent and Avahi on another. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { advertise } from '../../broker/mdns/advertise.ts';
import { silentLog } from '../../shared/log.ts';
import { systemClock, systemRandom } from '../../shared/system-clock.ts';
import { avahiNeeds, withAvahi } from '../fixture/avahi.ts';
import { type Started, start } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { makeTestCable, type TestCable } from '../fixture/test-cable.ts';

const mdns = suite<{ cable: TestCable; running: Started[] }>('mDNS over a cable');
const cluster = '0123456789abcdef'.repeat(2);
const needs = ['root', 'ip'];

mdns.before.each(context => {
  context.cable = makeTestCable();
  context.running = [];
});
mdns.after.each(async ({ cable, running }) => {
  await Promise.all(running.map(each => each.stop('SIGKILL')));
  cable.remove();
});

type Context = { readonly cable: TestCable; readonly running: Started[] };

function runOn({ cable, running }: Context, end: 0 | 1, program: string, ...args: string[]): Started {
  const file = join(import.meta.dirname, `../fixture/${program}.ts`);
  const [command = '', ...rest] = [...cable.ends[end].under, process.execPath, '--import', 'tsx', file, ...args];
  const started = start(command, rest);
  running.push(started);
  return started;
}

const supervisor = (context: Context, ...args: string[]) => runOn(context, 0, 'mdns-announcer', ...args);
const seeker = (context: Context, ...args: string[]) => runOn(context, 1, 'mdns-seeker', ...args);

function avahi(context: Context, command: string): Started {
  const started = withAvahi(context.cable.ends[1].under, command);
  context.running.push(started);
  return started;
}

testWith(mdns, needs, 'an agent finds the supervisor, and hears of its end', async context => {
  const advertised = supervisor(context, cluster);
  const agent = seeker(context);
  const [, text = ''] = await agent.line(/chosen (.*)\n/);
  const { address } = context.cable.ends[0];
  const expected = { cluster, name: 'Hearth on attic', addresses: [address], port: 22581, ver: '0.1.0' };
  assert.equal(JSON.parse(text), { kind: 'one', supervisor: expected });
  assert.is(await advertised.stop(), 0);
  await agent.line(/found \["Hearth on attic"\]\n[\s\S]*found \[\]/);
});

testWith(mdns, needs, 'an agent that is there first finds a supervisor that comes later', async context => {
  const agent = seeker(context);
  await agent.line(/found \[\]/);
  supervisor(context, cluster);
  await agent.line(/chosen .*Hearth on attic/);
});

testWith(mdns, needs, 'two clusters with one name: both are found, and the trusted one chosen', async context => {
  const other = 'f'.repeat(32);
  const both = [supervisor(context, cluster), supervisor(context, other, '8884')];
  await Promise.all(both.map(each => each.line(/settled/)));
  const agent = seeker(context);
  const [said] = await agent.line(/chosen .*There are 2 clusters.*\(2\).*\n/);
  assert.match(said, /"Hearth on attic\\*" at/);
  const faithful = seeker(context, other);
  const [, text = ''] = await faithful.line(/chosen (.*)\n/);
  assert.is(JSON.parse(text).supervisor.cluster, other);
});

testWith(mdns, [...needs, ...avahiNeeds], 'Avahi resolves both services', async context => {
  supervisor(context, cluster);
  for (const [type, port] of [
    ['_hearth._tcp', 22581],
    ['_secure-mqtt._tcp', 8883],
  ]) {
    const browser = avahi(context, `avahi-browse -rp ${type}`);
    const [line] = await browser.line(/^=;.*\n/m);
    assert.match(line, `;hearth-0123456789ab.local;${context.cable.ends[0].address};${port};`);
    for (const word of ['"txtvers=1"', `"cluster=${cluster}"`, '"ver=0.1.0"']) assert.ok(line.includes(word), line);
    await browser.stop('SIGKILL');
  }
});

testWith(mdns, [...needs, ...avahiNeeds], 'a name that Avahi has published stays theirs', async context => {
  const publisher = avahi(context, "avahi-publish -s 'Hearth on attic' _hearth._tcp 99");
  await publisher.line(/Established under name 'Hearth on attic'/);
  const advertised = supervisor(context, cluster);
  await advertised.line(/settled Hearth on attic \(2\)\n/);
  assert.not.match(advertised.output(), /settled Hearth on attic\n/);
});

mdns.run();

const bare = suite('mDNS without a cable');

bare('a machine without any network is no trouble', async () => {
  const advertisement = advertise({
    ...{ cluster, ver: '0.1.0', hostname: hostname(), httpPort: 22581, tlsPort: 8883 },
    ...{ clock: systemClock(), random: systemRandom(), log: silentLog, interfaces: () => [] },
  });
  assert.not.ok(advertisement.settled);
  await new Promise<void>(resolve => advertisement.close(resolve));
});

bare.run();
