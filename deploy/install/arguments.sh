# What the person asked for.

read_arguments() {
  TOKEN=${HEARTH_JOIN_TOKEN:-} ADDRESS='' NODE_ID='' SAID_CLUSTER='' USER_MODE=no DRY=no IMAGE=no INIT='' WAIT=50
  unset HEARTH_JOIN_TOKEN
  while [ $# -gt 0 ]; do
    case $1 in
      --token | --supervisor | --cluster | --node | --init | --wait)
        if [ $# -lt 2 ]; then fail "$1 needs a value: \"hearth token\" prints the whole line."; fi
        case $1 in
          --token) TOKEN=$2 ;;
          --supervisor) ADDRESS=$2 ;;
          --cluster) SAID_CLUSTER=$2 ;;
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
  case $SAID_CLUSTER in
    '') ;;
    *[!0-9a-f]*) bad_cluster ;;
    ????????????????????????????????) if [ "${CLUSTER:-$SAID_CLUSTER}" != "$SAID_CLUSTER" ]; then fail '--token is of another cluster than --cluster names.'; fi ;;
    *) bad_cluster ;;
  esac
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

bad_cluster() { fail '--cluster takes the fingerprint of 32 of 0-9 and a-f that "hearth up" prints as "cluster".'; }

printable() { printf '"%s"' "$(printf '%s' "$1" | tr -c '[:print:]' '?' | cut -c 1-60)"; }
