/**
 * Maintenance of one node: drain, upgrade, reboot, prove that it really rebooted and is well, resume. Every step waits for
 * what the node itself says; the first that does not come ends it, and the node stays drained for a person to look at.
 */
import type { Is } from '../../shared/schemas/observed.ts';
import type { Info } from '../../shared/schemas/telemetry.ts';

/** What is known of a node at a moment. */
export interface NodeNow {
  readonly online: boolean;
  readonly is?: Is;
  readonly info?: Info;
}

/** How orders reach nodes, and what they say comes back. */
export interface Fleet {
  now(node: string): NodeNow;
  /** Sends `do/<verb>`; undefined when the node has done it, or why it was not. */
  order(node: string, verb: string): Promise<string | undefined>;
  /** Resolves with what `pick` makes of the node as soon as that is not undefined; with undefined when time is up. */
  until<T>(node: string, ms: number, pick: (now: NodeNow) => T | undefined): Promise<T | undefined>;
  say(node: string, text: string): void;
}

export interface Maintenance {
  readonly upgrade: boolean;
  readonly reboot: boolean;
  /** Milliseconds for each part. */
  readonly upgradeMs: number;
  readonly rebootMs: number;
  readonly wellMs: number;
}

const drainMs = 60_000;

/** @returns undefined when the node is well and at work again; else one sentence on what is not. */
export async function maintain(node: string, fleet: Fleet, todo: Maintenance): Promise<string | undefined> {
  const before = fleet.now(node);
  if (!before.online) return 'it is offline';
  const bad = ailments(before.is);
  if (before.is?.state === 'failed') return `it is not well to begin with: ${before.is.err || 'failed'}`;
  const wasDraining = before.is?.state === 'draining';

  fleet.say(node, 'draining');
  const refused = await fleet.order(node, 'drain');
  if (refused !== undefined) return `it could not be drained: ${refused}`;
  const drained = await fleet.until(node, drainMs, ({ is }) => is?.state === 'draining' || undefined);
  if (!drained) return `it did not say within ${drainMs / 1000} s that it is draining`;

  if (todo.upgrade) {
    const why = await upgrade(node, fleet, todo);
    if (why !== undefined) return why;
  }
  if (todo.reboot) {
    const why = await reboot(node, fleet, todo);
    if (why !== undefined) return why;
  }
  fleet.say(node, 'looking whether it is well');
  const well = await fleet.until(node, todo.wellMs, now => isWell(now, bad) || undefined);
  if (!well) return `it is not well after ${todo.wellMs / 1000} s: ${ailing(fleet.now(node), bad)}`;
  if (wasDraining) {
    fleet.say(node, 'well; it was draining before, and stays so');
    return undefined;
  }
  const stays = await fleet.order(node, 'resume');
  if (stays !== undefined) return `it could not be resumed: ${stays}`;
  const back = await fleet.until(node, drainMs, ({ is }) => is?.state === 'ready' || undefined);
  if (!back) return `it did not say within ${drainMs / 1000} s that it is ready again`;
  fleet.say(node, 'well, and at work again');
  return undefined;
}

async function upgrade(node: string, fleet: Fleet, { upgradeMs }: Maintenance): Promise<string | undefined> {
  const since = fleet.now(node).is?.items.upgrade?.since_ms;
  fleet.say(node, 'upgrading its packages');
  const refused = await fleet.order(node, 'upgrade');
  if (refused !== undefined) return `its packages could not be upgraded: ${refused}`;
  let told = '';
  const end = await fleet.until(node, upgradeMs, ({ is }) => {
    const item = is?.items.upgrade;
    if (item?.doing !== undefined && item.doing !== told) {
      told = item.doing;
      fleet.say(node, told);
    }
    const over = item !== undefined && item.state !== 'changing' && item.state !== 'waiting';
    return over && item.since_ms !== since ? item : undefined;
  });
  if (!end) return `the upgrade was not over after ${upgradeMs / 60_000} minutes`;
  return end.state === 'ok' ? undefined : `the upgrade failed: ${end.err ?? end.state}`;
}

/** A reboot is proved by another boot id; that the connection was gone for a while proves nothing. */
async function reboot(node: string, fleet: Fleet, { rebootMs }: Maintenance): Promise<string | undefined> {
  const boot = fleet.now(node).info?.boot;
  if (boot === undefined) return 'it does not tell its boot id, so that nobody could say whether it rebooted';
  fleet.say(node, 'rebooting');
  const refused = await fleet.order(node, 'reboot');
  if (refused !== undefined) return `it could not be rebooted: ${refused}`;
  const other = ({ online, info }: NodeNow) => (online && info?.boot !== undefined && info.boot !== boot) || undefined;
  if (await fleet.until(node, rebootMs, other)) return undefined;
  const { online } = fleet.now(node);
  return online
    ? `it is online after ${rebootMs / 1000} s, but has not rebooted`
    : `it did not come back within ${rebootMs / 1000} s`;
}

/** Items that are not as they should be. Those from before are not held against the maintenance. */
function ailments(is: Is | undefined): ReadonlySet<string> {
  const bad = Object.entries(is?.items ?? {}).filter(
    ([, { state, severity }]) =>
      /^(failed|crash-loop|backoff|drifted)$/.test(state) || (state === 'fail' && severity === 'critical'),
  );
  return new Set(bad.map(([path]) => path));
}

/** Still on its way to what it should be. */
const busy = (is: Is): string | undefined =>
  Object.entries(is.items).find(([, { state }]) => /^(starting|stopping|changing|waiting)$/.test(state))?.[0];

function isWell({ online, is }: NodeNow, before: ReadonlySet<string>): boolean {
  if (!online || !is || (is.state !== 'draining' && is.state !== 'ready') || busy(is) !== undefined) return false;
  return [...ailments(is)].every(path => before.has(path)) && (is.err === '' || before.size > 0);
}

function ailing({ online, is }: NodeNow, before: ReadonlySet<string>): string {
  if (!online || !is) return 'it is offline';
  const worse = [...ailments(is)].filter(path => !before.has(path));
  const first = worse[0];
  if (first !== undefined)
    return `${first} is ${is.items[first]?.state}${worse.length > 1 ? `, and ${worse.length - 1} more` : ''}`;
  const moving = busy(is);
  return (
    is.err || (moving === undefined ? `its state is ${is.state}` : `${moving} is still ${is.items[moving]?.state}`)
  );
}
