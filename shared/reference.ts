/** The reference as data: every topic, every payload. The documentation and the JSON Schemas are generated from it. */
import { documentPayloads } from './reference/document.ts';
import { fabricPayloads } from './reference/fabric.ts';
import { heatPayloads } from './reference/heat.ts';
import { jobPayloads } from './reference/jobs.ts';
import { nodePayloads } from './reference/node.ts';
import type { Payload } from './reference/payload.ts';
import { rolloutPayloads } from './reference/rollout.ts';
import type { FabricPart, Part } from './topics.ts';

export type { Payload } from './reference/payload.ts';

export const payloads: readonly Payload[] = [
  ...documentPayloads,
  ...rolloutPayloads,
  ...jobPayloads,
  ...nodePayloads,
  ...heatPayloads,
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

/** Keyed by the grammar's own parts, so that a new part without a row does not compile. */
const nodeRows: Readonly<Record<Exclude<Part, 'out' | 'failed' | 'in'>, readonly TopicRow[]>> = {
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
  sensors: [row('sensors', node, 0, false, 'sensors', 'what its own thermometers of the room show')],
  power: [
    row('power', supervisor, 0, false, 'power', 'what it draws, where that is known from, and the heat asked of it'),
  ],
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
  done: [
    row('done', node, 1, false, 'done', 'answers to orders'),
    row('done', node, 1, false, 'report', 'what became of its tasks, and how much work it would take'),
  ],
  work: [row('work', supervisor, 1, false, 'work', 'tasks of jobs, in batches')],
};

export const nodeTopics: readonly TopicRow[] = Object.values(nodeRows).flat();

/** After `<base>/job/<id>/`. */
export const jobTopics: readonly TopicRow[] = [
  row('set', people, 1, false, 'job-set', 'sends a job; the same again is the same job'),
  row('set/priority', people, 1, false, undefined, 'a number, -100 to 100: the only key that can be changed later'),
  row('do/<verb>', people, 1, false, undefined, 'an action, once; payload empty, `PRESS` or a JSON object'),
  row(
    'own',
    supervisor,
    1,
    true,
    undefined,
    'the job as accepted; keys with long values are named in `omitted` instead',
  ),
  row('is', supervisor, 1, true, 'job-is', 'how far it is'),
  row('out', supervisor, 1, false, 'job-out', 'results as they are committed'),
  row('result', supervisor, 1, false, 'result', 'answer to every `set` and `do`'),
];

/** Verbs of `hearth/job/<id>/do/<verb>`. */
export const jobVerbs: readonly VerbRow[] = [
  { verb: 'cancel', args: '', text: 'ends it: what runs is ended, what waits is dropped' },
  { verb: 'retry', args: '', text: 'tries the failed tasks of an ended job again' },
  { verb: 'pause', args: '', text: 'starts none of its tasks; what runs goes on' },
  { verb: 'resume', args: '', text: 'ends the pause' },
  { verb: 'forget', args: '', text: 'of an ended job nothing is kept but its id' },
  {
    verb: 'explain',
    args: '',
    text: 'says of every node in `explain` of the answer why none of its tasks would run there',
  },
  {
    verb: 'out',
    args: '`from`, `to`',
    text: 'sends the batches of `out` from one number to before the other again; `n` of the answer is how many came, perhaps fewer than asked for',
  },
];

const thermostat = 'people, Home Assistant, `hearth room`';

/** After `<base>/room/<id>/`. */
export const roomTopics: readonly TopicRow[] = [
  row(
    'set',
    'people, `hearth room`',
    1,
    false,
    'room-set',
    'changes several keys of the document at once, all or nothing',
  ),
  row('set/<key…>', thermostat, 1, false, undefined, 'replaces the value at that path; an empty payload clears it'),
  row('do/<verb>', thermostat, 1, false, undefined, 'an action, once; payload empty, `PRESS` or a JSON object'),
  row(
    'in/<reading>',
    'sensors, Home Assistant',
    1,
    false,
    'reading',
    'a measurement: `temp_c`, `outdoor_c`, `price`, `surplus_w`, or `demand_w`: watts that are wanted in place of degrees, for 10 minutes',
  ),
  row('own', supervisor, 1, true, 'room-own', 'the document as accepted'),
  row('is', supervisor, 1, true, 'room-is', 'how it is'),
  row(
    'status',
    supervisor,
    1,
    true,
    'status',
    '`online`: it has a thermometer that can be relied on and a node that heats it',
  ),
  row('result', supervisor, 1, false, 'result', 'answer to every `set` and `do`, and to a reading that is wrong'),
];

/** Verbs of `hearth/room/<id>/do/<verb>`. */
export const roomVerbs: readonly VerbRow[] = [
  { verb: 'forget', args: '', text: 'ends the room: its document, retained topics and entities' },
];

const fabricRows: Readonly<Record<FabricPart, TopicRow>> = {
  status: row('status', supervisor, 1, true, 'status', 'whether the supervisor is there'),
  info: row('info', supervisor, 1, false, 'fabric-info', 'the cluster as a whole'),
  event: row('event', supervisor, 1, false, 'event', 'what is worth knowing'),
  hello: row('hello', supervisor, 1, false, 'hello', 'call for births'),
  result: row('result', supervisor, 1, false, 'result', 'answer to what had no valid address'),
  audit: row('audit', supervisor, 0, false, 'audit', 'who changed what; administrators alone read it'),
};

export const fabricTopics: readonly TopicRow[] = Object.values(fabricRows);

export interface VerbRow {
  readonly verb: string;
  readonly args: string;
  readonly text: string;
}

/** Verbs of `hearth/node/<id>/do/<verb>` that do something today. */
export const verbs: readonly VerbRow[] = [
  { verb: 'restart', args: '`service`, or its bare name', text: 'stops the service and starts it again' },
  {
    verb: 'follow',
    args: '`service`, or its bare name; `lines` (of before, up to 2000), `to` (they go to `log/<service>/<to>` alone), `for_s` (0 to 300)',
    text: 'sends the output of the service on `log/<service>` for 5 minutes, or as long as said; repeated it goes on',
  },
  {
    verb: 'calibrate',
    args: '`cancel`, or nothing',
    text: 'learns in some ten minutes, by its plug, what the node draws how busy; finished when it is over',
  },
  {
    verb: 'rediscover',
    args: '',
    text: 'announces everything to Home Assistant again, what was removed there, too; any node will do',
  },
  {
    verb: 'drain',
    args: '',
    text: 'takes no new work, from then on, also where it is offline now',
  },
  { verb: 'resume', args: '', text: 'takes work again; ends safe mode' },
  { verb: 'reboot', args: '', text: 'restarts the machine; needs root and no container' },
  { verb: 'shutdown', args: '', text: 'switches the machine off; needs root and no container' },
  {
    verb: 'wake',
    args: '`within_s` (10 to 900, default 180)',
    text: 'switches an offline machine on by Wake-on-LAN; finished when it is online, or was not within that time',
  },
  { verb: 'upgrade', args: '', text: 'upgrades the packages of the system; the item `upgrade` of `is` tells the rest' },
  { verb: 'identify', args: '', text: 'blinks a light of the machine for half a minute' },
  { verb: 'rebirth', args: '', text: 'the node connects anew and says everything about itself again' },
  { verb: 'forget', args: '', text: 'ends a node: its document, retained topics and services' },
];
