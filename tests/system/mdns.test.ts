/** Discovery over a real cable: a supervisor on this machine, an agent and Avahi on another host. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Advertisement, advertise } from '../../broker/mdns/advertise.ts';
import { silentLog } from '../../shared/log.ts';
import { ownInterfaces } from '../../shared/mdns/links.ts';
import { systemClock, systemRandom } from '../../shared/system-clock.ts';
import { avahiNeeds, withAvahi } from '../fixture/avahi.ts';
import { start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { makeTestHost, type TestHost } from '../fixture/test-host.ts';

const mdns = suite<{ host: TestHost; open: Advertisement[] }>('mDNS over a cable');
const cluster = '0123456789abcdef'.repeat(2);

mdns.before.each(context => {
  context.host = makeTestHost();
  context.open = [];
});
mdns.after.each(async ({ host, open }) => {
  await Promise.all(open.map(close));
  host.remove();
});

const close = (advertisement: Advertisement): Promise<void> => new Promise(resolve => advertisement.close(resolve));

/** Only on the cable to the test's own host: the network that this machine is on has nothing to do with it. */
function supervisor({ host, open }: { host: TestHost; open: Advertisement[] }, own = cluster, tlsPort = 8883) {
  const advertisement = advertise({
    ...{ cluster: own, ver: '0.1.0', hostname: 'attic', httpPort: 22581, tlsPort },
    ...{ clock: systemClock(), random: systemRandom(), log: silentLog },
    interfaces: () => ownInterfaces().filter(({ address }) => address === host.near),
  });
  open.push(advertisement);
  return advertisement;
}

function seeker({ host }: { host: TestHost }, ...args: string[]) {
  const program = join(import.meta.dirname, '../fixture/mdns-seeker.ts');
  const [command = '', ...rest] = [...host.under, process.execPath, '--import', 'tsx', program, ...args];
  return start(command, rest);
}

testWith(mdns, ['root', 'ip'], 'an agent finds the supervisor, and hears of its end', async context => {
  const advertisement = supervisor(context);
  const agent = seeker(context);
  const [, text = ''] = await agent.line(/chosen (.*)\n/);
  const { kind, supervisor: found } = JSON.parse(text);
  assert.is(kind, 'one');
  assert.equal(found, { cluster, name: 'Hearth on attic', addresses: [context.host.near], port: 22581, ver: '0.1.0' });
  await close(advertisement);
  await agent.line(/found \[\]/);
  await agent.stop();
});

testWith(mdns, ['root', 'ip'], 'an agent that is there first finds a supervisor that comes later', async context => {
  const agent = seeker(context);
  await agent.line(/found \[\]/);
  supervisor(context);
  await agent.line(/chosen .*Hearth on attic/);
  await agent.stop();
});

testWith(
  mdns,
  ['root', 'ip'],
  'two clusters with one name: both are found, and the trusted one chosen',
  async context => {
    const other = 'f'.repeat(32);
    const [first, second] = [supervisor(context), supervisor(context, other, 8884)];
    await until('both have a name', () => first.settled && second.settled);
    assert.equal([first.name, second.name].sort(), ['Hearth on attic', 'Hearth on attic (2)']);
    const agent = seeker(context);
    await agent.line(/chosen .*There are 2 clusters/);
    await agent.stop();
    const faithful = seeker(context, other);
    const [, text = ''] = await faithful.line(/chosen (.*)\n/);
    assert.is(JSON.parse(text).supervisor.cluster, other);
    await faithful.stop();
  },
);

testWith(mdns, avahiNeeds, 'Avahi resolves both services', async context => {
  supervisor(context);
  for (const [type, port] of [
    ['_hearth._tcp', 22581],
    ['_secure-mqtt._tcp', 8883],
  ]) {
    const browser = withAvahi(context.host.under, `avahi-browse -rp ${type}`);
    const [line] = await browser.line(/^=;.*\n/m);
    assert.match(line, `;hearth-0123456789ab.local;${context.host.near};${port};`);
    for (const word of ['"txtvers=1"', `"cluster=${cluster}"`, '"ver=0.1.0"']) assert.ok(line.includes(word), line);
    await browser.stop('SIGKILL');
  }
});

testWith(mdns, avahiNeeds, 'a name that Avahi has published stays theirs', async context => {
  const publisher = withAvahi(context.host.under, "avahi-publish -s 'Hearth on attic' _hearth._tcp 99");
  await publisher.line(/Established under name 'Hearth on attic'/);
  const advertisement = supervisor(context);
  await until('it has a name', () => advertisement.settled);
  assert.is(advertisement.name, 'Hearth on attic (2)');
  await publisher.stop('SIGKILL');
});

const bare = suite('mDNS without a cable');

bare('a machine without any network is no trouble', async () => {
  const advertisement = advertise({
    ...{ cluster, ver: '0.1.0', hostname: hostname(), httpPort: 22581, tlsPort: 8883 },
    ...{ clock: systemClock(), random: systemRandom(), log: silentLog, interfaces: () => [] },
  });
  assert.not.ok(advertisement.settled);
  await close(advertisement);
});

mdns.run();
bare.run();
