/** What `boinccmd --get_cc_status` says of BOINC's run mode (its client/boinc_cmd.cpp and lib/gui_rpc_client_print.cpp). Pure. */
export interface RunMode {
  /** That holds now, perhaps for some seconds only. */
  readonly current: 'auto' | 'always' | 'never';
  /** That holds after them. */
  readonly perm: 'auto' | 'always' | 'never';
  /** Seconds until then; 0: it holds already. */
  readonly forS: number;
}

const modeOf = (word: string | undefined): RunMode['current'] =>
  word === 'always' || word === 'never' ? word : 'auto';

/** `according to prefs` is auto, and so is what a client says that is of another kind. */
export function runModeOf(text: string): RunMode {
  const cpu = text.split(/^(?=\S)/m).find(part => part.startsWith('CPU status')) ?? '';
  const mode = (what: string) => modeOf(new RegExp(`^\\s+${what} mode: (\\w+)`, 'm').exec(cpu)?.[1]);
  const forS = Number(/^\s+perm becomes current in (\d+)/m.exec(cpu)?.[1] ?? 0);
  return { current: mode('current'), perm: mode('perm'), forS };
}
