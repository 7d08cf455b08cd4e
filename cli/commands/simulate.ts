/** `hearth simulate`: nodes that are real down to their MQTT connections, and made up below, for demos and load. */
import { simulate as startNodes } from '../../node-agent/simulate.ts';
import type { Log } from '../../shared/log.ts';
import { printable } from '../../shared/names.ts';
import { settings } from '../../shared/schemas/config.ts';
import { flagOrEnvironment, readSetting } from '../../shared/settings.ts';
import { systemClock, systemRandom } from '../../shared/system-clock.ts';
import { UserError } from '../../shared/user-error.ts';
import { untilEnded } from '../ending.ts';
import { brokerUrl } from '../running-supervisor.ts';
import { version } from '../version.ts';

export interface SimulateFlags {
  readonly nodes: string;
  readonly broker?: string;
  readonly data?: string;
  readonly base?: string;
  readonly period?: string;
  readonly prefix?: string;
  readonly cluster?: string;
  readonly perSecond?: string;
}

/** A thousand nodes that lose their broker say the same thing: one line a second will do. */
const sayEveryMs = 1000;

/** Runs until Ctrl-C; then the nodes say farewell. */
export async function simulate(flags: SimulateFlags): Promise<number> {
  const clock = systemClock();
  const nodes = count('--nodes', flags.nodes);
  const period = flags.period === undefined ? 5000 : Number(readSetting(settings.period, flags.period, '--period'));
  let said = 0;
  const say = (text: string) => {
    if (clock.now() - said < sayEveryMs) return;
    said = clock.now();
    console.error(`hearth: ${printable(text, 300)}`);
  };
  const log: Log = { debug() {}, info() {}, warn: (_, text) => say(text), error: (_, text) => say(text) };
  const ended = untilEnded();
  const simulation = startNodes({
    broker: brokerUrl(flags, process.env),
    base: String(flagOrEnvironment(settings.base, flags.base, process.env) ?? 'hearth'),
    nodes,
    periodMs: period,
    ver: version,
    clock,
    random: systemRandom(),
    log,
    ...(flags.prefix === undefined ? {} : { prefix: flags.prefix }),
    ...(flags.cluster === undefined ? {} : { cluster: flags.cluster }),
    ...(flags.perSecond === undefined ? {} : { perSecond: count('--per-second', flags.perSecond) }),
  });
  const ticker = progress(() => simulation.online, nodes);
  await ended;
  clearInterval(ticker);
  await new Promise<void>(resolve => {
    // Farewells of nodes whose broker is gone are not waited for.
    setTimeout(resolve, 3000);
    simulation.stop(resolve);
  });
  return 0;
}

function count(flag: string, text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new UserError(`${flag}: "${printable(text)}" is no number of at least 1.`, 2);
}

/** A line whenever the number of connected nodes has changed, at most one a second. */
function progress(online: () => number, nodes: number): NodeJS.Timeout {
  let last = -1;
  return setInterval(() => {
    const now = online();
    if (now !== last) console.log(`${now} of ${nodes} nodes online`);
    last = now;
  }, 1000);
}
