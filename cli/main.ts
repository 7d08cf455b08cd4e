#!/usr/bin/env node
import { version } from './version.ts';

console.error(`hearth ${version}: the commands are being written`);
process.exit(1);
