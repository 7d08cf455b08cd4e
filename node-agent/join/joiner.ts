/** Asks to join until somebody lets this machine in: the requests, the search and the timer around {@link JoinCore}. */
import type { KeyObject } from 'node:crypto';
import type { Verifier } from '../../shared/authority.ts';
import type { Clock, Random, Timer } from '../../shared/clock.ts';
import { check } from '../../shared/codec.ts';
import { sentence } from '../../shared/errors.ts';
import { joinCode } from '../../shared/join-code.ts';
import { proto } from '../../shared/limits.ts';
import { printable } from '../../shared/names.ts';
import { type JoinFacts, type JoinRequest, joinAnswer } from '../../shared/schemas/trust.ts';
import type { TrustedTime } from '../connection/trusted-time.ts';
import type { Browsing } from '../discovery/browse.ts';
import { type Admitted, admitted } from './admitted.ts';
import { type Answer, AskError, ask, sentenceOf } from './ask.ts';
import { makeCsr, proofBy, publicKeyOf } from './csr.ts';
import { JoinCore, type JoinEffect, type JoinEvent, type JoinState } from './join-core.ts';
import type { JoinPlan } from './start-way.ts';
import { fetchBundle, fetchTime, type OpenedBundle, trustedBy } from './statements.ts';

export interface JoinerParts {
  readonly plan: JoinPlan;
  readonly key: KeyObject;
  /** The key of the copied folder that `plan.former` is. */
  readonly formerKey?: KeyObject;
  readonly sealKey: string;
  readonly inst: string;
  readonly facts: JoinFacts;
  readonly verifier: Verifier;
  readonly clock: Clock;
  readonly random: Random;
  readonly time: TrustedTime;
  say(state: JoinState, text: string, code?: string): void;
  clockOff(ms: number): void;
  /** Where it was let in, and how. */
  joined(admitted: Admitted, address: string): void;
}

/** A search is over when somebody was found, or after this. */
const searchForMs = 6000;

export class Joiner {
  readonly #parts: JoinerParts;
  readonly #core: JoinCore;
  readonly #csr: string;
  #bundle: { readonly address: string; readonly opened: OpenedBundle } | undefined;
  #browsing: Browsing | undefined;
  #searching: Timer | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(parts: JoinerParts) {
    const { plan, random, key } = parts;
    this.#parts = parts;
    this.#core = new JoinCore(plan.address, plan.address === undefined || plan.cluster !== undefined, random);
    this.#csr = makeCsr(key);
  }

  start(): void {
    this.#step({ type: 'start' });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#endSearch();
  }

  #step(event: JoinEvent): void {
    if (this.#stopped) return;
    const { clock } = this.#parts;
    for (const effect of this.#core.step(event, clock.now())) this.#run(effect);
    this.#timer?.cancel();
    const at = this.#core.deadline();
    if (at < Number.POSITIVE_INFINITY) {
      this.#timer = clock.after(Math.max(0, at - clock.now()), () => this.#step({ type: 'tick' }));
    }
  }

  #run(effect: JoinEffect): void {
    if (effect.type === 'say') this.#parts.say(effect.state, effect.text, effect.code);
    else if (effect.type === 'search') this.#search();
    else {
      const asked = effect.type === 'ask' ? this.#ask(effect.address) : this.#again(effect.address, effect.ticket);
      asked.then(
        event => this.#step(event),
        (error: Error) => {
          // Another bundle may be what is missing, and another clock.
          this.#bundle = undefined;
          this.#step({ type: 'failed', sentence: error.message });
        },
      );
    }
  }

  /** Who may be asked at this address: its bundle, and the time. @throws AskError. */
  async #opened(address: string): Promise<OpenedBundle> {
    const { verifier, plan, time, clockOff } = this.#parts;
    if (this.#bundle?.address === address) return this.#bundle.opened;
    const opened = await fetchBundle(address, verifier, plan.cluster);
    clockOff(await fetchTime(address, verifier, opened.body, time));
    this.#bundle = { address, opened };
    return opened;
  }

  async #ask(address: string): Promise<JoinEvent> {
    const { plan, key, formerKey, sealKey, inst, facts, time } = this.#parts;
    const { body } = await this.#opened(address);
    const { former, token, node } = plan;
    const request: JoinRequest = {
      ...{ proto, csr: this.#csr, seal_key: sealKey, inst, facts },
      ...(token === undefined ? {} : { token: `${token.id}.${token.secret}` }),
      ...(node === undefined ? {} : { node }),
      ...(former && formerKey
        ? { clone_of: { cert: former.membership.cert, proof: proofBy(formerKey, 'clone', this.#csr) } }
        : {}),
    };
    const answer = await ask(address, trustedBy(body, time), { method: 'POST', path: '/join', body: request });
    return this.#judge(answer, address, key);
  }

  async #again(address: string, ticket: string): Promise<JoinEvent> {
    const { key, time } = this.#parts;
    const { body } = await this.#opened(address);
    const path = `/join/${encodeURIComponent(ticket)}`;
    const answer = await ask(address, trustedBy(body, time), { method: 'GET', path });
    return answer.status === 404 ? { type: 'gone' } : this.#judge(answer, address, key);
  }

  #judge(answer: Answer, address: string, key: KeyObject): JoinEvent {
    const { verifier, time } = this.#parts;
    const { status, json } = answer;
    if (status === 403) return { type: 'refused', sentence: sentenceOf(answer) };
    if (status === 429) return { type: 'failed', sentence: sentenceOf(answer) };
    if (status !== 200 && status !== 202) throw new AskError(`${address}: ${sentenceOf(answer)}`);
    const read = check(joinAnswer, json);
    if (!read.ok) throw new AskError(`${address}: what it answered cannot be read: ${sentence(read.error)}`);
    if (read.value.state === 'pending') {
      const { ticket, retry_ms } = read.value;
      // Not what was sent, but what this key has: a person who compares compares the keys.
      return { type: 'pending', ticket, code: joinCode(publicKeyOf(key)), retryMs: retry_ms };
    }
    const known = this.#bundle?.opened.body;
    if (!known) throw new AskError(`${address}: it answered before it was known`);
    const result = admitted(read.value, { key, known, verifier, at: time.now() });
    if (!result.ok) throw new AskError(`${address}: ${printable(sentence(result.error), 300)}`);
    this.#parts.joined(result.value, address);
    return { type: 'joined' };
  }

  #search(): void {
    const { clock, plan } = this.#parts;
    const none = (sentence: string) => {
      this.#searching?.cancel();
      this.#searching = undefined;
      this.#step({ type: 'nothing-found', sentence });
    };
    this.#searching = clock.after(searchForMs, () => none('no supervisor shows itself on this network yet'));
    if (this.#browsing) {
      this.#browsing.again();
      return;
    }
    import('../discovery/browse.ts').then(
      ({ browse }) => {
        if (this.#stopped) return;
        this.#browsing = browse({
          clock,
          ...(plan.cluster === undefined ? {} : { cluster: plan.cluster }),
          trouble: sentence => this.#searching && none(sentence),
          chosen: choice => {
            if (!this.#searching) return;
            if (choice.kind === 'several') return none(choice.sentence);
            this.#searching.cancel();
            this.#searching = undefined;
            const { addresses, port } = choice.supervisor;
            this.#step({ type: 'found', addresses: addresses.map(address => `${address}:${port}`) });
          },
        });
      },
      (error: Error) => none(error.message),
    );
  }

  #endSearch(): void {
    this.#searching?.cancel();
    this.#searching = undefined;
    this.#browsing?.close();
    this.#browsing = undefined;
  }
}
