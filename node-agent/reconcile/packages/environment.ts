/** The environment that package managers are run in: pinned, so that none asks, translates, pages or colours. */

import { homedir } from 'node:os';

const folders = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
  '/opt/homebrew/bin',
  '/home/linuxbrew/.linuxbrew/bin',
];

/** What people set for the network and for mirrors, and who they are. Nothing else of the agent's own goes to a package's scripts. */
const passed =
  /^(?:HOME|USER|LOGNAME|TMPDIR|https?_proxy|all_proxy|no_proxy|SSL_CERT_FILE|SSL_CERT_DIR|NODE_EXTRA_CA_CERTS|npm_config_registry|PIP_(?:INDEX_URL|EXTRA_INDEX_URL|CERT|TRUSTED_HOST))$/i;

const pinned = {
  LC_ALL: 'C',
  LANG: 'C',
  TERM: 'dumb',
  DEBIAN_FRONTEND: 'noninteractive',
  DEBCONF_NONINTERACTIVE_SEEN: 'true',
  APT_LISTCHANGES_FRONTEND: 'none',
  UCF_FORCE_CONFFOLD: '1',
  // needrestart would restart services that Hearth, or somebody else, looks after.
  NEEDRESTART_SUSPEND: '1',
  NEEDRESTART_MODE: 'l',
  NONINTERACTIVE: '1',
  HOMEBREW_NO_AUTO_UPDATE: '1',
  HOMEBREW_NO_INSTALL_UPGRADE: '1',
  HOMEBREW_NO_INSTALL_CLEANUP: '1',
  HOMEBREW_NO_ANALYTICS: '1',
  HOMEBREW_NO_ENV_HINTS: '1',
  HOMEBREW_NO_COLOR: '1',
  HOMEBREW_NO_EMOJI: '1',
  PYTHONUNBUFFERED: '1',
  NO_UPDATE_NOTIFIER: '1',
};

export function managerEnvironment(own: NodeJS.ProcessEnv): Record<string, string> {
  const kept = Object.entries(own).flatMap(([name, value]): [string, string][] =>
    value !== undefined && passed.test(name) ? [[name, value]] : [],
  );
  const path = [...new Set([...(own.PATH ?? '').split(':').filter(folder => folder.startsWith('/')), ...folders])];
  return { HOME: homedir(), ...Object.fromEntries(kept), ...pinned, PATH: path.join(':') };
}
