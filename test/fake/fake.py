#!/usr/bin/env python3
"""Fake web APIs, each a server on loopback, for tests and for trying out.

    fake.py NAME [--port N] [--tls CERTIFICATE KEY] [SWITCH=VALUE ...]

NAME is a module of this folder with a class Api.  It prints one line,
"NAME listens on URL", and serves until its input ends.

What an API really does stands in its module; what is not known for sure is a
switch there.  The faults below are our own, and every API has them.  Switches are
set on the command line or by a request: POST /_/set?slow_ms=100.  GET /_/log gives
the requests so far as JSON, POST /_/clear forgets them.

    slow_ms=N          wait before each answer
    fail=N             the next N answers are status fail_status (503)
    fail_from=N        the Nth answer from now, and all after it, are that status
    throttle=N         the next N answers are status 429
    retry_after=TEXT   with that header
    cut=N              send N bytes of the body, then close
    drop_after=N       the Nth request that is no GET from now is done, and not answered;
    drops=M            so are the M after it
    wrong_json=1       the body lacks its end
    big=N              the body is an array of N bytes
    redirect=URL       every answer is a redirect there
    gzip=1             the body is packed, asked for or not
    gzip_unsaid=1      likewise, and no header says so
    body=HEX           the body is these bytes
    endless_header=1   the header never ends
    chunk_ms=N         wait between lines of a streamed body
"""

import gzip
import importlib
import json
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit


class Request:
    """What was asked: the path unquoted in segments, parameters, body."""

    def __init__(self, handler, body):
        parts = urlsplit(handler.path)
        self.method = handler.command
        self.raw_path = handler.path
        self.path = parts.path
        self.segments = [unquote(s) for s in parts.path.split("/")[1:]]
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.raw_query = parts.query
        self.headers = handler.headers
        self.body = body
        self.base = "%s://%s" % (handler.server.scheme, handler.headers.get("Host", ""))

    def form(self):
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


class Answer:
    """What is answered: body is text, bytes, JSON or a generator of lines."""

    def __init__(self, body, status=200, headers=None, kind="application/json"):
        self.body, self.status = body, status
        self.headers = dict(headers or {})
        self.headers.setdefault("Content-Type", kind)


class Raw:
    """What is answered as it is: a generator of bytes, which ends the connection."""

    def __init__(self, pieces):
        self.pieces = pieces


