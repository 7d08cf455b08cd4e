/** Where a reading comes from: a thermometer, a weather station, a plug. */
import { z } from 'zod';
import { whyNotHeard } from '../bus-filters.ts';
import type { Result } from '../errors.ts';
import { isId } from '../names.ts';
import { compileTemplate } from '../readings/template.ts';
import { wemoPlace } from '../readings/wemo-place.ts';

/** A topic name to subscribe to: no wildcards, since one source is one thing. */
const topicName = z
  .string()
  .min(1)
  .max(512)
  .refine(text => !/[+#\0]/.test(text) && !text.startsWith('$'), 'a topic name has no "+", "#" or leading "$"')
  .refine(text => whyNotHeard(text) === undefined, 'a topic has printable characters and at most 32 levels');

/** Which broker a topic is on: Hearth's, or the user's own that `--uplink` names. */
export const brokerChoice = z.enum(['own', 'uplink']);

/**
 * How a payload becomes a number: `value_json.temperature`, `value_json["temp (C)"]`, `value_json.sensors[0].t | float + 0.5`
 * or `value`; with or without `{{ }}`. Absent: a bare number, or the one key of JSON that is known to mean it.
 */
const template = z
  .string()
  .min(1, 'an empty template: leave it out, or write value_json.KEY')
  .max(300, 'a template is at most 300 characters long');

export const topicSource = z.strictObject({
  topic: topicName,
  template: template.optional(),
  broker: brokerChoice.default('own'),
});
export type TopicSource = z.output<typeof topicSource>;

/** A text that `read` understands. For what people write: what was accepted once is not judged anew. */
const understood = <Text extends z.ZodType<string>>(text: Text, read: (text: string) => Result<unknown>): Text =>
  text.superRefine((value, context) => {
    const found = read(value);
    if (!found.ok) context.addIssue({ code: 'custom', message: found.error.message });
  });
const topicInput = topicSource.extend({ template: understood(template, compileTemplate).optional() });

/** A node's own sensor by the name that its `sensors` message has: `w1_28_0316a2797d11_c`. */
export const nodeSource = z.strictObject({
  node: z.string().refine(isId, 'not a node id'),
  sensor: z
    .string()
    .regex(
      /^[a-z0-9_]{1,48}_c$/,
      'not a sensor: use a key of the node’s `sensors` message, such as w1_28_0316a2797d11_c',
    ),
});

/** Minutes after which a reading is too old to heat by. */
const staleMin = z.number().min(1).max(90, 'at most 90 minutes: older than that nobody knows how warm it is');

/** A topic alone is short for `{"topic": …}`. */
const fromTopic = z.strictObject({ ...topicSource.shape, stale_min: staleMin.optional() });
const fromNode = z.strictObject({ ...nodeSource.shape, stale_min: staleMin.optional() });
export const thermometerSchema = z.union(
  [fromTopic, fromNode],
  'a topic, {"topic", "template", "broker"}, or {"node", "sensor"}',
);
export type Thermometer = z.output<typeof thermometerSchema>;
export const thermometerInput = z.union(
  [
    topicName.transform((topic): Thermometer => ({ topic, broker: 'own' })),
    z.strictObject({ ...topicInput.shape, stale_min: staleMin.optional() }),
    fromNode,
  ],
  'a topic, {"topic", "template", "broker"}, or {"node", "sensor"}',
);

/** A smart plug that a node draws its power through: by MQTT, or a Wemo Insight by its SOAP interface. */
const wemo = z
  .url({ protocol: /^http$/, hostname: /.+/, error: 'not the address of a Wemo: write it as http://ADDRESS:49153' })
  .max(300, 'an address is at most 300 characters long');
export const plugSchema = z.union(
  [topicSource, z.strictObject({ wemo })],
  'a topic, {"topic", "template", "broker"}, or {"wemo": "http://ADDRESS:49153"}',
);
export type Plug = z.output<typeof plugSchema>;
export const plugInput = z.union(
  [
    topicName.transform((topic): Plug => ({ topic, broker: 'own' })),
    topicInput,
    z.strictObject({ wemo: understood(wemo, wemoPlace) }),
  ],
  'a topic, {"topic", "template", "broker"}, or {"wemo": "http://ADDRESS:49153"}',
);
