// Machines that ask to join. What they say of themselves is unproven: a person compares the code with the machine's own.
import { post, toLogin } from './account.js';
import { el, say } from './card.js';
import { size, span } from './describe.js';

/** Rows at once; the supervisor keeps a bounded number, and the command line lists them all. */
const mostRows = 50;

/** root: the section. `mayDecide`: an admin looks. `now`: the supervisor's clock. */
export function createPending(root, mayDecide, now) {
  const list = root.querySelector('#pending-list');
  const title = root.querySelector('#pending-title');
  const fault = root.querySelector('#pending-fault');
  const rows = new Map();
  let asking = false;
  let again = false;

  const decide = async (row, verb, args) => {
    for (const button of row.buttons) button.disabled = true;
    say(fault, '');
    try {
      await post(`/api/trust/join.${verb}`, args);
    } catch (error) {
      if (error.status === 401) return toLogin();
      say(fault, error.message);
    }
    for (const button of row.buttons) button.disabled = false;
    refresh();
  };

  const createRow = machine => {
    const facts = el('p', 'facts');
    const note = el('p', 'pending-note');
    const root = el(
      'li',
      'machine',
      el('div', 'machine-head', el('code', 'code', machine.code), el('b', '', machine.hostname || machine.node)),
      facts,
      note,
    );
    root.dataset.code = machine.code;
    const row = { root, facts, note, buttons: [] };
    if (!mayDecide) return row;
    const id = el('input');
    id.value = machine.node;
    id.maxLength = 20;
    id.spellcheck = false;
    id.autocomplete = 'off';
    id.ariaLabel = `Id for the machine with the code ${machine.code}`;
    const approve = el('button', 'approve', 'Approve');
    const deny = el('button', '', 'Deny');
    approve.type = 'button';
    deny.type = 'button';
    approve.addEventListener('click', () => {
      // The id that was suggested may be another by now; only one that a person typed is insisted on.
      const named = id.value.trim();
      decide(row, 'approve', { code: machine.code, ...(named && named !== machine.node && { node: named }) });
    });
    deny.addEventListener('click', () => decide(row, 'deny', { code: machine.code }));
    row.buttons = [approve, deny];
    root.append(el('div', 'decide', id, approve, deny));
    return row;
  };

  const show = machines => {
    const shown = machines.slice(0, mostRows);
    const codes = new Set(shown.map(machine => machine.code));
    for (const [code, row] of rows) {
      if (codes.has(code)) continue;
      row.root.remove();
      rows.delete(code);
    }
    for (const machine of shown) {
      let row = rows.get(machine.code);
      if (!row) {
        row = createRow(machine);
        rows.set(machine.code, row);
        list.append(row.root);
      }
      const { address, os, arch, cores, mem_mb, macs, since_ms } = machine;
      const facts = [
        address,
        os,
        arch,
        cores && `${cores} ${cores === 1 ? 'core' : 'cores'}`,
        mem_mb && size(mem_mb),
        macs,
        `asks for ${span((now() - since_ms) / 1000)}`,
      ];
      say(row.facts, facts.filter(Boolean).join(' · '));
      say(row.note, machine.note ?? '');
      row.note.hidden = !machine.note;
    }
    const count = machines.length;
    say(title, count === 1 ? 'A machine asks to join' : `${count} machines ask to join`);
    root.hidden = count === 0;
  };

  async function refresh() {
    // One question at a time; what came up meanwhile is asked after it.
    again = asking;
    if (asking) return;
    asking = true;
    try {
      show((await post('/api/trust/join.pending')).pending);
    } catch (error) {
      if (error.status === 401) toLogin();
    }
    asking = false;
    if (again) refresh();
  }

  return {
    /** How many the supervisor says there are; undefined where it does not say. */
    hint(count) {
      if (count > 0 || !root.hidden) refresh();
    },
  };
}
