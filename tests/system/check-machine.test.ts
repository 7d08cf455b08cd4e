/** How a real machine is looked at: files, disks, processes, users, clocks, sensors and the kernel's settings. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { machineAt } from '../../node-agent/checks/machine.ts';
import type { Check } from '../../shared/schemas/check.ts';
import { look, programs, running, withFiles, withPrograms } from '../fixture/check-world.ts';
import { folder, patienceMs } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const probes = suite('checks: looking at what is on a machine');
const said = async (check: Check, machine = machineAt(), ms?: number) => {
  const { state, saw } = await look(check, machine, ms);
  return `${state} ${saw}`;
};
probes('file: there, not there, what is in it, whose it is and how old', async () => {
  const at = folder();
  const path = join(at, 'file');
  writeFileSync(path, 'one\ntwo\n', { mode: 0o640 });
  const sha256 = createHash('sha256').update('one\ntwo\n').digest('hex');
  const file = (assertion: object, where = path) => said({ file: { path: where, ...assertion } });
  assert.is(await file({}), 'pass as it should be');
  assert.is(await file({ exists: false }), 'fail it exists, and must not');
  assert.is(await file({}, join(at, 'none')), 'fail there is no such file');
  assert.is(await file({}, join(path, 'below')), 'fail there is no such file');
  assert.is(await file({ exists: false }, join(at, 'none')), 'pass there is none');
  assert.is(await file({ contains: 'two', absent: 'three', sha256, mode: '640' }), 'pass as it should be');
  assert.is(await file({ contains: 'three' }), 'fail it lacks the text');
  assert.is(await file({ absent: 'two' }), 'fail it has the text that it must not have');
  assert.is(
    await file({ sha256: sha256.replace(/^./, 'g').replace('g', sha256.startsWith('0') ? '1' : '0') }),
    'fail its SHA-256 is another one',
  );
  assert.is(await file({ mode: '0644' }), 'fail its permissions are 0640, not 0644');
  assert.is(await file({ max_age_s: 600 }), 'pass as it should be');
  utimesSync(path, 1, Date.now() / 1000 - 86_400 * 3);
  assert.is(await file({ max_age_s: 600 }), 'fail last written 3 days ago, more than 10 min');
  mkdirSync(join(at, 'folder'));
  assert.is(await file({}, join(at, 'folder')), 'pass as it should be');
  assert.is(await file({ contains: 'x' }, join(at, 'folder')), 'fail it is no regular file');
  symlinkSync('/nowhere', join(at, 'dangling'));
  assert.is(await file({ exists: false }, join(at, 'dangling')), 'fail it exists, and must not');
  assert.is(await file({}, join(at, 'dangling')), 'fail there is no such file');
});

probes('file: a FIFO and a huge file hold nobody up', async () => {
  const at = folder();
  execFileSync('mkfifo', [join(at, 'fifo')]);
  assert.is(await said({ file: { path: join(at, 'fifo'), contains: 'x' } }), 'fail it is no regular file');
  const huge = join(at, 'huge');
  execFileSync('truncate', ['-s', '100G', huge]);
  assert.is(await said({ file: { path: huge, absent: 'x' } }), 'unknown larger than 1 MB: the rest was not looked at');
  assert.is(await said({ file: { path: huge, sha256: '0'.repeat(64) } }), 'unknown larger than 64 MB: not hashed');
});

probes('disk and mount: a path that is not there, and a place where nothing is mounted', async () => {
  assert.is(await said({ disk: { path: '/no/such', max_pct: 1 } }), 'unknown there is no /no/such here');
  assert.match(await said({ disk: { path: '/', max_pct: 100 } }), /^pass \d+ % used$/);
  assert.match(await said({ disk: { path: '/', min_free_mb: 1e12 } }), /^fail \d+ MB free, of at least 1000000000000$/);
  assert.match(await said({ disk: { path: '/proc', max_pct: 99 } }), /^unknown this file system has no size$/);
  assert.is(await said({ mount: { path: '/proc', type: 'proc' } }), 'pass proc, writable');
  assert.is(await said({ mount: { path: '/proc/', rw: false } }), 'fail it is writable');
  assert.is(await said({ mount: { path: '/no/such' } }), 'fail nothing is mounted there');
  const table = withFiles({ 'proc/self/mounts': '/dev/sda1 /mnt/a\\040b\\134c vfat ro,relatime 0 0\n' });
  assert.is(await said({ mount: { path: '/mnt/a b\\c', rw: false } }, table), 'pass vfat, read-only');
});

probes('processes: a real one, and names longer than the kernel keeps', async () => {
  const long = await running('hearth-test-long-name');
  assert.match(await said({ processes: { running: ['hearth-test-long-name'] } }), /^pass runs/);
  assert.match(await said({ processes: { absent: ['hearth-test-long-name'] } }), /^fail runs and must not/);
  await long.end?.();
  assert.match(await said({ processes: { running: ['hearth-test-long-name'] } }), /^fail does not run/);
  const kernel = withFiles({
    'proc/1/stat': `1 (init) S 0 1 1 0 -1 4194560${' 0'.repeat(43)}`,
    'proc/2/stat': `2 (kthreadd) S 0 0 0 0 -1 2129984${' 0'.repeat(43)}`,
  });
  assert.match(await said({ processes: { max: 1 } }, kernel), /^pass/, 'the kernel’s own do not count');
});

probes('user: by the file, and by getent where the file has none', async () => {
  assert.is(await said({ user: { name: 'root' } }), 'pass there is a user root');
  assert.is(await said({ user: { name: 'root', exists: false } }), 'fail there is a user root, and must not be');
  assert.is(await said({ user: { name: 'no-such-user' } }), 'fail there is no user no-such-user');
  const passwd = { 'etc/passwd': 'root:x:0:0::/root:/bin/sh\n' };
  assert.match(await said({ user: { name: 'ldap' } }, withFiles(passwd, programs({ getent: 'exit 0' }))), /^pass/);
  assert.match(await said({ user: { name: 'ldap' } }, withFiles(passwd, programs({ getent: 'exit 1' }))), /^unknown/);
  assert.match(await said({ user: { name: 'ldap' } }, withFiles({}, { env: { PATH: '/nowhere' } })), /^unknown/);
  assert.match(
    await said({ user: { name: 'ldap', exists: false } }, withFiles(passwd, { env: { PATH: '/nowhere' } })),
    /^pass/,
  );
});

probes('units_failed: systemd that does not answer, or is not there, is unknown', async () => {
  const booted = { 'run/systemd/system/x': '' };
  const with_ = (systemctl: string) => withFiles(booted, programs({ systemctl }));
  assert.is(await said({ units_failed: {} }, withFiles({})), 'unknown there is no systemd here');
  assert.is(
    await said({ units_failed: {} }, with_('echo "Failed to connect to bus: No such file" >&2; exit 1')),
    'unknown systemctl does not answer: Failed to connect to bus: No such file',
  );
  const two = 'echo "b.service loaded failed failed B"; echo "a.mount loaded failed failed A"';
  assert.is(await said({ units_failed: { max: 1 } }, with_(two)), 'fail failed: a.mount, b.service');
  assert.is(await said({ units_failed: { max: 2 } }, with_(two)), 'pass 2 failed, of at most 2');
});

probes('clock: who knows the offset is asked first; without anybody it is unknown', async () => {
  const chronyc = `echo 'D8EF2300,1.2.3.4,2,1763744261.1,0.25,0,0,0,0,0,0,0,64.4,Normal'`;
  const offset = { clock: { max_offset_ms: 100 } };
  assert.is(await said(offset, withPrograms({ chronyc })), 'fail it is 250 ms off, of at most 100');
  assert.is(await said({ clock: { max_offset_ms: 300 } }, withPrograms({ chronyc })), 'pass a time server sets it');
  const silent = { chronyc: 'echo "506 Cannot talk to daemon"; exit 1', ntpq: 'echo "Connection refused"' };
  const systemd = { ...silent, timedatectl: 'echo NTPSynchronized=yes' };
  assert.is(await said({ clock: { synchronised: true } }, withPrograms(systemd)), 'pass a time server sets it');
  assert.match(await said(offset, withPrograms(systemd)), /^unknown it is set, but/);
  const none = { ...silent, timedatectl: 'exit 1' };
  assert.match(await said({ clock: { synchronised: true } }, withPrograms(none)), /^unknown neither chrony/);
});

probes('clock: the zone by the link, by the file, and UTC where there is neither', async () => {
  const zone = async (machine: ReturnType<typeof withFiles>, name: string) => said({ clock: { zone: name } }, machine);
  const linked = withFiles({ 'etc/x': '' });
  symlinkSync('/usr/share/zoneinfo/Europe/Berlin', linked.files.path('etc/localtime'));
  assert.is(await zone(linked, 'Europe/Berlin'), 'pass its zone is Europe/Berlin');
  assert.is(await zone(linked, 'UTC'), 'fail its zone is Europe/Berlin, not UTC');
  assert.is(await zone(withFiles({ 'etc/x': '' }), 'Etc/UTC'), 'pass its zone is UTC');
  assert.match(await zone(withFiles({ 'etc/localtime': 'TZif2' }), 'UTC'), /^unknown/);
});

probes('under_voltage: the firmware’s word, the monitor’s, the kernel’s log, and nothing', async () => {
  const firmware = (text: string) => withFiles({ 'sys/devices/platform/soc/soc:firmware/get_throttled': text });
  assert.match(await said({ under_voltage: {} }, firmware('0x1\n')), /^fail the voltage is too low now/);
  assert.match(await said({ under_voltage: { now: true } }, firmware('50000\n')), /^pass/);
  const monitor = (alarm: string, dmesg: string) =>
    withFiles(
      { 'sys/class/hwmon/hwmon1/name': 'rpi_volt\n', 'sys/class/hwmon/hwmon1/in0_lcrit_alarm': alarm },
      programs({ dmesg }),
    );
  const past = 'echo "[  12.3] hwmon hwmon1: Undervoltage detected!"';
  assert.match(await said({ under_voltage: {} }, monitor('1', 'exit 0')), /^fail the voltage is too low/);
  assert.match(await said({ under_voltage: {} }, monitor('0', past)), /^fail .*kernel’s log/);
  assert.match(await said({ under_voltage: { now: true } }, monitor('0', past)), /^pass/);
  assert.match(await said({ under_voltage: {} }, monitor('0', 'echo "[ 0.0] Booting"')), /^pass/);
  assert.match(await said({ under_voltage: {} }, monitor('0', 'exit 1')), /^unknown high enough now/);
  assert.match(
    await said({ under_voltage: {} }, withFiles({}, programs({ dmesg: 'echo fine' }))),
    /^unknown no sensor/,
  );
});

probes('temperature, sysctl and link: what is not there is unknown', async () => {
  assert.match(await said({ temperature: { max_c: 55 } }, withFiles({})), /^unknown no sensor/);
  assert.match(await said({ sysctl: { key: 'kernel.no_such', value: '1' } }), /^unknown this kernel has no/);
  assert.match(await said({ sysctl: { key: 'kernel/pid_max', value: '0' } }), /^fail kernel\/pid_max is \d+$/);
  const net = (files: Record<string, string>) =>
    withFiles(Object.fromEntries(Object.entries(files).map(([name, text]) => [`sys/class/net/${name}`, text])));
  const wifi = net({ 'wlan0/operstate': 'up\n', 'wlan0/speed': '-1\n' });
  assert.is(await said({ link: { dev: 'wlan0', min_mbps: 100 } }, wifi), 'unknown wlan0 does not tell its speed');
  assert.is(await said({ link: { dev: 'wlan0' } }, wifi), 'pass wlan0 is up');
  assert.is(await said({ link: { dev: 'eth9' } }, wifi), 'fail there is no eth9');
  const down = net({ 'eth0/operstate': 'down\n' });
  assert.is(await said({ link: { dev: 'eth0' } }, down), 'fail eth0 is down');
  const half = net({ 'eth0/operstate': 'up\n', 'eth0/speed': '100\n', 'eth0/duplex': 'half\n' });
  assert.is(await said({ link: { dev: 'eth0', duplex: 'full' } }, half), 'fail eth0 is half duplex');
});

probes('route: the one with the lowest metric', async () => {
  const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
  const table = `${head}wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\neth0\t00000000\t010AA8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n`;
  const machine = withFiles({ 'proc/net/route': table });
  assert.is(
    await said({ route: { dev: 'eth0', via: '192.168.10.1' } }, machine),
    'pass the default route is by eth0 to 192.168.10.1',
  );
  assert.match(await said({ route: { dev: 'wlan0' } }, machine), /^fail the default route is by eth0/);
  assert.match(await said({ route: { via: '192.168.1.1' } }, machine), /^fail/);
  assert.match(await said({ route: {} }, withFiles({})), /^unknown/);
});

probes('updates: lists that are old, missing, or that apt cannot read', async () => {
  const apt = (script: string) => withFiles({ 'var/lib/apt/lists/partial/x': '' }, programs({ 'apt-get': script }));
  assert.match(await said({ updates: {} }, withFiles({})), /^unknown there are no lists/);
  const old = apt('exit 0');
  for (const path of ['partial', ''])
    utimesSync(old.files.path(`var/lib/apt/lists/${path}`), 1, Date.now() / 1000 - 86_400 * 20);
  assert.match(await said({ updates: {} }, old), /^unknown the lists are 20 days old/);
  assert.match(await said({ updates: { lists_days: 30 } }, old), /^pass 0 updates wait/);
  assert.match(
    await said({ updates: {} }, apt('echo "E: dpkg was interrupted"; exit 100')),
    /^unknown apt-get does not say: E: dpkg/,
  );
});

testWith(probes, ['apt-get'], 'updates: the real apt answers', async () => {
  assert.match(
    await said({ updates: { max_security: 1e6, lists_days: 365 } }, machineAt(), 5 * patienceMs),
    /^(pass \d+ updates wait|unknown (the|there))/,
  );
});

probes.run();
