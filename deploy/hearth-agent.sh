#!/bin/sh
# hearth-agent: runs this machine's agent and takes care of it. Called by the command that the install script wrote, with the folder
# of the installation first. All of it is functions: a script that is removed while it runs (uninstall) has been read to its end.

set -eu
unset CDPATH

say() { printf '%s\n' "hearth: $*"; }
fail() {
  printf '%s\n' "hearth: $*" >&2
  exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

usage() {
  cat <<'END'
Usage: hearth-agent COMMAND

  status         whether the agent runs, and what it said last
  logs [N]       its last N lines (default 50)
  start, stop, restart
  adopt TOKEN|-  move this node to the cluster of a join token ("-": read it from standard input)
  version
  uninstall      stop the agent and its services, and remove everything that was installed
  run            run the agent here and now, as the service does
END
}

main() {
  LIB=$1
  shift
  read_layout
  case ${1:-} in
    status) status ;;
    logs) logs "${2:-50}" ;;
    start) start ;;
    stop) stop ;;
    restart)
      stop
      start
      ;;
    run) run ;;
    supervise) supervise ;;
    is-running) is_running ;;
    wait-ready) wait_ready "${2:-50}" ;;
    adopt)
      shift
      adopt "$@"
      ;;
    version | --version) echo "$VERSION" ;;
    uninstall) uninstall ;;
    '' | help | -h | --help) usage ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
}

# What the install script found and decided; read line by line, since a shell that ran it would run anything in it.
read_layout() {
  VERSION='' AGENT='' NODE='' BIN='' CONF='' VAR='' INIT='' UNIT='' TARGET='' USER_MODE='' LINGER=''
  while IFS= read -r line; do
    value=${line#*=}
    case ${line%%=*} in
      VERSION) VERSION=$value ;;
      AGENT) AGENT=$value ;;
      NODE) NODE=$value ;;
      BIN) BIN=$value ;;
      CONF) CONF=$value ;;
      VAR) VAR=$value ;;
      INIT) INIT=$value ;;
      UNIT) UNIT=$value ;;
      TARGET) TARGET=$value ;;
      USER_MODE) USER_MODE=$value ;;
      LINGER) LINGER=$value ;;
    esac
  done <"$LIB/layout"
  PID_FILE=$VAR/run/pid LOG=$VAR/run/log READY=$VAR/run/ready
}

need_rights() {
  if [ "$USER_MODE" = no ] && [ "$(id -u)" != 0 ]; then fail "only root may do this: put \"sudo\" before it."; fi
}

# The agent's settings are its environment.
environment() {
  if [ -f "$CONF/settings" ]; then
    while IFS= read -r line; do
      case ${line%%=*} in
        HEARTH_SUPERVISOR) export HEARTH_SUPERVISOR="${line#*=}" ;;
        # A wish, until the supervisor has said which id it is.
        HEARTH_NODE) if [ ! -f "$VAR/data/membership.json" ]; then export HEARTH_NODE="${line#*=}"; fi ;;
      esac
    done <"$CONF/settings"
  fi
  export HEARTH_DATA="$VAR/data" HEARTH_READY_FILE="$READY"
}

run() {
  need_rights
  environment
  rm -f "$READY"
  cd /
  exec "$NODE" "$AGENT/agent.js"
}

systemctl_here() {
  if [ "$USER_MODE" = yes ]; then systemctl --user "$@"; else systemctl "$@"; fi
}

start() {
  need_rights
  if is_running; then
    say 'the agent runs already'
    return
  fi
  rm -f "$READY"
  case $INIT in
    systemd) systemctl_here start hearth-agent ;;
    openrc) rc-service -q hearth-agent start ;;
    none)
      # In a session of its own: it stays when the terminal goes.
      if has setsid; then
        setsid "$AGENT/hearth-agent" "$LIB" supervise </dev/null >/dev/null 2>&1 &
      else
        nohup "$AGENT/hearth-agent" "$LIB" supervise </dev/null >/dev/null 2>&1 &
      fi
      tries=0
      until is_running || [ "$tries" -ge 50 ]; do
        tries=$((tries + 1))
        sleep 0.1 2>/dev/null || sleep 1
      done
      ;;
  esac
}

