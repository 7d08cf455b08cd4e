/** Opens the joining desk on the store: what main.ts calls. */
import type { Clock, Timer } from '../../../shared/clock.ts';
import { parseJson } from '../../../shared/codec.ts';
import type { Store } from '../../../shared/store.ts';
import { UserError } from '../../../shared/user-error.ts';
import { Amnesty, amnestyKey, type RestoreTimes, restoredSchema } from './amnesty.ts';
import type { JoinDesk, JoinedNode, PendingMachine } from './desk.ts';
import { Joining, type JoiningParts } from './joining.ts';
import { Ledger } from './ledger.ts';
import { joinedNode, pendingMachine } from './listing.ts';
import { machineVerbs } from './verbs/machines.ts';
import { ruleVerbs } from './verbs/rules.ts';
import { type TokenVerbParts, tokenVerbs } from './verbs/tokens.ts';

export interface JoinDeskParts
  extends Omit<JoiningParts, 'amnesty'>,
    Pick<TokenVerbParts, 'entrance' | 'installScript' | 'fetching'> {
  readonly store: Store;
  readonly clock: Pick<Clock, 'after'>;
}

const sweepMs = 30_000;

/** @throws UserError where what is kept cannot be read. */
export async function openJoinDesk(parts: JoinDeskParts): Promise<JoinDesk> {
  const ledger = await Ledger.load(parts.store);
  const amnesty = new Amnesty(await readRestored(parts.store));
  const joining = new Joining(ledger, { ...parts, amnesty });
  const { admissions } = joining;
  const pending = (): PendingMachine[] => [...joining.pending.all()].map(waiting => pendingMachine(joining, waiting));
  const nodes = (): JoinedNode[] =>
    [...ledger.nodes.values()].map(joinedNode).sort((a, b) => (a.node < b.node ? -1 : 1));
  let timer: Timer;
  const sweep = () => {
    joining.sweep();
    timer = parts.clock.after(sweepMs, sweep);
  };
  timer = parts.clock.after(sweepMs, sweep);
  return {
    bundle: () => admissions.bundle(),
    time: nonce => joining.time(nonce),
    ask: async (body, address) => {
      const open = parts.entrance();
      return typeof open === 'string' ? { state: 'refused', sentence: open } : joining.ask(body, address);
    },
    again: ticket => joining.again(ticket),
    renew: body => joining.renew(body),
    isRevoked: client => joining.isRevoked(client),
    onRevoked: listener => admissions.onRevoked(listener),
    nodes,
    given: node => {
      const record = ledger.nodes.get(node);
      if (!record) return undefined;
      const { roles, room, zone } = record;
      const labels = { ...(room === undefined ? {} : { room }), ...(zone === undefined ? {} : { zone }) };
      return { ...(roles === undefined ? {} : { roles }), labels };
    },
    sealKey: node => ledger.nodes.get(node)?.seal_key || undefined,
    macs: node => ledger.nodes.get(node)?.facts.macs,
    pending,
    onChange: listener => joining.onChange(listener),
    askAllAgain: () => admissions.askAllAgain(),
    forget: node => admissions.forget(node),
    verbs: [
      ...tokenVerbs({ ...parts, ledger, cluster: parts.signer.cluster }),
      ...machineVerbs({ ledger, joining, pending, nodes }),
      ...ruleVerbs({ ledger, joining, now: parts.now }),
    ],
    close: () => timer.cancel(),
  };
}

/** What a restore left; undefined where there was none. */
async function readRestored(store: Store): Promise<RestoreTimes | undefined> {
  const text = await new Promise<string | undefined>((resolve, reject) =>
    store.read(amnestyKey, (error, entries) => (error ? reject(error) : resolve(entries[0]?.[1]))),
  );
  if (text === undefined) return undefined;
  const json = parseJson(text);
  const found = json.ok ? restoredSchema.safeParse(json.value) : undefined;
  if (!found?.success) {
    throw new UserError(`The journal's entry ${amnestyKey} cannot be read: restore the data folder from a backup.`);
  }
  return found.data;
}
