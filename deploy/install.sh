#!/bin/sh
# Makes this machine a node of a Hearth cluster: fetches Node and the agent from the supervisor, checks them by their SHA-256, which
# is in this script, and starts the agent. Needs sh, tar, gzip, sha256sum, and curl or wget. "hearth token" prints the line to paste.
# Run twice, it only does what is missing. "hearth-agent uninstall" takes everything away again.
#
#   sh install.sh --token TOKEN      join with a token (or in the environment, as HEARTH_JOIN_TOKEN)
#   sh install.sh --supervisor HOST:PORT   ask to join, and wait until somebody approves
#     --user       for this user alone, without root
#     --node ID    the id that the node is to have
#     --cluster FINGERPRINT  which cluster's supervisor it looks for, where there are several on the network
#     --image      install on an image: starts with the machine, not now, and finds its supervisor by itself
#     --init NAME  systemd, openrc or none, instead of what is found
#     --wait SECONDS   how long to wait until the node is ready (default 50)
#     --dry-run    show every step, change nothing
#
# All of it is functions, and the last line calls the first: a script that was cut off on its way does nothing.

set -eu
umask 022
unset CDPATH
# The supervisor is on this machine's own network.
unset http_proxy HTTP_PROXY all_proxy ALL_PROXY
LC_ALL=C
export LC_ALL

# What this supervisor hands out.
#@parts

usage() {
  cat <<'END'
Usage: sh install.sh --token TOKEN [--user] [--node ID] [--dry-run]
       sh install.sh --supervisor HOST:PORT [--image] [--cluster FINGERPRINT]
                     [--user] [--node ID] [--init systemd|openrc|none] [--wait SECONDS] [--dry-run]
"hearth token", on the supervisor, prints the whole line.
END
}

main() {
  read_arguments "$@"
  find_tools
  find_machine
  find_places
  find_init
  find_there
  if [ "$DRY" = yes ]; then say "version $VERSION, a dry run: nothing is changed"; fi
  if [ -d "$LIB" ] && [ -d "$CONF" ] && [ -d "$VAR/run" ]; then
    if [ "$DRY" = no ]; then make_places; fi
  else
    act "make the folders $LIB, $CONF and $VAR" make_places
  fi
  if [ "$NODE_FROM" = supervisor ] && [ ! -x "$NODE" ]; then
    act "fetch Node $NODE_VERSION, $((NODE_SIZE / 1000000)) MB, from http://$ADDRESS into ${NODE%/bin/node}" get_node
  fi
  if [ ! -f "$LIB/$AGENT/agent.js" ]; then
    act "fetch the agent $VERSION from http://$ADDRESS into $LIB/$AGENT" get_agent
  fi
  if [ "$OLD_INIT" != "$INIT" ]; then
    act "stop the agent and take it out of $OLD_INIT" "$BIN/hearth-agent" leave-service
  fi
  settings_step
  act "write $BIN/hearth-agent, the command" write_command
  case $INIT in
    systemd) act "write and enable the systemd unit $UNIT" write_systemd ;;
    openrc) act "write and enable the OpenRC service $UNIT" write_openrc ;;
    none) act "let the agent start with the machine by a line in this user's crontab, if there is one" write_crontab ;;
  esac
  if [ "$IMAGE" = yes ]; then
    act "leave the agent stopped: the image's machines start it" true
  else
    start_step
  fi
  if [ "$DRY" = no ]; then drop_old; fi
  if [ "$DRY" = yes ]; then say "nothing was changed"; fi
}

# What is done and what a dry run shows are the same list.
act() {
  if [ "$DRY" = yes ]; then
    say "would $1"
  else
    say "$1"
    shift
    "$@"
  fi
}

#@include shell/speech.sh
#@include shell/systemd.sh
#@include install/arguments.sh
#@include install/machine.sh
#@include install/places.sh
#@include install/service.sh
#@include install/fetching.sh
#@include install/settings.sh
#@include install/starting.sh

main "$@"
