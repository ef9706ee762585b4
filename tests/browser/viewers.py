#!/usr/bin/env python3
"""What 1,000 viewers of the board cost agencies, half of whom read nothing: bets a second of five real clients with
the bundled data × 50, with viewers and without, in turn. The median with them is at least 0.9 of that without.

usage: PROFILE=release viewers.py [PAIRS]
"""

import contextlib
import os
import pathlib
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from harness import DEADLINE_SECONDS, ROOT, Server, program

VIEWERS = 1000
TIMES = 50
RATIO_MIN = 0.9


def watch(server, connections, is_over):
    """Connects the viewers, and reads for every second one. Gives the thread that does."""
    reading = selectors.DefaultSelector()
    for number in range(VIEWERS):
        viewer = socket.create_connection(("127.0.0.1", server.http_port), DEADLINE_SECONDS)
        connections.enter_context(viewer)
        viewer.sendall(b"GET /events HTTP/1.1\r\nHost: board\r\n\r\n")
        if number % 2:
            reading.register(viewer, selectors.EVENT_READ)

    def read():
        while not is_over.is_set():
            for key, _ in reading.select(0.1):
                assert key.fileobj.recv(65_536), "a viewer was closed"

    thread = threading.Thread(target=read)
    thread.start()
    return thread


def cpu_seconds(process):
    """What it has used so far."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(files, has_viewers):
    """Bets a second, and the server's CPU for a bet in ns, of a day in which the agencies have these files."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as connections:
        server = Server(folder)
        is_over = threading.Event()
        reader = watch(server, connections, is_over) if has_viewers else None
        os.sync()
        started = time.monotonic()
        clients = []
        for agency, file in enumerate(files, start=1):
            settings = {
                "CLI_ID": agency,
                "CLI_SERVER_ADDRESS": f"127.0.0.1:{server.port}",
                "CLI_DATA_PATH": file,
            }
            environment = {key: str(value) for key, value in settings.items()}
            clients.append(subprocess.Popen([program("client")], env=environment, stdout=subprocess.DEVNULL))
        assert not any([client.wait() for client in clients]), "an agency failed"
        seconds = time.monotonic() - started
        is_over.set()
        if reader is not None:
            reader.join()
        status = server.status()
        assert status["drawn"], status
        cpu_ns = cpu_seconds(server.process) * 1e9 / status["bets"]
        server.end()
        return status["bets"] / seconds, cpu_ns


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder, f"{agency}.csv") for agency in range(1, 6)]
        for agency, file in enumerate(files, start=1):
            file.write_bytes((ROOT / f".data/agency-{agency}.csv").read_bytes() * TIMES)
        rates = {False: [], True: []}
        for _ in range(pairs):
            for has_viewers, measured in rates.items():
                rate, cpu_ns = measure(files, has_viewers)
                measured.append(rate)
                viewers = VIEWERS if has_viewers else 0
                print(
                    f"{viewers:5} viewers: {rate:10,.0f} bets/s, server CPU {cpu_ns:.0f} ns/bet", flush=True
                )
    without, with_viewers = (statistics.median(measured) for measured in rates.values())
    ratio = with_viewers / without
    print(f"with viewers {ratio:.2f} of without")
    sys.exit(ratio < RATIO_MIN)


if __name__ == "__main__":
    main()
