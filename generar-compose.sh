#!/bin/sh
# Makes a compose file with the server and any number of clients from docker-compose.tmpl.
set -eu

# What is left of the subnet's 254 addresses after the gateway's and the server's.
clients_max=252

usage() {
    cat <<USAGE
usage: $0 [FILE [CLIENTS [MODE]]]

  FILE     the compose file to make, to be run from this folder (default: docker-compose-dev.yaml)
  CLIENTS  how many clients, 0 to $clients_max (default: 5)
  MODE     lottery, single-bet or echo (default: the environment's MODE, else lottery)

In the environment:
  SERVER_DIALECT, DIALECT_PORTS  are handed to the server when they are set
  TLS=1                          mutual TLS, with the certificates that make certificates has made
USAGE
}

refuse() {
    printf '%s: %s\n\n' "$0" "$1" >&2
    usage >&2
    exit 2
}

case "${1-}" in
-h | --help)
    usage
    exit
    ;;
-*) refuse "unknown option '$1'" ;;
esac

[ $# -le 3 ] || refuse "at most three arguments, not $#"
file=${1-docker-compose-dev.yaml}
clients=${2-5}
mode=${3-${MODE:-lottery}}
template=$(dirname "$0")/docker-compose.tmpl

[ -n "$file" ] || refuse "FILE is empty"
if [ -e "$file" ] && ! [ -f "$file" ]; then refuse "'$file' is not a regular file"; fi
[ -d "$(dirname "$file")" ] || refuse "there is no folder '$(dirname "$file")'"
case $clients in
0 | [1-9] | [1-9][0-9] | [1-9][0-9][0-9]) ;;
*) refuse "CLIENTS is '$clients', not a number from 0 to $clients_max" ;;
esac
[ "$clients" -le "$clients_max" ] || refuse "CLIENTS is $clients, and the network has room for $clients_max"
case $mode in
lottery | single-bet | echo) ;;
*) refuse "MODE is '$mode', not lottery, single-bet or echo" ;;
esac

case ${SERVER_DIALECT-}${DIALECT_PORTS-} in
*[!a-z0-9:,]*) refuse "SERVER_DIALECT and DIALECT_PORTS are such as native and frames:12346,lines:12348" ;;
esac

case ${TLS-} in
'' | 0) tls=no ;;
1) tls=yes ;;
*) refuse "TLS is '$TLS', not 1 or 0" ;;
esac
if [ "$tls" = yes ]; then
    [ "$mode" != echo ] || refuse "mode echo has no TLS"
    # The engine would make missing folders itself, as root.
    folder=$(dirname "$file")/certificates
    for name in server $(seq -f agency-%.0f "$clients"); do
        [ -e "$folder/$name/cert.pem" ] || refuse "there is no $folder/$name; make certificates AGENCIES=$clients makes it"
    done
fi

# A file that cannot be made whole must leave the one that is there as it was.
unfinished=$file.unfinished.$$
trap 'rm -f "$unfinished"' EXIT
trap 'exit 1' HUP INT TERM

awk -v clients="$clients" -v mode="$mode" -v tls="$tls" '
BEGIN {
    value["CLIENTS"] = clients
    value["MODE"] = mode
    value["SERVER_MODE"] = mode == "echo" ? "echo" : "lottery"
    value["SERVER_DIALECT"] = ENVIRON["SERVER_DIALECT"]
    value["DIALECT_PORTS"] = ENVIRON["DIALECT_PORTS"]
    keep = 1

    # Counts without a common factor, so that no two clients share both names.
    first_names = split("Lucía|Mateo|Martina|Joaquín|Sofía|Begoña|Tomás|Camila|Nicolás|Julieta|Agustín|Valentina|Facundo|Ramón|Malena|Ignacio", first_name, "|")
    last_names = split("González|Rodríguez|Gómez|Fernández|López|Díaz|Núñez|Pérez|Romero|Sosa|Ibáñez|Muñoz|Acosta|Benítez|Peña|Quiroga|Zárate", last_name, "|")
}

# The first client bets what the exercise gives as its example, and wins.
function meet_bettor(id) {
    value["NOMBRE"] = id == 1 ? "Santiago Lionel" : first_name[id % first_names + 1]
    value["APELLIDO"] = id == 1 ? "Lorca" : last_name[id % last_names + 1]
    value["DOCUMENTO"] = id == 1 ? 30904465 : 17000000 + id * 103997
    value["NACIMIENTO"] = id == 1 ? "1999-03-17" : sprintf("%d-%02d-%02d", 1950 + id * 7 % 50, 1 + id * 5 % 12, 1 + id * 11 % 28)
    value["NUMERO"] = id == 1 ? 7574 : id * 1237 % 10000
}

function holds(condition) {
    if (condition == "template only") return 0
    if (condition == "first client") return value["ID"] == 1
    if (condition == "single-bet") return mode == "single-bet"
    if (condition == "no echo") return mode != "echo"
    if (condition == "TLS") return tls == "yes"
    if (condition ~ /^(SERVER_DIALECT|DIALECT_PORTS)$/) return value[condition] != ""
    printf "%s:%d: unknown marker: %s\n", FILENAME, FNR, condition >"/dev/stderr"
    exit 1
}

function emit(line, name) {
    if (line == "#: end") keep = 1
    else if (line ~ /^#: /) keep = holds(substr(line, 4))
    else if (keep) {
        for (name in value) gsub("[{][{]" name "[}][}]", value[name], line)
        print line
    }
}

$0 == "#: each client" { in_client = 1; next }
$0 == "#: end of clients" {
    for (id = 1; id <= clients; id++) {
        value["ID"] = id
        meet_bettor(id)
        for (i = 1; i <= client_lines; i++) emit(client_line[i])
    }
    in_client = 0
    next
}
in_client { client_line[++client_lines] = $0; next }
{ emit($0) }
' "$template" >"$unfinished"

mv "$unfinished" "$file"

# The file is of use all the same: the data may come later.
if [ "$mode" = lottery ]; then
    id=1
    while [ "$id" -le "$clients" ] && [ -f "$(dirname "$file")/.data/agency-$id.csv" ]; do id=$((id + 1)); done
    [ "$id" -gt "$clients" ] ||
        printf '%s: warning: there is no .data/agency-%s.csv; make datasets AGENCIES=%s makes what is missing\n' "$0" "$id" "$clients" >&2
fi
