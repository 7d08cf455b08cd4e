/** Rows as aligned columns; the last column is not padded. Every cell is one line. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map(row => (row[column] ?? '').length)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ');
  return all.map(row => line(row).trimEnd()).join('\n');
}

/** `3 min`, `2 d`: the largest unit that leaves a number of at least 1. */
export function ago(ms: number): string {
  const steps: readonly (readonly [number, string])[] = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1000, 's'],
  ];
  for (const [unit, name] of steps) if (ms >= unit) return `${Math.floor(ms / unit)} ${name}`;
  return 'now';
}
