#!/usr/bin/env python3
"""/metrics says what the files say, and deploy/'s Prometheus and Grafana files ask for metrics that exist.

Exit code 77: all that was checked, but `promtool` and `prometheus` are not here to judge the format and the queries.
"""

import json
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import urllib.parse
import urllib.request

from harness import ROOT, Agency, Server, not_run, protocol, wait_for

DEPLOY = ROOT / "deploy"
TARGET = "localhost:8080"  # what deploy/prometheus.yml scrapes


def samples(server):
    """The values in /metrics by name with labels."""
    lines = (line for line in server.get("/metrics").splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def expect_counts(server):
    """After some bets, a refusal and a finish, the numbers are those of the files. Gives an agency that goes on."""
    bets = {
        agency: protocol.read_bets(agency, str(ROOT / f".data/agency-{agency}.csv"))[0] for agency in (1, 2)
    }
    first, second = (Agency(server, agency, bets[agency]) for agency in (1, 2))
    first.send(300)
    second.send(100)
    first.finish()
    first.wait()
    thief = Agency(server, 3, bets[1])
    try:
        thief.send(1)
        raise AssertionError("a bet of another agency was taken")
    except protocol.Refused:
        pass
    expected = {
        "lottery_bets_total": len(server.rows("bets.csv")),
        "lottery_drawn": 0,
        'lottery_agencies{kind="finished"}': 1,
        'lottery_agencies{kind="missing"}': 4,
        'lottery_agencies{kind="parked"}': 1,
        'lottery_refusals_total{code="4"}': 1,
        'lottery_refusals_total{code="1"}': 0,
        'lottery_connections{kind="agency"}': 2,
        'lottery_connections{kind="viewer"}': 1,
        "lottery_log_lines_lost_total": 0,
    }

    def as_expected():
        found = samples(server)
        return {name: found.get(name) for name in expected} == expected, found

    wait_for("metrics as expected", as_expected)
    found = samples(server)
    for name in ("turn", "commit", "sync"):
        assert found[f"lottery_{name}_duration_seconds_count"] > 0, found
        assert found[f'lottery_{name}_duration_seconds_bucket{{le="+Inf"}}'] > 0, found
    assert found["lottery_staged_bytes"] > 0 and found["lottery_batches_total"] > 0, found
    return second


def expect_names(server):
    """Every metric that deploy/ names is one."""
    known = {sample.split("{")[0] for sample in samples(server)}
    named = {
        name
        for file in DEPLOY.glob("*")
        if file.is_file()
        for name in re.findall(r"\blottery_\w+", file.read_text())
    }
    assert named and named <= known, f"no such metrics: {named - known}"
    return len(named)


def expressions():
    """The queries of the dashboard's panels."""
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "30s").replace("$instance", ".*")


def check(command, text=None):
    """Runs a checker; whatever it has to say is a failure."""
    checked = subprocess.run(command, input=text, text=True, capture_output=True)
    assert checked.returncode == 0 and not checked.stderr, checked


def expect_answers(server, agency, folder):
    """A real Prometheus with deploy/prometheus.yml has an answer to each query of the dashboard, while bets come."""
    settings = (DEPLOY / "prometheus.yml").read_text().replace(TARGET, f"127.0.0.1:{server.http_port}")
    config = pathlib.Path(folder, "prometheus.yml")
    config.write_text(settings.replace("scrape_interval: 5s", "scrape_interval: 1s"))
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}",
    ]
    prometheus = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answered(expression):
        agency.send(1)
        try:
            query = urllib.parse.urlencode({"query": expression})
            with urllib.request.urlopen(f"http://{address}/api/v1/query?{query}") as answer:
                result = json.load(answer)["data"]["result"]
        except OSError as error:
            return False, error
        return [series for series in result if series["value"][1] != "NaN"], f"{expression}: {result}"

    try:
        for expression in expressions():
            wait_for("answer of Prometheus", lambda: answered(expression))
    finally:
        prometheus.terminate()
        prometheus.wait()


def main():
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder)
        agency = expect_counts(server)
        print(
            f"/metrics says what the files say, and has the {expect_names(server)} metrics that deploy/ names"
        )
        if shutil.which("promtool") is None or shutil.which("prometheus") is None:
            not_run(
                "no promtool or prometheus for the format and the queries; on Debian: apt-get install prometheus"
            )
        check(["promtool", "check", "metrics"], server.get("/metrics"))
        check(["promtool", "check", "config", str(DEPLOY / "prometheus.yml")])
        with tempfile.TemporaryDirectory() as data:
            expect_answers(server, agency, data)
        server.end()
    print(
        f"promtool has no complaint, and Prometheus answers the {len(list(expressions()))} queries of the dashboard"
    )


if __name__ == "__main__":
    main()
