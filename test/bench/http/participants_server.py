#!/usr/bin/python3
"""A provider with many participants, for benchmarks: participants_server.py PORT RECORDS

/race/N/participants?after_registration_id=A&results_per_page=S gives the S participants
after A, nested as RunSignUp nests them.  It costs little: a page is a copy of one that is
prepared, with other numbers in it.  /lines gives them one a line, in whole thousands.
It ends with its input.
"""

import json
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, urlsplit

RECORDS = int(sys.argv[2])
FIRST = 10_000_000
pages = {}


def participant(n):
    return {
        "user": {"user_id": 55000000 + n, "first_name": "First%d" % (n % 997), "middle_name": None, "last_name": "Last%d" % (n % 9973),
                 "email": "p%d@example.org" % n, "dob": "19%02d-%02d-%02d" % (n % 90 + 10, n % 12 + 1, n % 28 + 1), "gender": "FMX"[n % 3],
                 "phone": "503-555-%04d" % (n % 10000), "profile_image_url": None,
                 "address": {"street": "%d Quay Ln" % (n % 500), "city": "Salem", "state": "OR", "zipcode": "97301", "country_code": "US"}},
        "registration_id": "@%04d@" % n, "event_id": 71001, "rsu_transaction_id": 4000 + n, "transaction_id": "zz_%d_0" % n,
        "bib_num": n if n % 4 else None, "chip_num": None, "age": n % 80 + 10, "registration_date": "3/%d/2026 09:15" % (n % 28 + 1),
        "team_id": None, "team_name": None, "last_modified": 1772614500 + n, "imported": "FT"[n % 2],
        "race_fee": "$1,040.00" if n % 50 == 0 else "$40.00", "processing_fee": "$2.40", "amount_paid": "$42.40"}


def page(after, size):
    """The records after a registration, at most so many; the numbers of a page end in 0001 .. size."""
    number, rest = divmod(after - FIRST, size)
    count = min(size, RECORDS - (after - FIRST))
    if count <= 0:
        return b'[{"event": {"event_id": 71001, "participants": []}, "participants": []}]'
    if rest or count < size:
        return json.dumps([{"participants": [dict(participant(n % 1000 + 1), registration_id=after + 1 + n) for n in range(count)]}]).encode()
    if size not in pages:
        pages[size] = prepared(json.dumps([{"event": {"event_id": 71001, "participants": []},
                                            "participants": [participant(n + 1) for n in range(size)]}]))
    return numbered(pages[size], after)


def prepared(text):
    """What is between the numbers of records."""
    pieces = text.encode().split(b'"@')
    return [pieces[0]] + [piece.split(b'@"', 1)[1] for piece in pieces[1:]]


def numbered(pieces, after):
    return pieces[0] + b"".join(b"%d%s" % (after + i, piece) for i, piece in enumerate(pieces[1:], 1))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def send_lines(self):
        """All records; the end of the connection is the end of them."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.end_headers()
        pieces = prepared("".join(json.dumps(participant(n + 1)) + "\n" for n in range(1000)))
        for after in range(FIRST, FIRST + RECORDS, 1000):
            self.wfile.write(numbered(pieces, after))

    def do_GET(self):
        parts = urlsplit(self.path)
        if parts.path == "/lines":
            return self.send_lines()
        query = dict(parse_qsl(parts.query))
        body = page(int(query.get("after_registration_id", FIRST)), int(query.get("results_per_page", 1000)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        """Clients that go away are no news."""


server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("listening on %d" % server.server_address[1], flush=True)
sys.stdin.read()
