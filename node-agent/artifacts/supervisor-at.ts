/** Where this node's supervisor answers over HTTP, and how both ends know each other. */
import type { ServerCheck } from '../connection/verify-server.ts';

export interface SupervisorAt {
  /** `https://HOST:PORT` with {@link tls}, else `http://127.0.0.1:PORT` of a supervisor on this machine; the best first. */
  readonly urls: readonly string[];
  readonly tls?: {
    /** Who must answer. */
    readonly trust: ServerCheck;
    /** As whom this node asks: its own certificate and key, PEM. */
    readonly identity: { readonly cert: string; readonly key: string };
  };
}
