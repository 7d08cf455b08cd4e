/** Temperature, clock rate and power, where the kernel shows them. What there is, is looked for again every minute. */
import { type MachineFiles, rounded } from './machine-files.ts';

const lookAgainMs = 60_000;

/** Best first: drivers of hwmon whose reading is the processor's. */
const processorDrivers = [
  'coretemp',
  'k10temp',
  'zenpower',
  'k8temp',
  'cpu_thermal',
  'soc_thermal',
  'via_cputemp',
  'fam15h_power',
];
/** Best first: kinds of thermal zones. The last ones stand near the processor at best. */
const zoneKinds = [
  /^x86_pkg_temp$/,
  /^cpu[-_]?thermal$|^cpu-?\d*[-_]?thermal/,
  /^soc[-_]?thermal$/,
  /cpu|soc|package/i,
  /^acpitz$/,
];

/** Millidegrees that a working sensor may show. */
const plausible = (milli: number | undefined): milli is number =>
  milli !== undefined && milli > -40_000 && milli < 150_000;

/** Files that show the processor's temperature: the best kind there is, all of it (one per socket). */
function temperatureFiles(files: MachineFiles): readonly string[] {
  const chips = files.names('sys/class/hwmon').map(chip => `sys/class/hwmon/${chip}`);
  const named = chips.map(chip => ({ chip, name: files.text(`${chip}/name`, 64)?.trim() ?? '' }));
  for (const driver of processorDrivers) {
    const inputs = named
      .filter(({ name }) => name === driver)
      .flatMap(({ chip }) => packageInputs(files, chip).map(input => `${chip}/${input}`))
      .filter(path => plausible(files.number(path)));
    if (inputs.length > 0) return inputs;
  }
  const zones = files
    .names('sys/class/thermal')
    .filter(name => name.startsWith('thermal_zone'))
    .map(name => `sys/class/thermal/${name}`)
    .map(zone => ({ path: `${zone}/temp`, kind: files.text(`${zone}/type`, 64)?.trim() ?? '' }))
    .filter(({ path }) => plausible(files.number(path)));
  for (const kind of zoneKinds) {
    const found = zones.filter(zone => kind.test(zone.kind)).map(zone => zone.path);
    if (found.length > 0) return found;
  }
  return zones.slice(0, 1).map(zone => zone.path);
}

/** The reading for the whole package where the chip labels one; else the first few. */
function packageInputs(files: MachineFiles, chip: string): readonly string[] {
  const inputs = files.names(chip).filter(name => /^temp\d+_input$/.test(name));
  const labelled = inputs.filter(input => {
    const label = files.text(`${chip}/${input.replace('_input', '_label')}`, 64)?.trim() ?? '';
    return /^(Package id \d+|Tctl|Tdie)$/.test(label);
  });
  return labelled.length > 0 ? labelled : inputs.slice(0, 4);
}

/** Clock rates to average: of a large machine a few, evenly spread, say as much and cost less. */
function frequencyFiles(files: MachineFiles): readonly string[] {
  const policies = files
    .names('sys/devices/system/cpu/cpufreq')
    .filter(name => name.startsWith('policy'))
    .map(name => `sys/devices/system/cpu/cpufreq/${name}/scaling_cur_freq`)
    .filter(path => files.number(path) !== undefined);
  const step = Math.max(1, Math.ceil(policies.length / 8));
  return policies.filter((_, index) => index % step === 0);
}

interface Domain {
  readonly path: string;
  readonly psys: boolean;
  /** The counter starts over above this. */
  readonly range: number;
}

/** RAPL domains (Documentation/power/powercap in the kernel): one per package, and `psys` for the board, where readable. */
function powerDomains(files: MachineFiles): readonly Domain[] {
  return files
    .names('sys/class/powercap')
    .filter(name => /^intel-rapl:\d+$/.test(name))
    .map(name => `sys/class/powercap/${name}`)
    .map(domain => ({
      path: `${domain}/energy_uj`,
      psys: files.text(`${domain}/name`, 64)?.trim() === 'psys',
      range: files.number(`${domain}/max_energy_range_uj`) ?? 0,
    }))
    .filter(({ path }) => files.number(path) !== undefined);
}

