#!/bin/sh
# Makes this machine a node of a Hearth cluster: fetches Node and the agent from the supervisor, checks them by their SHA-256, which
# is in this script, and starts the agent. Needs sh, tar, gzip, sha256sum, and curl or wget. "hearth token" prints the line to paste.
# Run twice, it only does what is missing. "hearth-agent uninstall" takes everything away again.
#
#   sh install.sh --token TOKEN      join with a token (or in the environment, as HEARTH_JOIN_TOKEN)
#   sh install.sh --supervisor HOST:PORT   ask to join, and wait until somebody approves
#     --user       for this user alone, without root
#     --node ID    the id that the node is to have
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

say() { printf '%s\n' "hearth: $*"; }
fail() {
  printf '%s\n' "hearth: $*" >&2
  exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

usage() {
  cat <<'END'
Usage: sh install.sh --token TOKEN [--user] [--node ID] [--dry-run]
       sh install.sh --supervisor HOST:PORT [--image] [--init systemd|openrc|none] ...
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

read_arguments() {
  TOKEN=${HEARTH_JOIN_TOKEN:-} ADDRESS='' NODE_ID='' USER_MODE=no DRY=no IMAGE=no INIT='' WAIT=50
  unset HEARTH_JOIN_TOKEN
  while [ $# -gt 0 ]; do
    case $1 in
      --token | --supervisor | --node | --init | --wait)
        if [ $# -lt 2 ]; then fail "$1 needs a value: \"hearth token\" prints the whole line."; fi
        case $1 in
          --token) TOKEN=$2 ;;
          --supervisor) ADDRESS=$2 ;;
          --node) NODE_ID=$2 ;;
          --init) INIT=$2 ;;
          --wait) WAIT=$2 ;;
        esac
        shift
        ;;
      --user) USER_MODE=yes ;;
      --image) IMAGE=yes ;;
      --dry-run) DRY=yes ;;
      -h | --help)
        usage
        exit 0
        ;;
      *) fail "there is no option $(printable "$1"): see --help." ;;
    esac
    shift
  done
  SAID_ADDRESS=$ADDRESS
  if [ -n "$TOKEN" ]; then
    case $TOKEN in
      *[!]A-Za-z0-9.@:[-]* | *@*@*) bad_token ;;
      hearth1.*.*.*@*:*) ;;
      *) bad_token ;;
    esac
    CLUSTER=${TOKEN#hearth1.}
    CLUSTER=${CLUSTER%%.*}
    case $CLUSTER in *[!0-9a-f]*) bad_token ;; esac
    if [ ${#CLUSTER} -ne 32 ]; then bad_token; fi
    if [ -z "$ADDRESS" ]; then ADDRESS=${TOKEN##*@}; fi
  else
    CLUSTER=''
  fi
  if [ -z "$ADDRESS" ]; then
    usage >&2
    fail 'give --token TOKEN, or --supervisor HOST:PORT to ask to join without one.'
  fi
  case $ADDRESS in
    *[!]A-Za-z0-9.:[-]* | :* | -* | *:*[!0-9]) fail "$(printable "$ADDRESS") is no HOST:PORT." ;;
    *:[0-9]*) ;;
    *) fail "$(printable "$ADDRESS") is no HOST:PORT: the dashboard's port is 22581." ;;
  esac
  case $NODE_ID in
    *[!a-z0-9-]* | all | ?????????????????????*) fail "--node: an id is 1 to 20 of a-z, 0-9 and \"-\", and not \"all\"." ;;
  esac
  case $INIT in
    '' | systemd | openrc | none) ;;
    *) fail '--init is systemd, openrc or none.' ;;
  esac
  case $WAIT in '' | *[!0-9]* | ?????*) fail '--wait takes seconds.' ;; esac
}

# The token is a secret: it is not repeated.
bad_token() { fail 'this is no whole join token: copy the line that "hearth token" prints, up to its end.'; }
printable() { printf '"%s"' "$(printf '%s' "$1" | tr -c '[:print:]' '?' | cut -c 1-60)"; }

find_tools() {
  for tool in uname mktemp tar gzip tr cut od df head; do
    if ! has "$tool"; then fail "this machine has no $tool: install it and run this again."; fi
  done
  if has curl; then
    FETCH=curl
  elif has wget; then
    FETCH=wget
  else
    fail 'this machine has neither curl nor wget: install one of them and run this again.'
  fi
  if has sha256sum; then
    SUM=sha256sum
  elif has shasum; then
    SUM='shasum -a 256'
  else
    fail 'this machine has no sha256sum, so that nothing can be checked: install coreutils and run this again.'
  fi
}

