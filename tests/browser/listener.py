#!/usr/bin/env python3
"""What the HTTP listener answers, to whom, and that viewers take nothing from agencies nor agencies from viewers."""
import contextlib, socket, tempfile

from harness import DEADLINE_SECONDS, ROOT, Agency, Server, protocol, wait_for

HOST = b" HTTP/1.1\r\nHost: board\r\n\r\n"
# A request, the status of its answer, and what the answer has.
ANSWERS = [
    (b"GET /" + HOST, 200, b"Content-Type: text/html; charset=utf-8\r\n"),
    (b"GET /" + HOST, 200, b"Content-Security-Policy: default-src 'none';"),
    (b"GET /?a=b" + HOST, 200, b"<title>"),
    (b"GET / HTTP/1.0\r\n\r\n", 200, b"Connection: close\r\n"),
    (b"GET /status.json" + HOST, 200, b'{"agencies":5,"missing":5,"bets":0,'),
    (b"GET /metrics" + HOST, 200, b"Content-Type: text/plain; version=0.0.4"),
    (b"GET /healthz" + HOST, 200, b"\r\n\r\nok\n"),
    (b"GET /readyz" + HOST, 200, b"\r\n\r\nready\n"),
    (b"GET /events" + HOST, 200, b"Content-Type: text/event-stream\r\n"),
    (b"GET /events" + HOST, 200, b'\r\n\r\nretry: 1000\ndata: {"agencies":5,'),
    (b"GET /bets.csv" + HOST, 404, b""),
    (b"GET /../config.ini" + HOST, 404, b""),
    (b"POST /" + HOST, 405, b"Allow: GET, HEAD\r\n"),
    (b"POST / HTTP/1.1\r\nContent-Length: 60000\r\n\r\n" + b"z" * 60_000, 405, b""),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), 400, b""),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, b""),
    (b"nonsense\r\n\r\n", 400, b""),
    (b"GET /" + b"a" * 9000 + HOST, 431, b""),
    (b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", 431, b""),
    (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 65 + b"\r\n", 431, b""),
]

def connect(server):
    return socket.create_connection(("127.0.0.1", server.http_port), DEADLINE_SECONDS)

def read_until(connection, wanted):
    """What comes until `wanted` did, or until the server has closed."""
    answer = b""
    while not wanted or wanted not in answer:
        some = connection.recv(65_536)
        if not some: break
        answer += some
    return answer

def expect_answers(server):
    for request, status, has in ANSWERS:
        for piece in (len(request), 1000, 1) if len(request) < 200 else (len(request),):
            with connect(server) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for start in range(0, len(request), piece): connection.sendall(request[start:start + piece])
                answer = read_until(connection, has)
            assert answer.startswith(f"HTTP/1.1 {status} ".encode()) and has in answer, (request[:60], answer[:300])

def expect_one_answer(server):
    """One answer for a connection, whatever else is sent; HEAD gives the head of GET; a request may be half-closed."""
    for path in (b"/", b"/status.json", b"/healthz", b"/none"):
        answers = []
        for request in (b"GET " + path + HOST, b"HEAD " + path + HOST, (b"GET " + path + HOST) * 100):
            with connect(server) as connection:
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
                answers.append(read_until(connection, b""))
        whole, head, first = (answer.partition(b"\r\n\r\n") for answer in answers)
        assert whole[2] and whole[0] == head[0] and not head[2], answers
        assert path == b"/status.json" or whole == first, answers
        assert f"Content-Length: {len(first[2])}\r\n".encode() in first[0] + b"\r\n", answers
    with connect(server) as connection:
        connection.sendall(b"HEAD /events" + HOST)
        assert read_until(connection, b"").endswith(b"\r\n\r\n")
    with connect(server) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost")
        connection.shutdown(socket.SHUT_WR)
        assert read_until(connection, b"") == b""

def expect_slow_closed(server):
    """A request that does not end is closed, however often a byte of it comes; a follower is not."""
    with connect(server) as follower, connect(server) as slow, connect(server) as silent:
        follower.sendall(b"GET /events" + HOST)
        slow.sendall(b"GET / HTTP/1.1\r\nX: ")
        slow.settimeout(0.1)
        def is_closed():
            with contextlib.suppress(TimeoutError):
                slow.sendall(b"y")
                return slow.recv(1) == b""
        with contextlib.suppress(ConnectionError): wait_for("end of the slow", is_closed)
        assert silent.recv(1) == b""
        wait_for("event", lambda: b"data: " in follower.recv(65_536))
        wait_for("only the follower", lambda: 'kind="viewer"} 2\n' in server.get("/metrics"))

def expect_own_shares(bets):
    """Agencies on all of MAX_CONNECTIONS leave room for viewers; viewers on all descriptors leave room for agencies."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder, MAX_CONNECTIONS=5)
        agencies = [Agency(server, agency, []) for agency in range(1, 6)]
        assert server.get("/healthz") == "ok\n" and len(agencies) == 5
        server.end()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as viewers:
        server = Server(folder, NUM_AGENCIES=1, ulimit="-n 200")
        for _ in range(400): viewers.enter_context(connect(server)).sendall(b"GET /events" + HOST)
        strangers = [viewers.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(300)]
        agency = Agency(server, 1, bets)
        agency.send(len(bets))
        agency.finish()
        agency.wait()
        agency.winners()
        assert server.status()["drawn"] and len(strangers) == 300
        server.end()

def expect_unready(bets):
    """/readyz says when the disk takes no bets, and /healthz that the server lives."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder, ulimit="-f 8")
        with contextlib.suppress(EOFError, protocol.Refused): Agency(server, 1, bets).send(len(bets))
        with connect(server) as connection:
            connection.sendall(b"GET /readyz" + HOST)
            answer = read_until(connection, b"")
        assert answer.startswith(b"HTTP/1.1 503 "), answer
        assert server.get("/healthz") == "ok\n"
        server.end()

def main():
    bets = protocol.read_bets(1, str(ROOT / ".data/agency-1.csv"))[0][:1000]
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder, IDLE_TIMEOUT="2s")
        expect_answers(server)
        expect_one_answer(server)
        expect_slow_closed(server)
        server.end()
    expect_own_shares(bets)
    expect_unready(bets)
    print(f"{len(ANSWERS)} requests are answered as they should be, and viewers and agencies keep to their shares")

if __name__ == "__main__":
    main()
