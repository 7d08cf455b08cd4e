import { suite } from 'uvu';
import { aptNeeds, aptWorld } from '../fixture/packages/apt-world.ts';
import { packageConformance } from '../fixture/packages/conformance.ts';

const apt = suite('packages: apt');
packageConformance(apt, aptNeeds, aptWorld);
apt.run();
