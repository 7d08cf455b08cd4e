/** How an agent's Node process is started, by whoever starts one. */

/** Keeps its memory small: an agent's heap is a few megabytes, and by default V8 would let it grow on a large machine. */
export const agentNodeFlags: readonly string[] = ['--max-semi-space-size=1', '--max-old-space-size=64'];

/** In an agent's folder: its identity, JSON whose key `node` is its id, there as soon as the id is decided. */
export const identityFile = 'identity.json';