find_machine() {
  if [ "$(uname -s)" != Linux ]; then
    fail "this script installs on Linux; on $(uname -s) install Node 20.11 or newer and the agent by npm."
  fi
  # A 32-bit system on a 64-bit kernel, as many a Raspberry Pi has: byte 5 of a program says which (ELF).
  WIDTH=$(od -An -tx1 -j4 -N1 /bin/sh | tr -d ' \n')
  case $(uname -m)-$WIDTH in
    x86_64-02) ARCH=x64 ;;
    aarch64-02) ARCH=arm64 ;;
    aarch64-01 | armv7*-01 | armv8*-01) ARCH=armv7l ;;
    *) ARCH=other ;;
  esac
  NODE_MISSING='' NODE_VERSION='' NODE_SHA256='' NODE_SIZE=0
  case $ARCH in
    x64)
      NODE_MISSING=${NODE_MISSING_X64:-} NODE_VERSION=${NODE_VERSION_X64:-}
      NODE_SHA256=${NODE_SHA256_X64:-} NODE_SIZE=${NODE_SIZE_X64:-0}
      ;;
    arm64)
      NODE_MISSING=${NODE_MISSING_ARM64:-} NODE_VERSION=${NODE_VERSION_ARM64:-}
      NODE_SHA256=${NODE_SHA256_ARM64:-} NODE_SIZE=${NODE_SIZE_ARM64:-0}
      ;;
    armv7l)
      NODE_MISSING=${NODE_MISSING_ARMV7L:-} NODE_VERSION=${NODE_VERSION_ARMV7L:-}
      NODE_SHA256=${NODE_SHA256_ARMV7L:-} NODE_SIZE=${NODE_SIZE_ARMV7L:-0}
      ;;
    *) NODE_MISSING="There is none for $(uname -m)$(if [ "$WIDTH" = 01 ]; then echo ', 32 bits'; fi)." ;;
  esac
  # Node's own builds need glibc.
  if [ -z "$NODE_MISSING" ] && ! has_glibc; then NODE_MISSING='This system has no glibc, which it needs.'; fi
  NODE_FROM=supervisor
  if [ -n "$NODE_MISSING" ]; then
    if ! find_own_node; then
      fail "the supervisor has no Node for this machine ($NODE_MISSING) Install Node 20.11 or newer here ($(node_hint)) and run this again."
    fi
    NODE_FROM=machine
  fi
}

