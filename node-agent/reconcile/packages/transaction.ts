/**
 * One transaction with one manager: everything that is to change, in as few commands as it allows. What cannot go is
 * found before anything is touched, and stops nothing else. Pure: a talk, whatever the manager.
 */
import type { Change, Failure, Manager, Offer, Provider, Talk } from './provider.ts';

export interface TransactionParts {
  readonly provider: Provider;
  readonly manager: Manager;
  readonly changes: readonly Change[];
  /** Milliseconds since the lists of what there is were fetched; undefined: nobody knows. */
  readonly listsAgeMs: number | undefined;
}

/** Lists older than this are fetched anew before something is installed. */
export const listsStaleMs = 24 * 3_600_000;
/** How long another run of the manager is waited for, before the transaction is given up for now. */
const lockPatienceMs = 30 * 60_000;
const firstLockPauseMs = 500;
const longestLockPauseMs = 5_000;
/** Servers that do not answer one by one: after so many nobody asks on. */
const networkTries = 3;

export type Failures = ReadonlyMap<string, Failure>;
type Attempt = (changes: readonly Change[]) => Talk<Failure | undefined>;

/** @returns what failed, by item; whether the rest is so is for the look that follows. */
export function* transact(parts: TransactionParts): Talk<Failures> {
  const { provider, manager, changes } = parts;
  const failures = new Map<string, Failure>();
  const left = () => changes.filter(change => !failures.has(change.item));
  const touching = () => left().filter(change => change.action !== 'keep');
  const fail = (these: readonly Change[], failure: Failure) => {
    for (const { item } of these) failures.set(item, failure);
  };
  const patiently = (attempt: Attempt): Attempt =>
    function* (these) {
      return yield* patient(provider, () => attempt(these));
    };

  yield* sortOut(parts, patiently, failures);
  if (provider.preview) yield* sift(touching(), patiently(provider.preview), fail, 'together');
  if (provider.fetch) {
    const fetch = provider.fetch;
    yield* sift(touching(), patiently(refreshing(provider, fetch)), fail, 'alone');
  }

  const setHold = function* (these: readonly Change[], on: boolean): Talk<void> {
    if (these.length === 0 || !provider.hold) return;
    const hold = provider.hold;
    const names = [...new Set(these.map(change => change.name))];
    const failure = yield* patient(provider, () => hold(names, on));
    if (failure) fail(these, failure);
  };
  yield* setHold(
    left().filter(change => change.release),
    false,
  );
  yield* sift(
    touching(),
    patiently(these => provider.apply(manager, these)),
    fail,
    'alone',
  );
  // Also where the change failed: what Hearth let go for it is held again.
  yield* setHold(
    changes.filter(change => change.hold && (change.release || !failures.has(change.item))),
    true,
  );
  return failures;
}

/** Fetches the lists where that is needed, and sorts out what the manager does not know. */
function* sortOut(
  { provider, changes, listsAgeMs }: TransactionParts,
  patiently: (attempt: Attempt) => Attempt,
  failures: Map<string, Failure>,
): Talk<void> {
  const installs = changes.filter(change => change.action === 'install');
  if (installs.length === 0 || !provider.offers) return;
  const names = [...new Set(installs.map(change => change.name))];
  let offers = yield* provider.offers(names);
  const unknown = () => installs.filter(change => !isOffered(change, offers.get(change.name)));
  const stale = provider.lists !== undefined && (listsAgeMs ?? Number.POSITIVE_INFINITY) > listsStaleMs;
  let refreshed: Failure | undefined;
  if (provider.refresh && (stale || unknown().length > 0)) {
    const refresh = provider.refresh;
    refreshed = yield* patiently(() => refresh())([]);
    offers = yield* provider.offers(names);
  }
  for (const change of unknown()) {
    failures.set(change.item, refreshed ?? { sentence: unknownSentence(provider, change, offers.get(change.name)) });
  }
  const versions = [...offers].flatMap(([name, { candidate }]): [string, string][] =>
    candidate === undefined ? [] : [[name, candidate]],
  );
  yield { tell: { versions: new Map(versions) } };
}

const isOffered = ({ version }: Change, offer: Offer | undefined): boolean =>
  offer !== undefined && (version === undefined ? offer.candidate !== undefined : offer.versions.includes(version));

function unknownSentence(
  { name: manager, hint }: Provider,
  { name, version }: Change,
  offer: Offer | undefined,
): string {
  if (!offer) {
    const why = hint ?? 'is it another name, or a source that this machine does not have?';
    return `${manager} knows no package "${name}": ${why}`;
  }
  const shown = offer.versions.slice(0, 5).join(', ');
  if (version === undefined)
    return `${manager} may not install "${name}": it has ${shown}, and a rule of this machine forbids it`;
  return `${manager} has no version ${version} of "${name}", only ${shown}`;
}

/** Lists that name what the server no longer has are fetched anew, once. */
const refreshing = (provider: Provider, fetch: Attempt): Attempt =>
  function* (changes) {
    const failure = yield* fetch(changes);
    if (failure?.why !== 'stale' || !provider.refresh) return failure;
    return (yield* provider.refresh()) ?? (yield* fetch(changes));
  };

/**
 * Attempts all at once, and where that fails one by one, so that only who is at fault fails. `together`: those that
 * went alone must go together too.
 */
function* sift(
  changes: readonly Change[],
  attempt: Attempt,
  fail: (these: readonly Change[], failure: Failure) => void,
  then: 'alone' | 'together',
): Talk<void> {
  if (changes.length === 0) return;
  const all = yield* attempt(changes);
  if (!all) return;
  if (changes.length === 1 || all.why === 'lock' || all.why === 'disk') return fail(changes, all);
  const good: Change[] = [];
  let unreachable = 0;
  for (const change of changes) {
    const one = unreachable >= networkTries ? all : yield* attempt([change]);
    if (one?.why === 'network') unreachable++;
    else if (!one) unreachable = Number.NEGATIVE_INFINITY;
    if (one) fail([change], one);
    else good.push(change);
  }
  if (then === 'alone' || good.length < 2) return;
  const rest = yield* attempt(good);
  if (rest) fail(good, rest);
}

/** Waits for another run of the manager to end, and finishes what one was interrupted in. */
export function* patient(provider: Provider, attempt: () => Talk<Failure | undefined>): Talk<Failure | undefined> {
  let waitedMs = 0;
  let pauseMs = firstLockPauseMs;
  let repaired = false;
  for (;;) {
    const failure: Failure | undefined = yield* attempt();
    if (failure?.why === 'lock' && waitedMs < lockPatienceMs) {
      yield { tell: { waiting: failure.holder ?? `another ${provider.name}` } };
      yield { pauseMs };
      waitedMs += pauseMs;
      pauseMs = Math.min(longestLockPauseMs, pauseMs * 2);
      continue;
    }
    if (waitedMs > 0) yield { tell: { waiting: '' } };
    if (failure?.why !== 'interrupted' || repaired || !provider.repair) return failure;
    repaired = true;
    const repair = provider.repair;
    const left: Failure | undefined = yield* repair();
    // What it could not finish may be what the changes put right: they are tried all the same.
    if (left?.why === 'lock') repaired = false;
  }
}
