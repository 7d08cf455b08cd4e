/** Why a program cannot be started, in one sentence. */
import { printable } from '../../../../shared/names.ts';
import { reason } from '../../../reconcile/services/unit-folder.ts';

export function cannotStart(program: string, error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  const why: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such program',
    EACCES: 'it is no program, or may not be run',
    E2BIG: 'its arguments are too long',
  };
  return `${printable(program, 100)} cannot be started: ${why[code ?? ''] ?? reason(error)}`;
}
