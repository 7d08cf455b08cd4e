/** The tests of services once more, with every unit started by a shim that waited for it. */
import '../fixture/primed-way.ts';
import './services.test.ts';
import './services-belonging.test.ts';
import './services-start.test.ts';
