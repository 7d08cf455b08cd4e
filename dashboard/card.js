// One node as a card. Everything a node says goes through textContent; only what differs from the last time is touched.
import { clockOf, coreBars, drawnBy, rate, servicesOf, size, span, stateOf, wantOf } from './describe.js';

const svgSpace = 'http://www.w3.org/2000/svg';
/** Services shown before "… more" is pressed. */
const fewServices = 6;

export function el(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** Sets text, touching the page only where it differs. */
export function say(element, text) {
  if (element.lastSaid === text) return;
  element.lastSaid = text;
  element.textContent = text;
}

const tone = (element, value) => {
  if (element.dataset.tone !== value) element.dataset.tone = value;
};

/** Label, figure and bar; hidden while the node has no such figure. */
function createMeter(label, warm, hot) {
  const figure = el('span', 'figure');
  const fill = el('i');
  const bar = el('span', 'bar', fill);
  bar.ariaHidden = 'true';
  const root = el('div', 'meter', el('span', 'label', label), figure, bar);
  return {
    root,
    show(value, text, share) {
      root.hidden = value === undefined;
      if (value === undefined) return;
      say(figure, text);
      tone(root, value >= hot ? 'bad' : value >= warm ? 'busy' : 'good');
      fill.style.transform = `scaleX(${Math.min(1, Math.max(0, share)).toFixed(3)})`;
    },
  };
}

/** What is built only once the card comes near the screen: 2,000 cards would be 100,000 elements. */
function createBody() {
  const svg = document.createElementNS(svgSpace, 'svg');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('role', 'img');
  const paths = {};
  for (const name of ['track', 'cool', 'warm', 'hot']) {
    paths[name] = document.createElementNS(svgSpace, 'path');
    paths[name].setAttribute('class', name);
    svg.append(paths[name]);
  }
  const cores = el('div', 'cores', svg);
  const meters = {
    cpu: createMeter('CPU', 75, 95),
    mem: createMeter('Memory', 80, 93),
    disk: createMeter('Disk', 80, 93),
    temp: createMeter('Temp.', 75, 88),
  };
  const flow = el('p', 'flow');
  const services = el('ul', 'services');
  services.ariaLabel = 'Services, and what else needs a look';
  const more = el('button', 'more');
  more.type = 'button';
  const want = el('p', 'want');
  const clock = el('p', 'clock');
  const facts = el('p', 'facts');
  const figures = el('div', 'meters', ...Object.values(meters).map(meter => meter.root));
  return { svg, paths, cores, meters, figures, flow, services, more, want, clock, facts };
}

export function createCard(id) {
  const badge = el('span', 'badge');
  const since = el('p', 'since');
  const name = el('h2', '', id);
  name.title = id;
  const root = el('li', 'card', el('div', 'head', name, badge), since);
  root.dataset.node = id;
  let body;
  let shown = {};
  let all = false;

  const showCores = list => {
    body.cores.hidden = !list || list.length === 0;
    if (body.cores.hidden) return;
    const { width, height, paths } = coreBars(list);
    body.svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    body.svg.setAttribute('aria-label', `Load of ${list.length} cores`);
    // A bar is at most 72 pixels wide, however few cores there are.
    body.svg.style.maxWidth = `${width * 72}px`;
    body.cores.dataset.rows = String(height);
    for (const [name, path] of Object.entries(body.paths)) path.setAttribute('d', paths[name]);
  };

  const showLoad = ({ load = {}, heat }) => {
    const { meters } = body;
    const whole = value => `${Math.round(value)} %`;
    meters.cpu.show(load.cpu_pct, whole(load.cpu_pct), load.cpu_pct / 100);
    meters.mem.show(load.mem_pct, whole(load.mem_pct), load.mem_pct / 100);
    meters.disk.show(load.disk_pct, whole(load.disk_pct), load.disk_pct / 100);
    meters.temp.show(load.temp_c, `${Math.round(load.temp_c)} °C`, (load.temp_c - 20) / 80);
    const flow = [];
    if (load.rx_kbps !== undefined) flow.push(`↓ ${rate(load.rx_kbps)}`);
    if (load.tx_kbps !== undefined) flow.push(`↑ ${rate(load.tx_kbps)}`);
    if (load.cpu_mhz !== undefined) flow.push(`${(load.cpu_mhz / 1000).toFixed(1)} GHz`);
    const drawn = drawnBy({ load, heat });
    if (drawn !== undefined) flow.push(`${Math.round(drawn)} W`);
    if (heat?.room !== undefined) flow.push(`heat ${Math.round(heat.heat_w)} W`);
    if (load.up_s !== undefined) flow.push(`up ${span(load.up_s)}`);
    say(body.flow, flow.join('   '));
    body.flow.hidden = flow.length === 0;
  };

  const showServices = node => {
    const list = servicesOf(node);
    const rows = (all ? list : list.slice(0, fewServices)).map(service => {
      const row = el('li', '', el('span', 'name', service.name), el('span', 'state', service.state));
      row.dataset.tone = service.tone;
      row.dataset.service = service.name;
      const notes = [];
      if (service.restarts) notes.push(`${service.restarts} ${service.restarts === 1 ? 'restart' : 'restarts'}`);
      if (service.signal) notes.push(`ended by ${service.signal}`);
      else if (service.exit !== undefined && service.state !== 'running') notes.push(`exit code ${service.exit}`);
      if (service.health && service.health !== 'healthy') notes.push(service.health);
      if (service.doing) notes.push(service.doing);
      if (service.err ?? service.saw ?? service.note) notes.push(service.err ?? service.saw ?? service.note);
      if (notes.length > 0) row.append(el('span', 'note', notes.join(' · ')));
      return row;
    });
    body.services.replaceChildren(...rows);
    body.services.hidden = rows.length === 0;
    body.more.hidden = list.length <= fewServices;
    say(body.more, all ? 'fewer' : `${list.length - fewServices} more`);
  };

  const showFacts = ({ info = {}, heat }, version = '') => {
    const room = heat ? heat.room : info.room;
    const cores = info.cores === undefined ? undefined : `${info.cores} ${info.cores === 1 ? 'core' : 'cores'}`;
    const facts = [
      info.cpu,
      cores,
      info.mem_mb && size(info.mem_mb),
      info.os,
      info.arch,
      room && `room ${room}`,
      version && `Hearth ${version}`,
    ];
    say(body.facts, facts.filter(Boolean).join(' · '));
    body.facts.hidden = body.facts.lastSaid === '';
  };

  const build = () => {
    body = createBody();
    body.more.addEventListener('click', () => {
      all = !all;
      showServices(shown);
    });
    root.append(body.cores, body.figures, body.flow, body.services, body.more, body.want, body.clock, body.facts);
  };

  return {
    root,
    /** Only the head: name, state and tone, for a card that is off the screen. */
    head(node) {
      const state = stateOf(node);
      say(badge, state.word);
      tone(root, state.tone);
    },
    update(node, nowMs, supervisorVersion) {
      this.head(node);
      this.age(node, nowMs);
      const first = body === undefined;
      if (first) build();
      if (first || shown.cores !== node.cores) showCores(node.cores);
      const heat = first || shown.heat !== node.heat;
      if (heat || shown.load !== node.load) showLoad(node);
      if (first || shown.is !== node.is) showServices(node);
      if (heat || shown.info !== node.info || shown.is?.ver !== node.is?.ver) {
        // Worth the room only where it is another one.
        const version = node.is?.ver ?? node.info?.ver;
        showFacts(node, version === supervisorVersion ? '' : version);
      }
      const want = wantOf(node);
      say(body.want, want.text);
      tone(body.want, want.tone);
      say(body.clock, clockOf(node));
      body.clock.hidden = body.clock.lastSaid === '';
      shown = node;
    },
    age(node, nowMs) {
      const text = node.since_ms > 0 ? span((nowMs - node.since_ms) / 1000) : '';
      say(since, text && `${node.online ? 'online' : 'offline'} for ${text}`);
    },
  };
}
