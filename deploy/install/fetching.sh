# From the supervisor, by hash.

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
    why="what came from $url is not what this script was made for: fetch the script again."
    if [ ! -s "$archive" ]; then why="$url cannot be fetched: is the supervisor reachable from here, and still of version $VERSION?"; fi
    if [ "$attempt" = 3 ]; then fail "$why"; fi
    say "not fetched; another try"
  done
  mkdir "$3"
  gzip -dc "$archive" | tar -xof - -C "$3"
  rm -f "$archive"
}

fetch() {
  if [ "$FETCH" = curl ]; then
    curl -q -fsSg --proto '=http' --connect-timeout 15 --speed-limit 1 --speed-time 60 "$1"
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
