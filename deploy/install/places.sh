# Folders: where everything lies, and that nothing stays of what failed.

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
    if [ ! -d "$HOME" ] || [ "$(owner_of "$HOME/.")" != "$ME" ]; then
      fail "HOME, $(printable "$HOME"), is no folder of this user's: run this as the user that the agent is to run as, without sudo."
    fi
    LIB=${XDG_DATA_HOME:-$HOME/.local/share}/hearth-agent
    BIN=$HOME/.local/bin
    CONF=$LIB/settings
    VAR=$LIB/var
    if [ -e /usr/local/lib/hearth-agent/layout ]; then
      say 'this machine is a node already, by its root: this makes it another one, of this user'
    fi
  else
    LIB=/usr/local/lib/hearth-agent BIN=/usr/local/bin CONF=/etc/hearth-agent VAR=/var/lib/hearth-agent
  fi
  case $LIB in /*) ;; *) fail "XDG_DATA_HOME, $(printable "$XDG_DATA_HOME"), is no whole path." ;; esac
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
  ls -ldnL "$1" | { read -r _ _ owner _ && echo "$owner"; }
}

make_places() {
  SCRATCH=''
  trap leave EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
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
}

# A first installation that failed leaves nothing behind; a later one leaves what was there.
leave() {
  code=$?
  if [ -n "$SCRATCH" ]; then rm -rf "$SCRATCH"; fi
  if [ "$code" = 0 ]; then return; fi
  if [ -e "$BIN/hearth-agent" ]; then
    say "this did not go through, and what is installed stays: run it again, or \"$BIN/hearth-agent uninstall\"" >&2
    return
  fi
  made=$(sort -r "$LIB/made" 2>/dev/null) || made=''
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
