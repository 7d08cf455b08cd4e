/** The last part of `hearth apply --wait`: until the nodes have become what they were told. */
import type { MqttClient } from 'mqtt';
import { z } from 'zod';
import { type Is, isPayload } from '../../shared/schemas/observed.ts';
import { roleIsPayload } from '../../shared/schemas/rollout.ts';
import { UserError } from '../../shared/user-error.ts';
import {
  type Goal,
  Progress,
  type RolloutStanding,
  rolloutStanding,
  type Standing,
  standingOf,
} from '../apply/waiting.ts';
import { json, type Known, learn } from '../fleet.ts';

export interface WaitOptions {
  readonly waitMs: number;
  /** Services may have been started just now: one that ends at its first line runs until then. */
  readonly fresh: boolean;
  readonly say: (line: string) => void;
  /** The file's roles, and the revision of each: a change of one goes from node to node. */
  readonly roles: ReadonlyMap<string, number>;
  /** Who was online. */
  readonly before: Known;
}

/** Of a node's `want`, whatever else a newer supervisor says in it. */
const anyWant = z.looseObject({ rev: z.number() });

/** A little longer than the pause between two `is` of a node (1 s). */
const settleMs = 1300;

/** Until every goal is reached, or time is up. @throws UserError that names the nodes that did not reach theirs. */
export async function converge(
  client: MqttClient,
  base: string,
  goals: readonly Goal[],
  options: WaitOptions,
): Promise<void> {
  const known: Known = { nodes: new Map(options.before.nodes) };
  const byNode = new Map(goals.map(goal => [goal.node, goal]));
  const is = new Map<string, Is>();
  const standings = new Map<string, Standing>();
  const progress = new Progress(goals.length);
  const open = new Set(byNode.keys());
  const rollouts = new Map<string, RolloutStanding>();

  const wants = new Map<string, number>();
  /** Roles whose changes are on their way: not all nodes were told of them yet. */
  const rolling = new Set<string>();

  const look = (goal: Goal) => {
    const { node } = goal;
    const online = known.nodes.get(node)?.online === true;
    // What changed in a role may be nothing that this node hears of: then its own revision is what it has to reach.
    const told = rolling.size > 0 ? undefined : wants.get(node);
    const now = standingOf({ ...goal, rev: Math.min(goal.rev, told ?? goal.rev) }, is.get(node), online);
    standings.set(node, now);
    if (isOver(now)) open.delete(node);
    else open.add(node);
    const line = is.has(node) || !online ? progress.line(node, now) : undefined;
    if (line !== undefined) options.say(line);
  };
  await new Promise<void>((resolve, reject) => {
    let settling: NodeJS.Timeout | undefined;
    const end = (then: () => void) => {
      clearTimeout(settling);
      clearTimeout(late);
      client.off('close', lost);
      client.off('message', listen);
      then();
    };
    const lost = () =>
      end(() => reject(new UserError('The connection to the broker was lost; what was accepted stays wanted.')));
    const late = setTimeout(() => end(resolve), options.waitMs);
    const isRolling = () => [...rollouts.values()].some(({ state }) => state === 'rolling');
    const settle = () => {
      if (open.size > 0 || isRolling()) {
        clearTimeout(settling);
        settling = undefined;
      } else settling ??= setTimeout(() => end(resolve), options.fresh ? settleMs : 0);
    };
    const onRole = (role: string, payload: Buffer) => {
      const said = json(roleIsPayload, payload);
      const moves = said?.state === 'rolling' || said?.state === 'paused';
      if (moves ? !rolling.has(role) : rolling.delete(role)) {
        if (moves) rolling.add(role);
        for (const goal of goals) look(goal);
        settle();
      }
      const standing = said && rolloutStanding(role, said, options.roles.get(role) ?? Number.POSITIVE_INFINITY);
      if (!standing) return;
      const isNews = rollouts.get(role)?.text !== standing.text;
      rollouts.set(role, standing);
      if (standing.state === 'over') end(() => reject(new UserError(`${standing.text}. "hearth rollout" says more.`)));
      else if (isNews && (standing.state === 'rolling' || options.fresh)) options.say(standing.text);
      settle();
    };
    const listen = (topic: string, payload: Buffer) => {
      const [head, noun, node = '', part] = topic.split('/');
      if (head === base && noun === 'role' && part === 'is') return onRole(node, payload);
      const goal = head === base && noun === 'node' ? byNode.get(node) : undefined;
      if (goal && part === 'want') wants.set(node, json(anyWant, payload)?.rev ?? goal.rev);
      if (!goal || (part !== 'is' && part !== 'status' && part !== 'want')) return;
      learn(known, base, topic, payload);
      const said = part === 'is' ? json(isPayload, payload) : undefined;
      if (said) is.set(node, said);
      look(goal);
      settle();
    };
    client.on('message', listen);
    client.once('close', lost);
    const filters = ['role/+/is', 'node/+/want', 'node/+/is', 'node/+/status'].map(part => `${base}/${part}`);
    client.subscribeAsync(filters, { qos: 1 }).catch(error => end(() => reject(error)));
    for (const goal of goals) look(goal);
    settle();
  });
  tellOthers(standings, rollouts, options.waitMs);
}

const isOver = ({ state }: Standing): boolean => state === 'done' || state === 'failed';

function tellOthers(
  standings: ReadonlyMap<string, Standing>,
  rollouts: ReadonlyMap<string, RolloutStanding>,
  waitMs: number,
): void {
  const of = (isMeant: (standing: Standing) => boolean) =>
    [...standings].flatMap(([node, standing]) => (isMeant(standing) ? [node] : []));
  const open = of(standing => !isOver(standing));
  const failed = of(({ state }) => state === 'failed');
  const rolling = [...rollouts.values()].flatMap(({ state, text }) => (state === 'rolling' ? [text] : []));
  const lines = [
    ...rolling.map(text => `After ${waitMs / 1000} s the rollout goes on: ${text}.`),
    ...(failed.length > 0 ? [`Not as wanted, for the reason above: ${listed(failed)}.`] : []),
    ...(open.length > 0 ? [`Not reached in ${waitMs / 1000} s by ${listed(open)}.`] : []),
  ];
  if (lines.length > 0) throw new UserError(`${lines.join(' ')} What was accepted stays wanted.`);
}

const listed = (nodes: readonly string[]): string =>
  nodes.length > 20 ? `${nodes.slice(0, 20).join(', ')} and ${nodes.length - 20} more` : nodes.join(', ');
