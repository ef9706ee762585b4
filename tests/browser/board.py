#!/usr/bin/env python3
"""The board in a real browser says what /status.json and the files say: during the day and after the draw, on a phone
and on a projector, light and dark; and it recovers by itself when the server is restarted.

usage: board.py [FOLDER]     screenshots go to FOLDER
Exit code 77: there is no browser here.
"""

import collections
import http.server
import pathlib
import signal
import sys
import tempfile
import threading
import time

from harness import DEADLINE_SECONDS, ROOT, Agency, Browser, Server, protocol, wait_for

PHONE, PROJECTOR = (360, 800), (1920, 1080)
VIEWS = [(*size, scheme) for size in (PHONE, PROJECTOR) for scheme in ("light", "dark")]
BETS = {1: 2600, 2: 1500, 3: 700, 4: 150, 5: 1}
CONTRAST_MIN = 4.5  # WCAG AA

READ = """
const text = (selector, within = document) => within.querySelector(selector).textContent;
return {
  phase: text("#phase"), detail: text("#detail"), bets: text("#bets"), finished: text("#finished"),
  number: document.querySelector("[aria-live] #number").hidden ? null : text("#number"),
  agencies: [...document.querySelectorAll("#agencies li")].map((item) => [
    text("h3", item), text(".bets", item), text(".badge", item),
    Math.round(parseFloat(item.querySelector("i").style.width)),
    item.querySelector(".winners").hidden ? null : text(".winners", item),
  ]),
};
"""
# Text whose contrast is too low, and what sticks out at the right.
DEFECTS = """
const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = ([red, green, blue]) => [red, green, blue].map((part) => part / 255)
  .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
const behind = (element) => {
  const colour = parse(getComputedStyle(element).backgroundColor);
  return colour[3] === 0 ? behind(element.parentElement) : colour;
};
const defects = [];
for (const element of document.querySelectorAll("body *")) {
  if (!element.checkVisibility() || ["SCRIPT", "TEMPLATE", "STYLE"].includes(element.tagName)) continue;
  if (element.getBoundingClientRect().right > innerWidth + 0.5) defects.push(`${element.outerHTML} sticks out`);
  if (![...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim())) continue;
  const pair = [light(parse(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
  const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
  if (contrast < arguments[0]) defects.push(`${element.outerHTML} has contrast ${contrast.toFixed(2)}`);
}
if (document.documentElement.scrollWidth > innerWidth) defects.push("the page scrolls sideways");
return defects;
"""


def number(value):
    return f"{value:,}".replace(",", ".")


def many(value, one, more):
    return f"{number(value)} {one if value == 1 else more}"


def words(agency):
    """An agency's state as the board says it."""
    if agency["state"] != "betting":
        states = {"finished": "terminó", "waiting": "espera el sorteo", "informed": "informada"}
        return states[agency["state"]]
    if agency["connected"]:
        return "apostando"
    return "desconectada" if agency["bets"] else "sin empezar"


def expect_status_of_files(server):
    """What /status.json says, once it was compared with the files."""
    status, draw = server.status(), server.rows("draw.csv")
    bets = collections.Counter(int(row[0]) for row in server.rows("bets.csv"))
    won = collections.Counter(int(row[0]) for row in server.rows("bets.csv") if draw and row[5] == draw[0][0])
    finished = {int(row[0]) for row in server.rows("closings.csv")}
    assert status["bets"] == bets.total() and status["missing"] == status["agencies"] - len(finished), status
    assert status["drawn"] == bool(draw), (status, draw)
    if draw:
        assert (status["number"], status["winners"]) == (int(draw[0][0]), won.total()), (status, draw, won)
    for agency in status["agency_states"]:
        identity = agency["agency"]
        assert agency["bets"] == bets[identity], agency
        assert (agency["state"] != "betting") == (identity in finished), agency
        assert agency.get("winners") == (won[identity] if draw else None), agency
    return status


