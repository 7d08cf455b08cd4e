// The band of rooms: a card each, and what people turn there on its way to the supervisor.
import { post, toLogin } from './account.js';
import { createRoomCard } from './room-card.js';
import { accepted, noWish, refused, sending, settled, turned, typedTarget } from './room-state.js';

/** How long after a press of − or + another may follow; then all of them are one change. */
const pressesMs = 600;
/** The supervisor says after ten seconds that it does not know. */
const answerMs = 15_000;
const { compare } = new Intl.Collator('en', { numeric: true });

/** root: the section. fleet(): the present fleet. now(): the supervisor's clock in epoch milliseconds. */
export function createRooms(root, fleet, now) {
  const list = root.querySelector('#rooms-list');
  const entries = new Map();
  let mayTurn = false;

  const show = entry => {
    const room = fleet().rooms.get(entry.id);
    if (!room) return;
    entry.wish = settled(entry.wish, room, now());
    entry.card.update(room, entry.wish, now());
  };

  const send = async entry => {
    clearTimeout(entry.timer);
    const wish = sending(entry.wish);
    // What is said while an answer is awaited goes after it.
    if (wish === entry.wish) return;
    entry.wish = wish;
    show(entry);
    try {
      const { rev } = await post(`/api/room/${encodeURIComponent(entry.id)}/set`, wish.asking, answerMs);
      entry.wish = accepted(entry.wish, rev, now());
    } catch (error) {
      if (error.status === 401) return toLogin();
      const sentence = error.status === undefined ? 'the supervisor cannot be reached' : error.message;
      entry.wish = refused(entry.wish, sentence, error.status !== undefined && error.status !== 504);
    }
    show(entry);
    plan(entry, pressesMs);
  };

  const plan = (entry, ms) => {
    clearTimeout(entry.timer);
    entry.timer = setTimeout(() => send(entry), ms);
  };

  const add = id => {
    const entry = { id, wish: noWish, timer: 0 };
    const turn = (key, value, mayGoOn = false) => {
      entry.wish = turned(entry.wish, key, value);
      plan(entry, mayGoOn ? pressesMs : 0);
      show(entry);
    };
    entry.card = createRoomCard(id, {
      turn,
      typed(text) {
        const target = typedTarget(text);
        if (target !== undefined) return turn('target_c', target);
        entry.wish = { ...entry.wish, fault: `"${text}" is no temperature: write it as 21.5.` };
        show(entry);
      },
    });
    if (mayTurn) entry.card.allow();
    entries.set(id, entry);
    const after = [...entries.keys()].filter(other => compare(other, id) > 0).sort(compare)[0];
    list.insertBefore(entry.card.root, after === undefined ? null : entries.get(after).card.root);
  };

  const remove = id => {
    const entry = entries.get(id);
    if (!entry) return;
    clearTimeout(entry.timer);
    entry.card.root.remove();
    entries.delete(id);
  };

  const look = ids => {
    for (const id of ids) {
      if (!fleet().rooms.has(id)) remove(id);
      else {
        if (!entries.has(id)) add(id);
        show(entries.get(id));
      }
    }
    root.hidden = entries.size === 0;
  };

  // What was turned last is not lost with the page.
  window.addEventListener('pagehide', () => {
    for (const entry of entries.values()) send(entry);
  });

  return {
    /** After a snapshot. */
    reset: () => look(new Set([...entries.keys(), ...fleet().rooms.keys()])),
    /** After a change to these rooms. */
    touch: look,
    /** Who looks may turn the dials. */
    allow() {
      mayTurn = true;
      for (const { card } of entries.values()) card.allow();
    },
    /** Once a second: ages, and what nobody answers. */
    tick() {
      for (const entry of entries.values()) {
        if (entry.wish.waiting) show(entry);
        else entry.card.age(now());
      }
    },
  };
}
