/**
 * Which sensor chips measure the air round the machine. Everything else that the kernel calls a temperature is of a part of the
 * machine: processors (coretemp, k10temp, zenpower, cpu_thermal), disks (drivetemp, nvme), graphics (amdgpu, nouveau), the board
 * (acpitz, nct6775, it87, dell_smm, jc42 on memory modules), radios (iwlwifi, ath10k), power supplies, batteries. A room that is heated by such
 * a number is not heated by how warm it is; so this is a list of what may be, by the name that the kernel's driver gives.
 */

/** Drivers of hwmon (Documentation/hwmon in the kernel). */
const hwmon: ReadonlySet<string> = new Set([
  // Humidity sensors, which are built to stand in the air: Sensirion, Silicon Labs, Honeywell, Aosong.
  ...[
    'sht21',
    'sht3x',
    'sts3x',
    'sht4x',
    'shtc1',
    'shtw1',
    'shtc3',
    'sht15',
    'sht71',
    'si7005',
    'hih6130',
    'aht10',
    'aht20',
    'chipcap2',
  ],
  // Digital thermometers of breakout boards on a Pi's header: National, Maxim, Analog Devices, TI. Some boards of servers have an LM75 too;
  // so a node's sensor is never a room's thermometer by itself, a person names it.
  ...[
    'lm75',
    'lm75a',
    'lm75b',
    'ds75',
    'ds1621',
    'ds1625',
    'ds1775',
    'tmp75',
    'tmp100',
    'tmp101',
    'tmp102',
    'tmp105',
    'tmp112',
    'tmp1075',
  ],
  ...['tcn75', 'stds75', 'g751', 'mcp980x', 'at30ts74', 'adt7410', 'adt7420', 'ds620', 'lm73', 'stts751', 'pct2075'],
]);

/** Drivers of the Industrial I/O subsystem. */
const iio: ReadonlySet<string> = new Set([
  // Weather: Bosch, Aosong (DHT22 and AM2302 go under dht11), Sensirion, ST, TI, TE.
  ...[
    'bme280',
    'bmp280',
    'bmp180',
    'bmp085',
    'bmp380',
    'bmp580',
    'bme680',
    'dht11',
    'am2315',
    'hts221',
    'hts221_i2c',
    'si7020',
    'si7021',
  ],
  ...[
    'htu21',
    'ms8607-temphumidity',
    'hdc1000',
    'hdc1008',
    'hdc1010',
    'hdc1050',
    'hdc1080',
    'hdc2010',
    'hdc2080',
    'hdc3020',
  ],
  ...[
    'scd30',
    'scd4x',
    'ms5611',
    'ms5637',
    'ms5803',
    'ms5805',
    'ms5837',
    'mpl115',
    'mpl3115',
    'lps22hb',
    'lps25h',
    'lps331ap',
    'ens210',
  ],
  // Thermometers alone.
  ...['tmp117', 'tmp116', 'tmp119', 'tsys01', 'tsys02d', 'mcp9600', 'max31855', 'max31856', 'max31865', 'ltc2983'],
]);

export const isAirChip = (subsystem: 'hwmon' | 'iio', name: string): boolean =>
  (subsystem === 'hwmon' ? hwmon : iio).has(name.trim().toLowerCase());
