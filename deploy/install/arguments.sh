# What the person asked for.

read_arguments() {
  TOKEN=${HEARTH_JOIN_TOKEN:-} ADDRESS='' NODE_ID='' SAID_CLUSTER='' USER_MODE=no DRY=no IMAGE=no INIT='' WAIT=50
  unset HEARTH_JOIN_TOKEN
  while [ $# -gt 0 ]; do
    case $1 in
      --token=* | --supervisor=* | --cluster=* | --node=* | --init=* | --wait=*)
        argument=$1
        shift
        set -- "${argument%%=*}" "${argument#*=}" "$@"
        ;;
    esac
    case $1 in
      --token | --supervisor | --cluster | --node | --init | --wait)
        if [ $# -lt 2 ] || [ -z "$2" ]; then fail "$1 needs a value: see --help; \"hearth token\" prints the whole line."; fi
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
      # The token is a secret: it is not repeated.
      hearth1.*) fail 'there is no "--token" before the token: copy the whole line that "hearth token" prints.' ;;
      *)
        argument=${1%%=*}
        argument=$(printable "${argument%%hearth1.*}")
        case $1 in
          -*) fail "there is no option $argument: see --help." ;;
          *) fail "$argument stands where an option should: see --help." ;;
        esac
        ;;
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
    rest=${TOKEN#"hearth1.$CLUSTER."}
    secret=${rest#*.}
    secret=${secret%@*}
    if [ ${#CLUSTER}.${#secret} != 32.32 ]; then bad_token; fi
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
  check_address
  case $NODE_ID in
    *[!a-z0-9-]* | all | ?????????????????????*) fail "--node: an id is 1 to 20 of a-z, 0-9 and \"-\", and not \"all\"." ;;
  esac
  case $INIT in
    '' | systemd | openrc | none) ;;
    *) fail '--init is systemd, openrc or none.' ;;
  esac
  case $WAIT in '' | *[!0-9]* | ?????*) fail '--wait takes seconds.' ;; esac
}

# A name, an IPv4 address, or an IPv6 one in brackets, and a port.
check_address() {
  host=${ADDRESS%:*}
  port=${ADDRESS##*:}
  case $ADDRESS in
    *://*) bad_address 'leave out what stands before the host' ;;
    *[!]A-Za-z0-9.:[-]* | -*) bad_address 'write it as 192.168.1.5:22581' ;;
    \[*\]:*) host=${host#?} host=${host%?} ;;
    *:*:*) bad_address 'an IPv6 address stands in brackets, as in [fd00::5]:22581' ;;
    *:*) case $host in *[]:[]*) host='' ;; esac ;;
    *) bad_address "the port is missing, as in $ADDRESS:22581" ;;
  esac
  case $host in '' | *[][]*) bad_address 'write it as 192.168.1.5:22581' ;; esac
  case $port in '' | *[!0-9]* | ??????*) port=0 ;; esac
  if [ "$port" -lt 1 ] || [ "$port" -gt 65535 ]; then bad_address 'a port is a number from 1 to 65535'; fi
}
bad_address() { fail "$(printable "$ADDRESS") is no HOST:PORT: $1."; }

bad_token() { fail 'this is no whole join token: copy the line that "hearth token" prints, up to its end.'; }

bad_cluster() { fail '--cluster takes the fingerprint of 32 of 0-9 and a-f that "hearth up" prints as "cluster".'; }

printable() { printf '"%s"' "$(printf '%s' "$1" | tr -c '[:print:]' '?' | cut -c 1-60)"; }
