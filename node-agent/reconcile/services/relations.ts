/** Who waits for whom among a node's items, and how that stands: the table's memory of it, without a life of its own. */
import { circlesOf, pathOf } from '../../../shared/needs.ts';
import type { Service } from '../../../shared/schemas/service.ts';
import { type Around, aroundOf, type ItemStates, type Standing, waitsForOthers } from './around.ts';

const none: ReadonlySet<string> = new Set();

export class Relations {
  readonly #items: ItemStates | undefined;
  readonly #standing: (service: string) => Standing | undefined;
  /** Services that wait for something, as they were last told to be. */
  readonly #waiting = new Map<string, Service>();
  /** Item path -> services that wait for it. */
  readonly #dependants = new Map<string, Set<string>>();
  /** Names of all services of the document. */
  #expected: ReadonlySet<string> = none;
  #circles: ReadonlyMap<string, readonly string[]> = new Map();

  /** @param standing of a service that is known; undefined for one that is not, or is to be gone. */
  constructor(items: ItemStates | undefined, standing: (service: string) => Standing | undefined) {
    this.#items = items;
    this.#standing = standing;
  }

  /** The document whose steps come now: what it names is `pending` until it is told to be. */
  expect(services: Readonly<Record<string, Service>>): void {
    const waiting = Object.values(services).some(waitsForOthers);
    this.#expected = waiting ? new Set(Object.keys(services)) : none;
    this.#circles = waiting ? circlesOf(services) : new Map();
  }

  /** The service is told to be this, or to be gone. */
  set(service: string, spec: Service | undefined): void {
    const before = this.#waiting.get(service);
    for (const path of pathsOf(before)) {
      const dependants = this.#dependants.get(path);
      dependants?.delete(service);
      if (dependants?.size === 0) this.#dependants.delete(path);
    }
    this.#waiting.delete(service);
    if (!spec || !waitsForOthers(spec)) return;
    this.#waiting.set(service, spec);
    for (const path of pathsOf(spec)) {
      const dependants = this.#dependants.get(path);
      if (dependants) dependants.add(service);
      else this.#dependants.set(path, new Set([service]));
    }
  }

  /** Services that wait for something. */
  waiting(): readonly string[] {
    return [...this.#waiting.keys()];
  }

  dependants(path: string): ReadonlySet<string> {
    return this.#dependants.get(path) ?? none;
  }

  /** Undefined for a service that waits for nothing. */
  around(service: string): Around | undefined {
    const spec = this.#waiting.get(service);
    if (!spec) return undefined;
    const stateOf = (path: string): Standing | undefined => {
      if (!path.startsWith('services/')) return this.#items?.stateOf(path);
      const name = path.slice('services/'.length);
      return this.#standing(name) ?? (this.#expected.has(name) ? 'pending' : undefined);
    };
    return aroundOf(spec, { stateOf, markOf: path => this.#items?.markOf(path) }, this.#circles.get(service));
  }
}

const pathsOf = (spec: Service | undefined): readonly string[] =>
  [...(spec?.after ?? []), ...(spec?.needs ?? [])].map(pathOf);
