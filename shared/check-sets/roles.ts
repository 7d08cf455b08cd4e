/** Shipped checks of what a machine is there for: servers of a small network. */
import type { Check, CheckSetName } from '../schemas/check.ts';

/** As in machine.ts. */
const asRoot = '[ "$(id -u)" = 0 ] || exit 77; ';
/** After grep(1), which exits with 1 where nothing fits, and with more where it could not look. */
const orNone = '; [ $? -le 1 ] || exit 77';
const cannotKnow = [77];

export const roleSets: Readonly<
  Record<
    Extract<
      CheckSetName,
      'ssh' | 'dns-server' | 'dhcp-server' | 'web-server' | 'keepalived' | 'containers' | 'distcc' | 'redis'
    >,
    Readonly<Record<string, Check>>
  >
> = {
  ssh: {
    answers: {
      port: { port: 22, contains: 'SSH-2.0-' },
      severity: 'critical',
      runbook: '"systemctl status ssh" on its own screen; or another port: skip this check, and write one of yours',
    },
    config: {
      // A daemon that is started by its socket has no folder for itself while it does not run: nothing can be said then.
      command: {
        run: `${asRoot}command -v sshd >/dev/null || exit 77; said=$(sshd -t 2>&1) && exit 0; case "$said" in *'privilege separation directory'*) exit 77 ;; esac; printf '%s\\n' "$said"; exit 1`,
        unknown: cannotKnow,
      },
      every_s: 900,
      runbook: 'a daemon that is started anew will not come back: repair /etc/ssh/sshd_config, "sshd -t" says where',
    },
    'no-passwords': {
      command: {
        run: `config=$(sshd -T 2>/dev/null) || exit 77; printf '%s\\n' "$config" | grep -ix 'passwordauthentication yes'${orNone}`,
        max_lines: 0,
        unknown: cannotKnow,
      },
      every_s: 900,
      runbook: 'say "PasswordAuthentication no" in /etc/ssh/sshd_config once you can log in by a key',
    },
    'no-root': {
      command: {
        run: `config=$(sshd -T 2>/dev/null) || exit 77; printf '%s\\n' "$config" | grep -ix 'permitrootlogin yes'${orNone}`,
        max_lines: 0,
        unknown: cannotKnow,
      },
      every_s: 900,
      runbook: 'say "PermitRootLogin no" in /etc/ssh/sshd_config',
    },
  },
  'dns-server': {
    runs: { processes: { running: ['named'] }, severity: 'critical', runbook: '"systemctl status named"' },
    answers: {
      dns: { name: 'localhost', server: '127.0.0.1', expected: '127.0.0.1' },
      severity: 'critical',
      runbook: '"rndc status", and "dig @127.0.0.1 localhost"',
    },
    zones: {
      command: { run: ['named-checkconf', '-z'] },
      every_s: 900,
      timeout_s: 60,
      runbook: '"named-checkconf -z" names the file and line',
    },
  },
  'dhcp-server': {
    runs: { processes: { running: ['dhcpd'] }, severity: 'critical', runbook: '"systemctl status isc-dhcp-server"' },
    listens: { listens: { port: 67, proto: 'udp' }, severity: 'critical', runbook: '"ss -lunp" says who has the port' },
    config: { command: { run: ['dhcpd', '-t', '-q'] }, every_s: 900, runbook: '"dhcpd -t" names the line' },
    balanced: {
      command: {
        run: `${asRoot}log=$(journalctl -q -o cat -u isc-dhcp-server --since=-1d) || exit 77; printf '%s\\n' "$log" | grep -F 'balanced pool' | tail -n 1`,
        contains: 'balanced pool',
        unknown: cannotKnow,
      },
      severity: 'info',
      every_s: 3600,
      timeout_s: 60,
      runbook: 'of a failover pair: is the other one up, and TCP 647 open?',
    },
  },
  'web-server': {
    page: { http: { url: 'http://127.0.0.1/' }, severity: 'critical', runbook: 'see the log of the web server' },
  },
  keepalived: {
    runs: { processes: { running: ['keepalived'] }, severity: 'critical', runbook: '"systemctl status keepalived"' },
  },
  containers: {
    containerd: { processes: { running: ['containerd'] }, runbook: '"systemctl status containerd"' },
    docker: {
      processes: { running: ['dockerd'] },
      runbook: '"systemctl status docker"; without Docker skip this check',
    },
  },
  distcc: {
    user: { user: { name: 'distccd' }, every_s: 3600, runbook: 'install the package distcc anew' },
    runs: { processes: { running: ['distccd'] }, runbook: '"systemctl status distcc"' },
    answers: { port: { port: 3632 }, runbook: 'see --allow and --listen in /etc/default/distcc' },
  },
  redis: {
    pong: {
      port: { port: 6379, send: 'PING\r\n', contains: '+PONG' },
      severity: 'critical',
      runbook: '"systemctl status redis-server"; with a password it answers -NOAUTH: write a check of yours',
    },
  },
};
