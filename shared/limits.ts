/** Sizes and counts that the contract fixes. Bytes unless the name says otherwise. */
export const limits = {
  /** Any MQTT message. */
  message: 256 * 1024,
  /** One compiled `want` document. */
  want: 128 * 1024,
  /** A node's `is`. */
  is: 224 * 1024,
  /** `work` and `done` messages. */
  work: 1024 * 1024,
  /** Deepest nesting of a JSON payload, counted in open brackets. */
  depth: 16,
  /** Characters of a value echoed on `result`. */
  echo: 64,
  /** Topic length; MQTT itself allows 65535. */
  topic: 512,
  /** Levels of a `set/<key…>` path. */
  keyLevels: 8,
  /** Nodes one supervisor keeps a document for. */
  nodes: 10_000,
  /** Services one node may have. */
  services: 200,
  /** Packages one node may have. */
  packages: 500,
  /** Files one node may have. */
  files: 500,
  /** Checks one node may have. */
  checks: 200,
  /** Roles a cluster may have. */
  roles: 1000,
} as const;

/** Of one `do/follow`. */
export const followLimits = {
  /** Lines of before. */
  lines: 2000,
  /** New output; asked again it goes on. */
  seconds: 300,
} as const;

/** The wire version of the messages between supervisor and agent; this one and the one before are served. */
export const proto = 1;
/** The version of the data folder's layout and of the journal; a newer one is refused. */
export const format = 3;
