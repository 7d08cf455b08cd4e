/** What tasks find around them: a clean environment, and less of the processor and of memory's mercy than the agent has. */
import { readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { inheritedEnvironment } from '../../reconcile/services/environment.ts';

/** Of the agent's environment, only what any program needs to be at home: it may hold secrets of the agent's. */
const passedOn =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|TERM|PREFIX|LD_LIBRARY_PATH|ANDROID_[A-Z_]+|XDG_RUNTIME_DIR)$/;
/** Termux cannot start programs without it. */
const termux = /^LD_PRELOAD$/;

export function cleanEnvironment(agent: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const all = inheritedEnvironment(agent);
  const android = agent.ANDROID_ROOT !== undefined;
  const kept = Object.entries(all).filter(([name]) => passedOn.test(name) || (android && termux.test(name)));
  const environment: Record<string, string> = Object.fromEntries(kept);
  try {
    const { username, homedir } = userInfo();
    environment.HOME ??= homedir;
    environment.USER ??= username;
    environment.LOGNAME ??= username;
  } catch {
    // A user without an entry in /etc/passwd, as in containers.
  }
  environment.LANG ??= 'C.UTF-8';
  return environment;
}

const oomScore = 500;

/** This process and all that it starts from now on goes first where memory ends. */
export function raiseOomScore(): void {
  try {
    const now = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
    if (now < oomScore) writeFileSync('/proc/self/oom_score_adj', String(oomScore));
  } catch {
    // No such thing here.
  }
}
