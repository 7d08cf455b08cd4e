/** The reference as data: every topic, every payload. The documentation and the JSON Schemas are generated from it. */
import { documentPayloads } from './reference/document.ts';
import { fabricPayloads } from './reference/fabric.ts';
import { nodePayloads } from './reference/node.ts';
import type { Payload } from './reference/payload.ts';
import { rolloutPayloads } from './reference/rollout.ts';
import type { FabricPart, Part } from './topics.ts';

export type { Payload } from './reference/payload.ts';

export const payloads: readonly Payload[] = [
  ...documentPayloads,
  ...rolloutPayloads,
  ...nodePayloads,
  ...fabricPayloads,
];

export interface TopicRow {
  /** After `<base>/node/<id>/`, or after `<base>/`. */
  readonly part: string;
  readonly retained: boolean;
  readonly qos: 0 | 1;
  readonly writer: string;
  /** Name of a payload, or nothing where it is free. */
  readonly payload?: string;
  readonly text: string;
}

const people = 'people, Home Assistant, `hearth set`';
const supervisor = 'supervisor';
const node = 'the node';

const row = (
  part: string,
  writer: string,
  qos: 0 | 1,
  retained: boolean,
  payload: string | undefined,
  text: string,
): TopicRow => ({ part, writer, qos, retained, text, ...(payload === undefined ? {} : { payload }) });

/** Keyed by the grammar's own parts, so that a new part without a row does not compile. `work` comes with jobs. */
const nodeRows: Readonly<Record<Exclude<Part, 'out' | 'failed' | 'in' | 'work'>, readonly TopicRow[]>> = {
  set: [
    row('set', people, 1, false, 'node-set', 'changes several keys of the document at once, all or nothing'),
    row('set/<key…>', people, 1, false, undefined, 'replaces the value at that path; an empty payload clears it'),
  ],
  do: [row('do/<verb>', people, 1, false, undefined, 'an action, once; payload empty, `PRESS` or a JSON object')],
  own: [row('own', supervisor, 1, true, 'own', 'the document as accepted')],
  want: [row('want', supervisor, 1, true, 'want', 'the document compiled and signed for the node')],
  is: [row('is', node, 1, true, 'is', 'what the node is')],
  result: [row('result', supervisor, 1, false, 'result', 'answer to every `set` and `do`')],
  status: [row('status', supervisor, 1, true, 'status', '`online` or `offline`')],
  info: [row('info', node, 1, true, 'info', 'facts about the machine')],
  load: [row('load', node, 0, false, 'load', 'measurements, and the sign of life')],
  cores: [row('cores', node, 0, false, 'cores', 'load per core')],
  heartbeat: [row('heartbeat', node, 1, false, 'heartbeat', 'sign of life where the period is long')],
  log: [
    row(
      'log/<service>',
      node,
      1,
      false,
      undefined,
      'output lines as text, while followed (`do/follow`); with a further level, what one asker asked for',
    ),
  ],
  lwt: [row('lwt', node, 1, false, 'lwt', 'birth, farewell, last will')],
  cmd: [row('cmd', supervisor, 1, false, 'cmd', 'signed orders')],
  done: [row('done', node, 1, false, 'done', 'answers to orders')],
};

export const nodeTopics: readonly TopicRow[] = Object.values(nodeRows).flat();

const fabricRows: Readonly<Record<FabricPart, TopicRow>> = {
  status: row('status', supervisor, 1, true, 'status', 'whether the supervisor is there'),
  info: row('info', supervisor, 1, false, 'fabric-info', 'the cluster as a whole'),
  event: row('event', supervisor, 1, false, 'event', 'what is worth knowing'),
  hello: row('hello', supervisor, 1, false, 'hello', 'call for births'),
  result: row('result', supervisor, 1, false, 'result', 'answer to what had no valid address'),
  audit: row('audit', supervisor, 0, false, 'audit', 'who changed what; administrators alone read it'),
};

export const fabricTopics: readonly TopicRow[] = Object.values(fabricRows);

/** Verbs of `hearth/node/<id>/do/<verb>` that do something today. */
export const verbs: readonly { readonly verb: string; readonly args: string; readonly text: string }[] = [
  { verb: 'restart', args: '`service`, or its bare name', text: 'stops the service and starts it again' },
  {
    verb: 'follow',
    args: '`service`, or its bare name; `lines` (of before, up to 2000), `to` (they go to `log/<service>/<to>` alone), `for_s` (0 to 300)',
    text: 'sends the output of the service on `log/<service>` for 5 minutes, or as long as said; repeated it goes on',
  },
  { verb: 'rebirth', args: '', text: 'the node connects anew and says everything about itself again' },
  { verb: 'forget', args: '', text: 'ends a node: its document, retained topics and services' },
];
