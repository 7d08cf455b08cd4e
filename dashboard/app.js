// The page: fleet state in the middle, the line to the supervisor on one side, grid, totals and events on the other.
import { showAccount, toLogin, whoAmI } from './account.js';
import { el, say } from './card.js';
import { span, totals } from './describe.js';
import { applyChange, emptyFleet, fromSnapshot } from './fleet-state.js';
import { createGrid } from './grid.js';
import { createPending } from './pending.js';
import { createRooms } from './rooms.js';
import { follow } from './stream.js';

const byId = id => document.getElementById(id);
/** Events on the page; the state keeps more. */
const eventsShown = 60;

let fleet = emptyFleet;
let hints = { mqtt_port: 1883 };
/** The supervisor's wall clock less ours: an old phone's clock may be anywhere. */
let clockOffset = 0;
const now = () => Date.now() + clockOffset;

const grid = createGrid(byId('grid'), () => fleet, now);
grid.onFit = fitting => {
  byId('none').hidden = fitting > 0 || fleet.nodes.size === 0;
};
const rooms = createRooms(byId('rooms'), () => fleet, now);

// --- who looks at this -------------------------------------------------------------------------------------------
let pending;

async function lookWhoAmI() {
  const me = await whoAmI().catch(() => null);
  // Not to be had now; asked again when the line is lost again.
  if (me === null) return;
  if (me === undefined) return toLogin();
  if (pending) return;
  pending = createPending(byId('pending'), me.role === 'admin', now);
  if (me.role === 'admin' || me.role === 'operator') rooms.allow();
  showAccount(byId('account'), me);
  pending.hint(hints.pending);
}
lookWhoAmI();

// --- totals -----------------------------------------------------------------------------------------------------
function showTotals() {
  const sum = totals(fleet.nodes.values());
  const of = (part, whole) => (whole === 0 ? '–' : `${part} / ${whole}`);
  say(byId('total-online'), of(sum.online, sum.nodes));
  say(byId('total-cores'), sum.cores === 0 ? '–' : String(sum.cores));
  say(byId('total-cpu'), sum.cores === 0 ? '–' : `${Math.round((sum.busyCores / sum.cores) * 100)} %`);
  say(byId('total-converged'), of(sum.converged, sum.nodes));
  say(byId('total-services'), of(sum.running, sum.services));
  byId('total-online').dataset.tone = sum.online < sum.nodes ? 'busy' : 'good';
  byId('total-converged').dataset.tone = sum.converged < sum.nodes ? 'busy' : 'good';
  byId('total-services').dataset.tone = sum.running < sum.services ? 'busy' : 'good';
  document.title = sum.nodes === 0 ? 'Hearth' : `${sum.online}/${sum.nodes} · Hearth`;
  showStart(sum);
}

// --- how to begin -----------------------------------------------------------------------------------------------
function showStart(sum) {
  byId('tools').hidden = sum.nodes === 0;
  byId('start').hidden = sum.nodes > 0 && sum.services > 0;
  if (byId('start').hidden) return;
  const empty = sum.nodes === 0;
  const id = empty ? 'n1' : ([...fleet.nodes.values()].find(node => node.online) ?? [...fleet.nodes.values()][0]).id;
  const port = hints.mqtt_port === 1883 ? '' : ` -p ${hints.mqtt_port}`;
  const topic = `${fleet.base}/node/${id}/set/services/hello`;
  const base = fleet.base === 'hearth' ? '' : ` --base ${fleet.base}`;
  say(byId('start-title'), empty ? 'No node has joined yet' : 'Give the cluster something to do');
  say(byId('start-service'), empty ? 'Then run a first service on it:' : `Run a first service on ${id}:`);
  if (hints.lan) {
    say(byId('start-how'), 'On the supervisor. It prints the line to paste on the machine that should join:');
    say(byId('line-agent'), 'hearth token');
  } else say(byId('line-agent'), `hearth agent --broker mqtt://localhost:${hints.mqtt_port} --node n1${base}`);
  say(byId('line-set'), `mosquitto_pub${port} -t ${topic} -m 'sleep 1000'`);
  say(byId('line-clear'), `mosquitto_pub${port} -t ${topic} -n`);
  byId('start-node').hidden = !empty;
}

for (const button of document.querySelectorAll('[data-copy]')) {
  button.addEventListener('click', async () => {
    const line = byId(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(line.textContent);
      button.textContent = 'Copied';
    } catch {
      // Not allowed here: mark it, so that one key press copies it.
      getSelection()?.selectAllChildren(line);
      button.textContent = 'Marked';
    }
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 1500);
  });
}

