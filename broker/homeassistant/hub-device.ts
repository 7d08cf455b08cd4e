/** The cluster as a device: how many nodes are there, what they do, and whether its supervisor is there. */
import { type Component, type Device, type Known, versionOf, webAddress } from './component.ts';
import { hubObject } from './ids.ts';
import { readingOf } from './templates.ts';
import type { HaView } from './view.ts';

/** `<base>/info` comes every 10 s; three times that, and its numbers are nobody's any more. */
const expireS = 30;

export function hubDevice(view: HaView, known: Known): Device {
  const { base, cluster } = view;
  const status = `${base}/status`;
  const sensor = (key: string, field: string, name: string, more: Component['config'] = {}): Component => ({
    key,
    platform: 'sensor',
    name,
    config: {
      state_topic: `${base}/info`,
      value_template: readingOf(field),
      state_class: 'measurement',
      expire_after: expireS,
      availability: [{ t: status }],
      ...more,
    },
  });
  const ver = versionOf(view.ver);
  const url = webAddress(view.url);
  return {
    object: hubObject(cluster),
    name: base === 'hearth' ? 'Hearth' : `Hearth ${base}`,
    words: [],
    about: {
      model: 'Cluster',
      ...(ver === undefined ? {} : { sw_version: ver }),
      ...(url === undefined ? {} : { configuration_url: url }),
    },
    isHub: true,
    // Each says it by itself, for `connectivity` must have none: it is what says that the supervisor is gone.
    availability: [],
    components: [
      {
        key: 'connectivity',
        platform: 'binary_sensor',
        name: 'Supervisor',
        config: {
          state_topic: status,
          device_class: 'connectivity',
          payload_on: 'online',
          payload_off: 'offline',
          entity_category: 'diagnostic',
        },
      },
      sensor('nodes_online', 'online', 'Nodes online'),
      sensor('cores', 'cores', 'Cores'),
      ...(view.watts || known.has('power')
        ? [
            sensor('power', 'watts', 'Power', {
              device_class: 'power',
              unit_of_measurement: 'W',
              suggested_display_precision: 0,
            }),
          ]
        : []),
      sensor('jobs_queued', 'jobs_queued', 'Jobs queued'),
      sensor('jobs_running', 'jobs_running', 'Jobs running'),
    ],
  };
}
