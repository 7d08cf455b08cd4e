/** All packages of the system to their newest versions, for `do/upgrade`: an action, not part of any document. */
import type { Failure, Provider, Talk } from './provider.ts';
import { patient } from './transaction.ts';

/** Lists first, then everything that they have newer; nothing is removed for it. */
export function* upgradeAll(provider: Provider): Talk<Failure | undefined> {
  const { upgrade, refresh } = provider;
  if (!upgrade) return { sentence: `Hearth does not upgrade with ${provider.name}` };
  if (refresh) {
    const failure: Failure | undefined = yield* patient(provider, () => refresh());
    if (failure) return failure;
  }
  return yield* patient(provider, () => upgrade());
}
