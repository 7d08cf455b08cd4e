// One room as a card. Everything it says goes through textContent; the dials are there for who may turn them.
import { el, say } from './card.js';
import { degrees, dialsOf, figuresOf, roomFacts, roomState, stepped, targetText, temperatureOf } from './room-state.js';

const presets = ['none', 'eco', 'comfort', 'boost', 'away'];
const modes = { off: 'Off', heat: 'Heat' };

/**
 * @param turn called with `target_c`, `mode` or `preset`, and what it is to be; a target that was stepped may yet be
 * stepped on.
 * @param typed called with what somebody typed as a target.
 */
export function createRoomCard(id, { turn, typed }) {
  const badge = el('span', 'badge');
  const name = el('h3');
  const temperature = el('b', 'temperature');
  const age = el('span', 'age');
  const plain = el('p', 'plain');
  const pending = el('p', 'turning');
  pending.setAttribute('role', 'status');
  const fault = el('p', 'fault');
  fault.setAttribute('role', 'alert');
  const why = el('p', 'why');
  const facts = el('p', 'facts');
  const figures = figuresOf({}).map(([label]) => ({ label: el('dt', '', label), figure: el('dd') }));
  const list = el('dl', 'figures', ...figures.map(({ label, figure }) => el('div', '', label, figure)));
  const climate = el('div', 'climate', el('p', 'now', temperature, age), plain);
  const root = el('li', 'room', el('div', 'head', name, pending, badge), climate, fault, why, list, facts);
  root.dataset.room = id;
  let shown;
  let dials;

  return {
    root,
    /** Puts the dials there. */
    allow() {
      if (dials) return;
      dials = createDials(id, {
        typed,
        turn,
        step(direction) {
          const { room, wish } = shown;
          const now = dialsOf(room, wish);
          const next = now && stepped(now.target_c, direction, room);
          if (next !== now?.target_c) turn('target_c', next, true);
        },
      });
      plain.hidden = true;
      climate.append(dials.target);
      climate.after(dials.choices);
      if (shown) this.update(shown.room, shown.wish, shown.nowMs);
    },
    update(room, wish, nowMs) {
      shown = { room, wish, nowMs };
      const state = roomState(room);
      say(badge, state.word);
      root.dataset.tone = state.tone;
      const called = room.name ?? id;
      say(name, called);
      name.title = id;
      this.age(nowMs);
      const now = dialsOf(room, wish);
      say(
        plain,
        now ? [`${degrees(now.target_c)} wanted`, now.preset !== 'none' && now.preset].filter(Boolean).join(', ') : '',
      );
      dials?.show(called, now, room);
      say(pending, now?.pending ?? '');
      say(fault, wish.fault);
      say(why, room.is?.err ?? '');
      figuresOf(room).forEach(([, figure], index) => {
        say(figures[index].figure, figure);
      });
      say(facts, roomFacts(room));
    },
    age(nowMs) {
      const { text, note } = temperatureOf(shown.room, nowMs);
      say(temperature, text);
      say(age, note);
    },
  };
}

function button(text, press) {
  const made = el('button', 'step', text);
  made.type = 'button';
  made.addEventListener('click', press);
  return made;
}

/** − target +, off or heat, and the preset. */
function createDials(id, { turn, typed, step }) {
  const colder = button('−', () => step(-1));
  const warmer = button('+', () => step(1));
  const field = el('input');
  field.type = 'text';
  field.inputMode = 'decimal';
  field.autocomplete = 'off';
  field.spellcheck = false;
  field.maxLength = 12;
  /** What is being typed stays, whatever comes in. */
  let typing = false;
  let target = '';
  const leave = () => {
    typing = false;
    field.value = target;
  };
  field.addEventListener('input', () => {
    typing = true;
  });
  field.addEventListener('change', () => {
    const said = field.value;
    const isNew = typing && said.trim() !== target;
    leave();
    if (isNew) typed(said);
  });
  field.addEventListener('keydown', event => {
    if (event.key === 'Escape') leave();
    if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return;
    event.preventDefault();
    leave();
    step(event.key === 'ArrowUp' ? 1 : -1);
  });
  const group = el('div', 'target', colder, field, el('span', 'unit', '°C'), warmer);
  group.setAttribute('role', 'group');

  const radios = Object.entries(modes).map(([mode, word]) => {
    const radio = el('input');
    radio.type = 'radio';
    radio.name = `mode-${id}`;
    radio.value = mode;
    radio.addEventListener('change', () => turn('mode', mode));
    return { radio, label: el('label', '', radio, el('span', '', word)) };
  });
  const legend = el('legend', 'unseen');
  const mode = el('fieldset', 'mode', legend, ...radios.map(({ label }) => label));

  const select = el('select');
  const options = presets.map(preset => {
    const option = el('option');
    option.value = preset;
    return option;
  });
  select.append(...options);
  select.addEventListener('change', () => turn('preset', select.value));
  select.className = 'preset';
  const all = [colder, warmer, field, select, ...radios.map(({ radio }) => radio)];

  return {
    target: group,
    choices: el('div', 'choices', mode, select),
    show(called, now, room) {
      for (const one of all) one.disabled = !now;
      group.ariaLabel = `Target of ${called}`;
      colder.ariaLabel = `Colder: ${called}`;
      warmer.ariaLabel = `Warmer: ${called}`;
      field.ariaLabel = `Target of ${called} in °C`;
      select.ariaLabel = `Preset of ${called}`;
      say(legend, `Mode of ${called}`);
      options.forEach((option, index) => {
        const degreesOf = room.presets[presets[index]];
        say(option, degreesOf === undefined ? 'no preset' : `${presets[index]}, ${degrees(degreesOf)}`);
      });
      if (!now) return;
      group.dataset.pending = String(now.pending !== '');
      target = targetText(now.target_c);
      if (!typing && field.value !== target) field.value = target;
      for (const { radio } of radios) radio.checked = radio.value === now.mode;
      if (select.value !== now.preset) select.value = now.preset;
      // The one with the focus stays enabled: a disabled button loses it.
      colder.ariaDisabled = String(now.target_c <= room.min_c);
      warmer.ariaDisabled = String(now.target_c >= room.max_c);
    },
  };
}