has_glibc() {
  for loader in /lib/ld-linux* /lib64/ld-linux* /lib/*/ld-linux*; do
    if [ -e "$loader" ]; then return 0; fi
  done
  return 1
}

node_hint() { if has apk; then echo 'apk add nodejs'; else echo 'from your distribution or nodejs.org'; fi; }

# Node 20.11 or newer that is here already.
find_own_node() {
  NODE=$(command -v node 2>/dev/null) || return 1
  case $NODE in /*) ;; *) return 1 ;; esac
  NODE_VERSION=$("$NODE" --version 2>/dev/null) || return 1
  NODE_VERSION=${NODE_VERSION#v}
  major=${NODE_VERSION%%.*}
  minor=${NODE_VERSION#*.}
  minor=${minor%%.*}
  case $major$minor in '' | *[!0-9]*) return 1 ;; esac
  [ "$major" -gt 20 ] || { [ "$major" -eq 20 ] && [ "$minor" -ge 11 ]; }
}

find_places() {
  ME=$(id -u)
  if [ "$USER_MODE" = no ] && [ "$ME" != 0 ]; then
    fail 'only root may install for the whole machine: put "sudo" before "sh", or add --user to install for this user alone.'
  fi
  if [ "$USER_MODE" = yes ]; then
    case ${HOME:-} in
      /*) ;;
      *) fail 'HOME names no folder, and --user installs there.' ;;
    esac
    LIB=${XDG_DATA_HOME:-$HOME/.local/share}/hearth-agent
    BIN=$HOME/.local/bin
    CONF=$LIB/settings
    VAR=$LIB/var
  else
    LIB=/usr/local/lib/hearth-agent BIN=/usr/local/bin CONF=/etc/hearth-agent VAR=/var/lib/hearth-agent
  fi
  case $LIB$BIN in
    *"
"* | *[!\ -~]* | *"'"* | *'"'* | *\\* | *%* | *'$'*)
      fail "the folder $(printable "$HOME") has a character in its name that cannot be written into scripts and units." ;;
  esac
  for place in "$LIB" "$CONF" "$VAR" "$BIN/hearth-agent"; do
    if [ -L "$place" ]; then fail "$place is a symbolic link, which this script did not make: remove it and run this again."; fi
    if [ -e "$place" ] && [ "$(owner_of "$place")" != "$ME" ]; then fail "$place belongs to somebody else: remove it and run this again."; fi
  done
  AGENT=agent-$(echo "$AGENT_SHA256" | cut -c 1-16)
  if [ "$NODE_FROM" = supervisor ]; then
    NODE=$LIB/node-$NODE_VERSION-$(echo "$NODE_SHA256" | cut -c 1-16)/bin/node
    NEED=$(((AGENT_SIZE * 6 + NODE_SIZE * 4) / 1024))
  else
    NEED=$((AGENT_SIZE * 6 / 1024))
  fi
}

owner_of() {
  # shellcheck disable=SC2012 # the number alone is wanted
  ls -ldn "$1" | { read -r _ _ owner _ && echo "$owner"; }
}

find_init() {
  if [ -z "$INIT" ]; then
    if [ "$USER_MODE" = yes ]; then
      INIT=none
      if has systemctl && systemctl --user show-environment >/dev/null 2>&1; then INIT=systemd; fi
    elif [ -d /run/systemd/system ] && has systemctl; then
      INIT=systemd
    elif [ -x /sbin/openrc-run ] && has rc-service; then
      INIT=openrc
    elif [ "$IMAGE" = yes ] && has systemctl; then
      INIT=systemd
    elif [ "$IMAGE" = yes ] && has rc-update; then
      INIT=openrc
    else
      INIT=none
    fi
  fi
  if [ "$USER_MODE" = yes ] && [ "$INIT" = openrc ]; then fail 'OpenRC starts nothing for users: leave --init openrc out.'; fi
  UNIT=''
  case $INIT in
    systemd)
      UNITS=/etc/systemd/system TARGET=multi-user.target
      if [ "$USER_MODE" = yes ]; then UNITS=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user TARGET=default.target; fi
      UNIT=$UNITS/hearth-agent.service
      ;;
    openrc) UNIT=/etc/init.d/hearth-agent ;;
  esac
}

# Is the same installed, does it run, and is it of this cluster?
find_there() {
  THERE=no
  if [ -x "$NODE" ] && [ -f "$LIB/$AGENT/agent.js" ] && [ -x "$BIN/hearth-agent" ] && "$BIN/hearth-agent" is-running; then
    THERE=yes
    if [ -n "$CLUSTER" ] && ! is_member; then THERE=no; fi
  fi
}

# Of the token's cluster, and not thrown out of it.
is_member() {
  grep -qs "\"fingerprint\":\"$CLUSTER\"" "$VAR/data/membership.json" && ! grep -qs '"refused":' "$VAR/data/membership.json"
}

make_places() {
  # First of all the place where it is written down what was made, so that all of it can be taken away again.
  if [ ! -d "$LIB" ]; then
    made=$(missing_parents "$LIB")
    mkdir -p "$LIB"
    printf '%s\n' "$made" >"$LIB/made"
  fi
  make_folder "$BIN" 755
  make_folder "$CONF" 700
  make_folder "$VAR" 700
  make_folder "$VAR/run" 700
  # shellcheck disable=SC2046 # words are wanted
  set -- $(df -Pk "$LIB" | tail -n 1)
  # Device, blocks, used, free: a device's name has no blanks but for the oddest.
  case ${4:-} in
    '' | *[!0-9]*) ;;
    *) if [ "$4" -lt "$NEED" ]; then fail "$LIB has $(($4 / 1024)) MB free, and $((NEED / 1024)) MB are needed."; fi ;;
  esac
  SCRATCH=$(mktemp -d "$LIB/.scratch.XXXXXXXXXX")
  trap leave EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

# A first installation that failed leaves nothing behind; a later one leaves what was there.
leave() {
  code=$?
  rm -rf "$SCRATCH"
  if [ "$code" = 0 ] || [ -e "$BIN/hearth-agent" ]; then return; fi
  made=$(sort -r "$LIB/made")
  rm -rf "$LIB" "$CONF" "$VAR"
  printf '%s\n' "$made" | while IFS= read -r folder; do
    if [ -d "$folder" ]; then rmdir "$folder" 2>/dev/null || true; fi
  done
}

# Folders on the way to $1 that are not there, from the top.
missing_parents() {
  if [ -d "$1" ]; then return; fi
  missing_parents "$(dirname "$1")"
  printf '%s\n' "$1"
}

make_folder() {
  if [ ! -d "$1" ]; then
    missing_parents "$1" >>"$LIB/made"
    mkdir -p "$1"
    chmod "$2" "$1"
  fi
}

get_node() {
  get "$NODE_SHA256" "$NODE_SIZE" "$SCRATCH/node"
  if ! told=$("$SCRATCH/node/bin/node" --version 2>&1); then
    library=$(printf '%s' "$told" | tr -d '\n' | sed -n 's/.*libraries: \([A-Za-z0-9_+.-]*\):.*/\1/p')
    case $library in
      libatomic.so.1) fail "Node needs the library $library, which is missing here: install it (Debian: apt-get install libatomic1) and run this again." ;;
      ?*) fail "Node needs the library $library, which is missing here: install it and run this again." ;;
    esac
    fail "Node $NODE_VERSION does not run here: $(printable "$told")"
  fi
  place "$SCRATCH/node" "${NODE%/bin/node}"
}

