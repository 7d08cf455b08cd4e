/**
 * The table as `authorization` of a NATS server that speaks MQTT: levels are tokens, `+` is `*`, and `#` is the level
 * above and `>`. A subscription that asks for more than is allowed is refused there as a whole, and what is denied within
 * an allowed one is delivered all the same at QoS 1 (seen with 2.9): so who may read is told only what is allowed, and of
 * `do`, where some verbs are not for everybody, nothing or all. A node gets its own by name.
 */
import { matches } from '../../shared/topics.ts';
import { nodeKinds, type OutsideRules, outsideKinds, ownId, roleKinds, type TopicKind } from './outside-rules.ts';

/** What the server subscribes to for an MQTT client with QoS 1; newer ones allow it by themselves. */
const forMqtt = '$MQTT.sub.>';

function subjects(filter: string): string[] {
  const levels = filter.split('/').map(level => (level === '+' ? '*' : level));
  if (levels.at(-1) !== '#') return [levels.join('.')];
  const above = levels.slice(0, -1).join('.');
  return [above, `${above}.>`];
}

const list = (kinds: readonly TopicKind[], which: (kind: TopicKind) => boolean): string[] =>
  kinds.filter(which).flatMap(({ filter }) => subjects(filter));

interface Permissions {
  readonly publish: { readonly allow: readonly string[]; readonly deny: readonly string[] };
  readonly subscribe: { readonly allow: readonly string[]; readonly deny: readonly string[] };
}

const variable = (name: string): string => `$HEARTH_PASSWORD_${name.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`;

function user(name: string, { publish, subscribe }: Permissions): string {
  const quoted = (values: readonly string[]) => `[${values.map(value => JSON.stringify(value)).join(', ')}]`;
  // An empty list of what is allowed allows everything.
  const way = ({ allow, deny }: Permissions['publish']) =>
    allow.length === 0
      ? '{ deny: [">"] }'
      : `{ allow: ${quoted(allow)}${deny.length > 0 ? `, deny: ${quoted(deny)}` : ''} }`;
  return [
    '    {',
    `      user: ${JSON.stringify(name)}, password: ${variable(name)}`,
    '      permissions: {',
    `        publish: ${way(publish)}`,
    `        subscribe: ${way(subscribe)}`,
    '      }',
    '    }',
  ].join('\n');
}

export function natsAcl(rules: OutsideRules): string {
  const { base, users, nodes, supervisor, outside } = rules;
  const all = { allow: ['>'], deny: [] };
  const blocks = [`    # the supervisor\n${user(supervisor, { publish: all, subscribe: all })}`];
  for (const { name, role } of users) {
    const kinds = roleKinds(base, role);
    const beside = outsideKinds(rules, role);
    // A denial goes before: a narrower kind that may be written is not under a wider one that may not.
    const publish = {
      allow: list([...kinds, ...beside], kind => kind.write),
      deny: list(kinds, kind => kind.narrower && !kind.write),
    };
    const hidden = kinds.filter(kind => kind.narrower && !kind.read).map(({ filter }) => filter);
    const holdsHidden = (filter: string) => hidden.some(narrow => matches(filter, narrow));
    const readable = [...kinds, ...beside].filter(kind => !holdsHidden(kind.filter));
    const subscribe = { allow: [...list(readable, kind => kind.read), forMqtt], deny: [] };
    blocks.push(`    # ${role}\n${user(name, { publish, subscribe })}`);
  }
  for (const id of nodes) {
    const kinds = nodeKinds(base).map(kind => ({ ...kind, filter: kind.filter.replace(ownId, id) }));
    const publish = { allow: list(kinds, kind => kind.write), deny: [] };
    const subscribe = { allow: [...list(kinds, kind => kind.read), forMqtt], deny: [] };
    blocks.push(`    # node\n${user(id, { publish, subscribe })}`);
  }
  const passwords = [supervisor, ...users.map(({ name }) => name), ...nodes].map(variable);
  return [
    `# Who may do what below "${base}/", for a NATS server with jetstream and mqtt: include this file in its configuration.`,
    `# Outside "${base}/" people reach: ${outside.join(', ') || 'nothing'}. Nodes are listed one by one (--node ID).`,
    '# A subscription to more than a login may read, such as "#", is refused as a whole: name the parts.',
    '# Passwords come from the environment of the server:',
    ...passwords.map(name => `#   ${name.slice(1)}`),
    'authorization {',
    '  users: [',
    blocks.join('\n'),
    '  ]',
    '}',
    '',
  ].join('\n');
}
