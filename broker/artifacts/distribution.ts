/** What machines that join are given: the install script, and the archives that it names. */
import type { InstallScript } from './install-script.ts';

export interface Distribution {
  /**
   * `GET /install.sh`, and the hash that `hearth token` prints. The first one waits until runtimes are fetched; what could not be
   * fetched is told in the script, and tried again later.
   */
  installScript(): Promise<InstallScript>;
  /** Fetching goes on in the background until this. */
  close(): Promise<void>;
}
