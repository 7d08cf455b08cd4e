/** Commands of which it is certain, without a shell's parser, that they are a single one. */

/** Lists, pipes, groups, substitutions and further lines. */
const compound = /[;&|()`\n]/;
/** `2>&1` is no list. */
const duplication = /[<>]&[0-9-]/g;
const firstWord = /^[ \t]*([A-Za-z0-9_./][A-Za-z0-9_./+-]*|\[|:)(?=[ \t]|$)/;

/** Over at once, and no program has to take the shell's place. */
const builtins = new Set('echo printf true false : test [ pwd kill exit exec'.split(' '));

/** What POSIX, dash, bash, busybox and mksh know under a name of their own: no program, or not surely one. */
const shellsOwn = new Set(
  `. alias bg bind break builtin caller case cd chdir command compgen complete compopt continue coproc declare dirs
  disown do done elif else enable end esac eval export fc fg fi for foreach function getopts global hash help history if
  in inlib jobs let local logout mapfile newgrp popd print pushd read readarray readonly rename repeat return select set
  shift shopt source stop suspend then time times trap type typeset ulimit umask unalias unset until wait whence while`
    .split(/\s+/)
    .filter(Boolean),
);

/**
 * What a shell is given in place of RUN: the command itself where it is the shell's own, `exec` before it where it is a
 * program, which then takes the shell's place (bash does that by itself for the last command, dash 0.5.12 does not):
 * signals reach it, and its exit status is the service's. Undefined for everything that is not
 * surely one simple command (POSIX.1-2017, XCU 2.9.1).
 */
export function simpleCommand(run: string): string | undefined {
  const word = compound.test(run.replace(duplication, '')) ? undefined : firstWord.exec(run)?.[1];
  if (word === undefined || shellsOwn.has(word)) return undefined;
  return builtins.has(word) ? run : `exec ${run}`;
}