class Switches(dict):
    def number(self, name, otherwise=0):
        return int(self.get(name, otherwise))

    def on(self, name):
        return self.get(name, "0") not in ("", "0", "off")

    def count_down(self, name):
        """True as long as a switch is above 0, which it goes down by one."""
        left = self.number(name)
        self[name] = str(max(left - 1, 0))
        return left > 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def serve(self):
        server = self.server
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(self, self.rfile.read(length))
        if request.segments[0] == "_":
            return self.control(request)
        with server.lock:
            server.log.append({
                "method": request.method, "path": request.path, "query": request.query,
                "raw": request.raw_path, "at": time.time(), "body": request.body.decode("latin-1"),
                "headers": {k.lower(): v for k, v in self.headers.items()},
                "connection": "%s:%d" % self.client_address[:2]})
        answer = self.answer_with_faults(request)
        if request.method != "GET" and self.is_dropped():
            self.close_connection = True
            return
        if isinstance(answer, Raw):
            self.close_connection = True
            for piece in answer.pieces:
                self.wfile.write(piece)
            return
        self.send(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def control(self, request):
        server = self.server
        with server.lock:
            if request.segments[1] == "set":
                server.switches.update(request.query, **request.form())
            elif request.segments[1] == "clear":
                server.log.clear()
        body = json.dumps(server.log if request.segments[1] == "log" else {}).encode()
        self.send_head(Answer(body), {"Content-Length": str(len(body))})
        self.wfile.write(body)

    def answer_with_faults(self, request):
        switches, lock = self.server.switches, self.server.lock
        headers = {"Retry-After": switches["retry_after"]} if switches.get("retry_after") else {}
        if switches.number("slow_ms"):
            time.sleep(switches.number("slow_ms") / 1000)
        with lock:
            if switches.count_down("fail"):
                return Answer("out of order", switches.number("fail_status", 503), headers, "text/html")
            if switches.number("fail_from") > 1:
                switches["fail_from"] = str(switches.number("fail_from") - 1)
            elif switches.number("fail_from") == 1:
                return Answer("out of order", switches.number("fail_status", 503), headers, "text/html")
            if switches.count_down("throttle"):
                return Answer({"error": "slow down"}, 429, headers)
        if switches.get("redirect"):
            return Answer("", int(switches.get("redirect_status", 302)), {"Location": switches["redirect"]})
        if switches.get("body"):
            return Answer(bytes.fromhex(switches["body"]))
        if switches.number("big"):
            return Answer(self.server.big(switches.number("big")))
        return self.server.api.answer(request)

    def is_dropped(self):
        switches = self.server.switches
        with self.server.lock:
            if switches.number("drop_after") > 1:
                switches["drop_after"] = str(switches.number("drop_after") - 1)
                return False
            if switches.number("drop_after") == 1:
                switches["drop_after"] = "0"
                return True
            return switches.count_down("drops")

    def send(self, answer):
        switches, body = self.server.switches, answer.body
        if switches.on("endless_header"):
            return self.send_endless_header()
        if hasattr(body, "__next__"):
            return self.send_lines(answer)
        if isinstance(body, str):
            body = body.encode()
        elif not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if switches.on("wrong_json"):
            body = body[:-1]
        if switches.on("gzip_unsaid"):
            body = gzip.compress(body)
        if switches.on("gzip"):
            body = gzip.compress(body)
            answer.headers["Content-Encoding"] = "gzip"
        self.send_head(answer, {"Content-Length": str(len(body))})
        cut = switches.number("cut", -1)
        if self.command != "HEAD" and answer.status != 304:
            self.wfile.write(body[:cut] if cut >= 0 else body)
        if cut >= 0:
            self.close_connection = True

    def send_head(self, answer, more):
        self.send_response_only(answer.status)
        for name, value in {**answer.headers, **more}.items():
            self.send_header(name, value)
        self.end_headers()

    def send_lines(self, answer):
        """A body of which nobody knows the end, a chunk a line."""
        switches = self.server.switches
        left = switches.number("cut", -1)
        self.send_head(answer, {"Transfer-Encoding": "chunked"})
        try:
            for line in answer.body:
                data = line.encode()
                if 0 <= left <= len(data):
                    data, left = data[:left], 0
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data) if data else b"")
                self.wfile.flush()
                if left == 0:
                    self.close_connection = True
                    return
                left -= len(data) if left > 0 else 0
                time.sleep(switches.number("chunk_ms") / 1000)
            self.wfile.write(b"0\r\n\r\n")
        finally:
            answer.body.close()

    def send_endless_header(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        line = b"X-Filler: " + b"x" * 1000 + b"\r\n"
        while True:
            self.wfile.write(line)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, name, port, switches, tls):
        super().__init__(("127.0.0.1", port), Handler)
        self.lock = threading.RLock()
        self.log = []
        self.switches = Switches(switches)
        self.scheme = "https" if tls else "http"
        self.api = importlib.import_module(name).Api(self.switches, self.lock)
        self.url = "%s://127.0.0.1:%d" % (self.scheme, self.server_address[1])
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.socket = context.wrap_socket(self.socket, server_side=True)

    @staticmethod
    def big(size):
        return b'["' + b"x" * max(size - 4, 0) + b'"]'

    def handle_error(self, request, client_address):
        """Clients that go away are no news."""


def main(arguments):
    name, port, tls, switches = arguments[0], 0, None, {}
    rest = arguments[1:]
    while rest:
        word = rest.pop(0)
        if word == "--port":
            port = int(rest.pop(0))
        elif word == "--tls":
            tls = (rest.pop(0), rest.pop(0))
        else:
            switches.update([word.split("=", 1)])
    # a module of this folder finds Answer in the program itself
    sys.modules.setdefault("fake", sys.modules["__main__"])
    server = Server(name, port, switches, tls)
    print("%s listens on %s" % (name, server.url), flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1:])