// --- events -----------------------------------------------------------------------------------------------------
const rows = new WeakMap();

function eventRow(event) {
  const time = el('time', '', new Date(event.at_ms).toLocaleTimeString([], { hour12: false }));
  time.dateTime = new Date(event.at_ms).toISOString();
  time.title = new Date(event.at_ms).toLocaleString();
  const line = el('p', '', event.text);
  const head = el(
    'div',
    '',
    el('span', 'kind', event.kind),
    ...(event.node ? [el('span', 'who', event.node)] : []),
    time,
  );
  const row = el('li', '', head, line);
  row.dataset.level = event.level;
  return row;
}

function showEvents() {
  const shown = fleet.events.slice(-eventsShown).reverse();
  for (const event of shown) if (!rows.has(event)) rows.set(event, eventRow(event));
  byId('events').replaceChildren(...shown.map(event => rows.get(event)));
  byId('no-events').hidden = shown.length > 0;
}

// --- what a screen reader hears: nodes that came or went, gathered so that a burst is one sentence -------------------
const cameOrWent = new Map();
let speaking = 0;

function speak(id, online) {
  cameOrWent.set(id, online);
  if (speaking !== 0) return;
  speaking = setTimeout(() => {
    speaking = 0;
    const list = [...cameOrWent].map(([node, up]) => `${node} ${up ? 'online' : 'offline'}`);
    cameOrWent.clear();
    byId('spoken').textContent = list.length > 5 ? `${list.length} nodes changed` : list.join(', ');
  }, 1500);
}

// --- the line ---------------------------------------------------------------------------------------------------
let link = 'opening';
let lostAt = 0;

function showLink() {
  document.body.dataset.link = link;
  if (link === 'live') say(byId('link-text'), 'live');
  else if (link === 'lost') say(byId('link-text'), 'reconnecting…');
  byId('link').title = link === 'lost' && fleet.seq >= 0 ? `what you see is ${span((now() - lostAt) / 1000)} old` : '';
}

// Totals and events are redrawn together a moment later, however many changes come at once.
let overviewDue = 0;
let eventsDrawn;
function planOverview() {
  if (overviewDue !== 0) return;
  overviewDue = setTimeout(() => {
    overviewDue = 0;
    showTotals();
    if (eventsDrawn !== fleet.events) showEvents();
    eventsDrawn = fleet.events;
  }, 50);
}

follow('/api/fleet/stream', {
  snapshot(data) {
    // Another version of the supervisor brings another page.
    if (fleet.ver !== '' && fleet.ver !== data.ver) return location.reload();
    fleet = fromSnapshot(data);
    say(byId('base'), fleet.base === 'hearth' ? '' : fleet.base);
    byId('base').title = `Hearth ${fleet.ver}`;
    grid.reset();
    rooms.reset();
    planOverview();
  },
  change(data) {
    const ids = Object.keys(data.nodes);
    const before = new Map(ids.map(id => [id, fleet.nodes.get(id)?.online]));
    const next = applyChange(fleet, data);
    if (next === undefined) return false;
    if (next === fleet) return true;
    fleet = next;
    for (const id of ids) {
      const online = fleet.nodes.get(id)?.online;
      if (online !== undefined && online !== before.get(id)) speak(id, online);
    }
    grid.touch(ids);
    if (data.rooms) rooms.touch(Object.keys(data.rooms));
    planOverview();
    return true;
  },
  beat(data) {
    clockOffset = data.at_ms - Date.now();
    if (hints.mqtt_port !== data.mqtt_port) planOverview();
    hints = data;
    pending?.hint(data.pending);
  },
  link(state) {
    if (state === 'lost' && link !== 'lost') lostAt = now();
    // Perhaps because the session is over.
    if (state === 'lost') lookWhoAmI();
    link = state;
    showLink();
  },
});

setInterval(() => {
  if (document.hidden) return;
  grid.tick();
  rooms.tick();
  if (link === 'lost') showLink();
}, 1000);

// --- search -----------------------------------------------------------------------------------------------------
function applyFilter() {
  const group = document.querySelector('input[name="group"]:checked')?.value ?? 'all';
  grid.filter({ search: byId('search').value, group });
}
byId('search').addEventListener('input', applyFilter);
byId('groups').addEventListener('change', applyFilter);
document.addEventListener('keydown', event => {
  if (event.key !== '/' || event.target instanceof HTMLInputElement || byId('tools').hidden) return;
  event.preventDefault();
  byId('search').focus();
});
applyFilter();
