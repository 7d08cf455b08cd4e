/** What people and Home Assistant send over the user's broker, before it is handed to the supervisor. */
import type { BusMessage } from '../../shared/bus.ts';
import type { Clock } from '../../shared/clock.ts';
import { limits } from '../../shared/limits.ts';
import type { Log } from '../../shared/log.ts';
import { printable } from '../../shared/names.ts';
import type { ResultMessage } from '../../shared/schemas/fabric.ts';
import type { RetainedCommands } from '../orders/retained-commands.ts';
import { isCommand, mayCommand } from './topics.ts';

export interface CommandParts {
  readonly base: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly retained: Pick<RetainedCommands, 'judge'>;
  readonly command: (message: BusMessage) => void;
  /** Tells a room's `result`. */
  readonly answer: (topic: string, payload: string) => void;
}

/** Hands a command on, or says why not: retained ones are answered and removed, never run. */
export function takeCommand(message: BusMessage, parts: CommandParts): void {
  const { base, log, clock } = parts;
  const { topic, payload, retain, qos } = message;
  if (!isCommand(topic, base)) return;
  const [, noun, id, part, word] = topic.split('/');
  if (part !== 'in') {
    const verdict = parts.retained.judge(message);
    if (verdict === 'swallow') return;
    if (verdict === 'refuse') {
      log.warn({ topic: printable(topic, 128) }, 'a retained command on the uplink was not run, and is removed');
      const error = 'retained: not run, and removed from the broker; publish commands without the retain flag';
      const result: ResultMessage = { ok: false, part: part ?? '', key: word ?? '', error, at_ms: clock.wall() };
      if (noun === 'room') parts.answer(`${base}/room/${id}/result`, JSON.stringify(result));
      return;
    }
  }
  if (!mayCommand(topic, base, payload)) {
    log.warn({ topic: printable(topic, 128) }, 'a command on the uplink says more than Home Assistant may: not run');
    return;
  }
  if (payload.length > limits.message) {
    log.warn({ topic: printable(topic, 128), bytes: payload.length }, 'a message on the uplink is too long');
    return;
  }
  // Without the asker's own response topic: that one is on another broker than the answer.
  parts.command({ topic, payload, qos, retain });
}