get_agent() {
  get "$AGENT_SHA256" "$AGENT_SIZE" "$SCRATCH/agent"
  place "$SCRATCH/agent" "$LIB/$AGENT"
}

# Fetches what has the hash $1 and the size $2, and unpacks it to $3. Nothing is unpacked before it is known to be the right thing.
get() {
  url=http://$ADDRESS/artifacts/$1
  archive=$SCRATCH/archive
  for attempt in 1 2 3; do
    # One byte more than there may be: a server that never ends fills no disk.
    fetch "$url" | head -c "$(($2 + 1))" >"$archive" || true
    sum=$($SUM "$archive")
    if [ "${sum%% *}" = "$1" ]; then break; fi
    if [ ! -s "$archive" ]; then why="$url cannot be fetched: is the supervisor reachable from here, and still of version $VERSION?"; else
      why="what came from $url is not what this script was made for: fetch the script again."
    fi
    if [ "$attempt" = 3 ]; then fail "$why"; fi
    say "not fetched; another try"
  done
  mkdir "$3"
  gzip -dc "$archive" | tar -xof - -C "$3"
  rm -f "$archive"
}

fetch() {
  if [ "$FETCH" = curl ]; then
    curl -fsSg --proto '=http' --connect-timeout 15 --speed-limit 1 --speed-time 60 "$1"
  else
    # No limit of time: busybox 1.35 crashes over -T.
    wget -q -O - "$1"
  fi
}

# Whole or not at all; what lies there already was cut off.
place() {
  sync
  rm -rf "$2"
  mv "$1" "$2"
}

settings_step() {
  # A node that is of this cluster keeps what it has.
  if [ "$THERE" = yes ]; then return; fi
  if [ "$IMAGE" = yes ]; then
    act "write $CONF/settings, without a supervisor: an image finds it by itself" write_settings
  elif [ -n "$TOKEN" ]; then
    act "write the token into $VAR/data/join-token (0600), from where the agent takes it" write_settings
  else
    act "write the supervisor's address into $CONF/settings (0600)" write_settings
  fi
}

write_settings() {
  old_umask=$(umask)
  umask 077
  {
    if [ "$IMAGE" = no ] && [ -n "$SAID_ADDRESS" ]; then printf 'HEARTH_SUPERVISOR=%s\n' "$SAID_ADDRESS"; fi
    if [ -n "$NODE_ID" ]; then printf 'HEARTH_NODE=%s\n' "$NODE_ID"; fi
  } >"$SCRATCH/settings"
  mv -f "$SCRATCH/settings" "$CONF/settings"
  if [ "$IMAGE" = no ] && [ -n "$TOKEN" ]; then
    make_folder "$VAR/data" 700
    printf '%s\n' "$TOKEN" >"$SCRATCH/token"
    mv -f "$SCRATCH/token" "$VAR/data/join-token"
  fi
  umask "$old_umask"
}

