/** What is known of one config topic on one broker: what lies there, and what was sent last. */
import { createHash } from 'node:crypto';
import { parseJson } from '../../shared/codec.ts';
import { isObject } from '../../shared/merge-patch.ts';
import { platforms } from './component.ts';
import { isExpiry, telemetryComponents } from './node-device.ts';

/** A longer announcement is nobody's that Hearth ever made. */
export const mostBytes = 64 * 1024;
const mostComponents = 64;
/** Own messages that may still come back. */
const remembered = 3;

export class OnBroker {
  /** Hash of what lies there, as far as anybody told; undefined: nothing. */
  hash: string | undefined;
  /** Its components: key to platform. */
  components: ReadonlyMap<string, string> = new Map();
  /** After how many seconds its telemetry expires. */
  expireS: number | undefined;
  /** Last publish to it of our own, whatever it was. */
  lastAt = Number.NEGATIVE_INFINITY;
  clearedAt = Number.NEGATIVE_INFINITY;
  /** When what others wrote was last replaced. */
  repairedAt = Number.NEGATIVE_INFINITY;
  /** Somebody else wrote what lies there. */
  foreign = false;
  #sent: readonly string[] = [];

  sent(text: string, now: number): void {
    this.lastAt = now;
    if (this.foreign) this.repairedAt = now;
    this.foreign = false;
    this.hash = text === '' ? undefined : hashOf(text);
    this.#read(text);
    if (this.hash === undefined) this.clearedAt = now;
    else this.#sent = [...this.#sent, this.hash].slice(-remembered);
  }

  /** Something lies there: our own message come back, or what others wrote. */
  heard(text: string): void {
    const hash = hashOf(text);
    if (hash === this.hash) return;
    const index = this.#sent.indexOf(hash);
    // The newer ones of our own follow.
    if (index >= 0 && index < this.#sent.length - 1) return;
    this.foreign = index < 0;
    this.hash = hash;
    this.#read(text);
  }

  #read(text: string): void {
    const all = allOf(text);
    this.components = componentsIn(all);
    const known = telemetryComponents.flatMap(key => (isObject(all[key]) ? [all[key].exp_aft] : []));
    this.expireS = known.find((one): one is number => Number.isInteger(one) && isExpiry(one as number));
  }
}

export const hashOf = (text: string): string => createHash('sha1').update(text).digest('base64').slice(0, 20);

/** Components of an announcement that anybody may have written: only names and platforms such as ours. */
export const componentsOf = (text: string): ReadonlyMap<string, string> => componentsIn(allOf(text));

function allOf(text: string): Readonly<Record<string, unknown>> {
  const json = text.length > mostBytes ? undefined : parseJson(text);
  const all = json?.ok && isObject(json.value) ? (json.value.cmps ?? json.value.components) : undefined;
  return isObject(all) ? all : {};
}

function componentsIn(all: Readonly<Record<string, unknown>>): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [key, component] of Object.entries(all).slice(0, mostComponents)) {
    if (!/^[a-z][a-z_]{0,31}$/.test(key) || !isObject(component)) continue;
    const platform = component.p ?? component.platform;
    // With nothing but its platform it is being removed.
    if (typeof platform === 'string' && platforms.includes(platform) && Object.keys(component).length > 1)
      found.set(key, platform);
  }
  return found;
}

/**
 * The announcement with components that it no longer has, named by their platform alone: Home Assistant removes those, and
 * only those. Left out at once they would stay for ever.
 */
export function withRemoved(text: string, gone: ReadonlyMap<string, string>): string {
  if (gone.size === 0) return text;
  const payload = JSON.parse(text) as { cmps: Record<string, object> };
  const cmps = { ...payload.cmps };
  for (const [key, platform] of gone) cmps[key] = { p: platform };
  return JSON.stringify({ ...payload, cmps });
}
