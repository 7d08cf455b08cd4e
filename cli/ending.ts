/** Resolves at Ctrl-C, TERM, HUP, or when nobody reads the output any more (`hearth watch | head`). */
export function untilEnded(): Promise<void> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
    process.stdout.once('error', () => resolve());
  });
}
