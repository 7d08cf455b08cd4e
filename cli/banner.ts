/** What `hearth up` prints when it is up. Pure. */
import type { SupervisorConfig } from '../broker/config.ts';

export interface BannerFacts {
  readonly ver: string;
  readonly ms: number;
  readonly http: number;
  readonly mqtt: number;
  /** MQTT over TLS, where the cluster is open to the network. */
  readonly tls?: number | undefined;
  /** Nobody can log in from the network yet. */
  readonly noUsers?: boolean;
  readonly cluster: string;
  /** Absent: no local node, or none online yet. */
  readonly node: string | undefined;
}

export function banner(config: SupervisorConfig, facts: BannerFacts): string {
  const node = facts.node ?? 'NODE';
  const topic = `${config.base}/node/${node}/set/services/hello`;
  const where = mosquittoFlags(config.broker, facts.mqtt);
  const ends = config.stopServices ? 'Ctrl-C ends it and its services.' : 'Ctrl-C ends it; services run on.';
  return [
    `Hearth ${facts.ver} is up after ${(facts.ms / 1000).toFixed(1)} s. ${ends}`,
    '',
    `  dashboard    http://127.0.0.1:${facts.http}/`,
    `  data folder  ${config.data}`,
    `  broker       ${config.broker === undefined ? `mqtt://127.0.0.1:${facts.mqtt}` : withoutPassword(config.broker)}`,
    `  cluster      ${facts.cluster}`,
    '',
    ...network(config, facts),
    '',
    facts.node === undefined && !config.agent
      ? `Three lines to paste, with the id of a node for ${node}:`
      : 'Three lines to paste into another terminal:',
    '',
    `  mosquitto_sub${where} -v -t '${config.base}/#'`,
    `  mosquitto_pub${where} -t ${topic} -m 'sleep 1000'`,
    `  mosquitto_pub${where} -t ${topic} -n`,
    '',
  ].join('\n');
}

/** Who can connect from elsewhere, and how that is changed. */
function network(config: SupervisorConfig, { http, tls, noUsers }: BannerFacts): string[] {
  if (!config.lan) {
    return [
      'Everything listens on loopback only: programs of this user, and root, connect without a login.',
      'To let other machines join: hearth up --lan',
    ];
  }
  const broker = tls === undefined ? [] : [`  MQTT, TLS    mqtts://THIS-MACHINE:${tls}`];
  return [
    'Open to the network, with a login:',
    ...broker,
    `  dashboard    https://THIS-MACHINE:${http}/`,
    ...(noUsers ? ['  Nobody can log in yet: hearth user add NAME --role admin'] : []),
    ...(tls === undefined ? [] : ['  A machine joins with the line that this prints: hearth token']),
  ];
}

/** What mosquitto_sub and mosquitto_pub need to be told beside their defaults, localhost and 1883. */
export function mosquittoFlags(broker: string | undefined, port: number): string {
  const url = broker === undefined ? undefined : new URL(broker);
  const host = url && !['localhost', '127.0.0.1'].includes(url.hostname) ? ` -h ${url.hostname}` : '';
  const user = url?.username ? ` -u ${decodeURIComponent(url.username)} -P …` : '';
  return `${host}${port === 1883 ? '' : ` -p ${port}`}${user}`;
}

function withoutPassword(broker: string): string {
  const url = new URL(broker);
  url.username = '';
  url.password = '';
  return url.href;
}
