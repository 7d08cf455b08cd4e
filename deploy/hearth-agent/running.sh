# Start and stop, by whatever service manager is here.

run() {
  need_rights
  environment
  rm -f "$READY"
  cd /
  agent=$AGENT
  if [ -f "$LIB/trial" ]; then on_trial; fi
  # As shared/agent-process.ts has it: a heap that stays small, whatever a broker sends.
  exec "$NODE" --max-semi-space-size=1 --max-old-space-size=64 "$agent/agent.js"
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
