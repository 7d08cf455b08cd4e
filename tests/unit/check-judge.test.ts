/** What outputs and figures mean: the pure parts of looking. Outputs of programs are recorded ones. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseChrony, parseNtpq, parseTimedatectl } from '../../node-agent/checks/probes/clock.ts';
import { judgeCommand, withoutSecrets } from '../../node-agent/checks/probes/command.ts';
import { judgeHttp } from '../../node-agent/checks/probes/network.ts';
import { judgeSpace } from '../../node-agent/checks/probes/storage.ts';
import { judgeProcesses } from '../../node-agent/checks/probes/system.ts';
import { judgeUpdates } from '../../node-agent/checks/probes/updates.ts';
import type { Ran } from '../../node-agent/checks/run-program.ts';
import { cpuMs } from '../fixture/promised-time.ts';

const judge = suite('checks: what it means');

const ran = (over: Partial<Ran>): Ran => ({ output: '', cut: false, late: false, tooMuch: false, ...over });
const commands: readonly (readonly [string, Parameters<typeof judgeCommand>[0], Ran, string])[] = [
  ['exit code 0', { run: 'x' }, ran({ code: 0, output: 'fine\n' }), 'pass exit code 0: fine'],
  ['another', { run: 'x' }, ran({ code: 3, output: '\nno such host\nx' }), 'fail exit code 3: no such host'],
  ['nothing shown', { run: 'x', quiet: true }, ran({ code: 3, output: 'secret' }), 'fail exit code 3'],
  ['a signal', { run: 'x' }, ran({ signal: 'SIGSEGV' }), 'fail was ended by SIGSEGV'],
  ['too late', { run: 'x' }, ran({ signal: 'SIGKILL', late: true }), 'fail did not end in time and was ended'],
  ['without end', { run: 'x' }, ran({ signal: 'SIGKILL', tooMuch: true }), 'fail wrote more than 8 MB and was ended'],
  [
    'no program',
    { run: 'x' },
    ran({ missing: 'there is no program "x" here' }),
    'unknown there is no program "x" here',
  ],
  [
    'no command in a shell',
    { run: 'x' },
    ran({ code: 127, output: 'x: not found' }),
    'unknown exit code 127: x: not found',
  ],
  [
    'it says that it cannot know',
    { run: 'x', unknown: [3] },
    ran({ code: 3, output: 'UNKNOWN' }),
    'unknown exit code 3: UNKNOWN',
  ],
  ['a text that is there', { run: 'x', contains: 'b' }, ran({ code: 0, output: 'a\nb' }), 'pass exit code 0: a'],
  [
    'a text that is not',
    { run: 'x', contains: 'c' },
    ran({ code: 0, output: 'a\nb' }),
    'fail its output lacks the text: a',
  ],
  [
    'a text that must not be',
    { run: 'x', absent: 'b' },
    ran({ code: 0, output: 'a\nb' }),
    'fail its output has the text that it must not have',
  ],
  [
    'perhaps in what was cut',
    { run: 'x', absent: 'c' },
    ran({ code: 0, output: 'a', cut: true }),
    'unknown its output is longer than 64 kB: the rest was not looked at',
  ],
  ['few lines', { run: 'x', max_lines: 2 }, ran({ code: 0, output: 'a\n\nb\n' }), 'pass 2 lines, of at most 2'],
  ['too many', { run: 'x', max_lines: 1 }, ran({ code: 0, output: 'a\n\nb\n' }), 'fail 2 lines, of at most 1: a'],
  [
    'few lines of what was cut',
    { run: 'x', max_lines: 9 },
    ran({ code: 0, output: 'a', cut: true }),
    'unknown its output is longer than 64 kB: the rest was not looked at',
  ],
];
for (const [what, assertion, end, meaning] of commands) {
  judge(`command: ${what}`, () => {
    const { state, saw } = judgeCommand(assertion, end);
    assert.is(`${state} ${saw}`, meaning);
  });
}

judge('what looks like a secret is not shown, whatever else is', async () => {
  const secret = 'hunter2';
  for (const line of [
    `password=${secret}`,
    `DB_PASSWORD: ${secret}`,
    `"api_key": "${secret}"`,
    `Authorization: Bearer ${secret}xyz`,
    `connect to mqtts://me:${secret}@host:8883 failed`,
    `token=${secret} refused`,
  ]) {
    const shown = withoutSecrets(line);
    assert.not.match(shown, secret);
    assert.match(shown, '…');
  }
  assert.is(withoutSecrets('OK - 3 processes'), 'OK - 3 processes');
  const long = `${'password '.repeat(100_000)}://${'a'.repeat(1_000_000)}`;
  assert.ok((await cpuMs(async () => withoutSecrets(long))) < 500, 'a long line is no long work');
});

judge('chronyc -c tracking', () => {
  const line = (offset: string, leap: string) =>
    `D8EF2300,216.239.35.0,2,1763744261.105,${offset},0.000021,0.000034,-12.4,0.001,0.02,0.011,0.0005,64.4,${leap}\n`;
  assert.equal(parseChrony(line('-0.000123', 'Normal')), { synchronised: true, offsetMs: 0.123 });
  assert.equal(parseChrony(line('0.5', 'Insert second')), { synchronised: true, offsetMs: 500 });
  assert.equal(parseChrony(line('0', 'Not synchronised')), { synchronised: false });
  assert.is(parseChrony('506 Cannot talk to daemon\n'), undefined);
  assert.is(parseChrony(''), undefined);
});

judge('ntpq -c rv', () => {
  const said = (status: string, offset: string) =>
    `associd=0 status=0615 ${status}, 1 event, clock_sync,\nversion="ntpd 4.2.8p15", stratum=3,\noffset=${offset}, frequency=-4.1`;
  assert.equal(parseNtpq(said('leap_none, sync_ntp', '-1.25')), { synchronised: true, offsetMs: 1.25 });
  assert.equal(parseNtpq(said('leap_alarm, sync_unspec', '0')), { synchronised: false });
  assert.is(parseNtpq('ntpq: read: Connection refused\n'), undefined);
});

judge('timedatectl show', () => {
  assert.equal(parseTimedatectl('NTPSynchronized=yes\n'), { synchronised: true });
  assert.equal(parseTimedatectl('NTPSynchronized=no\n'), { synchronised: false });
  assert.is(parseTimedatectl('Failed to query server: no bus'), undefined);
});

judge('apt: security updates and others', () => {
  const output = [
    'Reading package lists...',
    'Inst zip [3.0-13] (3.0-13+deb12u1 Debian-Security:12/oldstable-security [amd64])',
    'Inst base-files [12.4] (12.4+deb12u15 Debian:12.15/oldstable [amd64])',
    'Inst libnew (1.0 Debian-Security:12/oldstable-security [amd64])',
    'Conf zip (3.0-13+deb12u1 Debian-Security:12/oldstable-security [amd64])',
  ].join('\n');
  assert.equal(judgeUpdates({}, output), { state: 'fail', saw: '1 security updates wait: zip' });
  assert.equal(judgeUpdates({ max_security: 1 }, output), { state: 'pass', saw: '2 updates wait, 1 for security' });
  assert.equal(judgeUpdates({ max_security: 1, max: 1 }, output).state, 'fail');
  assert.equal(judgeUpdates({ max: 0 }, 'Reading package lists...\n').state, 'pass');
});

judge('a file system: what df counts', () => {
  const space = { bsize: 4096, blocks: 1000, bfree: 150, bavail: 100, files: 100, ffree: 5 };
  const said = (assertion: object) => judgeSpace({ path: '/', ...assertion }, space);
  assert.equal(said({ max_pct: 90 }), { state: 'pass', saw: '90 % used' });
  assert.equal(said({ max_pct: 89 }), { state: 'fail', saw: '90 % used, 0 MB free' });
  assert.is(said({ min_free_mb: 1 }).state, 'fail');
  assert.equal(said({ max_inodes_pct: 94 }), { state: 'fail', saw: '95 % of inodes used' });
  assert.is(said({ max_pct: 95, max_inodes_pct: 95 }).state, 'pass');
  const none = { bsize: 4096, blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0 };
  assert.is(judgeSpace({ path: '/', max_pct: 95 }, none).state, 'unknown');
  assert.is(judgeSpace({ path: '/', min_free_mb: 1 }, none).state, 'unknown');
  assert.is(judgeSpace({ path: '/', max_inodes_pct: 95 }, { ...space, files: 0, ffree: 0 }).state, 'unknown');
});

judge('processes: who does not see all cannot say that somebody is missing', () => {
  const all = [
    { name: 'init', state: 'S' },
    { name: 'a-very-long-nam', state: 'R' },
    { name: 'dead', state: 'Z' },
  ];
  const said = (assertion: object, everybody = true) => judgeProcesses(assertion, all, everybody).state;
  assert.is(said({ running: ['init', 'a-very-long-name-indeed'] }), 'pass');
  assert.is(said({ running: ['dead'] }), 'fail', 'a zombie does not run');
  assert.is(said({ running: ['nobody'] }, false), 'unknown');
  assert.is(said({ running: ['init'] }, false), 'pass');
  assert.is(said({ absent: ['init'] }, false), 'fail');
  assert.is(said({ absent: ['nobody'] }, false), 'unknown');
  assert.is(said({ absent: ['nobody'] }), 'pass');
  assert.is(said({ max: 2 }), 'pass');
  assert.is(said({ max: 1 }), 'fail');
  assert.is(said({ max: 2 }, false), 'unknown');
  assert.is(said({ max_zombies: 1 }), 'pass');
  assert.is(said({ max_zombies: 0 }), 'fail');
});

judge('a web page: its status and its text', () => {
  const said = (assertion: object, status: number, body = '') =>
    judgeHttp({ url: 'http://x/', ...assertion }, status, body).state;
  assert.is(said({}, 204), 'pass');
  assert.is(said({}, 301), 'fail');
  assert.is(said({ status: 301 }, 301), 'pass');
  assert.is(said({ contains: 'it works' }, 200, 'it works'), 'pass');
  assert.is(said({ contains: 'it works' }, 200, 'it'), 'fail');
  assert.is(said({ absent: 'error' }, 200, 'an error'), 'fail');
});

judge.run();
