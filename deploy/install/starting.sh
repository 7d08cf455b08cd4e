# What runs already, and what is started.

# Is the same installed, does it run, and is it of this cluster?
find_there() {
  THERE=no OLD_INIT=$INIT
  if [ -f "$LIB/layout" ] && [ -x "$BIN/hearth-agent" ]; then OLD_INIT=$(sed -n 's/^INIT=//p' "$LIB/layout"); fi
  if [ "$OLD_INIT" = "$INIT" ] && [ -x "$NODE" ] && [ -f "$LIB/$AGENT/agent.js" ] && [ -x "$BIN/hearth-agent" ] && "$BIN/hearth-agent" is-running; then
    THERE=yes
    if [ -n "$CLUSTER" ] && ! is_member; then THERE=no; fi
    # One that still looks for its cluster is told which.
    if [ -n "$SAID_CLUSTER" ] && [ ! -f "$VAR/data/membership.json" ]; then THERE=no; fi
  fi
}

# Of the token's cluster, and not thrown out of it.
is_member() {
  grep -qs "\"fingerprint\":\"$CLUSTER\"" "$VAR/data/membership.json" && ! grep -qs '"refused":' "$VAR/data/membership.json"
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
  if [ -n "$TOKEN" ]; then ends=wait-ready; else ends=wait-asked; fi
  if "$BIN/hearth-agent" "$ends" "$WAIT"; then return; fi
  say 'the agent runs, and goes on trying; what it said last:'
  "$BIN/hearth-agent" logs 5 || true
  say '"hearth-agent status" says how it is'
}
