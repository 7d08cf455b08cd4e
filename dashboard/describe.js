// What the page says about a node: states, totals, search and units. Pure: no DOM and no clock.

/** Worst first; an item in one of these needs somebody to look. */
const troubles = ['crash-loop', 'failed', 'fail', 'unhealthy', 'drifted', 'backoff'];
const calm = {
  ...{ running: 'good', ok: 'good', pass: 'good', exited: 'idle', stopped: 'idle', scheduled: 'idle' },
  ...{ starting: 'busy', stopping: 'busy', waiting: 'busy', changing: 'busy' },
};

/** `good`, `busy`, `bad` or `idle`: picks the colour. The word beside it says the same without colour. */
const serviceTone = state => (troubles.includes(state) ? 'bad' : (calm[state] ?? 'idle'));

/** A check that fails is as bad as it says it is. */
const toneOf = ({ state, health, severity }) => {
  if (health === 'unhealthy') return 'bad';
  return state === 'fail' && severity !== 'critical' ? 'busy' : serviceTone(state);
};

/** A node's services, and of everything else what somebody should look at; trouble first, then by name. */
export function servicesOf(node) {
  const rank = item => (item.tone === 'bad' ? Math.max(0, troubles.indexOf(item.state)) : troubles.length);
  return Object.entries(node.is?.items ?? {})
    .map(([path, status]) => {
      const isService = path.startsWith('services/');
      return { ...status, name: isService ? path.slice('services/'.length) : path, tone: toneOf(status), isService };
    })
    .filter(({ isService, tone }) => isService || tone === 'bad' || tone === 'busy')
    .sort((a, b) => rank(a) - rank(b) || b.isService - a.isService || (a.name < b.name ? -1 : 1));
}

/** One word for the card's badge and its tone. */
export function stateOf(node) {
  if (!node.online) return { word: node.is?.state === 'left' ? 'left' : 'offline', tone: 'off' };
  const { state } = node.is ?? {};
  if (state === 'failed') return { word: 'failed', tone: 'bad' };
  if (state !== undefined && state !== 'ready') return { word: state === 'init' ? 'starting' : state, tone: 'busy' };
  const worst = servicesOf(node)[0];
  if (worst?.tone === 'bad') return { word: worst.state === 'fail' ? 'check fails' : worst.state, tone: 'bad' };
  return { word: 'online', tone: 'good' };
}

/** Whether the node is as wanted: `undefined` while it has not said. */
export const converged = node => (node.is ? node.is.rev === node.want_rev && node.is.err === '' : undefined);

/** Sentence on how far the node is from what is wanted, with its tone. */
export function wantOf(node) {
  const { is, want_rev: wanted } = node;
  if (is?.err) return { text: is.err, tone: 'bad' };
  if (wanted === 0) return { text: 'nothing wanted yet', tone: 'idle' };
  if (!is) return { text: `revision ${wanted} waits for its first report`, tone: 'busy' };
  if (is.rev === wanted) return { text: `as wanted, revision ${wanted}`, tone: 'good' };
  return { text: `at revision ${is.rev}, going to ${wanted}`, tone: 'busy' };
}

/** Watts that the machine draws: as the supervisor knows them, by plug, counter or model, else by its own counter. */
export const drawnBy = ({ load, heat }) => heat?.watts ?? load?.watts;

/** Header figures over all nodes. */
export function totals(nodes) {
  const sum = { nodes: 0, online: 0, cores: 0, converged: 0, services: 0, running: 0, busyCores: 0, watts: 0 };
  for (const node of nodes) {
    sum.nodes += 1;
    if (converged(node)) sum.converged += 1;
    for (const [path, { state }] of Object.entries(node.is?.items ?? {})) {
      if (!path.startsWith('services/')) continue;
      sum.services += 1;
      if (node.online && state === 'running') sum.running += 1;
    }
    if (!node.online) continue;
    const cores = node.info?.cores ?? node.cores?.length ?? 0;
    sum.online += 1;
    sum.cores += cores;
    sum.busyCores += (cores * (node.load?.cpu_pct ?? 0)) / 100;
    sum.watts += drawnBy(node) ?? 0;
  }
  return sum;
}

/** Which of the filter buttons a node falls under, besides `all`. */
export const groupOf = node => {
  const { tone } = stateOf(node);
  if (tone === 'off') return 'offline';
  return tone === 'bad' || node.is?.err ? 'trouble' : 'online';
};

/** Whether every word of the search is in the node's names, states or facts. */
export function matches(node, search, group) {
  if (group === 'online' ? !node.online : group !== 'all' && groupOf(node) !== group) return false;
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const { os, arch, cpu, roles, room, zone } = node.info ?? {};
  const services = Object.entries(node.is?.items ?? {}).map(([path, { state }]) => `${path} ${state}`);
  const facts = [os, arch, cpu, roles, node.heat?.room ?? room, zone];
  const text = [node.id, stateOf(node).word, ...facts, ...services].join(' ').toLowerCase();
  return words.every(word => text.includes(word));
}

/** `12 s`, `5 min`, `3 h`, `2 d`. */
export function span(seconds) {
  const s = Math.max(0, seconds);
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

/** Kilobits per second with a unit people read. */
export function rate(kbps) {
  if (kbps < 1000) return `${Math.round(kbps)} kb/s`;
  return kbps < 1_000_000 ? `${(kbps / 1000).toFixed(1)} Mb/s` : `${(kbps / 1_000_000).toFixed(1)} Gb/s`;
}

/** From here on a clock is worth a word: what a node stamps is off by as much. */
const clockOffMs = 5000;

/** Sentence on a node's clock where it is wrong, else `''`. */
export function clockOf(node) {
  const off = node.online ? Number(node.info?.clock_off_ms ?? 0) : 0;
  if (!(Math.abs(off) >= clockOffMs)) return '';
  return `clock ${span(Math.abs(off) / 1000)} ${off > 0 ? 'ahead' : 'behind'}: set it, or install an NTP client`;
}

/** Megabytes as GB where that is shorter. */
export const size = mb => (mb < 1000 ? `${Math.round(mb)} MB` : `${(mb / 1024).toFixed(mb < 10_240 ? 1 : 0)} GB`);

/**
 * The cores as one SVG path per tone, on a grid of at most 64 bars a row (four rows at most): one element however many
 * cores. `width` counts bars, less the gap after the last, `height` rows.
 */
export function coreBars(cores) {
  const perRow = cores.length <= 64 ? Math.max(cores.length, 1) : Math.max(64, Math.ceil(cores.length / 4));
  const rows = Math.ceil(cores.length / perRow);
  const paths = { track: '', cool: '', warm: '', hot: '' };
  cores.forEach((share, index) => {
    const pct = Math.min(100, Math.max(0, Number(share) || 0));
    const tall = Math.max(0.04, (pct / 100) * 0.92).toFixed(2);
    const tone = pct < 50 ? 'cool' : pct < 85 ? 'warm' : 'hot';
    const from = `M${index % perRow} ${Math.floor(index / perRow) + 1}`;
    paths.track += `${from}v-.92h.8v.92z`;
    paths[tone] += `${from}v-${tall}h.8v${tall}z`;
  });
  return { width: perRow - 0.2, height: rows, paths };
}
