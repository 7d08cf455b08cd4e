/** `hearth room` in the command's grammar. */
import type { Command } from 'commander';
import { clientOptions, exits } from './options.ts';

const ways = `
Ways to ask for warmth:
  hearth room attic heat 21            on, at 21 °C; without degrees, at what was wanted before
  hearth room attic off
  hearth room attic preset eco         none, eco, comfort, boost or away
  hearth room attic set max_w 800      one key of its document; text, @FILE, or "-" for standard input
  hearth room attic set schedule @week.json
  hearth room attic clear target_c     the key is said no more: the schedule counts at once
  hearth room attic forget             the room, and everything retained of it`;

export function roomCommand(hearth: Command): void {
  clientOptions(hearth.command('room').description('rooms that are heated: how they are, and what is wanted of them'))
    .argument('[room]', 'only this room; a new one comes into being by "heat" or "set"')
    .argument('[what]', 'heat, off, preset, set, clear or forget')
    .argument('[words...]', 'what belongs to it')
    .option('--json', 'as JSON')
    .addHelpText('after', ways)
    .action(
      exits(async (room, what, words, flags) => (await import('./commands/room.ts')).room(room, what, words, flags)),
    );
}
