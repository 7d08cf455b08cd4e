/** Where an outside broker is and as whom it is spoken to; and which topics of it an answer may go to. */
import { limits } from '../../shared/limits.ts';
import { UserError } from '../../shared/user-error.ts';

/**
 * An outside broker does not say whether the asker may write to its response topic, and the supervisor probably may:
 * so answers never go to a topic of the cluster itself, nor to the broker's own.
 */
export function mayRespond(topic: string, base: string): boolean {
  const plain = topic.length > 0 && topic.length <= limits.topic && !/[+#\0]/.test(topic);
  return plain && !topic.startsWith('$') && topic !== base && !topic.startsWith(`${base}/`);
}

/** The two win over the ones in the URL. */
interface Credentials {
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
}

export interface Address {
  readonly url: string;
  readonly where: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** @throws UserError when the URL cannot be one of a broker. */
export function parseAddress(options: Credentials): Address {
  const url = URL.canParse(options.url) ? new URL(options.url) : undefined;
  if (!url || !/^(mqtts?|wss?):$/.test(url.protocol) || url.hostname === '') {
    // The text may hold a password: only its beginning is shown.
    const shown = JSON.stringify(options.url.replace(/^([^:/]*:\/\/)[^@]*@/, '$1…@').slice(0, 80));
    throw new UserError(`${shown} is no broker's address: use mqtt://HOST:PORT, or mqtts://, ws:// or wss://`);
  }
  const decoded = (text: string) => (text === '' ? undefined : decodeURIComponent(text));
  const username = options.username ?? decoded(url.username);
  const password = options.password ?? decoded(url.password);
  url.username = '';
  url.password = '';
  // A query could set MQTT.js options such as the client id.
  url.search = '';
  url.hash = '';
  return { url: url.href, where: `${url.protocol}//${url.host}`, username, password };
}