write_command() {
  LINGER=no
  if [ -f "$LIB/layout" ] && grep -q '^LINGER=yes$' "$LIB/layout"; then LINGER=yes; fi
  if [ "$INIT$USER_MODE" = systemdyes ] && [ ! -e "/var/lib/systemd/linger/$(id -un)" ] && has loginctl; then
    # Without it a user's agent ends when the user logs out.
    if loginctl enable-linger >/dev/null 2>&1; then LINGER=yes; else say 'this agent ends when you log out: "loginctl enable-linger", as root, keeps it running'; fi
  fi
  cat >"$SCRATCH/layout" <<END
VERSION=$VERSION
AGENT=$LIB/$AGENT
NODE=$NODE
BIN=$BIN
CONF=$CONF
VAR=$VAR
INIT=$INIT
UNIT=$UNIT
TARGET=${TARGET:-}
USER_MODE=$USER_MODE
LINGER=$LINGER
END
  mv -f "$SCRATCH/layout" "$LIB/layout"
  cat >"$SCRATCH/command" <<END
#!/bin/sh
# Written by Hearth's install script; "hearth-agent uninstall" takes it away.
exec '$LIB/$AGENT/hearth-agent' '$LIB' "\$@"
END
  chmod 755 "$SCRATCH/command"
  mv -f "$SCRATCH/command" "$BIN/hearth-agent"
}

# KillMode, because services outlive their agent; Delegate, because it makes control groups for them.
write_systemd() {
  make_folder "$UNITS" 755
  make_folder "$UNITS/$TARGET.wants" 755
  cat >"$SCRATCH/unit" <<END
[Unit]
Description=Hearth agent: this machine as a node of its cluster
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart="$BIN/hearth-agent" run
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=2
KillMode=process
Delegate=yes
TimeoutStopSec=10

[Install]
WantedBy=$TARGET
END
  mv -f "$SCRATCH/unit" "$UNIT"
  # What "systemctl enable" does, and works on an image, too.
  ln -sf "$UNIT" "$UNITS/$TARGET.wants/hearth-agent.service"
  if [ "$IMAGE" = no ]; then systemctl_here daemon-reload; fi
}

systemctl_here() {
  if [ "$USER_MODE" = yes ]; then systemctl --user "$@"; else systemctl "$@"; fi
}

write_openrc() {
  cat >"$SCRATCH/unit" <<END
#!/sbin/openrc-run
# Written by Hearth's install script; "hearth-agent uninstall" takes it away.
description="Hearth agent: this machine as a node of its cluster"
supervisor=supervise-daemon
command="$BIN/hearth-agent"
command_args=run
output_log="$VAR/run/log"
error_log="$VAR/run/log"
respawn_delay=5
respawn_max=0
retry="TERM/10/KILL/5"

depend() {
  use localmount net
}
END
  chmod 755 "$SCRATCH/unit"
  mv -f "$SCRATCH/unit" "$UNIT"
  rc-update -q add hearth-agent default
}

write_crontab() {
  if ! has crontab; then
    say 'nothing here starts programs with the machine: after a restart run "hearth-agent start"'
    return
  fi
  crontab -l 2>/dev/null | grep -v '# hearth-agent$' >"$SCRATCH/crontab" || true
  printf '@reboot %s start # hearth-agent\n' "'$BIN/hearth-agent'" >>"$SCRATCH/crontab"
  crontab "$SCRATCH/crontab"
}

start_step() {
  if [ "$THERE" = yes ]; then
    act 'change nothing else: this version runs here already' true
    return
  fi
  act 'start the agent and wait until the node is ready' start_and_wait
}

start_and_wait() {
  "$BIN/hearth-agent" restart
  if "$BIN/hearth-agent" wait-ready "$WAIT"; then return; fi
  say 'the agent runs, and goes on trying; what it said last:'
  "$BIN/hearth-agent" logs 5 || true
  say '"hearth-agent status" says how it is'
}

# Of versions before this one.
drop_old() {
  for old in "$LIB"/agent-* "$LIB"/node-*; do
    if [ -d "$old" ] && [ "$old" != "$LIB/$AGENT" ] && [ "$old" != "${NODE%/bin/node}" ]; then rm -rf "$old"; fi
  done
  for old in "$LIB"/.scratch.*; do
    # Not of another installer that runs now: those of a day ago.
    if [ -d "$old" ] && [ "$old" != "$SCRATCH" ] && has find && [ -n "$(find "$old" -prune -mtime +0)" ]; then rm -rf "$old"; fi
  done
}

main "$@"
