/**
 * The machine's own thermometers of its surroundings: 1-wire, and chips of hwmon and iio that stand in the air. One look
 * reads all, one after the other and in the background: a 1-wire conversion holds its reader for 750 ms, a DHT22 for up to two
 * seconds. Names are made of the device and stay over restarts, whatever number the kernel gives it.
 */
import { readFile, realpathSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { isAirChip } from './air-chips.ts';
import type { MachineFiles } from './machine-files.ts';
import { milliC, w1Name, w1SlaveC } from './w1.ts';

/** °C by sensor, such as `w1_28_0316a2797d11_c`. */
export type Sensed = Readonly<Record<string, number>>;

/** As many as the message has room for. */
const most = 32;
const mostName = 48;

interface Place {
  readonly key: string;
  /** Files that may have it, the best first: the next where one is missing. */
  readonly ways: readonly { readonly path: string; readonly read: (text: string) => number | undefined }[];
}

export class Surroundings {
  readonly #files: MachineFiles;
  #looking = false;

  constructor(files: MachineFiles) {
    this.#files = files;
  }

  /** `done` later and once, with what answered; never where the last look still waits for a sensor. */
  look(done: (sensed: Sensed) => void): void {
    if (this.#looking) return;
    this.#looking = true;
    const places = this.#places();
    const sensed: Record<string, number> = {};
    const next = (index: number) => {
      const place = places[index];
      if (!place) {
        this.#looking = false;
        setImmediate(() => done(sensed));
        return;
      }
      this.#read(place, 0, c => {
        if (c !== undefined) sensed[place.key] = c;
        next(index + 1);
      });
    };
    next(0);
  }

  #read({ key, ways }: Place, way: number, done: (c: number | undefined) => void): void {
    const file = ways[way];
    if (!file) {
      done(undefined);
      return;
    }
    readFile(this.#files.path(file.path), 'latin1', (error, text) => {
      // What is there and does not answer (EIO, ETIMEDOUT) is not asked another way.
      if (error?.code === 'ENOENT') this.#read({ key, ways }, way + 1, done);
      else done(error ? undefined : file.read(text.slice(0, 4096)));
    });
  }

  #places(): readonly Place[] {
    const all = [...this.#oneWire(), ...this.#chips(), ...this.#industrial()];
    return all.filter(({ key }, index) => all.findIndex(other => other.key === key) === index).slice(0, most);
  }

  #oneWire(): Place[] {
    const folder = 'sys/bus/w1/devices';
    const names = this.#files.names(folder).filter(name => w1Name.test(name));
    return names.map(name => ({
      key: keyOf('w1', name),
      ways: [
        { path: `${folder}/${name}/w1_slave`, read: w1SlaveC },
        { path: `${folder}/${name}/temperature`, read: milliC },
      ],
    }));
  }

  #chips(): Place[] {
    const folder = 'sys/class/hwmon';
    return this.#named('hwmon', folder, this.#files.names(folder)).flatMap(({ path, chip }) => {
      const inputs = this.#files.names(path).filter(name => /^temp\d+_input$/.test(name));
      const device = this.#real(`${path}/device`, real => basename(real));
      return inputs.map(input => ({
        key: keyOf('hwmon', chip, device, ...(inputs.length > 1 ? [input.slice(4, -6)] : [])),
        ways: [{ path: `${path}/${input}`, read: milliC }],
      }));
    });
  }

  #industrial(): Place[] {
    const folder = 'sys/bus/iio/devices';
    const devices = this.#files.names(folder).filter(name => name.startsWith('iio:device'));
    return this.#named('iio', folder, devices).flatMap(({ path, chip }) => {
      const key = keyOf(
        'iio',
        chip,
        this.#real(path, real => basename(dirname(real))),
      );
      if (this.#files.exists(`${path}/in_temp_input`)) {
        return [{ key, ways: [{ path: `${path}/in_temp_input`, read: milliC }] }];
      }
      // Thousandths of a degree are (raw + offset) * scale (Documentation/ABI/testing/sysfs-bus-iio).
      const scale = this.#files.number(`${path}/in_temp_scale`);
      if (scale === undefined) return [];
      const offset = this.#files.number(`${path}/in_temp_offset`) ?? 0;
      const read = (text: string) => milliC(((Number(text) + offset) * scale).toFixed(3));
      return [{ key, ways: [{ path: `${path}/in_temp_raw`, read }] }];
    });
  }

  #named(subsystem: 'hwmon' | 'iio', folder: string, names: readonly string[]) {
    return names.flatMap(name => {
      const path = `${folder}/${name}`;
      const chip = this.#files.text(`${path}/name`, 64)?.trim() ?? '';
      return isAirChip(subsystem, chip) ? [{ path, chip }] : [];
    });
  }

  /** Something of where a link leads; empty where it leads nowhere. */
  #real(path: string, of: (real: string) => string): string {
    try {
      return of(realpathSync(this.#files.path(path)));
    } catch {
      return '';
    }
  }
}

const keyOf = (...parts: readonly string[]): string => {
  const name = parts
    .filter(part => part !== '')
    .join('_')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_');
  return `${name.slice(0, mostName)}_c`;
};
