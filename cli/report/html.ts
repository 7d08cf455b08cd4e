/**
 * A report as one HTML file: no script, nothing from elsewhere, for the screen in both schemes and for paper. Everything
 * that nodes and documents say is hostile: it is made printable, escaped, and never an attribute, but for the address of
 * a runbook that is plainly http or https.
 */
import { printable } from '../../shared/names.ts';
import type { CheckResult, JobsReport, NodeReport, Report } from '../../shared/schemas/report.ts';
import { ago } from '../table.ts';
import { stylesheet } from './stylesheet.ts';
import { jobCells, jobHead, jobsText, stateOf, summaryText, weights } from './text.ts';

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for an element or a quoted attribute. */
export const escaped = (text: string, max = 400): string =>
  printable(text, max).replace(/[&<>"']/g, character => entities[character] ?? '');

const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

export function reportHtml(report: Report): string {
  const { made_ms: made, base, nodes } = report;
  const when = new Date(made).toISOString().replace('T', ' ').slice(0, 16);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Report of ${escaped(base)}, ${when} UTC</title>
<style>${stylesheet}</style>
</head>
<body>
<header>
<h1>Report of ${escaped(base)}</h1>
<p>Made ${when} UTC. ${escaped(summaryText(report))}</p>
</header>
${totals(report)}
<main>
${report.jobs ? jobsSection(report.jobs) : ''}
${nodes.length === 0 ? '<p>No node has joined yet.</p>' : nodes.map(node => section(node, made)).join('\n')}
</main>
</body>
</html>
`;
}

function jobsSection(jobs: JobsReport): string {
  const row = (cells: readonly string[], tag: 'td' | 'th') =>
    `<tr>${cells.map(cell => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`;
  const rows = jobs.jobs.map(job => row(jobCells(job), 'td'));
  const all = [row(jobHead, 'th'), ...rows].join('\n');
  const list = rows.length === 0 ? '' : `<div class="wide"><table>\n${all}\n</table></div>`;
  return `<section>\n<h2>Jobs</h2>\n<p>${escaped(jobsText(jobs))}</p>\n${list}\n</section>`;
}

function totals({ summary, supervisor }: Report): string {
  const { nodes, online, converged, items_wrong: wrong, pass, fail, unknown, failing } = summary;
  const tile = (figure: string, words: string, mood: string) =>
    `<li class="${mood}"><strong>${escaped(figure)}</strong> ${escaped(words)}</li>`;
  return `<ul class="totals">
${[
  tile(supervisor, 'supervisor', supervisor === 'online' ? 'good' : 'bad'),
  tile(`${online}/${nodes}`, 'nodes online', online === nodes ? 'good' : 'bad'),
  tile(`${converged}/${nodes}`, 'as wanted', converged === nodes ? 'good' : 'busy'),
  tile(String(wrong), 'items wrong', wrong === 0 ? 'good' : 'busy'),
  tile(String(fail), `checks fail, ${failing.critical} of them critical`, fail === 0 ? 'good' : 'bad'),
  tile(String(pass), 'checks pass', 'good'),
  tile(String(unknown), 'cannot be told', unknown === 0 ? 'good' : 'idle'),
].join('\n')}
</ul>`;
}

function section(node: NodeReport, now: number): string {
  const about = [node.os, node.arch, node.ver && `Hearth ${node.ver}`, node.room && `room ${node.room}`];
  const mood = node.online ? (node.converged ? 'good' : 'busy') : 'bad';
  const rows = node.items.map(one => [
    `<td>${escaped(one.item)}</td>`,
    `<td><span class="${one.wrong ? 'bad' : 'busy'}">${escaped(one.state)}</span></td>`,
    `<td>${sinceCell(one.since_ms, now)}</td>`,
    `<td>${escaped(one.why)}</td>`,
  ]);
  const order = { fail: 0, unknown: 1, pass: 2 } as const;
  const checks = [...node.checks].sort(
    (a, b) =>
      order[a.state] - order[b.state] || weights[b.severity] - weights[a.severity] || (a.check < b.check ? -1 : 1),
  );
  return `<section>
<h2>${escaped(node.node)} <span class="${mood}">${escaped(stateOf(node))}</span></h2>
<p class="about">${escaped(about.filter(Boolean).join(' · '))}</p>
<p>${node.items_ok} items are as wanted; revision ${node.rev ?? 'none'}${node.want_rev === undefined ? '' : ` of ${node.want_rev}`}.</p>
${node.err === undefined ? '' : `<p class="bad">${escaped(node.err, 600)}</p>`}
${tableOf('Not as wanted', ['Item', 'State', 'Since', 'Why'], rows)}
${tableOf(
  'Checks',
  ['Check', 'State', 'Severity', 'Since', 'Saw', 'What to do'],
  checks.map(one => checkRow(one, now)),
)}
</section>`;
}

const moods = { pass: 'good', fail: 'bad', unknown: 'idle' } as const;

const checkRow = (one: CheckResult, now: number): string[] => [
  `<td>${escaped(one.check.replace(/^checks\//, ''))}</td>`,
  `<td><span class="${moods[one.state]}">${one.state}</span></td>`,
  `<td>${one.severity}</td>`,
  `<td>${sinceCell(one.since_ms, now)}</td>`,
  `<td>${escaped(one.saw)}</td>`,
  `<td>${one.state === 'fail' ? runbook(one.runbook) : ''}</td>`,
];

const tableOf = (caption: string, head: readonly string[], rows: readonly (readonly string[])[]): string =>
  rows.length === 0
    ? ''
    : `<div class="wide"><table>
<caption>${caption}</caption>
<thead><tr>${head.map(cell => `<th scope="col">${cell}</th>`).join('')}</tr></thead>
<tbody>
${rows.map(row => `<tr>${row.join('')}</tr>`).join('\n')}
</tbody>
</table></div>`;

/** A clock that is wrong on a node makes no time that cannot be shown. */
function sinceCell(ms: number | undefined, now: number): string {
  if (ms === undefined || !(ms >= 0 && ms < 8.64e15)) return '';
  const exact = new Date(ms).toISOString();
  return `<time datetime="${exact}">${exact.slice(0, 16).replace('T', ' ')}</time> <small>${ago(Math.max(0, now - ms))}</small>`;
}

function runbook(text: string | undefined): string {
  if (text === undefined) return '';
  // Nothing but what an address is made of: no blank, no quote, no user name in it.
  const isAddress = /^https?:\/\/[A-Za-z0-9.-]+(:\d+)?(\/[A-Za-z0-9._~%!$&()*+,;=:/?#-]*)?$/.test(text);
  return isAddress ? `<a href="${escaped(text)}" rel="noopener noreferrer">${escaped(text)}</a>` : escaped(text);
}