stop() {
  need_rights
  case $INIT in
    systemd) systemctl_here stop hearth-agent ;;
    openrc) rc-service -q hearth-agent stop || true ;;
    none)
      if ! is_running; then return; fi
      kill -TERM "$PID" 2>/dev/null || true
      tries=0
      while is_running; do
        tries=$((tries + 1))
        if [ "$tries" = 12 ]; then kill -KILL "$PID" 2>/dev/null || true; fi
        sleep 1
      done
      ;;
  esac
}

is_running() {
  case $INIT in
    systemd) systemctl_here -q is-active hearth-agent ;;
    openrc) rc-service -q hearth-agent status >/dev/null 2>&1 ;;
    none) runner_lives ;;
  esac
}

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
    "$AGENT/hearth-agent" "$LIB" run </dev/null >"$VAR/run/pipe" 2>&1 &
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

wait_ready() {
  tries=0
  until [ -s "$READY" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt "$1" ]; then return 1; fi
    sleep 1
  done
  say "node $(sed -n 's/.*"node":"\([a-z0-9-]*\)".*/\1/p' "$READY") is ready"
}

status() {
  need_rights
  if ! is_running; then
    say "the agent $VERSION does not run; it said last:"
    logs 5
    exit 3
  fi
  if [ -s "$READY" ]; then
    say "the agent $VERSION runs, as node $(sed -n 's/.*"node":"\([a-z0-9-]*\)".*/\1/p' "$READY")"
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

# The agent reads it from standard input: its arguments are shown to everybody.
adopt() {
  need_rights
  if [ $# -ne 1 ]; then fail 'adopt takes the token of the other cluster: "hearth token", on its supervisor, prints one.'; fi
  if [ "$1" = - ]; then
    "$NODE" "$AGENT/agent.js" adopt - --data "$VAR/data"
  else
    printf '%s\n' "$1" | "$NODE" "$AGENT/agent.js" adopt - --data "$VAR/data"
  fi
}

uninstall() {
  need_rights
  say 'stopping the agent and its services'
  case $INIT in
    none) stop ;;
    *) if [ -e "$UNIT" ]; then stop || true; fi ;;
  esac
  stop_services
  case $INIT in
    systemd)
      rm -f "$UNIT" "${UNIT%/*}/$TARGET.wants/hearth-agent.service"
      systemctl_here daemon-reload 2>/dev/null || true
      systemctl_here reset-failed hearth-agent 2>/dev/null || true
      if [ "$LINGER" = yes ]; then loginctl disable-linger >/dev/null 2>&1 || true; fi
      ;;
    openrc)
      rc-update -q del hearth-agent default || true
      rm -f "$UNIT"
      ;;
    none) drop_crontab ;;
  esac
  made=$(sort -r "$LIB/made" 2>/dev/null) || made=''
  rm -f "$BIN/hearth-agent"
  rm -rf "$CONF" "$VAR" "$LIB"
  # Folders that the installation made, if nobody else has put anything there.
  printf '%s\n' "$made" | while IFS= read -r folder; do
    if [ -d "$folder" ]; then rmdir "$folder" 2>/dev/null || true; fi
  done
  say 'nothing of it is left on this machine; on the supervisor, "hearth revoke NODE" takes its certificate back'
}

# Services outlive their agent. One that is told to end them when it ends finds all of them, whoever started them: it is started
# without a network to ask, and ended as soon as it holds its folder.
stop_services() {
  if [ ! -e "$VAR/data/identity.json" ] || [ ! -x "$NODE" ]; then return; fi
  environment
  unset HEARTH_SUPERVISOR HEARTH_NODE
  export HEARTH_STOP_SERVICES=true
  "$NODE" "$AGENT/agent.js" </dev/null >/dev/null 2>&1 &
  agent=$!
  tries=0
  until grep -qs "\"pid\":$agent," "$VAR/data/agent.lock" || ! kill -0 "$agent" 2>/dev/null || [ "$tries" -ge 30 ]; do
    tries=$((tries + 1))
    sleep 1
  done
  kill -TERM "$agent" 2>/dev/null || true
  wait "$agent" || say 'some services may still run'
}

drop_crontab() {
  if ! has crontab || ! crontab -l 2>/dev/null | grep -q '# hearth-agent$'; then return; fi
  rest=$(crontab -l | grep -v '# hearth-agent$') || rest=''
  if [ -n "$rest" ]; then printf '%s\n' "$rest" | crontab -; else crontab -r; fi
}

main "$@"
exit
