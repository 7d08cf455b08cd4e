/** The audit: lines that say who changed what, which strangers can neither fill nor break. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openAudit } from '../../broker/trust/accounts/audit.ts';
import type { AuditEntry } from '../../broker/trust/types.ts';
import { auditPayload } from '../../shared/schemas/fabric.ts';
import { manualClock } from '../fixture/manual-clock.ts';
import { folder } from '../fixture/processes.ts';

const entry = (more: Partial<AuditEntry> = {}): Omit<AuditEntry, 'at_ms'> => ({
  who: 'anna',
  how: 'password',
  from: '10.0.0.1',
  what: 'user.add',
  target: 'ben',
  ok: true,
  ...more,
});
const refused = (from: string) => entry({ who: 'unknown', how: 'none', what: 'login', from, ok: false });

const open = (more: { maxBytes?: number } = {}) => {
  const file = join(folder(), 'audit.log');
  const clock = manualClock();
  const published: string[] = [];
  const audit = openAudit({ file, clock, publish: text => void published.push(text), ...more });
  return { file, clock, published, audit };
};

const audit = suite('audit');

audit('an entry is a line in the file, readable by its owner alone, and the same on the bus', () => {
  const { file, published, audit: log, clock } = open();
  log.record(entry());
  log.record(entry({ detail: 'more' }));
  assert.equal(log.tail(10), [
    { at_ms: clock.wall(), ...entry() },
    { at_ms: clock.wall(), ...entry(), detail: 'more' },
  ]);
  assert.is(readFileSync(file, 'utf8'), published.map(text => `${text}\n`).join(''));
  for (const text of published) assert.ok(auditPayload.safeParse(JSON.parse(text)).success);
  assert.is(statSync(file).mode & 0o077, 0);
  log.close();
});

audit('it goes on after a restart, and what is no entry is passed over', () => {
  const { file, audit: log } = open();
  log.record(entry({ target: 'one' }));
  log.close();
  writeFileSync(file, 'half a li\n{"level":40,"dropped":3}\n', { flag: 'a' });
  const next = openAudit({ file, clock: manualClock() });
  next.record(entry({ target: 'two' }));
  assert.equal(
    next.tail(10).map(({ target }) => target),
    ['one', 'two'],
  );
  assert.equal(
    next.tail(1).map(({ target }) => target),
    ['two'],
  );
  next.close();
});

audit('a name cannot break a line, or be longer than it may', () => {
  const { audit: log, published } = open();
  log.record(entry({ who: 'a\nb', target: 'x'.repeat(5000), what: 'y'.repeat(500), detail: '\u202e'.repeat(500) }));
  const [line] = log.tail(5);
  assert.ok(line && line.who === 'a\\u000ab' && line.target.length <= 200 && line.what.length <= 64);
  assert.ok(published[0] && published[0].length < 1000);
  log.close();
});

audit('refusals come at a bounded rate and say how many they stand for; changes always come', () => {
  const { audit: log, clock } = open();
  for (let each = 0; each < 1000; each++) {
    log.record(refused('10.6.6.6'));
    if (each % 100 === 0) log.record(entry({ target: `u${each}` }));
  }
  const before = log.tail(1000);
  assert.is(before.filter(({ ok }) => ok).length, 10);
  assert.is(before.filter(({ ok }) => !ok).length, 5);
  clock.advance(30_000);
  log.record(refused('10.6.6.6'));
  assert.match(log.tail(1)[0]?.detail ?? '', /and 995 more refusals before/);
  for (let each = 0; each < 1000; each++) log.record(refused(`10.7.${each >> 8}.${each & 255}`));
  assert.ok(log.tail(1000).length < 90, 'many addresses together, too');
  log.close();
});

audit('two files at most, of bounded size, and the end is found across both', () => {
  const { audit: log, file } = open({ maxBytes: 4000 });
  for (let each = 0; each < 200; each++) {
    log.record(entry({ target: `u${each}` }));
    if (each % 5 === 0) log.tail(1);
  }
  const lines = log.tail(1000);
  assert.is(lines.at(-1)?.target, 'u199');
  assert.ok(lines.length > 25, String(lines.length));
  for (const name of [file, `${file}.1`]) assert.ok(statSync(name).size < 6000);
  log.close();
});

audit('before there is a bus it goes to the file, then to both', () => {
  const file = join(folder(), 'audit.log');
  const log = openAudit({ file, clock: manualClock() });
  log.record(entry({ target: 'one' }));
  const published: string[] = [];
  log.publishTo(text => void published.push(text));
  log.record(entry({ target: 'two' }));
  assert.is(log.tail(10).length, 2);
  assert.equal(
    published.map(text => JSON.parse(text).target),
    ['two'],
  );
  log.close();
});
audit('an address of IPv4 is told as one, however the socket tells it', () => {
  const { audit: log } = open();
  for (const from of ['::ffff:10.0.0.7', '10.0.0.7', 'fe80::1']) log.record(entry({ from }));
  assert.equal(
    log.tail(3).map(({ from }) => from),
    ['10.0.0.7', '10.0.0.7', 'fe80::1'],
  );
  log.close();
});
audit.run();
