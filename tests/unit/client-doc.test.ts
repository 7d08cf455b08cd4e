/** The documents in docs/jobs.md are jobs, as the supervisor reads them; what the page says of limits is so. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readSubmission } from '../../broker/jobs/submission.ts';
import { compileWhere } from '../../shared/jobs/where.ts';
import { jobDocument, jobLimits, policies } from '../../shared/schemas/job.ts';
import { failures } from '../../shared/schemas/work.ts';

const test = suite('the page on jobs');
const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/jobs.md'), 'utf8');
const read = (text: string) => readSubmission(Buffer.from(text), compileWhere).submission;

test('each of its documents is a job', () => {
  const blocks = [...page.matchAll(/^```json\n([^`]+)```/gm)].map(([, text = '']) => text);
  const sent = [...page.matchAll(/job\/\w+\/set -m '([^']+)'/g), ...readme.matchAll(/job\/\w+\/set -m '([^']+)'/g)];
  assert.ok(blocks.length >= 7);
  assert.is(sent.length, 2);
  for (const text of [...blocks, ...sent.map(([, text = '']) => text)]) {
    const submission = read(text);
    assert.ok(submission.ok, `${text}${submission.ok ? '' : submission.error.message}`);
  }
});
const readme = readFileSync(join(root, 'README.md'), 'utf8');

test('what it says is refused is refused', () => {
  for (const run of ['"--name={i}"', "echo '{i}'", 'echo `cat {i}`', 'cat <<END\n{i}\nEND', 'cat {none}']) {
    assert.not.ok(read(JSON.stringify({ run, array: '1-2' })).ok, run);
  }
});

test('defaults and limits are those of the schema', () => {
  const document = jobDocument.parse({ plugin: 'x', reduce: { plugin: 'y' } });
  for (const key of ['timeout_s', 'retries', 'backoff_s', 'priority', 'keep_h'] as const) {
    assert.match(page, new RegExp(`^\\| \`${key}\` \\| ${document[key]} \\|`, 'm'));
  }
  assert.match(page, `\`fan_in\` (${document.reduce?.fan_in})`);
  assert.match(page, `jobs that have not ended | ${jobLimits.live.toLocaleString('en')} |`);
  assert.match(page, `tasks of one job | ${jobLimits.tasks.toLocaleString('en')} |`);
  assert.match(page, `${jobLimits.checkpoint / 1024} kB; ${jobLimits.code / 1024} kB |`);
  assert.match(page, `jobs that one job needs | ${jobLimits.needs} |`);
  assert.match(page, failures.join(' '));
  for (const policy of policies) assert.match(page, `| \`${policy}\``);
});

test('its links lead somewhere', () => {
  for (const name of ['jobs.md', 'client.md', 'examples/README.md']) {
    const place = join(root, 'docs', name);
    const text = readFileSync(place, 'utf8');
    for (const [, path = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)/g)) readFileSync(join(place, '..', path));
  }
});

test.run();
