/** Where the sun stands, and what comes through a window. */

export interface Place {
  /** Degrees, north and east positive. */
  readonly latitude: number;
  readonly longitude: number;
  /** Hours before UTC. */
  readonly zone: number;
}

export interface Sun {
  /** Sine of its height; below 0 it is night. */
  readonly sinHeight: number;
  /** Radians clockwise from north. */
  readonly azimuth: number;
}

const rad = Math.PI / 180;

/**
 * By declination and equation of time (J. W. Spencer, "Fourier series representation of the position of the sun", Search 2(5), 1971).
 * @param day of the year from 0
 * @param hour of the place's standard time
 */
export function sunAt({ latitude, longitude, zone }: Place, day: number, hour: number): Sun {
  const g = (2 * Math.PI * (day + (hour - 12) / 24)) / 365;
  const declination =
    0.006918 -
    0.399912 * Math.cos(g) +
    0.070257 * Math.sin(g) -
    0.006758 * Math.cos(2 * g) +
    0.000907 * Math.sin(2 * g) -
    0.002697 * Math.cos(3 * g) +
    0.00148 * Math.sin(3 * g);
  const minutes =
    229.18 *
    (0.000075 +
      0.001868 * Math.cos(g) -
      0.032077 * Math.sin(g) -
      0.014615 * Math.cos(2 * g) -
      0.040849 * Math.sin(2 * g));
  const solarHour = hour + minutes / 60 + (longitude - 15 * zone) / 15;
  const angle = (solarHour - 12) * 15 * rad;
  const lat = latitude * rad;
  const sinHeight = Math.sin(lat) * Math.sin(declination) + Math.cos(lat) * Math.cos(declination) * Math.cos(angle);
  const east = -Math.cos(declination) * Math.sin(angle);
  const north = Math.cos(lat) * Math.sin(declination) - Math.sin(lat) * Math.cos(declination) * Math.cos(angle);
  return { sinHeight, azimuth: Math.atan2(east, north) };
}

/** W per m² of an upright window that looks to `azimuth` (radians): beam by angle, half of the diffuse sky, half of a ground that gives a fifth back. */
export function onWindow(sun: Sun, azimuth: number, beam: number, diffuse: number): number {
  const cosHeight = Math.sqrt(Math.max(0, 1 - sun.sinHeight ** 2));
  const facing = Math.max(0, cosHeight * Math.cos(sun.azimuth - azimuth));
  const flat = Math.max(0, sun.sinHeight) * beam + diffuse;
  return (sun.sinHeight > 0.02 ? beam * facing : 0) + diffuse / 2 + 0.2 * (flat / 2);
}
