/** Shipped checks of any machine of a hobby cluster. Scripts exit with 77 where they cannot know, which is `unknown`. */
import type { Check, CheckSetName } from '../schemas/check.ts';

/** Only root sees everybody's processes, files and logs: for others "nothing found" would be no answer. */
const asRoot = '[ "$(id -u)" = 0 ] || exit 77; ';
/** After grep(1), which exits with 1 where nothing fits, and with more where it could not look. */
const orNone = '; [ $? -le 1 ] || exit 77';
const cannotKnow = [77];
const hour = 3600;

export const machineSets: Readonly<
  Record<
    Extract<CheckSetName, 'base' | 'pi' | 'time' | 'network' | 'hardening' | 'ipv6-off' | 'intrusion' | 'ufw'>,
    Readonly<Record<string, Check>>
  >
> = {
  base: {
    'failed-units': {
      units_failed: {},
      runbook: '"systemctl --failed" names them, "journalctl -u UNIT" says why; "systemctl reset-failed" forgets them',
    },
    disk: { disk: { path: '/', max_pct: 85 }, runbook: '"du -xh / | sort -h | tail" shows what fills it' },
    'disk-full': { disk: { path: '/', max_pct: 95 }, severity: 'critical', runbook: 'make room now: "apt-get clean"' },
    inodes: {
      disk: { path: '/', max_inodes_pct: 90 },
      runbook: 'a folder with very many small files: find and empty it',
    },
    'root-writable': {
      mount: { path: '/', rw: true },
      severity: 'critical',
      runbook: 'the kernel makes it read-only after errors: look into "dmesg", and replace the card or disk',
    },
    processes: { processes: { max: 300 }, runbook: '"ps -e --sort comm" shows what there are so many of' },
    zombies: {
      processes: { max_zombies: 10 },
      severity: 'info',
      runbook: 'restart their parents ("ps -eo ppid,stat")',
    },
    logins: {
      command: {
        run: `if [ -e /run/utmp ]; then exec who; fi; list=$(loginctl list-sessions --no-legend 2>/dev/null) || exit 77; printf '%s\\n' "$list" | grep -v manager${orNone}`,
        max_lines: 5,
        quiet: true,
        unknown: cannotKnow,
      },
      severity: 'info',
      runbook: '"who" and "last" say who is logged in',
    },
    journal: {
      command: {
        // Without a journal there is nothing to verify, and journalctl is content.
        run: `${asRoot}found=$(journalctl --verify 2>&1); code=$?; case "$found" in *PASS:*|*FAIL:*) ;; *) exit 77 ;; esac; printf '%s\\n' "$found" | grep FAIL; exit $code`,
        unknown: cannotKnow,
      },
      every_s: 24 * hour,
      timeout_s: 600,
      runbook:
        'a damaged journal often means a dying card or power that goes away; "journalctl --rotate" starts a new one',
    },
    updates: {
      updates: { max_security: 0 },
      every_s: 6 * hour,
      timeout_s: 300,
      runbook: '"apt-get update && apt-get upgrade" installs them',
    },
  },
  pi: {
    'under-voltage': {
      under_voltage: {},
      severity: 'critical',
      runbook: 'use a better power supply and a shorter, thicker cable, then start the machine anew',
    },
    temperature: { temperature: { max_c: 55 }, runbook: 'give it air or a heat sink, or less work' },
    'root-ext4': { mount: { path: '/', type: 'ext4', rw: true }, runbook: 'look into "dmesg" for errors of the card' },
  },
  time: {
    synchronised: {
      clock: { synchronised: true },
      every_s: 300,
      runbook: 'install chrony or systemd-timesyncd, and see whether UDP 123 gets out',
    },
    utc: { clock: { zone: 'UTC' }, severity: 'info', every_s: hour, runbook: '"timedatectl set-timezone UTC"' },
  },
  network: {
    'default-route': { route: {}, severity: 'critical', runbook: '"ip route": is the cable in, does DHCP answer?' },
    link: { link: { min_mbps: 100 }, runbook: 'a bad cable or port: 10 Mbit/s is what is left of four broken wires' },
    dns: { dns: { name: 'deb.debian.org' }, every_s: 300, runbook: 'see /etc/resolv.conf and the DNS server' },
    http: { port: { host: 'deb.debian.org', port: 80 }, every_s: 300, runbook: 'is the way to the internet open?' },
    https: { port: { host: 'deb.debian.org', port: 443 }, every_s: 300, runbook: 'is the way to the internet open?' },
  },
  hardening: {
    aslr: {
      sysctl: { key: 'kernel.randomize_va_space', value: '2' },
      every_s: hour,
      runbook: 'set kernel.randomize_va_space=2 in /etc/sysctl.d/',
    },
    syncookies: {
      sysctl: { key: 'net.ipv4.tcp_syncookies', value: '1' },
      every_s: hour,
      runbook: 'set net.ipv4.tcp_syncookies=1 in /etc/sysctl.d/',
    },
    'no-telnet': { listens: { port: 23, exists: false }, severity: 'critical', runbook: 'remove the telnet server' },
    'no-ftp': { listens: { port: 21, exists: false }, runbook: 'remove the FTP server, or skip this check' },
    'no-telnetd': { file: { path: '/usr/sbin/telnetd', exists: false }, every_s: hour, runbook: 'remove telnetd' },
    'no-old-daemons': {
      processes: { absent: ['in.telnetd', 'in.rshd', 'in.rlogind', 'in.tftpd', 'rpc.rexd'] },
      runbook: 'remove what starts them: their logins go over the network in clear',
    },
    'no-user-pi': {
      user: { name: 'pi', exists: false },
      every_s: hour,
      runbook: 'the first account of old images, whose password everybody knows: "deluser pi"',
    },
  },
  'ipv6-off': {
    'ipv6-off': {
      sysctl: { key: 'net.ipv6.conf.all.disable_ipv6', value: '1' },
      every_s: hour,
      runbook: 'set net.ipv6.conf.all.disable_ipv6=1 in /etc/sysctl.d/',
    },
  },
  intrusion: {
    'tmp-executables': {
      command: {
        run: `${asRoot}command -v find >/dev/null || exit 77; find /tmp /var/tmp /dev/shm -xdev -type f -perm -0100 2>/dev/null || true`,
        max_lines: 0,
        unknown: cannotKnow,
      },
      every_s: hour,
      timeout_s: 60,
      runbook: 'find out who put the program there before you remove it',
    },
    fifos: {
      command: {
        run: `${asRoot}command -v find >/dev/null || exit 77; find /tmp /var/tmp /dev/shm -xdev -type p 2>/dev/null || true`,
        max_lines: 0,
        unknown: cannotKnow,
      },
      severity: 'info',
      every_s: hour,
      timeout_s: 60,
      runbook: '"fuser FIFO" says who talks through it',
    },
    'deleted-executables': {
      command: {
        run: `${asRoot}[ -e /proc/self/exe ] && command -v ls >/dev/null || exit 77; ls -l /proc/[0-9]*/exe 2>/dev/null | grep -v '/memfd:' | grep '(deleted)$'${orNone}`,
        max_lines: 0,
        unknown: cannotKnow,
      },
      severity: 'info',
      every_s: hour,
      runbook: 'upgraded and not restarted, mostly; else find out who runs a program that is not there',
    },
    'deleted-files': {
      command: {
        run: `${asRoot}[ -e /proc/self/fd ] && command -v ls >/dev/null || exit 77; ls -l /proc/[0-9]*/fd 2>/dev/null | grep -v -e '/memfd:' -e '-> /dev/' | grep '(deleted)$'${orNone}`,
        max_lines: 50,
        unknown: cannotKnow,
      },
      severity: 'info',
      every_s: hour,
      runbook: 'their room comes back when who holds them open is restarted: "lsof +L1"',
    },
  },
  ufw: {
    active: {
      command: { run: `${asRoot}exec ufw status`, contains: 'Status: active', unknown: cannotKnow },
      severity: 'critical',
      every_s: 300,
      runbook: '"ufw enable"; let SSH in first: "ufw allow ssh"',
    },
    blocks: {
      command: {
        run: `${asRoot}command -v ufw >/dev/null || exit 77; log=$(journalctl -k -q -o cat --since=-1h) || exit 77; printf '%s\\n' "$log" | grep -F '[UFW BLOCK]'${orNone}`,
        max_lines: 49,
        unknown: cannotKnow,
      },
      severity: 'info',
      every_s: 900,
      timeout_s: 60,
      runbook: '"journalctl -k" says who knocks: SRC= is the address',
    },
  },
};
