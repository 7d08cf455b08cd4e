/**
 * A Wemo Insight's watts by its UPnP service `insight`: what is asked, and what its answer says. Pure.
 *
 * `POST /upnp/control/insight1` with `SOAPACTION: "urn:Belkin:service:insight:1#GetInsightParams"`; the answer's one element
 * `InsightParams` holds at least ten fields with `|` between: 0 the state (0 off, 1 on, 8 on without a load), 7 the power in mW, 9 the
 * energy ever in mW·min (openhab/openhab-addons issue 545; pywemo issue 154). Where it is asked: shared/readings/wemo-place.ts.
 */
import { fail, ok, type Result } from '../../../shared/errors.ts';

export const wemoPath = '/upnp/control/insight1';
export const wemoAction = '"urn:Belkin:service:insight:1#GetInsightParams"';
export const wemoQuestion =
  '<?xml version="1.0" encoding="utf-8"?>' +
  '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">' +
  '<s:Body><u:GetInsightParams xmlns:u="urn:Belkin:service:insight:1"></u:GetInsightParams></s:Body></s:Envelope>';
/** Bytes of an answer. */
export const mostAnswer = 16 * 1024;

export interface Insight {
  readonly watts: number;
  readonly energyWh: number;
}

/** Digits, dots and bars alone: no entity, no markup can be in it, whatever else the answer holds. */
const element = /<InsightParams>([\d|.]{1,300})<\/InsightParams>/g;

export function insightIn(answer: string): Result<Insight> {
  const found = [...answer.slice(0, mostAnswer).matchAll(element)];
  const fields = found.length === 1 ? (found[0]?.[1] ?? '').split('|') : [];
  const [state, milliwatts, total] = [fields[0], Number(fields[7]), Number(fields[9])];
  if (fields.length < 10 || fields.length > 12 || state === undefined || !['0', '1', '8'].includes(state)) {
    return fail('schema', 'its answer is not that of a Wemo Insight: is it another kind of plug?');
  }
  const watts = state === '0' ? 0 : milliwatts / 1000;
  if (!Number.isFinite(total) || !(watts >= 0 && watts <= 20_000))
    return fail('schema', 'its answer holds numbers that cannot be');
  return ok({ watts, energyWh: total / 60_000 });
}
