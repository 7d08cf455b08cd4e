/**
 * What nodes say about themselves, checked and put into the view. Unknown keys are ignored (a newer agent); what does
 * not fit is counted and named on `event` once per node and minute.
 */
import type { Clock } from '../../shared/clock.ts';
import { type DecodeOptions, decode } from '../../shared/codec.ts';
import { type ContractError, sentence } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import { type Is, isPayload } from '../../shared/schemas/observed.ts';
import { heartbeatPayload } from '../../shared/schemas/presence.ts';
import { coresPayload, infoPayload, loadPayload } from '../../shared/schemas/telemetry.ts';
import { TokenBucket } from '../orders/token-bucket.ts';
import type { Events } from './events.ts';
import type { FleetView } from './view.ts';

/** Bytes: what one node may take of the supervisor's memory. */
export const reportLimits = { load: 4096, heartbeat: 512, cores: 48 * 1024, info: 8192, is: limits.is } as const;
const complainEveryMs = 60_000;
/** Anybody may claim to be a node nobody knows, without end. */
const strangerRate = { perSecond: 0.1, burst: 10 } as const;

export type ReportPart = keyof typeof reportLimits;
export const isReportPart = (part: string): part is ReportPart => Object.hasOwn(reportLimits, part);

export interface ReportsParts {
  readonly clock: Clock;
  readonly view: FleetView;
  readonly events: Events;
  /** Called for every load and heartbeat that fits, before it is shown. */
  sign(node: string, epoch: number, serial: number | undefined): void;
  /** Whether what came over connection `serial` is the word of the node's current session. */
  speaksFor(node: string, serial: number | undefined): boolean;
}

export class Reports {
  readonly #parts: ReportsParts;
  readonly #bad = new Map<string, { count: number; toldAt: number }>();
  readonly #strangers: TokenBucket;

  constructor(parts: ReportsParts) {
    this.#parts = parts;
    this.#strangers = new TokenBucket(strangerRate, parts.clock.now());
  }

  /** A birth or will that was not understood: told of a stranger, too, since it keeps them from joining. */
  badBirth(node: string, error: ContractError): void {
    const { clock, events, view } = this.#parts;
    if (view.get(node)) this.#complain(node, 'lwt', error);
    else if (this.#strangers.take(clock.now())) {
      events.emit('warn', 'bad-report', `its birth was not understood: ${sentence(error)}`, node);
    }
  }

  /** @param serial the connection it came over, where the broker tells. */
  take(node: string, part: ReportPart, payload: Uint8Array, serial: number | undefined): void {
    const options: DecodeOptions = { maxBytes: reportLimits[part], maxDepth: 4 };
    switch (part) {
      case 'load': {
        const load = decode(loadPayload, payload, options);
        if (!load.ok) this.#complain(node, part, load.error);
        else if (this.#isOwn(node, part, load.value.node)) {
          this.#parts.sign(node, load.value.epoch, serial);
          this.#show(node, serial, { load: load.value });
        }
        break;
      }
      case 'heartbeat': {
        const beat = decode(heartbeatPayload, payload, options);
        if (!beat.ok) this.#complain(node, part, beat.error);
        else if (this.#isOwn(node, part, beat.value.node)) this.#parts.sign(node, beat.value.epoch, serial);
        break;
      }
      case 'cores': {
        const cores = decode(coresPayload, payload, options);
        if (!cores.ok) this.#complain(node, part, cores.error);
        else if (this.#isOwn(node, part, cores.value.node)) this.#show(node, serial, { cores: cores.value.pct });
        break;
      }
      case 'info': {
        const info = decode(infoPayload, payload, options);
        if (!info.ok) this.#complain(node, part, info.error);
        else if (this.#isOwn(node, part, info.value.node)) this.#show(node, serial, { info: info.value });
        break;
      }
      case 'is': {
        const is = decode(isPayload, payload, options);
        if (!is.ok) this.#complain(node, part, is.error);
        else if (this.#isOwn(node, part, is.value.node)) this.#takeIs(node, is.value, serial);
        break;
      }
    }
  }

  forget(node: string): void {
    this.#bad.delete(node);
  }

  /** Only nodes that had a birth are shown, and of two that claim one id only the one that was accepted. */
  #show(node: string, serial: number | undefined, news: Parameters<FleetView['put']>[1]): void {
    if (this.#parts.speaksFor(node, serial)) this.#parts.view.put(node, news);
  }

  #takeIs(node: string, is: Is, serial: number | undefined): void {
    if (!this.#parts.speaksFor(node, serial)) return;
    const { view, events } = this.#parts;
    const before = view.get(node)?.is;
    view.put(node, { is });
    if (is.err !== '' && is.err !== before?.err) events.emit('warn', 'node-error', is.err, node);
    for (const [item, { state, err }] of Object.entries(is.items)) {
      if (state !== 'crash-loop' && state !== 'failed') continue;
      if (before?.items[item]?.state === state) continue;
      events.emit('warn', state, `${item}: ${err ?? state}`, node);
    }
  }

  #isOwn(node: string, part: ReportPart, named: string): boolean {
    if (named === node) return true;
    this.#complain(node, part, { code: 'schema', message: 'it names another node', at: 'node' });
    return false;
  }

  #complain(node: string, part: ReportPart | 'lwt', error: ContractError): void {
    // A stranger's rubbish leaves nothing behind.
    if (!this.#parts.view.get(node)) return;
    const now = this.#parts.clock.now();
    const bad = this.#bad.get(node) ?? { count: 0, toldAt: Number.NEGATIVE_INFINITY };
    this.#bad.set(node, bad);
    bad.count++;
    if (now - bad.toldAt < complainEveryMs) return;
    const more = bad.count > 1 ? ` (${bad.count} such messages)` : '';
    this.#parts.events.emit('warn', 'bad-report', `its ${part} was not understood: ${sentence(error)}${more}`, node);
    bad.count = 0;
    bad.toldAt = now;
  }
}
