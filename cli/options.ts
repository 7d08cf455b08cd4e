/** Options that several commands share, and how a command's action becomes an exit code. */
import { type Command, Option } from 'commander';
import { environmentName, type Setting, settings } from '../shared/schemas/config.ts';

export const option = (setting: Setting, text = setting.text, fallback = setting.fallback): Option => {
  const value = setting.placeholder === undefined ? '' : ` <${setting.placeholder}>`;
  return new Option(`--${setting.name}${value}`, `${text} (${environmentName(setting.name)}; default: ${fallback})`);
};

const caOption = () => new Option('--ca <FILE>', "certificate of the cluster's CA, for https: and mqtts: (HEARTH_CA)");

/** Some commands are MQTT clients and ask over HTTP, too: what both need is said once. */
function addOnce(command: Command, ...options: readonly Option[]): Command {
  for (const each of options) {
    if (!command.options.some(({ long }) => long === each.long)) command.addOption(each);
  }
  return command;
}

const dataOption = () => option(settings.data, 'data folder of the supervisor on this machine');

/** For commands that are MQTT clients. */
export const clientOptions = (command: Command): Command =>
  addOnce(
    command,
    option(settings.broker, 'the broker to talk to', "that of this machine's supervisor, or mqtt://127.0.0.1:1883"),
    option(settings.base),
    dataOption(),
    caOption(),
  );

/** For commands that ask the supervisor over HTTP, by {@link adminCall}. */
export const adminOptions = (command: Command): Command => {
  const url = new Option(
    '--url <URL>',
    'https://HOST:PORT of a supervisor elsewhere (HEARTH_URL); an API token goes in HEARTH_TOKEN',
  );
  return addOnce(command, dataOption(), url, caOption());
};

/** Runs a command's action and takes its exit code. */
export const exits =
  <A extends unknown[]>(run: (...args: A) => Promise<number>) =>
  async (...args: A): Promise<void> => {
    process.exitCode = await run(...args);
  };
