/** The reference documentation as texts, by file name: pure, from shared/. */
import { z } from 'zod';
import { limits } from '../shared/limits.ts';
import {
  fabricTopics,
  jobTopics,
  jobVerbs,
  nodeTopics,
  type Payload,
  payloads,
  roomTopics,
  roomVerbs,
  type TopicRow,
  type VerbRow,
  verbs,
} from '../shared/reference.ts';
import { clusterFile } from '../shared/schemas/cluster-file.ts';
import { configFile, environmentName, settings } from '../shared/schemas/config.ts';

type JsonSchema = {
  readonly [key: string]: unknown;
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema;
  description?: string;
};

const note = '<!-- Generated from shared/ by "npm run docs": change it there. -->';

export function referenceFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>([
    ['topics.md', topicsPage()],
    ['payloads.md', payloadsPage()],
    ['configuration.md', configurationPage()],
  ]);
  for (const one of payloads) files.set(`schemas/${one.name}.json`, schemaFile(one.title, one.schema));
  files.set('schemas/config.json', schemaFile('hearth.yaml', configFile));
  files.set('schemas/cluster-file.json', described('cluster.yaml', clusterFile));
  return files;
}

/** What may be written, not what comes out of it: short forms are part of the contract. */
const jsonSchema = (schema: z.ZodType): JsonSchema => z.toJSONSchema(schema, { io: 'input' }) as JsonSchema;

const schemaFile = (title: string, schema: z.ZodType): string => {
  const { $schema, ...rest } = jsonSchema(schema);
  return `${JSON.stringify({ $schema, title, ...rest }, undefined, 2)}\n`;
};

/** Payloads that say what the keys of a role, a node and their items mean. */
const itemPayloads: Readonly<Record<string, string>> = {
  packages: 'package',
  files: 'file',
  services: 'service',
  checks: 'check',
};

/** The cluster file's schema with the meaning of each key, which an editor shows. */
function described(title: string, schema: z.ZodType): string {
  const file = jsonSchema(schema);
  for (const [nouns, payload] of [
    ['roles', 'role-set'],
    ['nodes', 'node-set'],
  ] as const) {
    const noun = file.properties?.[nouns]?.additionalProperties;
    if (!noun) continue;
    explain(noun, payload);
    for (const [kind, item] of Object.entries(itemPayloads)) {
      const items = noun.properties?.[kind]?.additionalProperties;
      for (const form of [items, ...(items?.anyOf ?? [])]) if (form) explain(form, item);
    }
  }
  const { $schema, ...rest } = file;
  return `${JSON.stringify({ $schema, title, ...rest }, undefined, 2)}\n`;
}

function explain(schema: JsonSchema, payload: string): void {
  const texts = payloads.find(one => one.name === payload)?.keys ?? {};
  for (const [key, one] of Object.entries(schema.properties ?? {})) {
    const text = texts[key];
    if (text !== undefined) one.description ??= text;
  }
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map(row => `| ${row.map(cell).join(' | ')} |`).join('\n');

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

const payloadLink = (name: string | undefined): string => {
  const found = payloads.find(one => one.name === name);
  return found ? `[${found.title}](payloads.md#${found.name})` : '';
};

const topicTable = (rows: readonly TopicRow[], prefix: string): string =>
  table(
    ['topic', 'written by', 'QoS', 'retained', 'payload', 'meaning'],
    rows.map(one => [
      `\`${prefix}${one.part}\``,
      one.writer,
      String(one.qos),
      one.retained ? 'yes' : 'no',
      payloadLink(one.payload),
      one.text,
    ]),
  );

const verbTable = (rows: readonly VerbRow[]): string =>
  table(
    ['verb', 'arguments', 'meaning'],
    rows.map(({ verb, args, text }) => [`\`${verb}\``, args, text]),
  );

function topicsPage(): string {
  const kb = (bytes: number) => `${bytes / 1024} kB`;
  return `${note}

# Topics

Topics are \`hearth/<noun>/<id>/<part>\`; the base \`hearth\` is a setting, 1 to 9 of \`a-z 0-9 -\`. Ids are 1 to 20 of
\`a-z 0-9 -\`, and \`all\` is none. The levels of a key path are 1 to 64 of \`A-Z a-z 0-9 . _ @ : ~ -\`, at most
${limits.keyLevels} of them; other names go into JSON on \`…/set\`.

People write \`set\` and \`do\`; the supervisor alone reads them, and answers each on \`result\`. Everything else is
written by one side only, and a message from anybody else goes nowhere.

## Of a node: \`hearth/node/<id>/…\`

${topicTable(nodeTopics, '…/')}

\`do\` also takes \`hearth/node/all/do/<verb>\` and \`hearth/node/@<role>/do/<verb>\`.

${verbTable(verbs)}

## Of a job: \`hearth/job/<id>/…\`

${topicTable(jobTopics, '…/')}

${verbTable(jobVerbs)}

## Of a room: \`hearth/room/<id>/…\`

${topicTable(roomTopics, '…/')}

${verbTable(roomVerbs)}

An integration, such as Home Assistant's login, may set \`mode\`, \`target_c\`, \`preset\` and \`max_w\`; the other keys are
for people, since a filler is a command line.

## Of the cluster: \`hearth/…\`

${topicTable(fabricTopics, 'hearth/')}

## Limits

${table(
  ['what', 'at most'],
  [
    ['any message', kb(limits.message)],
    ['compiled document of a node', kb(limits.want)],
    ['nesting of JSON', `${limits.depth} levels`],
    ['topic', `${limits.topic} characters`],
    ['value echoed on `result`', `${limits.echo} characters`],
    ['nodes', String(limits.nodes)],
    ['services on one node', String(limits.services)],
  ],
)}
`;
}

function typeText(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum) return schema.enum.map(value => `\`${String(value)}\``).join(' ');
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeText))].join(' or ');
  if (schema.type === 'array') return `list of ${schema.items ? typeText(schema.items) : 'anything'}`;
  if (schema.type === 'integer') return 'integer';
  return typeof schema.type === 'string' ? ({ string: 'text' }[schema.type] ?? schema.type) : 'anything';
}

