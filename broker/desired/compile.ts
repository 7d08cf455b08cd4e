/** From what people said to what one node obeys. With roles and placement to come, this is where they are merged. */

import type { Want } from '../../shared/schemas/node-document.ts';
import type { Service } from '../../shared/schemas/service.ts';

/** A node's accepted document. */
export interface NodeEntry {
  readonly services: Readonly<Record<string, Service>>;
  /** Journal sequence of the last change. */
  readonly rev: number;
}

/** What a `want` says beyond the authority's own keys; `from` is the address of the document that says so. */
export function compile(node: string, entry: NodeEntry): Pick<Want, 'services'> {
  const from = `node/${node}`;
  const services: Record<string, Want['services'][string]> = {};
  for (const [name, service] of Object.entries(entry.services)) services[name] = { ...service, from };
  return { services };
}
