# The runner, where no service manager is.

# A pid alone may be somebody else's by now: its start time says whether it is the one.
runner_lives() {
  if [ ! -f "$PID_FILE" ]; then return 1; fi
  read -r PID started <"$PID_FILE" || return 1
  [ -n "$started" ] && [ "$(start_time "$PID")" = "$started" ]
}

# Field 22 of /proc/PID/stat, in which the second is a name in parentheses that may hold anything (proc(5)).
start_time() {
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || stat=''
  # shellcheck disable=SC2086 # words are wanted
  set -- ${stat##*) }
  case ${1:-Z} in Z) ;; *) echo "${20}" ;; esac
}

# The runner, where no service manager is: starts the agent again when it fails, later and later, and bounds its log.
supervise() {
  need_rights
  if runner_lives; then return; fi
  self=$(start_time "$$")
  echo "$$ $self" >"$PID_FILE.new"
  mv -f "$PID_FILE.new" "$PID_FILE"
  child=''
  trap 'end=yes; if [ -n "$child" ]; then kill -TERM "$child" 2>/dev/null || true; fi' TERM INT HUP
  end=no
  pause=1
  rm -f "$VAR/run/pipe"
  mkfifo -m 600 "$VAR/run/pipe"
  while [ "$end" = no ]; do
    keep_log <"$VAR/run/pipe" &
    "$BIN/hearth-agent" run </dev/null >"$VAR/run/pipe" 2>&1 &
    child=$!
    code=0
    wait "$child" || code=$?
    # A signal ends the wait before the agent ends.
    while [ "$end" = yes ] && kill -0 "$child" 2>/dev/null; do wait "$child" || code=$?; done
    child=''
    case $code in 0 | 2) end=yes ;; esac
    if [ "$end" = no ]; then
      if [ -f "$READY" ]; then pause=1; fi
      sleep "$pause" &
      child=$!
      wait "$child" || true
      child=''
      if [ "$pause" -lt 60 ]; then pause=$((pause * 2)); fi
    fi
  done
  rm -f "$VAR/run/pipe" "$PID_FILE"
}

# Two files of 5000 lines at most.
keep_log() {
  trap '' TERM INT HUP
  lines=0
  if [ -f "$LOG" ]; then lines=$(wc -l <"$LOG"); fi
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$LOG"
    lines=$((lines + 1))
    if [ "$lines" -ge 5000 ]; then
      mv -f "$LOG" "$LOG.1"
      lines=0
    fi
  done
}
