/** When a disk is full, a certificate old, a clock wrong: the doctor's figures. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Finding } from '../../broker/trust/doctor/finding.ts';
import {
  judgeAuthority,
  judgeClocks,
  judgeDisk,
  judgeHeard,
  judgeNode,
  judgeNodeCertificates,
  judgeOwnClock,
  judgeServerCertificate,
  judgeSupervisor,
  judgeVersions,
  span,
} from '../../broker/trust/doctor/judge.ts';

const doctor = suite('what the doctor judges');
const now = Date.UTC(2026, 10, 21);
const day = 86_400_000;
const mb = 2 ** 20;

const levels = (findings: readonly Finding[]): string => findings.map(({ level }) => level).join(' ');
/** Whoever is told that something is wrong is told what to do. */
const wrong = (finding: Finding | undefined, level: 'warn' | 'bad', text: RegExp): void => {
  assert.is(finding?.level, level, JSON.stringify(finding));
  assert.match(finding?.text ?? '', text);
  assert.ok((finding?.fix ?? '').length > 10);
};

doctor('a disk: room, little room, none, and no more files', () => {
  const disk = { path: '/d', freeBytes: 50_000 * mb, totalBytes: 100_000 * mb, freeFiles: 1000, totalFiles: 2000 };
  assert.is(judgeDisk(disk).level, 'ok');
  assert.match(judgeDisk(disk).text, /^48 GB free/);
  wrong(judgeDisk({ ...disk, freeBytes: 1900 * mb }), 'warn', /^1900 MB free/);
  wrong(judgeDisk({ ...disk, totalBytes: 600 * mb, freeBytes: 500 * mb }), 'warn', /500 MB/);
  wrong(judgeDisk({ ...disk, freeBytes: 63 * mb }), 'bad', /63 MB/);
  wrong(judgeDisk({ ...disk, freeFiles: 19 }), 'warn', /19 files/);
  assert.is(judgeDisk({ ...disk, freeFiles: 0, totalFiles: 0 }).level, 'ok');
});

doctor('certificates: the whole of their life, and a clock that went back', () => {
  const server = { name: 'server.pem', notBeforeMs: now - 60 * day, notAfterMs: now + 30 * day };
  assert.is(judgeServerCertificate(server, now).level, 'ok');
  wrong(judgeServerCertificate(server, now + 13 * day), 'warn', /ends in 17 days/);
  wrong(judgeServerCertificate(server, now + 31 * day), 'bad', /ended 24 hours ago/);
  wrong(judgeServerCertificate(server, now - 61 * day), 'bad', /clock went back/);
  const ca = { name: 'ca-1.pem', notBeforeMs: now, notAfterMs: now + 3650 * day };
  assert.is(judgeAuthority(ca, undefined, now).level, 'ok');
  assert.is(judgeAuthority(ca, now - 8 * day, now).level, 'ok');
  wrong(judgeAuthority(ca, now - 31 * day, now), 'warn', /replaced 31 days ago/);
  wrong(judgeAuthority(ca, undefined, now + 3500 * day), 'warn', /ends in 150 days/);
  wrong(judgeAuthority(ca, undefined, now + 3651 * day), 'bad', /ended/);
  wrong(judgeAuthority(ca, undefined, 0), 'bad', /clock went back/);
});

doctor("nodes' certificates: who is online and was not renewed", () => {
  assert.equal(judgeNodeCertificates([], now), []);
  const fresh = { node: 'n1', online: true, expiresMs: now + 5 * day };
  assert.is(levels(judgeNodeCertificates([fresh, { ...fresh, online: false, expiresMs: 0 }], now)), 'ok');
  wrong(
    judgeNodeCertificates([fresh, { ...fresh, node: 'n2', expiresMs: now + day }], now)[0],
    'warn',
    /n2 ends in 24/,
  );
  wrong(judgeNodeCertificates([{ ...fresh, expiresMs: now - day }], now)[0], 'warn', /n1 ended/);
});

doctor('clocks: of nodes that are online, and its own', () => {
  const node = { id: 'n1', online: true, clockOffMs: 1500 };
  assert.is(levels(judgeClocks([node, { ...node, clockOffMs: -1900 }])), 'ok');
  assert.equal(judgeClocks([{ ...node, online: false, clockOffMs: 1e12 }]), []);
  wrong(judgeClocks([{ ...node, clockOffMs: -2500 }])[0], 'warn', /n1 is 3 s behind/);
  wrong(judgeClocks([{ ...node, clockOffMs: 1.7e12 }])[0], 'bad', /n1 is \d+ days ahead/);
  const many = Array.from({ length: 500 }, (_, n) => ({ ...node, id: `n${n}`, clockOffMs: 1e6 }));
  assert.is(judgeClocks(many).length, 20);
  assert.is(judgeOwnClock(now, now - day, true).level, 'ok');
  assert.is(judgeOwnClock(now, now - day, undefined).level, 'ok');
  wrong(judgeOwnClock(now, now - day, false), 'warn', /nothing keeps/);
  wrong(judgeOwnClock(0, now, true), 'bad', /1970-01-01/);
});

doctor('versions, mDNS, the runtime, and a supervisor that is gone', () => {
  assert.is(judgeVersions('1.0.0', [{ id: 'a', online: true, ver: '1.0.0' }]).level, 'ok');
  assert.is(judgeVersions('1.0.0', [{ id: 'a', online: false, ver: '0.1.0' }]).level, 'ok');
  wrong(judgeVersions('1.0.0', [{ id: 'a', online: true, ver: '0.\u001b[2J' }]), 'warn', /a \(0\.\\/);
  const old = Array.from({ length: 9 }, (_, n) => ({ id: `n${n}`, online: true, ver: '0.9.0' }));
  wrong(judgeVersions('1.0.0', old), 'warn', /and 4 more/);
  assert.is(judgeHeard(['Hearth on attic'], undefined).level, 'ok');
  wrong(judgeHeard([], undefined), 'warn', /not heard of/);
  wrong(judgeHeard([], 'mDNS does not work on eth0'), 'warn', /eth0/);
  for (const version of ['v20.19.0', 'v22.1.0', '24.0.0']) assert.is(judgeNode(version).level, 'ok');
  for (const version of ['v20.18.9', 'v18.20.0', '']) wrong(judgeNode(version), 'bad', /too old/);
  assert.is(judgeSupervisor(7, true).level, 'ok');
  assert.is(judgeSupervisor(undefined, false).level, 'skipped');
  wrong(judgeSupervisor(7, false), 'warn', /process 7/);
});

doctor('spans are said as people say them', () => {
  const texts = [0, 90 * 60_000, 5 * 3_600_000, 71 * 3_600_000, -10 * day].map(span);
  assert.equal(texts, ['0 min', '90 min', '5 hours', '71 hours', '10 days']);
});

doctor.run();
