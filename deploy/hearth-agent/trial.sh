# Another version on trial: the installed one runs it, counts its starts, and goes back to itself where it does not become well.
# The agent on trial that is well makes itself the installed one (node-agent/update), and takes the file "trial" away.

on_trial() {
  TO='' TO_VERSION='' STARTS=''
  while IFS= read -r line; do
    value=${line#*=}
    case ${line%%=*} in
      TO) TO=$value ;;
      VERSION) TO_VERSION=$value ;;
      STARTS) STARTS=$value ;;
    esac
  done <"$LIB/trial"
  # A power cut between the two steps of becoming the installed one: nothing is left to try.
  if [ "$TO" = "$AGENT" ]; then
    rm -f "$LIB/trial"
    return
  fi
  case $STARTS in
    [0-2]) ;;
    *)
      put_back "it was started ${STARTS:-0} times and did not become well"
      return
      ;;
  esac
  case $TO in "$LIB"/agent-*) ;; *) TO=$LIB/agent-none ;; esac
  if [ ! -f "$TO/agent.js" ]; then
    put_back 'it is not there'
    return
  fi
  printf 'TO=%s\nVERSION=%s\nSTARTS=%s\n' "$TO" "$TO_VERSION" "$((STARTS + 1))" >"$LIB/trial.new"
  mv -f "$LIB/trial.new" "$LIB/trial"
  say "version $TO_VERSION is on trial, start $((STARTS + 1)) of 3"
  agent=$TO
  export HEARTH_TRIAL="$TO"
  watch_trial "$$" "$(start_time "$$")" </dev/null >/dev/null 2>&1 &
}

# One that hangs says nothing and ends not. The agent gives itself up after 5 minutes; this is for the one that cannot.
watch_trial() {
  waited=0
  # Tests have less patience.
  while [ "$waited" -lt "${HEARTH_TRIAL_SECONDS:-420}" ]; do
    sleep 10
    waited=$((waited + 10))
    if [ "$(start_time "$1")" != "$2" ] || ! grep -qsxF "TO=$TO" "$LIB/trial"; then return; fi
  done
  put_back 'it hung'
  kill -KILL "$1" 2>/dev/null || true
}

# A line for each, of which the agent reads what to try no more (node-agent/update/installation.ts).
put_back() {
  {
    tail -n 19 "$LIB/put-back" 2>/dev/null || true
    printf '%s\t%s\t%s\t%s\n' "${TO##*/}" "$TO_VERSION" "$(date +%s)" "$1"
  } >"$LIB/put-back.new"
  mv -f "$LIB/put-back.new" "$LIB/put-back"
  rm -f "$LIB/trial"
  say "version $TO_VERSION is put back: $1"
}
