/**
 * The shim every service runs under: a few lines of POSIX sh (dash, busybox, bash) and builtins only, so that its price
 * is one fork and it needs nothing on PATH, which belongs to the service. In a TypeScript file as text, so that the
 * bundled agent carries it.
 *
 * Called as `sh -c SHIM hearth RUN END BOOT COMMAND ARGUMENT…`, in a session of its own, stdout and stderr appended to a
 * file:
 * - RUN gets one line before the service starts: BOOT and the service's /proc/PID/stat (proc(5)), which names the
 *   process, its parent (the shim), the session and the start time. No record, no service: what cannot be found again
 *   must not run. Positional parameters instead of variables, since a variable that is in the environment is passed on.
 * - END gets the exit status, complete when it ends in a newline; 128 + n for signal n, as every shell says it.
 * - A signal for the whole session ends the service, not the shim: it stays to tell. Handlers, unlike ignored signals,
 *   are not inherited by the service.
 * - More likely to be killed than the agent when memory runs out; raising one's own score is always allowed.
 */
export const shim = `trap : HUP INT QUIT TERM USR1 USR2 ALRM
echo 500 2>/dev/null >/proc/self/oom_score_adj
(
  read -r HEARTH_STAT </proc/self/stat && echo "$3 $HEARTH_STAT" >"$1" || exit 125
  shift 3
  unset HEARTH_STAT
  exec "$@"
)
set -- "$?" "$2"
echo "$1" >"$2"
exit "$1"
`;
