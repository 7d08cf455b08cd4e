/** What makes of thermometers and plugs publish, without anybody saying where the number stands. Pure; never throws. */
import { type Recognised, readPayload, whyOwn } from './payload.ts';
import { wattsIn } from './plug.ts';
import { temperatureIn } from './thermometer.ts';

/**
 * @param kind degrees Celsius of the air, or watts.
 * @returns the reading; or one sentence why there is none and what to do; or undefined where the payload is sound and about
 * something else, as notifications of one device are that carry only what changed.
 */
export function recognise(kind: 'temp' | 'watts', topic: string, payload: Uint8Array): Recognised {
  const read = readPayload(payload);
  const own = read.kind === 'object' ? whyOwn(read.fields) : undefined;
  if (own !== undefined) return own;
  return kind === 'temp' ? temperatureIn(topic, read) : wattsIn(topic, read);
}
