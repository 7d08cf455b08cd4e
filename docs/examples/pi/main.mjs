// Monte Carlo π by map and reduce. `node main.mjs [TASKS] [DARTS]`
import { connect } from 'hearth/client';

const [tasks = '64', darts = '1000000'] = process.argv.slice(2);
const { HEARTH_BROKER, HEARTH_TOKEN, HEARTH_CA } = process.env;

const hearth = await connect(HEARTH_BROKER, { token: HEARTH_TOKEN, ca: HEARTH_CA });
const sum = await hearth.map('pi-darts', `1-${tasks}`, {
  common: { darts: Number(darts) },
  reduce: { plugin: 'pi-sum', fan_in: 16 },
});
console.log(`pi is about ${((4 * sum.hits) / sum.darts).toFixed(5)}, after ${sum.darts} darts`);
await hearth.close();
