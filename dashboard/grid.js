// The grid of cards: in order of names, filtered, and drawn only where somebody can see it.
import { createCard } from './card.js';
import { matches } from './describe.js';

/** n2 before n10. */
const { compare } = new Intl.Collator('en', { numeric: true });

/** fleet(): the present fleet; now(): the supervisor's clock in epoch milliseconds. */
export function createGrid(root, fleet, now) {
  const cards = new Map();
  /** Ids in the order of the page. */
  let order = [];
  const dirty = new Set();
  const near = new Set();
  let filter = { search: '', group: 'all' };
  let frame = 0;
  let onFit = () => {};
  let fitting = 0;

  const watcher = new IntersectionObserver(
    entries => {
      for (const { target, isIntersecting } of entries) {
        const id = target.dataset.node;
        if (isIntersecting) near.add(id);
        else near.delete(id);
        if (isIntersecting && cards.has(id)) dirty.add(id);
      }
      plan();
    },
    { rootMargin: '600px 0px' },
  );

  const plan = () => {
    // In a hidden tab no frame comes; what is dirty waits, bounded by the number of nodes.
    if (frame === 0) frame = requestAnimationFrame(draw);
  };

  const draw = () => {
    frame = 0;
    const { nodes, ver } = fleet();
    for (const id of dirty) {
      const node = nodes.get(id);
      const card = cards.get(id);
      if (!node || !card) continue;
      setFit(card, matches(node, filter.search, filter.group));
      if (near.has(id)) card.update(node, now(), ver);
      else card.head(node);
    }
    dirty.clear();
    onFit(fitting);
  };

  const setFit = (card, fits) => {
    if (card.fits === fits) return;
    fitting += fits ? 1 : -1;
    card.fits = fits;
    card.root.hidden = !fits;
  };

  const add = id => {
    const card = createCard(id);
    card.fits = true;
    fitting += 1;
    cards.set(id, card);
    watcher.observe(card.root);
    return card;
  };

  const remove = id => {
    const card = cards.get(id);
    if (!card) return;
    watcher.unobserve(card.root);
    card.root.remove();
    if (card.fits) fitting -= 1;
    cards.delete(id);
    near.delete(id);
    dirty.delete(id);
    order = order.filter(other => other !== id);
  };

  return {
    /** After a snapshot: every card is looked at again; those of nodes that are gone go. */
    reset() {
      const { nodes } = fleet();
      for (const id of [...cards.keys()]) if (!nodes.has(id)) remove(id);
      order = [...nodes.keys()].sort(compare);
      for (const id of order) if (!cards.has(id)) add(id);
      const inPlace = order.every((id, index) => root.children[index] === cards.get(id).root);
      if (!inPlace) root.append(...order.map(id => cards.get(id).root));
      for (const id of order) dirty.add(id);
      plan();
    },
    /** After a change to these nodes. */
    touch(ids) {
      const { nodes } = fleet();
      for (const id of ids) {
        if (!nodes.has(id)) remove(id);
        else if (!cards.has(id)) {
          let at = order.findIndex(other => compare(other, id) > 0);
          if (at < 0) at = order.length;
          root.insertBefore(add(id).root, order[at] === undefined ? null : cards.get(order[at]).root);
          order.splice(at, 0, id);
        }
        if (nodes.has(id)) dirty.add(id);
      }
      plan();
    },
    filter(next) {
      filter = next;
      for (const id of cards.keys()) dirty.add(id);
      plan();
    },
    /** Once a second: the ages on the cards that are seen. */
    tick() {
      const { nodes } = fleet();
      for (const id of near) {
        const node = nodes.get(id);
        if (node) cards.get(id)?.age(node, now());
      }
    },
    /** Called after drawing with how many cards fit the filter. */
    set onFit(handler) {
      onFit = handler;
    },
  };
}
