/** Stands in for broker/access/table.ts in the build without checks: everybody may do everything, and nobody is asked. */
import type { TopicRule } from '../../../broker/access/table.ts';
import { limits } from '../../../shared/limits.ts';

const everything: TopicRule = {
  writers: -1,
  readers: -1,
  owner: undefined,
  integrationSays: undefined,
  ownerWrites: false,
  ownerReads: false,
  stripRetain: false,
  payloadBytes: limits.message,
  reason: undefined,
};

export const ruleOf = (): TopicRule => everything;
export const mayWrite = (): boolean => true;
export const mayRead = (): boolean => true;
export const maySay = (): boolean => true;
export const whyNotWrite = (): undefined => undefined;
export const whyNotSubscribe = (): undefined => undefined;
