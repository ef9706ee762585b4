# shellcheck shell=bash disable=SC2154 # status_of sets what these tests read.
# scripts/certificates.sh, as openssl sees what it makes. tests/e2e/tls.rs has the real server take it.

test_certificates_are_for_one_program_and_one_name() {
    make -s certificates AGENCIES=2 NAMES=lottery.example,192.0.2.7
    local agency
    expect_good sslserver server
    for agency in 1 2; do
        expect_good sslclient "agency-$agency"
        expect_equal "$(names "agency-$agency")" "DNS:agency-$agency" "the names of agency $agency"
    done
    expect_equal "$(names server)" "DNS:server, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, \
DNS:lottery.example, IP Address:192.0.2.7" "the server's names"
    expect_contains "$(verify sslserver agency-1)" "unsuitable certificate purpose" "an agency as a server"
    expect_contains "$(verify sslclient server)" "unsuitable certificate purpose" "the server as an agency"
}

test_only_the_owner_reaches_keys_and_a_container_reads_what_is_mounted() {
    (umask 077 && ./scripts/certificates.sh 1)
    expect_equal "$(stat -c %a certificates certificates/authority/ca.key | paste -s -d ' ')" "700 600" "the owner's"
    expect_equal "$(stat -c %a certificates/agency-1 certificates/*/cert.key | sort -u | paste -s -d ' ')" "644 755" "the mounted"
    expect_equal "$(cd certificates && echo agency-1/* server/*)" "agency-1/ca.pem agency-1/cert.key agency-1/cert.pem \
server/ca.pem server/cert.key server/cert.pem server/crl.pem" "files"
}

test_what_is_there_stays_and_what_is_missing_is_made() {
    local shell before
    for shell in sh bash; do
        "$shell" ./scripts/certificates.sh 2
        before=$(sha256sum certificates/*/*.key certificates/*/*.pem)
        "$shell" ./scripts/certificates.sh 2
        expect_equal "$(sha256sum certificates/*/*.key certificates/*/*.pem)" "$before" "files after a second run with $shell"
        "$shell" ./scripts/certificates.sh 3
        expect_good sslclient agency-3
        sha256sum --quiet -c <<<"$before"
        rm -r certificates
    done
}

test_renewal_keeps_the_names_and_revocation_takes_all_of_an_agencys_certificates() {
    make -s certificates AGENCIES=2 NAMES=lottery.example
    cp certificates/agency-1/cert.pem first.pem
    local key
    key=$(<certificates/agency-1/cert.key)
    ./scripts/certificates.sh renew 1
    ./scripts/certificates.sh renew server
    [ "$key" != "$(<certificates/agency-1/cert.key)" ] || fail "the key is the old one"
    expect_contains "$(names server)" "DNS:lottery.example" "the server's names"
    expect_good sslclient agency-1
    cp certificates/agency-1/cert.pem second.pem

    ./scripts/certificates.sh revoke 1
    ./scripts/certificates.sh renew 1
    local old
    for old in first second; do
        expect_contains "$(verify_file sslclient "$old.pem")" "certificate revoked" "the $old certificate"
    done
    expect_good sslclient agency-1
    expect_good sslclient agency-2
}

test_wrong_arguments_change_nothing() {
    local arguments
    for arguments in x -1 01 "renew" "renew x" "renew 0" "revoke server" "revoke" "1 2" "renew 1 2" ../1; do
        # shellcheck disable=SC2086 # Split on purpose.
        status_of ./scripts/certificates.sh $arguments
        expect_equal "$status" 2 "status after $arguments"
        expect_contains "$stderr" "usage: ./scripts/certificates.sh" "errors after $arguments"
        [ ! -e certificates ] || fail "$arguments made a folder"
    done
    status_of ./scripts/certificates.sh revoke 7
    expect_contains "$stderr" "agency 7 has no certificate" "an agency without one"
}

# verify PURPOSE NAME: what openssl says of it, revocation included.
verify() { verify_file "$1" "certificates/$2/cert.pem"; }

verify_file() {
    openssl verify -CAfile certificates/authority/ca.pem -CRLfile certificates/server/crl.pem -crl_check -x509_strict -purpose "$1" "$2" 2>&1 || true
}

expect_good() { expect_equal "$(verify "$1" "$2")" "certificates/$2/cert.pem: OK" "openssl on $2"; }

names() { openssl x509 -in "certificates/$1/cert.pem" -noout -ext subjectAltName | sed -n '2s/^ *//p'; }
