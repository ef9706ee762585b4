#!/bin/sh
# Makes the keys and certificates of a lottery with mutual TLS: see docs/SECURITY.md.
set -eu

usage() {
    cat <<USAGE
usage: $0 [AGENCIES]            makes what is missing: an authority, certificates of the server and of agencies 1 to
                             AGENCIES (default: 5), an empty revocation list
       $0 renew server|AGENCY   makes a new key and certificate; the old one stays valid until it expires or is revoked
       $0 revoke AGENCY         revokes all certificates that the agency has had so far

In the environment:
  DIR     the folder for them (default: certificates)
  NAMES   further names and addresses of the server, such as lottery.example,192.0.2.7; to change them, renew server
USAGE
}

refuse() {
    printf '%s: %s\n\n' "$0" "$1" >&2
    usage >&2
    exit 2
}

directory=${DIR:-certificates}
authority=$directory/authority
authority_days=3650
certificate_days=365

# Only the owner gets into the folder. The folders within are readable, because a container mounts one of them alone,
# and its user is another: that needs neither root nor a change of owner.
make_authority() {
    [ -d "$directory" ] || mkdir -m 700 "$directory"
    [ -d "$authority" ] || mkdir -m 700 "$authority"
    mkdir -p "$authority/issued"
    # Everything that openssl asks for; what the machine's own configuration says must not matter.
    cat >"$authority/openssl.cnf" <<CONFIGURATION
[req]
distinguished_name = name
[name]
[ca]
default_ca = list
[list]
database = $authority/revoked.txt
crlnumber = $authority/crl_number.txt
default_md = sha256
default_crl_days = $authority_days
crl_extensions = extensions
[extensions]
authorityKeyIdentifier = keyid
CONFIGURATION
    if ! [ -e "$authority/ca.pem" ]; then
        : >"$authority/revoked.txt"
        echo 01 >"$authority/crl_number.txt"
        # Its own name, so that the list of another lottery's authority is told from its own.
        new_certificate "$authority" ca "Lottery authority $(openssl rand -hex 4)" -days "$authority_days" \
            -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
    fi
}

# new_certificate FOLDER FILE NAME OPTION...: FILE.key and FILE.pem, which take their place when both are whole.
new_certificate() {
    folder=$1 file=$2 name=$3
    shift 3
    quietly openssl req -config "$authority/openssl.cnf" -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc \
        -subj "/CN=$name" -keyout "$folder/key.new" -out "$folder/pem.new" "$@"
    mv "$folder/key.new" "$folder/$file.key"
    mv "$folder/pem.new" "$folder/$file.pem"
}

# issue server|AGENCY: a key and a certificate in a folder of its own, with all else that its program reads.
issue() {
    case $1 in
    server)
        folder=$directory/server purpose=serverAuth
        names=$(server_names)
        ;;
    *) folder=$directory/agency-$1 purpose=clientAuth names=DNS:agency-$1 ;;
    esac
    mkdir -p "$folder"
    new_certificate "$folder" cert "${folder##*/}" -CA "$authority/ca.pem" -CAkey "$authority/ca.key" \
        -days "$certificate_days" -addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,digitalSignature \
        -addext extendedKeyUsage=$purpose -addext "subjectAltName=$names"
    serial=$(openssl x509 -in "$folder/cert.pem" -noout -serial)
    cp "$folder/cert.pem" "$authority/issued/${folder##*/}.${serial#serial=}.pem"
    cp "$authority/ca.pem" "$folder/ca.pem"
    chmod 755 "$folder"
    chmod 644 "$folder"/*
    printf '%s: valid for %s days\n' "$folder/cert.pem" "$certificate_days"
}

# A renewed certificate has the names of the old one, unless others are asked for.
server_names() {
    if [ -z "${NAMES-}" ] && [ -e "$folder/cert.pem" ]; then
        openssl x509 -in "$folder/cert.pem" -noout -ext subjectAltName | sed -n '2s/IP Address:/IP:/gp'
        return
    fi
    printf 'DNS:server,DNS:localhost,IP:127.0.0.1,IP:::1'
    for name in $(printf '%s' "${NAMES-}" | tr ',' ' '); do
        case $name in
        *:* | *.*.*.*[0-9]) printf ',IP:%s' "$name" ;;
        *) printf ',DNS:%s' "$name" ;;
        esac
    done
}

write_revocation_list() {
    [ -d "$directory/server" ] || return 0
    quietly openssl ca -config "$authority/openssl.cnf" -keyfile "$authority/ca.key" -cert "$authority/ca.pem" \
        -gencrl -out "$authority/crl.new"
    chmod 644 "$authority/crl.new"
    mv "$authority/crl.new" "$directory/server/crl.pem"
}

# quietly COMMAND...: what it says is shown only when it fails.
quietly() {
    "$@" 2>"$authority/openssl.log" || {
        cat "$authority/openssl.log" >&2
        exit 1
    }
}

make_missing() {
    make_authority
    [ -e "$directory/server/cert.pem" ] || issue server
    [ -e "$directory/server/crl.pem" ] || write_revocation_list
    agency=1
    while [ "$agency" -le "$1" ]; do
        [ -e "$directory/agency-$agency/cert.pem" ] || issue "$agency"
        agency=$((agency + 1))
    done
}

revoke() {
    found=no
    for certificate in "$authority/issued/agency-$1".*.pem; do
        [ -e "$certificate" ] || continue
        found=yes
        quietly openssl ca -config "$authority/openssl.cnf" -keyfile "$authority/ca.key" -cert "$authority/ca.pem" \
            -revoke "$certificate"
        rm "$certificate"
    done
    [ "$found" = yes ] || refuse "agency $1 has no certificate to revoke"
    write_revocation_list
    printf '%s: agency %s is revoked; a server that runs learns of it by SIGHUP\n' "$directory/server/crl.pem" "$1"
}

expect_agency() {
    case $1 in
    '' | 0* | *[!0-9]* | ????????*) refuse "'$1' is not an agency's number" ;;
    esac
}

case $# in
0) set -- 5 ;;
esac
case $1:$# in
-h:1 | --help:1) usage ;;
renew:2)
    [ "$2" = server ] || expect_agency "$2"
    make_authority
    issue "$2"
    ;;
revoke:2)
    expect_agency "$2"
    make_authority
    revoke "$2"
    ;;
*:1)
    [ "$1" = 0 ] || expect_agency "$1"
    make_missing "$1"
    ;;
*) refuse "wrong arguments: $*" ;;
esac