function payloadSection(payload: Payload): string {
  const { properties = {}, required = [] } = jsonSchema(payload.schema);
  const rows = Object.entries(properties).map(([key, schema]) => [
    `\`${key}\``,
    typeText(schema),
    required.includes(key) ? 'yes' : '',
    payload.keys?.[key] ?? '',
  ]);
  const topics = [
    ...nodeTopics.filter(one => one.payload === payload.name).map(one => `\`hearth/node/<id>/${one.part}\``),
    ...fabricTopics.filter(one => one.payload === payload.name).map(one => `\`hearth/${one.part}\``),
  ];
  const example = typeof payload.example === 'string' ? payload.example : JSON.stringify(payload.example);
  return [
    `## <a id="${payload.name}"></a>${payload.title}`,
    topics.length > 0 ? `On ${topics.join(', ')}. ${payload.text}` : payload.text,
    ...(rows.length > 0 ? [table(['key', 'type', 'always there', 'meaning'], rows)] : []),
    `Example: \`${example}\``,
    `JSON Schema: [schemas/${payload.name}.json](schemas/${payload.name}.json)`,
  ].join('\n\n');
}

const payloadsPage = (): string => `${note}

# Payloads

JSON that dashboards read is flat and never holds \`null\`; numbers are unquoted, units stand in the keys
(\`_c _w _wh _kwh _pct _mb _s _mhz _ms\`), times are epoch milliseconds. What people send is checked strictly: an unknown
key is an error. Between supervisor and node unknown keys are ignored.

${payloads.map(payloadSection).join('\n\n')}
`;

function configurationPage(): string {
  const rows = Object.values(settings).map(one => [
    `\`--${one.name}${one.placeholder === undefined ? '' : ` ${one.placeholder}`}\``,
    `\`${environmentName(one.name)}\``,
    one.inFile ? `\`${one.name}\`` : '',
    one.fallback,
    one.text,
  ]);
  return `${note}

# Configuration

\`hearth up\` takes every setting as a flag, from the environment, or from \`hearth.yaml\`, in this order of precedence.
\`hearth.yaml\` lies in the data folder, or where \`--config\` says; its keys are the flags' names, and an unknown one is an
error that names its line. A relative path in the file starts at the data folder. \`npm start -- FLAGS\` is
\`hearth up FLAGS\`.

${table(['flag', 'environment', 'hearth.yaml', 'default', 'meaning'], rows)}

A switch is \`on\`, \`off\`, \`true\`, \`false\`, \`1\` or \`0\` in the environment, and \`true\` or \`false\` in the file.
\`HEARTH_LOG=debug\` makes the log talkative.

\`\`\`yaml
# hearth.yaml
version: 1
mqtt-port: 1884
node: cellar
period: 10000
\`\`\`

JSON Schema: [schemas/config.json](schemas/config.json). An editor with YAML support checks the file when its first line is
\`# yaml-language-server: $schema=<path of config.json>\`.

## Data folder

| path | what |
| --- | --- |
| \`format\` | version of this layout; a newer one is refused |
| \`hearth.yaml\` | settings, if you write any |
| \`journal/\` | what was accepted: the truth |
| \`trust/cluster-key.pem\` | the cluster's private key; with \`journal/\` it is what a backup must hold |
| \`agent/\` | the local node: its id, its last document, its services' runs and output |
| \`logs/\` | \`supervisor.log\` and \`agent.log\`, bounded |
| \`cache/\` | retained messages and subscriptions of MQTT clients |
| \`run.json\` | process id and ports while a supervisor runs |
`;
}
