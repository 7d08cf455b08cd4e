// The login: name and password go to the supervisor by script, for the page's policy lets no form send anything.
import { post, whoAmI } from './account.js';

const form = document.getElementById('login');
const fault = document.getElementById('fault');
const button = document.getElementById('enter');
const { name, password } = form.elements;

const goOn = () => location.replace('/');

form.addEventListener('submit', async event => {
  event.preventDefault();
  button.disabled = true;
  fault.textContent = '';
  try {
    await post('/api/login', { name: name.value, password: password.value });
    goOn();
  } catch (error) {
    fault.textContent = error instanceof TypeError ? 'The supervisor does not answer.' : error.message;
    password.value = '';
    password.focus();
  }
  button.disabled = false;
});

// Somebody may be known already: on the supervisor's own machine, by a certificate, or logged in on another tab.
const me = await whoAmI().catch(() => undefined);
if (me) {
  document.getElementById('already').hidden = false;
  document.getElementById('already-name').textContent = `${me.name} (${me.role})`;
}
button.disabled = false;
name.focus();
