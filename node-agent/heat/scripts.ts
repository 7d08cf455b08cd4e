/**
 * The two programs beside the agent, as POSIX sh (dash, busybox, bash): the burner, a tenth of a megabyte for each core
 * where a Node process would be thirteen, and the watchdog. Both live by the lease in the folder that they run in:
 * ```
 * lease      BOOT END SERIAL SECONDS   END in whole seconds of /proc/uptime, `-` where there is none; absent: no lease
 * level      LOOPS PAUSE               of the burner: loops at a time, and seconds of sleep after them; absent: end
 * held       what the watchdog ends, a line each (below)
 * watchdog   /proc/PID/stat of the watchdog, or its number
 * ```
 */

/** `alive`: the lease is of this start of the machine, and not over. `$boot` is this start's name. */
const leaseLines = `alive() {
  read -r of end serial seconds 2>/dev/null <lease && [ "$of" = "$boot" ] || return 1
  [ "$end" = - ] && { counted; return; }
  read -r up rest 2>/dev/null </proc/uptime || return 1
  [ "\${up%%.*}" -lt "$end" ]
}
`;

/**
 * Called as `sh BURNER BOOT PROCS…` in the folder. PROCS are `cgroup.procs` of groups: it is in them before it burns
 * (0 is whoever writes it). Each round it reads again how much to do and whether its lease still runs; without a clock
 * that both know, whether the watchdog lives that counts it.
 */
export const burnerScript = `boot=$1
shift
for group; do echo 0 >"$group" || exit 1; done
{ echo 1000 >/proc/self/oom_score_adj; } 2>/dev/null
counted() { read -r dog rest 2>/dev/null <watchdog && kill -0 "$dog" 2>/dev/null; }
${leaseLines}while alive && read -r loops pause 2>/dev/null <level; do
  i=0
  while [ "$i" -lt "$loops" ]; do i=$((i + 1)); done
  [ "$pause" = 0 ] || sleep "$pause" || exit 1
done
`;

/**
 * Called as `sh WATCHDOG BOOT` in the folder. Every 2 s: is there a lease? At its end, what stands in `held` is ended,
 * again and again until it was so twice in a row; then it ends itself. Nothing that it does begins heat.
 * ```
 * of BOOT              not for it: the start of the machine that the numbers are of
 * write WORD FILE      freezes a group
 * kill - PROCS         KILLs everybody in a group
 * sh - SCRIPT          runs a script that says so to somebody else
 * end START PID        KILLs a process, `stop START PID` stops it: that very one, by the start time in /proc/PID/stat
 * ```
 * Without /proc/uptime it counts its own sleeps since the lease was renewed, and looks at the wall clock, which goes on
 * in a suspend: whichever says first that the time is over.
 */
export const watchdogScript = `boot=$1
{ read -r stat </proc/self/stat; } 2>/dev/null || stat=$$
echo "$stat" >watchdog.new && mv watchdog.new watchdog || exit 1
{ echo -500 >/proc/self/oom_score_adj; } 2>/dev/null
known= left=0 wall=0
counted() {
  now=$(date +%s)
  [ "$serial" = "$known" ] || { known=$serial left=$seconds wall=$now; }
  left=$((left - 2))
  [ "$left" -ge 0 ] && [ "$now" -ge "$((wall - 2))" ] && [ "$((now - wall))" -lt "$seconds" ]
}
${leaseLines}same() {
  [ "$2" = - ] && return
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  of=$2
  set -- \${stat##*) }
  shift 19 2>/dev/null && [ "$1" = "$of" ]
}
over() {
  while read -r what word path; do
    case $what in
      write) { echo "$word" >"$path"; } 2>/dev/null ;;
      kill) { while read -r pid; do kill -9 "$pid"; done <"$path"; } 2>/dev/null ;;
      end) same "$path" "$word" && kill -9 "$path" 2>/dev/null ;;
      sh) (sh "$path") >/dev/null 2>&1 </dev/null & ;;
      stop) same "$path" "$word" && kill -STOP "$path" 2>/dev/null ;;
    esac
  done
}
ended=0
while [ "$ended" -lt 2 ]; do
  if alive; then ended=0
  else
    [ -e held ] && over <held
    ended=$((ended + 1))
  fi
  sleep 2 || sleep 2 || exit 1
done
`;
