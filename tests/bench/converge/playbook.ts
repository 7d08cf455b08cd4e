/** The same items as an Ansible playbook on localhost: files by the copy module, services as background processes. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

export interface Items {
  readonly files: number;
  readonly services: number;
}

export const contentOf = (index: number): string => `# file ${index}\nkey = value ${index}\n`;
export const commandOf = (index: number): string => `exec sleep ${900_000 + index}`;

/** Where a playbook lives, and how it is run. */
export class Playbook {
  readonly #folder: string;
  readonly #target: string;

  /** @param target where the files go. */
  constructor(folder: string, target: string, { files, services }: Items) {
    this.#folder = folder;
    this.#target = target;
    mkdirSync(folder, { recursive: true });
    const copies = Array.from({ length: files }, (_, index) => ({
      dest: join(target, `etc/file-${index}.conf`),
      content: contentOf(index),
    }));
    const starts = Array.from({ length: services }, (_, index) => ({ run: commandOf(index), index }));
    const play = [
      {
        hosts: 'localhost',
        connection: 'local',
        gather_facts: false,
        tasks: [
          { name: 'folder', file: { path: join(target, 'etc'), state: 'directory' } },
          {
            name: 'files',
            copy: { dest: '{{ item.dest }}', content: '{{ item.content }}', mode: '0644' },
            loop: copies,
            loop_control: { label: '{{ item.dest }}' },
          },
          {
            name: 'services',
            shell: `setsid sh -c '{{ item.run }}' >/dev/null 2>&1 </dev/null & echo $! >${target}/{{ item.index }}.pid`,
            args: { creates: `${target}/{{ item.index }}.pid` },
            loop: starts,
            loop_control: { label: '{{ item.index }}' },
          },
        ],
      },
    ];
    // YAML reads JSON.
    writeFileSync(join(folder, 'site.yaml'), JSON.stringify(play));
  }

  /** @returns seconds, and how many tasks Ansible says it changed. */
  run(): { readonly seconds: number; readonly changed: number } {
    const at = performance.now();
    const said = execFileSync('ansible-playbook', ['-i', 'localhost,', join(this.#folder, 'site.yaml')], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        ANSIBLE_LOCALHOST_WARNING: 'False',
        ANSIBLE_NOCOWS: '1',
        HOME: this.#folder,
        LC_ALL: 'C.UTF-8',
      },
      maxBuffer: 16 * 2 ** 20,
    });
    const changed = Number(/changed=(\d+)/.exec(said)?.[1] ?? Number.NaN);
    return { seconds: (performance.now() - at) / 1000, changed };
  }

  /** Ends what it started. */
  stop(services: number): void {
    for (let index = 0; index < services; index++) {
      execFileSync('sh', ['-c', `kill "$(cat ${this.#target}/${index}.pid)" 2>/dev/null || true`]);
    }
  }
}

export function ansibleVersion(): string | undefined {
  try {
    return /core ([\d.]+)/.exec(execFileSync('ansible-playbook', ['--version'], { encoding: 'utf8' }))?.[1];
  } catch {
    return undefined;
  }
}
