// Keeps one line to the supervisor open: snapshot, then changes. Reconnects for ever, with jitter, at most 10 s apart.

/** The supervisor beats every 10 s; after this long without any word the line is dead, whatever the browser thinks. */
const silenceMs = 25_000;

/** handlers: { snapshot(data), change(data) → false when something was missed, beat(data), link('live' | 'lost') } */
export function follow(url, handlers) {
  let source;
  let heardAt = performance.now();
  let failures = 0;
  let timer;

  const open = () => {
    clearTimeout(timer);
    source?.close();
    heardAt = performance.now();
    const mine = new EventSource(url);
    source = mine;
    const on = (name, handle) =>
      mine.addEventListener(name, message => {
        if (mine !== source) return;
        heardAt = performance.now();
        handle(JSON.parse(message.data));
      });
    on('snapshot', data => {
      failures = 0;
      handlers.snapshot(data);
      handlers.link('live');
    });
    on('change', data => {
      if (handlers.change(data) === false) again(0);
    });
    on('beat', handlers.beat);
    // The browser's own retry gives up on an answer that is no stream (such as 503): only ours is used.
    mine.onerror = () => {
      if (mine === source) again();
    };
  };

  const again = (waitMs = Math.random() * Math.min(10_000, 500 * 2 ** Math.min(failures, 10)) + 250) => {
    source?.close();
    source = undefined;
    failures += 1;
    handlers.link('lost');
    clearTimeout(timer);
    timer = setTimeout(open, waitMs);
  };

  const look = () => {
    if (source && performance.now() - heardAt > silenceMs) again(0);
  };
  setInterval(look, 5000);
  // A phone that wakes up: look at once, not at the next turn of a throttled timer.
  document.addEventListener('visibilitychange', look);
  window.addEventListener('online', () => again(0));
  window.addEventListener('pagehide', () => source?.close());
  window.addEventListener('pageshow', event => {
    if (event.persisted) again(0);
  });
  open();
}
