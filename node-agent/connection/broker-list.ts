/** Where the supervisor may be reached, and which of it is tried next: what worked last stays first. Pure. */
import { type BrokerAddress, parseBroker } from './broker-address.ts';

const most = 16;

export class BrokerList {
  #urls: string[];
  #at = 0;

  constructor(urls: readonly string[]) {
    this.#urls = [...new Set(urls)].slice(0, most);
  }

  get url(): string {
    return this.#urls[this.#at] ?? '';
  }

  get urls(): readonly string[] {
    return this.#urls;
  }

  current(): BrokerAddress {
    return parseBroker(this.url);
  }

  /** This one could not be reached, or would not have us. */
  failed(): void {
    this.#at = (this.#at + 1) % Math.max(1, this.#urls.length);
  }

  /** The supervisor has told its addresses anew. The one in use stays the first to be tried. */
  replace(urls: readonly string[]): void {
    if (urls.length === 0) return;
    const { url } = this;
    this.#urls = [...new Set(urls)].slice(0, most);
    this.#at = Math.max(0, this.#urls.indexOf(url));
  }

  /** Addresses that the network shows are tried next, before those that have just failed. */
  add(urls: readonly string[]): void {
    const fresh = urls.filter(url => !this.#urls.includes(url)).slice(0, most / 2);
    if (fresh.length === 0) return;
    this.#urls = [...fresh, ...this.#urls].slice(0, most);
    this.#at = 0;
  }
}
