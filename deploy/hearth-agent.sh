#!/bin/sh
# hearth-agent: runs this machine's agent and takes care of it. Called by the command that the install script wrote, with the folder
# of the installation first. All of it is functions: a script that is removed while it runs (uninstall) has been read to its end.

set -eu
unset CDPATH

usage() {
  cat <<'END'
Usage: hearth-agent COMMAND

  status         whether the agent runs, and what it said last
  logs [N]       its last N lines (default 50)
  start, stop, restart
  --safe         restart in safe mode: it connects and tells, and applies nothing until "resume"
  resume         end safe mode
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
    --safe | safe) safe_mode ;;
    resume) resume ;;
    run) run ;;
    supervise) supervise ;;
    is-running) is_running ;;
    leave-service) leave_service ;;
    wait-ready) wait_ready "${2:-50}" ;;
    wait-asked) wait_asked "${2:-50}" ;;
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

# As node-agent/files-disk.ts has it.
safe_mode() {
  need_rights
  stop
  printf '{"ends":0,"safe":true}\n' >"$VAR/data/safe-mode.json.new"
  mv -f "$VAR/data/safe-mode.json.new" "$VAR/data/safe-mode.json"
  start
  say 'safe mode: what runs, runs on, and nothing is applied until "hearth-agent resume", or "do/resume" on this node'
}

resume() {
  need_rights
  stop
  rm -f "$VAR/data/safe-mode.json"
  start
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

#@include shell/speech.sh
#@include shell/systemd.sh
#@include hearth-agent/layout.sh
#@include hearth-agent/running.sh
#@include hearth-agent/runner.sh
#@include hearth-agent/trial.sh
#@include hearth-agent/telling.sh
#@include hearth-agent/uninstalling.sh

main "$@"
exit
