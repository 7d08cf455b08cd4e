/** What a document asks for that has no steps of its own: checks that are looked at again and again, the agent's version. */
import type { ItemStatus } from '../../shared/schemas/observed.ts';
import type { KindHandlers } from './kind.ts';
import type { Document } from './reconciler.ts';

export interface Side {
  /** Once, first. */
  start(handlers: Pick<KindHandlers, 'changed' | 'notice'>): void;
  apply(document: Document): void;
  /** Whether every step of the newest document was attempted; told when that changes. */
  attempted?(yes: boolean): void;
  items(): Readonly<Record<string, ItemStatus>>;
  error(): string;
  close(): void;
}
