/**
 * Some rows of the Mandelbrot set, one byte a point: how soon it gets away, 0 for those that never do.
 * @param {{ from: number, rows: number }} band
 * @param {{ common: { width: number, height: number, iterations: number } }} ctx
 * @returns {string} base64
 */
export default function mandelbrot({ from, rows }, { common: { width, height, iterations } }) {
  const bytes = Buffer.alloc(width * rows);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < width; x++) {
      const steps = stepsOf((x / width) * 3.5 - 2.5, ((from + y) / height) * 2 - 1, iterations);
      bytes[y * width + x] = steps === iterations ? 0 : 255 - Math.floor((steps * 255) / iterations);
    }
  }
  return bytes.toString('base64');
}

function stepsOf(a, b, iterations) {
  let [x, y] = [0, 0];
  for (let step = 0; step < iterations; step++) {
    const [xx, yy] = [x * x, y * y];
    if (xx + yy > 4) return step;
    y = 2 * x * y + b;
    x = xx - yy + a;
  }
  return iterations;
}
