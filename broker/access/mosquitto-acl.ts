/** The table as an `acl_file` of Mosquitto (mosquitto.conf(5)). */
import { nodeKinds, type OutsideRules, outsideKinds, ownId, roleKinds, type TopicKind } from './outside-rules.ts';

const verbOf = ({ write, read }: TopicKind): string | undefined =>
  write && read ? 'readwrite' : write ? 'write' : read ? 'read' : undefined;

export function mosquittoAcl(rules: OutsideRules): string {
  const { base, users, supervisor } = rules;
  const nodes = nodeKinds(base);
  const lines = [
    `# Who may do what below "${base}/", for Mosquitto. In mosquitto.conf: allow_anonymous false, a password_file, and`,
    '# acl_file with the path of this file. A login of a node has the name of the node, and nobody else has such a name.',
    `# Outside "${base}/" people reach: ${rules.outside.join(', ') || 'nothing'}.`,
    '',
    `user ${supervisor}`,
    'topic readwrite #',
  ];
  for (const { name, role } of users) {
    lines.push('', `# ${role}`, `user ${name}`);
    const kinds = roleKinds(base, role);
    // Patterns hold for everybody: what they would give to a person who has a node's name, or at all, is taken back.
    const byPattern = nodes.filter(node => {
      const mine = kinds.find(({ filter }) => filter === node.filter.replace(ownId, '+'));
      return (node.write && !mine?.write) || (node.read && !mine?.read);
    });
    for (const { filter } of byPattern) lines.push(`topic deny ${filter.replace(ownId, name)}`);
    // A denial is for both ways: the narrower kinds are those that a role may do neither with.
    for (const kind of kinds) if (kind.narrower && !verbOf(kind)) lines.push(`topic deny ${kind.filter}`);
    for (const kind of [...kinds, ...outsideKinds(rules, role)]) {
      const verb = verbOf(kind);
      if (verb) lines.push(`topic ${verb} ${kind.filter}`);
    }
  }
  lines.push('', '# nodes, each its own');
  for (const kind of nodes) lines.push(`pattern ${verbOf(kind)} ${kind.filter.replace(ownId, '%u')}`);
  return `${lines.join('\n')}\n`;
}
