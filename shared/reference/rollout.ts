/** Payloads of rollouts: how a role's changes go from node to node, and how far one is. */
import type { z } from 'zod';
import { roleIsPayload, rolloutDefaults, rolloutInput } from '../schemas/rollout.ts';
import type { Payload } from './payload.ts';
import { payload } from './payload.ts';

const settings = rolloutInput.options[1] as z.ZodObject;
const by = (key: keyof typeof rolloutDefaults): string => `\`${rolloutDefaults[key]}\` by default`;

export const rolloutPayloads: readonly Payload[] = [
  payload(
    'rollout',
    'Rollout',
    settings,
    "Value of a role's `rollout`: how a change of its other keys reaches its nodes. The word `off` in place of it: all at once.",
    {
      batch: `nodes that get the change at a time and are waited for: a number, or a share of the role's nodes, rounded down, at least one; ${by('batch')}`,
      pause_s: `seconds between a batch that is well and the next; ${by('pause_s')}`,
      healthy_s: `seconds for which a node must be well without interruption; ${by('healthy_s')}`,
      deadline_s: `seconds in which it must have been so; ${by('deadline_s')}`,
      abort_pct: `percent of the role's nodes that may fail, each put back by itself, before the rollout ends; ${by('abort_pct')}: any failure ends it`,
      canary: `one node first, whose failure always ends the rollout; ${by('canary')}`,
      revert: `what fails is put back to the document before; ${by('revert')}`,
    },
    { batch: '10%', healthy_s: 30 },
  ),
  payload(
    'role-is',
    'State of a rollout',
    roleIsPayload,
    'On `hearth/role/<role>/is`, retained: the rollout under way, or the last one. A change that was put back lies on `hearth/role/<role>/failed`, as it was set.',
    {
      role: 'the role',
      state:
        '`rolling`; `paused`; `done`; `stopped`: no further node gets it; `reverted`: every node has the document before',
      rev: 'revision of the change',
      nodes: 'how many nodes the role has',
      ok_n: 'how many of them are well with the change',
      failed_n: 'how many are not',
      current: 'those that have it and are not judged yet, comma-joined',
      failed: 'the node that failed last',
      why: 'why it failed, or why the change was put back',
      since_ms: 'when it was accepted',
    },
    {
      role: 'web',
      state: 'reverted',
      rev: 42,
      nodes: 3,
      ok_n: 0,
      failed_n: 1,
      current: '',
      failed: 'n1',
      why: 'services/site: crash-loop (it ended with exit code 1)',
      since_ms: 1795240000000,
    },
  ),
];
