// Who looks at the page, and how it asks the supervisor to change something.

/** Repeated with every change, so that no other page can have one made (see /api/me). */
let csrf = '';

/** { role, name, how }, or undefined for who has to log in first. Throws where the supervisor cannot be asked. */
export async function whoAmI() {
  const answer = await fetch('/api/me', { cache: 'no-store' });
  if (answer.status === 401) return undefined;
  if (!answer.ok) throw new Error(`the supervisor answered ${answer.status}`);
  const me = await answer.json();
  csrf = me.csrf ?? '';
  return me;
}

/** The answer's JSON; throws the supervisor's own sentence. `withinMs`: how long an answer is awaited, else without end. */
export async function post(path, body = {}, withinMs = undefined) {
  const headers = { 'content-type': 'application/json', 'x-hearth-csrf': csrf };
  const sent = { method: 'POST', headers, body: JSON.stringify(body), cache: 'no-store' };
  // What is said last arrives though the page is left.
  const signal = withinMs === undefined ? null : AbortSignal.timeout(withinMs);
  const answer = await fetch(path, { ...sent, signal, keepalive: true });
  const said = await answer.json().catch(() => ({}));
  if (answer.ok) return said;
  const error = new Error(said.error ?? `The supervisor answered ${answer.status}.`);
  error.status = answer.status;
  throw error;
}

let leaving = false;

/**
 * To the login, once: a logout and the stream that ends by it both lead there, and a second navigation would abort
 * the first while it loads. One that came to nothing (somebody stopped it) may be tried again after a while.
 */
export function toLogin() {
  if (leaving) return;
  leaving = true;
  setTimeout(() => {
    leaving = false;
  }, 5000);
  location.replace('/login');
}

/** Shows who it is; a session can be ended. `root` holds #account-name, #account-role and #logout. */
export function showAccount(root, me) {
  const part = name => root.querySelector(name);
  part('#account-name').textContent = me.name;
  part('#account-role').textContent = me.how === 'owner' ? '' : me.role;
  root.title =
    me.how === 'owner'
      ? "You are on the supervisor's own machine, as its user."
      : `Logged in as ${me.name}, ${me.role}`;
  const button = part('#logout');
  button.hidden = !me.csrf;
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      await post('/api/logout');
      toLogin();
    } catch (error) {
      // Gone already is as good.
      if (error.status === 401) toLogin();
      button.disabled = false;
    }
  });
  root.hidden = false;
}
