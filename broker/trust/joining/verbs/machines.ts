/** `join.pending`, `join.approve`, `join.deny`, `node.list`, `node.revoke`: the machines themselves. */
import { z } from 'zod';
import { isId, nearest, printable } from '../../../../shared/names.ts';
import { UserError } from '../../../../shared/user-error.ts';
import { type AdminVerb, adminVerb } from '../../types.ts';
import type { JoinedNode, PendingMachine } from '../desk.ts';
import type { Joining } from '../joining.ts';
import { suggestedId, takeOver } from '../judge.ts';
import type { Ledger } from '../ledger.ts';
import type { Waiting } from '../pending.ts';
import { placeArgs } from './rules.ts';

export interface MachineVerbParts {
  readonly ledger: Ledger;
  readonly joining: Joining;
  pending(): readonly PendingMachine[];
  nodes(): readonly JoinedNode[];
}

const code = z.string().min(4).max(16);
const node = z.string().refine(isId, 'an id is 1 to 20 of a-z, 0-9 and "-", and not "all"');

export function machineVerbs({ ledger, joining, pending, nodes }: MachineVerbParts): AdminVerb[] {
  const { admissions } = joining;
  const waitingOf = (text: string): Waiting => {
    const [one, ...more] = joining.pending.find(text);
    if (!one)
      throw new UserError(`No machine waits that shows "${printable(text)}": "hearth nodes --pending" lists them.`, 2);
    if (more.length > 0)
      throw new UserError(`${more.length + 1} codes begin with "${printable(text)}": give all of it.`, 2);
    return one;
  };
  const approve = adminVerb({
    name: 'join.approve',
    role: 'admin',
    args: z.strictObject({ code, node: node.optional(), replace: z.boolean().optional(), ...placeArgs }),
    audit: args => (args.node === undefined ? args.code : `${args.code} as ${args.node}`),
    async run({ code: shown, node: named, replace, ...place }, by) {
      const waiting = waitingOf(shown);
      const reply = await joining.letIn(waiting, asking => {
        const chosen = choose(named ?? suggestedId(admissions, asking), replace === true);
        const { room, zone, roles } = { ...asking.ruled, ...place };
        const copy = chosen.replaces ? undefined : asking.copyOf?.node;
        const cloneOf = copy === undefined ? {} : { cloneOf: copy };
        return { by: `approved by ${by.name}`, room, zone, roles, ...chosen, ...cloneOf };
      });
      if (reply.state !== 'joined') throw new UserError(reply.state === 'refused' ? reply.sentence : 'It waits again.');
      return { node: reply.node };
    },
  });
  const choose = (id: string, replace: boolean) => {
    if (!admissions.taken(id)) return { node: id, replaces: false };
    if (!replace) {
      throw new UserError(
        `There is a node "${id}" already: choose another --node, or say --replace where this machine shall go on as that one.`,
        2,
      );
    }
    const chosen = takeOver(admissions, id);
    if ('sentence' in chosen) throw new UserError(chosen.sentence);
    return chosen;
  };
  const deny = adminVerb({
    name: 'join.deny',
    role: 'admin',
    args: z.strictObject({ code }),
    audit: args => args.code,
    run({ code: shown }) {
      const waiting = waitingOf(shown);
      if (waiting.deciding)
        throw new UserError('This machine is being let in at this moment: revoke the node instead.');
      joining.deny(waiting);
      return { code: waiting.code };
    },
  });
  const revoke = adminVerb({
    name: 'node.revoke',
    role: 'admin',
    args: z.strictObject({ node: z.string().max(64) }),
    audit: args => args.node,
    async run({ node: id }) {
      const record = ledger.nodes.get(id);
      if (!record && joining.mayBeUnrecorded(id)) {
        await admissions.strike(id);
        return { node: id, copies: [] };
      }
      if (!record) {
        const near = nearest(id, ledger.nodes.keys());
        const hint = near === undefined ? '"hearth nodes --joined" lists those that have' : `did you mean "${near}"?`;
        throw new UserError(`No node "${printable(id)}" has a certificate: ${hint}`, 2);
      }
      await admissions.revoke(record);
      // Whoever had the key could join by it as a copy.
      const copies = [...ledger.nodes.values()].filter(other => other.clone_of === id && other.state === 'active');
      return { node: id, copies: copies.map(other => other.node) };
    },
  });
  return [
    adminVerb({ name: 'join.pending', role: 'viewer', args: z.strictObject({}), run: () => ({ pending: pending() }) }),
    approve,
    deny,
    adminVerb({ name: 'node.list', role: 'viewer', args: z.strictObject({}), run: () => ({ nodes: nodes() }) }),
    revoke,
  ];
}