def board_of(status):
    """What the board shows of this status."""
    agencies, missing = status["agency_states"], status["missing"]
    most = max(agency["bets"] for agency in agencies)
    if status["drawn"]:
        winners = many(status["winners"], "apuesta ganadora", "apuestas ganadoras")
        phase, detail = "Número sorteado", f"{winners} entre {number(status['bets'])}"
    else:
        phase = "Falta 1 agencia" if missing == 1 else f"Faltan {number(missing)} agencias"
        names = [str(agency["agency"]) for agency in agencies if agency["state"] == "betting"]
        if missing == status["agencies"] or missing > 12:
            nobody, all_of_them = "Todavía no hay apuestas.", "El sorteo se hace cuando terminan todas."
            detail = all_of_them if status["bets"] else nobody
        elif missing == 1:
            detail = f"El sorteo espera a la agencia {names[0]}."
        else:
            detail = f"El sorteo espera a las agencias {', '.join(names[:-1])} y {names[-1]}."
    unfinished_first = sorted(agencies, key=lambda agency: (agency["state"] != "betting", agency["agency"]))
    return {
        "phase": phase,
        "detail": detail,
        "bets": number(status["bets"]),
        "finished": f"{number(status['agencies'] - missing)} de {number(status['agencies'])}",
        "number": f"{status['number']:04}" if status["drawn"] else None,
        "agencies": [
            [
                f"Agencia {agency['agency']}",
                many(agency["bets"], "apuesta", "apuestas"),
                words(agency),
                round(agency["bets"] / most * 100 + 1e-9) if most else 0,
                many(agency["winners"], "ganador", "ganadores") if status["drawn"] else None,
            ]
            for agency in unfinished_first
        ],
    }


class Board:
    """The board of a server, open in a browser."""

    def __init__(self, browser, server, pictures):
        self.browser, self.server, self.pictures = browser, server, pictures
        browser.look(*VIEWS[0])
        browser.open(f"{server.url}/")
        browser.run("window.wasNeverReloaded = true")
        self.expect_connection("En vivo")

    def expect_connection(self, words):
        script = 'return document.querySelector("#connection").textContent'
        wait_for(words, lambda: (words in (said := self.browser.run(script)), said))

    def expect_truth(self, moment, states):
        """Once the first agencies are in these states, it says what the server says, and looks as it should."""

        def settled():
            found = [words(agency) for agency in self.server.status()["agency_states"]]
            return found[: len(states)] == states, found[: len(states)]

        wait_for(f"agencies {moment}", settled)
        status = expect_status_of_files(self.server)
        expected = board_of(status)
        for width, height, scheme in VIEWS:
            self.browser.look(width, height, scheme)
            wait_for(
                f"truth {moment}",
                lambda: ((said := self.browser.run(READ)) == expected, f"{said}\n{expected}"),
            )
            defects = self.browser.run(DEFECTS, CONTRAST_MIN)
            assert not defects, (moment, width, scheme, defects)
            background = self.browser.run("return getComputedStyle(document.body).backgroundColor")
            red = int(background.split("(")[1].split(",")[0])
            assert (red < 64) == (scheme == "dark"), (scheme, background)
            if self.pictures:
                self.browser.picture(f"{self.pictures}/{moment}-{width}-{scheme}.png")
        print(f"{moment}: {expected['phase']}; {expected['detail']} {len(VIEWS)} views")


def encoded_bets(agency, count):
    return protocol.read_bets(agency, str(ROOT / f".data/agency-{agency}.csv"))[0][:count]


def answer_for(port, requests):
    """Answers so many requests on this port with an error, as a proxy does whose server is gone."""
    asked = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self):
            asked.append(self.path)
            self.send_error(502)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", port), Proxy) as proxy:
        proxy.timeout = 1
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(asked) < requests:
            assert time.monotonic() < deadline, f"the page gave up after {len(asked)} requests"
            proxy.handle_request()
    assert all(path == "/events" for path in asked), asked


def expect_curve(board, agencies):
    """While bets flow, the totals follow, and the curve rises."""
    stop = threading.Event()

    def flow():
        while not stop.is_set() and agencies[1].sent < BETS[1] - 100:
            agencies[1].send(5)
            time.sleep(0.02)

    flowing = threading.Thread(target=flow)
    flowing.start()
    try:
        script = """return [document.querySelector("#bets").textContent, document.querySelector("#rate").textContent,
            document.querySelector("#curve polyline").getAttribute("points")]"""
        before = board.server.status()["bets"]

        def risen():
            bets, rate, points = board.browser.run(script)
            heights = [float(point.split(",")[1]) for point in points.split()]
            bets = int(bets.replace(".", ""))
            has_risen = bets > before and rate != "0" and min(heights, default=100) == 0
            return has_risen and bets, (bets, rate, points)

        shown = wait_for("rising curve", risen)
        assert shown <= board.server.status()["bets"], shown
    finally:
        stop.set()
        flowing.join()