/** No package draws a kilowatt, and no board of them several. */
const mostWatts = { package: 1000, board: 8000 } as const;

/** Within this time a package's counter starts over once at most. Where its range is not known: a minute. */
const onceOverMs = (rangeUj: number): number => (rangeUj > 0 ? rangeUj / mostWatts.package / 1000 : 60_000);

export class Sensors {
  readonly #files: MachineFiles;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #temperatures: readonly string[] = [];
  #frequencies: readonly string[] = [];
  #domains: readonly Domain[] = [];
  #energy = new Map<string, { readonly uj: number; readonly at: number }>();

  constructor(files: MachineFiles) {
    this.#files = files;
  }

  /** @param now monotonic milliseconds. */
  look(now: number): { readonly tempC?: number; readonly mhz?: number; readonly watts?: number } {
    if (now - this.#lookedAt >= lookAgainMs) {
      this.#lookedAt = now;
      this.#temperatures = temperatureFiles(this.#files);
      this.#frequencies = frequencyFiles(this.#files);
      this.#domains = powerDomains(this.#files);
    }
    const tempC = this.#temperature();
    const mhz = this.#megahertz();
    const watts = this.#watts(now);
    return {
      ...(tempC === undefined ? {} : { tempC }),
      ...(mhz === undefined ? {} : { mhz }),
      ...(watts === undefined ? {} : { watts }),
    };
  }

  /** The hottest socket. */
  #temperature(): number | undefined {
    const readings = this.#temperatures.map(path => this.#files.number(path)).filter(plausible);
    return readings.length === 0 ? undefined : rounded(Math.max(...readings) / 1000);
  }

  #megahertz(): number | undefined {
    const khz = this.#frequencies.map(path => this.#files.number(path)).filter(value => value !== undefined);
    if (khz.length > 0) return Math.round(khz.reduce((sum, value) => sum + value, 0) / khz.length / 1000);
    // Virtual machines show a rate in /proc/cpuinfo only, and ARM does not there; its first 4 kB are two or three cores.
    const lines = [...(this.#files.text('proc/cpuinfo', 4096) ?? '').matchAll(/^cpu MHz\s*:\s*([\d.]+)/gm)];
    const rates = lines.map(match => Number(match[1])).filter(rate => rate > 0);
    return rates.length === 0 ? undefined : Math.round(rates.reduce((sum, rate) => sum + rate, 0) / rates.length);
  }

  /** The packages together, or the board's own figure where that is larger. Without one of the packages it is no sum of them. */
  #watts(now: number): number | undefined {
    let packages: number | undefined = 0;
    let board = 0;
    for (const domain of this.#domains) {
      const watts = this.#draw(domain, now);
      if (domain.psys) board += watts ?? 0;
      else packages = packages === undefined || watts === undefined ? undefined : packages + watts;
    }
    return packages === undefined || packages === 0 ? undefined : rounded(Math.max(packages, board));
  }

  #draw({ path, range, psys }: Domain, now: number): number | undefined {
    const uj = this.#files.number(path);
    const before = this.#energy.get(path);
    if (uj === undefined) {
      this.#energy.delete(path);
      return undefined;
    }
    this.#energy.set(path, { uj, at: now });
    // Longer, and the counter may have started over more than once.
    if (!before || now <= before.at || now - before.at > onceOverMs(range)) return undefined;
    const used = uj >= before.uj ? uj - before.uj : uj + range - before.uj;
    const watts = used / 1000 / (now - before.at);
    // More than can be is a counter that began anew (a machine that slept), or a sleep that the clock does not know of.
    return watts < 0 || watts > mostWatts[psys ? 'board' : 'package'] ? undefined : watts;
  }
}
