/**
 * Which `work` a node takes. Pure. On a broker that is not the supervisor's anybody may publish on the node's topic, and an
 * agent cannot see whose broker it is: one on its own machine may be anybody's, too. So every message is signed, as a want
 * and an order are. A supervisor that carries the broker says, in a signed message, that this session's other ones will not
 * be (`plain`): there nobody else can write the topic, and a signature for each batch would cost more than the batch. The
 * word counts for that one session (inst and epoch, which never come again) and cannot be replayed in another.
 */
import { check, decodeText, parseJson } from '../../shared/codec.ts';
import { sentence } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import { type Work, workPayload } from '../../shared/schemas/work.ts';
import { authenticate } from '../session/orders.ts';
import type { WorkSession, WorkTrust } from './side.ts';

/** Values of tasks are as deep as their job's document allowed them, and stand a few levels deeper here. */
const depth = limits.depth + 8;

export type WorkVerdict =
  | { readonly kind: 'take'; readonly work: Work; readonly bytes: number }
  | { readonly kind: 'ignored'; readonly why: string };

const ignored = (why: string): WorkVerdict => ({ kind: 'ignored', why });

/** @param plain whether the supervisor has said in this session that its messages are not signed. */
export function judgeWork(
  { allegiance, gen }: WorkTrust,
  session: WorkSession,
  plain: boolean,
  payload: Uint8Array,
): WorkVerdict {
  const { pin } = allegiance;
  if (!pin) return ignored('ignored work: this node has not joined a cluster yet');
  const text = decodeText(payload, limits.work);
  if (!text.ok) return ignored(sentence(text.error));
  const json = parseJson(text.value, depth);
  if (!json.ok) return ignored(sentence(json.error));
  const signed = typeof json.value === 'object' && json.value !== null && 'key' in json.value;
  if (signed) {
    const message = authenticate(allegiance, 'work', text.value, json.value);
    if (!message.ok) return ignored(sentence(message.error));
  } else if (!plain) return ignored('ignored work without a signature: nobody said, signed, that there is none here');
  const parsed = check(workPayload, json.value);
  if (!parsed.ok) return ignored(`cannot read the work: ${sentence(parsed.error)}`);
  const work = parsed.value;
  if (work.cluster !== pin.fingerprint) return ignored('ignored work of another cluster');
  if (work.gen < gen) return ignored(`ignored work of generation ${work.gen}, now ${gen}`);
  if (work.inst !== session.inst || work.epoch !== session.epoch) {
    return ignored(`ignored work for epoch ${work.epoch}, this session is ${session.epoch}`);
  }
  // Unsigned it says nothing new.
  return { kind: 'take', work, bytes: payload.length };
}
