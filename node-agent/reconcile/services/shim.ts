/**
 * The shim every service runs under: a few lines of POSIX sh (dash, busybox, bash) and builtins only, so that its price
 * is one fork and it needs nothing on PATH, which belongs to the service. In a TypeScript file as text, so that the
 * bundled agent carries it.
 *
 * Called as `sh SHIM RUN END BOOT GROUP… -- COMMAND ARGUMENT…`, in a session of its own, stdout and stderr appended to a
 * file:
 * - RUN gets one line before the service starts: BOOT and the service's /proc/PID/stat (proc(5)), which names the
 *   process, its parent (the shim), the session and the start time. No record, no service: what cannot be found again
 *   must not run. Positional parameters instead of variables, since a variable that is in the environment is passed on.
 * - GROUPs are the `cgroup.procs` of what limits the service (0 is whoever writes it): it is in them before it is itself.
 *   Not the shim, which has to tell how the service ended.
 * - END gets the exit status, complete when it ends in a newline; 128 + n for signal n, as every shell says it.
 * - A signal for the whole session ends the service, not the shim: it stays to tell. Handlers, unlike ignored signals,
 *   are not inherited by the service.
 * - More likely to be killed than the agent when memory runs out; raising one's own score is always allowed, and an agent
 *   that is likely to be killed itself passes its own on.
 */
export const shim = `trap : HUP INT QUIT TERM USR1 USR2 ALRM
{ read -r HEARTH_OOM </proc/self/oom_score_adj && [ "$HEARTH_OOM" -lt 500 ] && echo 500 >/proc/self/oom_score_adj; } 2>/dev/null
(
  read -r HEARTH_STAT </proc/self/stat && echo "$3 $HEARTH_STAT" >"$1" || exit 125
  shift 3
  while [ "$1" != -- ]; do
    echo 0 >"$1"
    shift
  done
  shift
  unset HEARTH_STAT
  exec "$@"
)
set -- "$?" "$2"
echo "$1" >"$2"
exit "$1"
`;

/**
 * The same shim started ahead of its use, so that fork and start of both shells are paid for before anybody waits.
 * Called as `sh PRIMED SHELL WAITING HOME RUNS` in a folder that is given its unit's name and place once it has one, with
 * a socket to the agent as 3. It starts the part that becomes the service ({@link waitingShim}), waits for its end, and
 * writes it into RUNS under the name that its folder has by then. A shim that was never used has no such name, and the
 * folder of a unit that was discarded no name at all: then nobody asks how it ended.
 */
export const primedShim = `trap : HUP INT QUIT TERM USR1 USR2 ALRM
{ read -r HEARTH_OOM </proc/self/oom_score_adj && [ "$HEARTH_OOM" -lt 500 ] && echo 500 >/proc/self/oom_score_adj; } 2>/dev/null
exec >>output 2>&1
"$1" -c '. "$1"' "$1" "$2" "$3"
set -- "$?" "$4"
cd -P . 2>/dev/null || exit 125
case \${PWD##*/} in
  '' | *[!0-9a-f]*) exit 125 ;;
esac
echo "$1" >"$2/\${PWD##*/}.end"
exit "$1"
`;

/**
 * The part of a primed shim that becomes the service: a shell of its own, so that `$$` is the service's. It says on 3
 * which process it is (its /proc/PID/stat) and waits there to be told what to become:
 * ```
 * UNIT
 * SERVICE
 * =FOLDER       where to run, where that is not the home folder
 * +ARGUMENT     each argument of a program; the last of its lines, where it has several
 * !COMMAND      or one simple command for the shell itself, as `sh -c COMMAND` would run it
 * -LINE         every line of one of these but its last
 * .             all told
 * ```
 * But for COMMAND, what it is told is data: read with `read -r`, never expanded and never evaluated. An end without the
 * dot starts nothing: an agent that dies takes an unused shim with it. The agent writes the record of the start (RUN of
 * the shim above) before it tells.
 *
 * Variables are all called HEARTH_…, which no environment of a service has, and are gone before the service starts.
 */
export const waitingShim = `HEARTH_CWD=$2
HEARTH_RUN=
HEARTH_TEXT=
HEARTH_END='
'
set --
{ IFS= read -r HEARTH_LINE </proc/self/stat && echo "$HEARTH_LINE" >&3; } || exit 125
exec <&3 3<&-
{ IFS= read -r HEARTH_UNIT && IFS= read -r HEARTH_SERVICE; } || exit 125
while IFS= read -r HEARTH_LINE || exit 125; do
  case $HEARTH_LINE in
    -*) HEARTH_TEXT=$HEARTH_TEXT\${HEARTH_LINE#-}$HEARTH_END ;;
    +*) set -- "$@" "$HEARTH_TEXT\${HEARTH_LINE#+}" && HEARTH_TEXT= ;;
    =*) HEARTH_CWD=$HEARTH_TEXT\${HEARTH_LINE#=} && HEARTH_TEXT= ;;
    !*) HEARTH_RUN=$HEARTH_TEXT\${HEARTH_LINE#!} && HEARTH_TEXT= ;;
    .) break ;;
    *) exit 125 ;;
  esac
done
exec </dev/null
cd -P -- "$HEARTH_CWD" || exit 125
export HEARTH_UNIT HEARTH_SERVICE
if [ -n "$HEARTH_RUN" ]; then
  set -- "$HEARTH_RUN"
  unset HEARTH_CWD HEARTH_RUN HEARTH_TEXT HEARTH_END HEARTH_LINE OLDPWD
  eval "shift
$1"
  exit
fi
unset HEARTH_CWD HEARTH_RUN HEARTH_TEXT HEARTH_END HEARTH_LINE OLDPWD
exec "$@"
`;
