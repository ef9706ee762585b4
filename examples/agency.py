#!/usr/bin/env python3
"""An agency of the national lottery in plain Python 3.9: its wire is docs/PROTOCOL.md alone, its file .data/README.md.

usage: agency.py NUMBER HOST:PORT FILE     for example: agency.py 1 localhost:12345 .data/agency-1.csv

Exit code 0: every row is stored and the winners are known, or a signal came. 1: not so. 2: wrong usage.
"""
import csv, datetime, signal, socket, struct, sys, time, unicodedata, zlib

REGISTER_BETS, OK, FAILED, ALL_BETS_SENT, REQUEST_WINNERS, WINNERS, HELLO, WELCOME = 1, 2, 3, 5, 6, 7, 8, 9
VERSION, BETTING, NOT_STORED, MESSAGE_BYTES_MAX, ANSWER_SECONDS, RETRIES = 1, 0, 7, 8192, 15, 120
EPOCH, BIRTHDATE_MIN = datetime.date(1970, 1, 1), datetime.date(1900, 1, 1)

class Refused(Exception):
    """The conversation cannot go on, and this program does not try again."""

def encode_bet(agency, first_name, last_name, document, birthdate, number):
    """The bytes of a bet, or a ValueError when the central would refuse them."""
    names = [first_name.encode(), last_name.encode()]
    day = datetime.date.fromisoformat(birthdate)
    if not (all(1 <= len(name) <= 255 for name in names) and BIRTHDATE_MIN <= day
            and all(unicodedata.category(character) != "Cc" for character in first_name + last_name)
            and day.isoformat() == birthdate and (document + number).isascii() and (document + number).isdigit()
            and 1 <= int(document) < 2**32 and 0 <= int(number) <= 9999):
        raise ValueError("not a valid bet")
    names = b"".join(struct.pack(">I", len(name)) + name for name in names)
    midnight = (day - EPOCH).days * 86_400
    return struct.pack(">I", agency) + names + struct.pack(">IqI", int(document), midnight, int(number))

def read_bets(agency, path):
    """The encoded bets, and the number of invalid rows, which are reported and skipped."""
    bets, rejected = [], 0
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
        for line_number, line in enumerate(file, 1):
            try:
                rows = csv.reader([line.removesuffix("\n").removesuffix("\r")])
                bets += [encode_bet(agency, *row) for row in rows if row]
            except (ValueError, TypeError, csv.Error) as error:
                print(f"{path} line {line_number}: {error}", file=sys.stderr)
                rejected += 1
    return bets, rejected

def batches(bets):
    """RegisterBets messages with these bets, as few as the bound allows."""
    batch, batch_bytes = [], 6
    for bet in bets:
        if batch_bytes + 8 + len(bet) > MESSAGE_BYTES_MAX:
            yield struct.pack(">HI", REGISTER_BETS, len(batch)) + b"".join(batch)
            batch, batch_bytes = [], 6
        batch.append(struct.pack(">Q", len(bet)) + bet)
        batch_bytes += 8 + len(bet)
    if batch:
        yield struct.pack(">HI", REGISTER_BETS, len(batch)) + b"".join(batch)

def take(stream, layout):
    """The next fields. The read returns all the bytes, or fewer at the end of the stream."""
    data = stream.read(struct.calcsize(layout))
    if len(data) < struct.calcsize(layout):
        raise EOFError("the central closed the connection")
    return struct.unpack(layout, data)

def receive(stream, expected, layout):
    """The fields of the next message, which must be of the expected type."""
    (kind,) = take(stream, ">H")
    if kind == FAILED:
        (code,) = take(stream, ">H")
        raise (EOFError if code == NOT_STORED else Refused)(f"refused by the central with code {code}")
    if kind != expected:
        raise Refused(f"the central sent type {kind} where {expected} was due")
    return take(stream, layout)

def converse(agency, address, bets):
    """The conversation over one connection, from Hello to the winners."""
    with socket.create_connection(address, ANSWER_SECONDS) as connection, connection.makefile("rb") as stream:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.sendall(struct.pack(">HHI", HELLO, VERSION, agency))
        stored, crc, state = receive(stream, WELCOME, ">QIB")
        if stored > len(bets) or crc != zlib.crc32(b"".join(bets[:stored])):
            raise Refused(f"the central has {stored} bets of this agency that are not the first ones here")
        if state != BETTING and stored < len(bets):
            raise Refused(f"betting is closed with the first {stored} bets; the rows after them were not sent")
        for batch in batches(bets[stored:]):
            connection.sendall(batch)
            receive(stream, OK, "")
        connection.sendall(struct.pack(">HH", ALL_BETS_SENT, REQUEST_WINNERS))
        connection.settimeout(None)  # The draw takes as long as the slowest agency.
        (count,) = receive(stream, WINNERS, ">Q")
        if count > len(bets):
            raise Refused(f"the central sent {count} winners for {len(bets)} bets")
        return take(stream, f">{count}I")

def main():
    for number in signal.SIGTERM, signal.SIGINT:
        signal.signal(number, lambda *_: sys.exit(0))
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    try:
        agency, (host, port), path = int(sys.argv[1]), sys.argv[2].rsplit(":", 1), sys.argv[3]
        address = host, int(port)
        bets, rejected = read_bets(agency, path)
    except (IndexError, ValueError, OSError) as error:
        print(f"agency.py: {error}\n{__doc__}", file=sys.stderr)
        sys.exit(2)
    for retries_left in reversed(range(RETRIES)):
        try:
            winners = converse(agency, address, bets)
            break
        except (Refused, OSError, EOFError) as error:  # After the latter two, another try may succeed.
            if isinstance(error, Refused) or retries_left == 0:
                sys.exit(f"agency.py: {error}")
            print(f"action: connect | result: in_progress | error: {error}", flush=True)
            time.sleep(0.5)
    print(f"action: consulta_ganadores | result: success | cant_ganadores: {len(winners)}")
    print(f"action: ganadores | result: success | dnis: {','.join(map(str, winners))}")
    sys.exit(1 if rejected else 0)

if __name__ == "__main__":
    main()
