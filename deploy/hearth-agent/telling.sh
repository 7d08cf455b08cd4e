# How the agent is.

is_ready() {
  [ -s "$READY" ] && ! grep -qs '"away":true' "$READY"
}

# The agent writes the file when it is connected, and writes "away" into it while it is not.
ready_node() {
  sed -n 's/.*"node":"\([a-z0-9-]*\)".*/node \1/p' "$READY"
}

wait_ready() {
  tries=0
  until is_ready; do
    tries=$((tries + 1))
    if [ "$tries" -gt "$1" ]; then return 1; fi
    sleep 1
  done
  say "$(ready_node) is ready"
}

# The same for one that has to be approved first: whoever installs it wants to see the code, and not to wait for somebody else.
wait_asked() {
  tries=0
  until is_ready; do
    tries=$((tries + 1))
    if [ "$tries" -gt "$1" ]; then return 1; fi
    sleep 1
    # What it said before it was started is not what it says now.
    if [ "$tries" -ge 3 ] && logs 1 | grep 'waiting to be approved as'; then return 0; fi
  done
  wait_ready 0
}

status() {
  need_rights
  if ! is_running; then
    say "the agent $VERSION does not run; it said last:"
    logs 5
    exit 3
  fi
  if grep -qs '"refused":' "$VAR/data/membership.json"; then
    say "the agent $VERSION runs, and its cluster refuses it; it said last:"
    logs 5
  elif is_ready; then
    say "the agent $VERSION runs, as $(ready_node)"
  elif [ -s "$READY" ]; then
    say "the agent $VERSION runs, as $(ready_node), and does not reach its cluster at the moment; it said last:"
    logs 5
  else
    say "the agent $VERSION runs, and has not reached its cluster yet; it said last:"
    logs 5
  fi
}

logs() {
  need_rights
  case $1 in *[!0-9]* | '') fail 'logs takes a number of lines.' ;; esac
  if [ "$INIT" = systemd ]; then
    if [ "$USER_MODE" = yes ]; then set -- "$1" --user-unit; else set -- "$1" --unit; fi
    journalctl --no-pager -q -o cat -n "$1" "$2" hearth-agent
  elif [ -f "$LOG" ]; then
    tail -n "$1" "$LOG"
  fi
}