def show_day(browser, pictures):
    """A day of five agencies that send when told to, with a restart in it and another after it."""
    bets = {agency: encoded_bets(agency, count) for agency, count in BETS.items()}
    numbers = collections.Counter(bet[-2:] for rows in bets.values() for bet in rows)
    # Agencies wait here for a browser, and must not be closed for it on a slow machine.
    settings = {"IDLE_TIMEOUT": "1h", "WINNING_NUMBER": int.from_bytes(numbers.most_common(1)[0][0], "big")}
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder, **settings)
        board = Board(browser, server, pictures)
        waiting, informed = "espera el sorteo", "informada"
        board.expect_truth("empty", ["sin empezar"] * 5)
        agencies = {agency: Agency(server, agency, bets[agency]) for agency in (1, 2, 3, 4)}
        expect_curve(board, agencies)
        agencies[2].send(900)
        for agency in (3, 4):
            agencies[agency].send(BETS[agency])
            agencies[agency].finish()
        agencies[4].wait()
        agencies[2].close()
        board.expect_truth("day", ["apostando", "desconectada", "terminó", waiting, "sin empezar"])
        complaints = browser.complaints()
        assert not complaints, complaints

        server.end()
        board.expect_connection("Sin conexión")
        board.server = server = Server(folder, server.port, server.http_port, **settings)
        board.expect_connection("En vivo")
        board.expect_truth("restarted", ["desconectada", "desconectada", "terminó", "terminó", "sin empezar"])
        sent = {agency["agency"]: agency["bets"] for agency in server.status()["agency_states"]}
        for agency in BETS:
            again = agencies[agency] = Agency(server, agency, bets[agency], sent[agency])
            again.send(BETS[agency])
            if agency < 3:
                again.finish()
            if agency in (1, 2, 4):
                again.wait()
        board.expect_truth("late", [waiting, waiting, "terminó", waiting, "apostando"])
        agencies[5].finish()
        won = sum(len(agencies[agency].winners()) for agency in (1, 2, 4))
        assert 0 < won <= server.status()["winners"], won
        board.expect_truth("drawn", [informed, informed, "terminó", informed, "terminó"])
        for motion, animation in (("reduce", "none"), ("no-preference", "drop")):
            browser.look(*VIEWS[0], motion)
            shown = browser.run(
                'return getComputedStyle(document.querySelector("#number span")).animationName'
            )
            assert shown == animation, (motion, shown)

        server.end(signal.SIGKILL)
        board.expect_connection("Sin conexión")
        answer_for(server.http_port, 2)
        board.server = server = Server(folder, server.port, server.http_port, **settings)
        board.expect_connection("En vivo")
        board.expect_truth("drawn-restarted", ["terminó"] * 5)
        assert browser.run("return window.wasNeverReloaded"), "the page was reloaded"
        expect_no_secret(browser, server)
        server.end()
    bad = [complaint for complaint in browser.complaints() if "Failed to load resource" not in complaint]
    assert not bad, bad


def expect_no_secret(browser, server):
    """No document, and no name but those that are words of the page."""
    shown = (
        browser.run("return document.documentElement.outerHTML")
        + server.get("/status.json")
        + server.get("/metrics")
    )
    for _, first_name, last_name, document, _, _ in server.rows("bets.csv"):
        assert document not in shown and f"{first_name} {last_name}" not in shown, (
            first_name,
            last_name,
            document,
        )


def show_crowd(browser, pictures):
    """More agencies than are told of: a compact grid, the unfinished first."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder, NUM_AGENCIES=1200)
        agency = Agency(server, 1, encoded_bets(1, 10))
        agency.send(10)
        agency.finish()
        board = Board(browser, server, pictures)
        board.expect_truth("crowd", ["terminó"] + ["sin empezar"] * 999)
        title = browser.run('return document.querySelector("#agencies-title").textContent')
        assert title == "Las primeras 1.000 de 1.200 agencias", title
        height = browser.run('return document.querySelector("#agencies li").offsetHeight')
        assert height < 100, f"an agency's card has {height} pixels on the projector"
        server.end()


def main():
    pictures = sys.argv[1] if len(sys.argv) > 1 else None
    if pictures:
        pathlib.Path(pictures).mkdir(parents=True, exist_ok=True)
    browser = Browser()
    try:
        show_day(browser, pictures)
        show_crowd(browser, pictures)
    finally:
        browser.end()
    print("the board says what the server says")


if __name__ == "__main__":
    main()
