/** Bounds of the core of a node's jobs. */
export const workLimits = {
  /** A result of a task that took longer is worth a sync of the disk. */
  syncAboveMs: 1000,
  /** A disk that refused is asked again. */
  diskRetryMs: 5000,
} as const;
