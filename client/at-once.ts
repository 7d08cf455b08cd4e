/** Small messages are not held back until the last one is acknowledged (Nagle's algorithm, RFC 896): that costs 40 ms each. */
import type { MqttClient } from 'mqtt';

/** For every connection that the client makes. */
export function atOnce(client: MqttClient): MqttClient {
  const set = () => {
    const { stream } = client;
    if (stream && 'setNoDelay' in stream && typeof stream.setNoDelay === 'function') stream.setNoDelay(true);
  };
  client.on('connect', set);
  if (client.connected) set();
  return client;
}
