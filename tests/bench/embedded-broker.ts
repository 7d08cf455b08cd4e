/**
 * The product's broker in a process of its own, started as the supervisor starts it and subscribed as the supervisor
 * is, except to the topics the benches measure on (`load`, `done`, `in`): what is compared with another broker is
 * routing, not the supervisor's work. Prints `{"port":N}`; SIGTERM ends it. argv: folder for the cache, and where not
 * everybody may come in, JSON of {@link TrustSettings}.
 */
import { createEmbeddedBroker } from '../../broker/mqtt/embedded.ts';
import type { Log } from '../../shared/log.ts';
import { openTrust, type TrustSettings } from './tls/trust.ts';

const [cacheFolder, settings] = process.argv.slice(2);
const say = (level: string) => (fields: object, text: string) => console.error(level, text, JSON.stringify(fields));
const log: Log = { debug() {}, info() {}, warn: say('warn'), error: say('error') };
const base = 'hearth';

const trust = settings === undefined ? undefined : await openTrust(JSON.parse(settings) as TrustSettings, base, log);
const { authenticator = 'open', limits = {} } = trust ?? {};
const broker = await createEmbeddedBroker({ base, log, authenticator, limits, ...(cacheFolder && { cacheFolder }) });
const filters = ['set/#', 'do/#', 'lwt', 'is', 'info', 'heartbeat'].map(part => `${base}/node/+/${part}`);
broker.bus.start(filters, { message() {}, up() {}, down() {} });
const where = { host: '127.0.0.1', port: 0 };
const port = await (trust?.authority
  ? broker.listenTls({ ...where, authority: trust.authority })
  : broker.listen(where));
console.log(JSON.stringify({ port }));
process.once('SIGTERM', () => {
  broker.close().finally(() => process.exit(0));
});
