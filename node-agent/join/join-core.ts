/**
 * Joining, step by step: ask where the person said, or where the network shows a supervisor; wait while somebody has to
 * approve; and where that fails, try again ever more slowly. Pure: events in, effects out.
 */
import { fullJitter, type Random } from '../../shared/clock.ts';

export const joinTimes = {
  /** Nobody answers: full jitter within `firstMs × 2^attempt`, at most `capMs`. */
  firstMs: 1000,
  capMs: 30_000,
  /** Refused: it will not be otherwise in a second. Doubled each time. */
  refusedMs: 60_000,
  refusedCapMs: 3_600_000,
  /** A pending machine asks again as the supervisor says, within these. */
  leastRetryMs: 200,
  mostRetryMs: 600_000,
  /** A search that found nothing is repeated after this. */
  searchMs: 5000,
} as const;

/** After this many failures in a row at known addresses the network is asked, too: the supervisor's may have changed. */
const searchEvery = 3;
const mostAddresses = 16;

export type JoinEvent =
  | { readonly type: 'start' }
  | { readonly type: 'tick' }
  /** Supervisors that the network shows, `HOST:PORT`. */
  | { readonly type: 'found'; readonly addresses: readonly string[] }
  /** Several clusters, or none: the sentence says so. */
  | { readonly type: 'nothing-found'; readonly sentence: string }
  | { readonly type: 'failed'; readonly sentence: string }
  | { readonly type: 'pending'; readonly ticket: string; readonly code: string; readonly retryMs: number }
  | { readonly type: 'refused'; readonly sentence: string; readonly retryMs?: number }
  /** The ticket is not known any more. */
  | { readonly type: 'gone' }
  | { readonly type: 'joined' };

export type JoinEffect =
  | { readonly type: 'ask'; readonly address: string }
  | { readonly type: 'again'; readonly address: string; readonly ticket: string }
  | { readonly type: 'search' }
  /** Once for each new thing there is to say. */
  | { readonly type: 'say'; readonly state: JoinState; readonly text: string; readonly code?: string };

export type JoinState = 'searching' | 'asking' | 'pending' | 'refused' | 'joined';

export class JoinCore {
  readonly #random: Random;
  /** That a person named; then those that the network showed. */
  #addresses: string[];
  readonly #named: boolean;
  readonly #maySearch: boolean;
  #at = 0;
  #failures = 0;
  #refusals = 0;
  #ticket: string | undefined;
  #due = Number.POSITIVE_INFINITY;
  #next: 'ask' | 'search' = 'ask';
  #busy = false;
  #said = '';
  #state: JoinState | undefined;

  /** @param maySearch the cluster is known by its fingerprint, or no address is: then the network may be asked. */
  constructor(address: string | undefined, maySearch: boolean, random: Random) {
    this.#random = random;
    this.#addresses = address === undefined ? [] : [address];
    this.#named = address !== undefined;
    this.#maySearch = maySearch;
  }

  deadline(): number {
    return this.#due;
  }

  step(event: JoinEvent, now: number): readonly JoinEffect[] {
    if (event.type === 'tick' && (this.#busy || now < this.#due)) return [];
    if (event.type !== 'tick') this.#busy = false;
    switch (event.type) {
      case 'start':
        return this.#go(this.#named ? 'ask' : 'search');
      case 'tick':
        return this.#go(this.#next);
      case 'found':
        return this.#found(event.addresses);
      case 'nothing-found':
        return this.#nothing(event.sentence, now);
      case 'failed':
        return this.#failed(event.sentence, now);
      case 'gone':
        this.#ticket = undefined;
        return this.#wait(now + joinTimes.firstMs * this.#random.next());
      case 'pending': {
        this.#ticket = event.ticket;
        this.#failures = 0;
        const { leastRetryMs, mostRetryMs } = joinTimes;
        const text = `waiting to be approved as ${event.code}: compare the code, then "hearth approve ${event.code}" where the supervisor runs`;
        this.#wait(now + Math.min(mostRetryMs, Math.max(leastRetryMs, event.retryMs)));
        return this.#say('pending', text, event.code);
      }
      case 'refused': {
        this.#ticket = undefined;
        const { refusedMs, refusedCapMs } = joinTimes;
        // At least half of it: a refusal is answered to many at once.
        const most = Math.min(refusedCapMs, refusedMs * 2 ** Math.min(20, this.#refusals++));
        const wait = event.retryMs ?? most * (0.5 + 0.5 * this.#random.next());
        this.#wait(now + Math.min(refusedCapMs, Math.max(joinTimes.firstMs, wait)));
        return this.#say('refused', event.sentence);
      }
      case 'joined':
        this.#due = Number.POSITIVE_INFINITY;
        return this.#say('joined', 'joined');
    }
  }

  #go(what: 'ask' | 'search'): readonly JoinEffect[] {
    this.#due = Number.POSITIVE_INFINITY;
    this.#busy = true;
    const address = this.#addresses[this.#at % Math.max(1, this.#addresses.length)];
    if (what === 'search' || address === undefined) {
      // A search that goes on is no news; what the last one found is still what there is to say.
      const begun =
        this.#state === 'searching' ? [] : this.#say('searching', 'looking for a supervisor on the network');
      return [...begun, { type: 'search' }];
    }
    const ticket = this.#ticket;
    return [ticket === undefined ? { type: 'ask', address } : { type: 'again', address, ticket }];
  }

  #found(addresses: readonly string[]): readonly JoinEffect[] {
    const fresh = addresses.filter(address => !this.#addresses.includes(address));
    const named = this.#named ? this.#addresses.slice(0, 1) : [];
    this.#addresses = [...new Set([...named, ...addresses])].slice(0, mostAddresses);
    // What was just seen comes before what has just failed.
    this.#at = Math.max(0, this.#addresses.indexOf(fresh[0] ?? addresses[0] ?? ''));
    return this.#go('ask');
  }

  #nothing(sentence: string, now: number): readonly JoinEffect[] {
    this.#wait(now + joinTimes.searchMs * (0.5 + this.#random.next()), this.#named ? 'ask' : 'search');
    return this.#named ? [] : this.#say('searching', sentence);
  }

  #failed(sentence: string, now: number): readonly JoinEffect[] {
    this.#failures++;
    this.#at++;
    const { firstMs, capMs } = joinTimes;
    const search = this.#maySearch && (!this.#named || this.#failures % searchEvery === 0);
    const wait = fullJitter(this.#failures - 1, firstMs, capMs, this.#random);
    this.#wait(now + wait, search && this.#ticket === undefined ? 'search' : 'ask');
    return this.#say(this.#ticket === undefined ? 'asking' : 'pending', sentence);
  }

  #wait(until: number, next: 'ask' | 'search' = 'ask'): readonly JoinEffect[] {
    this.#due = until;
    this.#next = next;
    return [];
  }

  #say(state: JoinState, text: string, code?: string): readonly JoinEffect[] {
    if (text === this.#said) return [];
    this.#said = text;
    this.#state = state;
    return [{ type: 'say', state, text, ...(code === undefined ? {} : { code }) }];
  }
}
