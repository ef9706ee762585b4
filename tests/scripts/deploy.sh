# shellcheck shell=bash disable=SC2154 # status_of sets what these tests read.
# The manifests of deploy/kubernetes against Kubernetes' own schemas. No cluster is asked for anything.

versions="1.30.0 1.33.0"

test_the_schemas_accept_the_manifests_and_notice_a_mistake() {
    local version
    install_validator
    for version in $versions; do
        venv/bin/kubernetes-validate --quiet --strict -k "$version" deploy/kubernetes/{namespace,central,agency-1}.yaml
    done
    sed -i 's/readinessProbe/readynessProbe/' deploy/kubernetes/central.yaml
    status_of venv/bin/kubernetes-validate --quiet --strict deploy/kubernetes/central.yaml
    [ "$status" != 0 ] || fail "a mistake was accepted"
}

test_another_agency_is_made_as_its_file_says() {
    local command
    command=$(sed -n 's/^# An agency. Another: \(sed .*yaml\), and .*/\1/p' deploy/kubernetes/agency-1.yaml)
    (cd deploy/kubernetes && eval "$command")
    expect_not_contains "$(sed 1d deploy/kubernetes/agency-2.yaml)" "agency-1" "the second agency"
    expect_equal "$(diff <(sed 1d deploy/kubernetes/agency-1.yaml) <(sed 1d deploy/kubernetes/agency-2.yaml) | grep '^>' | tr -d '> ' | paste -s -d ' ')" \
        'name:agency-2 labels:{app:agency-2} -{name:CLI_ID,value:"2"} configMap:{name:agency-2-bets} secret:{secretName:agency-2-tls,defaultMode:0440}' "what differs"
}

test_the_commands_for_kubernetes_make_what_the_schemas_accept() {
    command -v kubectl >/dev/null || skip "kubectl is not installed, so the kustomization was not built"
    install_validator
    play OPERATING "Kubernetes"
    expect_equal "$(sed -n 's/^INFO .* for resource \([^ ]*\) .*/\1/p' validated | sed 's/-settings-.*/-settings/' | sort -u | paste -s -d ' ')" \
        "configmap/agency-1-bets configmap/central-settings job/agency-1 namespace/lottery poddisruptionbudget/central \
secret/agency-1-tls secret/central-tls service/central statefulset/central" "what was made"
    # Everything that the pods mount by name is among it.
    expect_equal "$(grep -ohE '(secretName|configMap: \{ name): [a-z0-9-]*' deploy/kubernetes/{central,agency-1}.yaml | sed 's/.*: //' | sort | paste -s -d ' ')" \
        "agency-1-bets agency-1-tls central-tls" "what is mounted"
}

# The client, without a cluster.
kubectl() {
    case $* in
    "apply -k "*) command kubectl kustomize "$3" >made.yaml ;;
    "apply -f "*) cp "$3" made.yaml ;;
    *" create "*) command kubectl --kubeconfig=/dev/null "$@" --dry-run=client -o yaml >made.yaml ;;
    *" wait "*" job/agency-1" | *" exec central-0 -- /server winners") return ;;
    *) fail "kubectl $*" ;;
    esac
    venv/bin/kubernetes-validate --strict -k 1.33.0 made.yaml >>validated
}

install_validator() {
    if ! { python3 -m venv venv && venv/bin/pip install -q kubernetes-validate; }; then
        skip "kubernetes-validate cannot be had from PyPI, so no manifest was checked"
    fi
}
