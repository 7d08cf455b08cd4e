// Which bars should be bought? A MiniZinc model is solved for every length and every saw, and the cheapest plan wins.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'hearth/client';

const { HEARTH_BROKER, HEARTH_TOKEN, HEARTH_CA } = process.env;
const hearth = await connect(HEARTH_BROKER, { token: HEARTH_TOKEN, ca: HEARTH_CA });

// Nothing but the plan on standard output: it is JSON, and as such the reduction gets it.
const solve = "minizinc --solver gecode --soln-sep '' --search-complete-msg '' -D bar={bar} -D kerf={kerf} -";
const grid = { bar: '200-650:50', kerf: ['2', '8', '15'] };
const best = await hearth.map({ run: solve }, grid, {
  stdin: readFileSync(join(import.meta.dirname, 'cutting.mzn'), 'utf8'),
  timeout_s: 120,
  reduce: 'cheapest',
});
console.log(
  `cheapest: ${best.bars} bars of ${best.bar} cm with a saw of ${best.kerf} mm, for ${best.cents / 100} euros`,
);
await hearth.close();
