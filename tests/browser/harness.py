"""The real server, agencies that bet when told to, and a browser driven by WebDriver: what the tests here share.

Standard library only. Where Debian's `chromium` and `chromium-driver` are missing, `Browser` exits with code 77.
"""

import atexit
import base64
import contextlib
import csv
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples"))
import agency as protocol  # noqa: E402

DEADLINE_SECONDS = 60
NOT_RUN = 77


def not_run(reason):
    """Says loudly that this test shows nothing here."""
    sys.exit(print(f"!!!!\n!!!! NOT RUN: {sys.argv[0]}: {reason}\n!!!!", file=sys.stderr) or NOT_RUN)


def wait_for(what, probe, deadline_seconds=DEADLINE_SECONDS):
    """What `probe` gives once that is true. It may give a pair of a truth and an explanation."""
    deadline = time.monotonic() + deadline_seconds
    while True:
        found = probe()
        is_found, explanation = found if isinstance(found, tuple) else (found, "")
        if is_found:
            return is_found
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what} in {deadline_seconds} s {explanation}")
        time.sleep(0.05)


def program(name):
    """A program of this project, which `cargo build` has made."""
    profile = os.environ.get("PROFILE", "debug")
    path = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / profile / name
    if not path.exists():
        sys.exit(f"{path} is missing: cargo build -p {name}")
    return str(path)


class Server:
    """A server in `folder`, with HTTP. Port 0 asks the system for one."""

    def __init__(self, folder, port=0, http_port=0, **settings):
        settings = {"SERVER_PORT": port, "HTTP_PORT": http_port, "STORAGE_DIR": folder, **settings}
        environment = {**os.environ, **{key: str(value) for key, value in settings.items()}}
        self.folder = pathlib.Path(folder)
        self.process = subprocess.Popen(
            [program("server")],
            env=environment,
            cwd=folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        atexit.register(self.process.kill)
        self.log, self.ports = [], {}
        threading.Thread(target=self._read_log, daemon=True).start()
        wait_for(
            "listening server", lambda: (len(self.ports) == 2 or self.process.poll() is not None, self.log)
        )
        assert self.process.poll() is None, self.log
        self.port, self.http_port = self.ports["native"], self.ports["http"]
        self.url = f"http://127.0.0.1:{self.http_port}"

    def _read_log(self):
        for line in self.process.stdout:
            self.log = self.log[-50:] + [line]
            if "action: listen | result: success" in line:
                fields = dict(part.split(": ", 1) for part in line.strip().split(" | ")[1:])
                self.ports[fields["protocolo"].split()[0]] = int(fields["port"])

    def get(self, path):
        """The body of a page."""
        with urllib.request.urlopen(self.url + path, timeout=DEADLINE_SECONDS) as answer:
            return answer.read().decode()

    def status(self):
        return json.loads(self.get("/status.json"))

    def rows(self, file):
        """The rows of a file of the store. Those of bets.csv begin with the agency's number."""
        path = self.folder / file
        if not path.exists():
            return []
        with open(path, encoding="utf-8", newline="") as lines:
            return list(csv.reader(lines))

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(DEADLINE_SECONDS)


class Agency:
    """An agency that sends as many of its bets as it is told to, and no more."""

    def __init__(self, server, number, bets, sent=0):
        self.number, self.bets, self.sent = number, bets, sent
        self.connection = socket.create_connection(("127.0.0.1", server.port), DEADLINE_SECONDS)
        self.stream = self.connection.makefile("rb")
        self.connection.sendall(struct.pack(">HHI", protocol.HELLO, protocol.VERSION, number))
        stored, _, _ = protocol.receive(self.stream, protocol.WELCOME, ">QIB")
        assert stored == sent, (number, stored, sent)

    def send(self, count):
        """Sends the next bets, and waits until they are stored."""
        for batch in protocol.batches(self.bets[self.sent : self.sent + count]):
            self.connection.sendall(batch)
            protocol.receive(self.stream, protocol.OK, "")
        self.sent = min(len(self.bets), self.sent + count)

    def finish(self):
        self.connection.sendall(struct.pack(">H", protocol.ALL_BETS_SENT))

    def wait(self):
        self.connection.sendall(struct.pack(">H", protocol.REQUEST_WINNERS))

    def winners(self):
        (count,) = protocol.receive(self.stream, protocol.WINNERS, ">Q")
        return protocol.take(self.stream, f">{count}I")

    def close(self):
        self.stream.close()
        self.connection.close()


class Browser:
    """Headless Chromium with one page, behind chromedriver."""

    def __init__(self):
        missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
        if missing:
            not_run(f"no {' and no '.join(missing)}; on Debian: apt-get install chromium chromium-driver")
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        atexit.register(self.driver.kill)
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                break
        self.base = f"http://127.0.0.1:{int(line.split()[-1].rstrip('.'))}"
        arguments = ["--headless=new", "--disable-dev-shm-usage", "--hide-scrollbars"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # Chromium's sandbox refuses root, as in containers.
        options = {"goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}}
        try:
            session = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": options}})
        except urllib.error.HTTPError as error:
            self.driver.kill()
            not_run(f"the browser does not start: {error.read().decode()[:400]}")
        self.base += f"/session/{session['sessionId']}"

    def _ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.base + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as answer:
            return json.load(answer)["value"]

    def look(self, width, height, scheme, motion="reduce"):
        """Gives the page this size in CSS pixels, and this colour scheme."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700}
        self._devtools("Emulation.setDeviceMetricsOverride", size)
        features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": motion}
        features = [{"name": name, "value": value} for name, value in features.items()]
        self._devtools("Emulation.setEmulatedMedia", {"features": features})

    def _devtools(self, command, parameters):
        return self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, url):
        self._ask("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """What a script gives: the body of a function."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": arguments})

    def complaints(self):
        """What the console has said since it was last asked."""
        return [entry["message"] for entry in self._ask("POST", "/se/log", {"type": "browser"})]

    def picture(self, path):
        pathlib.Path(path).write_bytes(base64.b64decode(self._ask("GET", "/screenshot")))

    def end(self):
        with contextlib.suppress(OSError):
            self._ask("DELETE", "")
        self.driver.terminate()
        self.driver.wait(DEADLINE_SECONDS)
