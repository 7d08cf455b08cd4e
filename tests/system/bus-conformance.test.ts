/** One suite for every kind of Bus: the embedded broker, and a real Mosquitto through MQTT.js. */
import { suite } from 'uvu';
import { alsoCases, outsideAlsoCases } from './bus/also.ts';
import { clientCases, embeddedClientCases } from './bus/clients.ts';
import { deliveryCases } from './bus/delivery.ts';
import { lifecycleCases } from './bus/lifecycle.ts';
import { outsideLifeCases } from './bus/outside-life.ts';
import { outsideRefusalCases } from './bus/outside-refusals.ts';
import { embeddedRetainedCases, outsideRetainedCases, retainedCases } from './bus/retained.ts';
import { registerFor } from './bus/rig.ts';
import { registerOutside } from './bus/scene.ts';

const conformance = suite('bus conformance');

for (const kind of ['embedded', 'outside'] as const) {
  const test = registerFor(conformance, kind);
  deliveryCases(test);
  retainedCases(test);
  clientCases(test);
  lifecycleCases(test);
  alsoCases(test);
}

// Where the seam says that the kinds differ, each is held to its own promise.
const embedded = registerFor(conformance, 'embedded');
embeddedRetainedCases(embedded);
embeddedClientCases(embedded);
outsideRetainedCases(registerFor(conformance, 'outside'));
const outside = registerOutside(conformance);
outsideLifeCases(outside);
outsideRefusalCases(outside);
outsideAlsoCases(outside);

conformance.run();
