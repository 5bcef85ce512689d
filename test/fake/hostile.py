"""No real API: what no server should say, and some do.

The path says which.  /echo tells in an error what it was asked with, switch "before" says
behind how many other bytes; /known has the ETag that switch "etag" says, in HEX; /again?cursor=C gives cursors that lead back, /same the same page
whatever its number; /wait?v=V wants to be left alone for V; /token gives what switch "token"
says.  The others are bytes as they stand below.
"""

import gzip
import json
import time
import zlib

from fake import Answer, Raw

ONE = b'[{"id": 1}]'


def head(more=b"", status=b"200 OK"):
    return b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\n" + more


def sized(body, more=b""):
    return head(more + b"Content-Length: %d\r\n\r\n" % len(body)) + body


def once(data):
    def pieces():
        yield data
    return pieces


def forever(first, piece, wait_s=0.0):
    def pieces():
        yield first
        while True:
            yield piece
            time.sleep(wait_s)
    return pieces


def packed(body):
    return gzip.compress(body[:30]) + gzip.compress(body[30:])


def bomb():
    """Zeroes, 256 MB of them, packed so that they go twice into a few bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    inner = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()
    return sized(gzip.compress(inner), b"Content-Encoding: gzip, gzip\r\n")


def lines():
    """A record of 1 kB a line, 200 MB of them."""
    yield head(b"\r\n")
    for n in range(200):
        yield b"".join(b'{"id": %d, "n": "%s"}\n' % (n * 1000 + i, b"x" * 1000) for i in range(1000))


TEN = json.dumps([{"id": n} for n in range(10)]).encode()

RAW = {
    "chunk-short": once(head(b"Transfer-Encoding: chunked\r\n\r\n") + b"5\r\n" + ONE + b"\r\n0\r\n\r\n"),
    "chunk-endless": once(head(b"Transfer-Encoding: chunked\r\n\r\n") + b"FFFFFFFFFFFFFFFFF\r\n" + ONE + b"\r\n0\r\n\r\n"),
    "chunk-none": once(head(b"Transfer-Encoding: chunked\r\n\r\n") + b"b\r\n" + ONE + b"\r\n"),
    "length-long": once(head(b"Content-Length: 4096\r\n\r\n") + ONE),
    "length-negative": once(head(b"Content-Length: -5\r\n\r\n") + ONE),
    "length-and-chunks": once(head(b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n") + b"b\r\n" + ONE + b"\r\n0\r\n\r\n"),
    # what stands behind an answer is not the answer to the next request
    "smuggled": once(head(b"Content-Length: 11\r\n\r\n") + ONE + sized(b'[{"id": 666}]')),
    "no-header": once(ONE),
    "other-protocol": once(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "continue": forever(b"", b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" * 1000),
    "continue-ten": once(b"HTTP/1.1 100 Continue\r\nLink: </x>; rel=\"next\"\r\n\r\n" * 10 + sized(ONE)),
    "trailers": forever(head(b"Transfer-Encoding: chunked\r\n\r\n") + b"b\r\n" + ONE + b"\r\n0\r\n", b"X: " + b"y" * 1000 + b"\r\n"),
    "half-header": forever(b"HTTP/1.1 200 OK\r\n", b"", 0.1),
    "slow-header": forever(b"HTTP/1.1 200 OK\r\nX: ", b"y", 0.1),
    "half-body": forever(head(b"Content-Length: 4096\r\n\r\n") + ONE, b"", 0.1),
    "slow-body": forever(head(b"Content-Length: 4096\r\n\r\n"), b" ", 0.1),
    "members": once(sized(packed(TEN))),
    "members-cut": once(sized(packed(TEN)[:-12])),
    "long-line": once(sized(json.dumps({"id": 1, "n": "x" * 1000000}).encode() + b'\n{"id": 2}\n')),
    "page": once(sized(b"<html>Back in five minutes</html>", b"Content-Type: text/html\r\n")),
    "deep": once(sized(b'{"data": [{"id": 1, "x": ' + b"[" * 100000 + b"]" * 100000 + b"}]}")),
    "twice": once(sized(b'{"data": [{"id": 1, "id": 2, "\\u0069d": 3}]}')),
    "vast": once(sized(b'{"data": [{"id": 1e400000}]}')),
    "zero": once(sized(b'{"data": [{"id": 1, "n\\u0000": 1}]}')),
    "half-letter": once(sized(b'{"data": [{"id": 1, "n": "\\ud800"}]}')),
    "control": once(sized(b'{"data": [{"id": 1, "n": "\x01"}]}')),
    "utf-16": once(sized('{"data": [{"id": 1}]}'.encode("utf-16"))),
}


class Api:
    def __init__(self, switches, lock):
        self.switches = switches

    def answer(self, request):
        name = request.segments[0]
        if name == "bomb":
            return Raw(once(bomb())())
        if name == "lines":
            return Raw(lines())
        if name == "user":
            return Answer("", 302, {"Location": request.base.replace("://", "://u:p@") + "/one"})
        if name in RAW:
            return Raw(RAW[name]())
        return getattr(self, "get_" + name)(request)

    def get_one(self, request):
        return Answer([{"id": 1, "authorization": request.headers.get("Authorization")}])

    def get_echo(self, request):
        said = "x" * self.switches.number("before") + " ".join(request.headers.get(name, "-") for name in ("Authorization", "X-Secret"))
        return Answer({"error": {"message": said + self.switches.get("behind", "")}}, 400)

    def get_known(self, request):
        return Answer([{"id": 1}], headers={"ETag": bytes.fromhex(self.switches["etag"]).decode("latin-1")})

    def get_again(self, request):
        cursor = request.query.get("cursor", "a")
        return Answer({"data": [{"id": ord(cursor)}], "next": {"a": "b", "b": "c", "c": "d", "d": "b"}[cursor]})

    def get_same(self, request):
        return Answer({"data": [{"id": n} for n in range(10)]})

    def get_wait(self, request):
        return Answer({}, 429, {"Retry-After": request.query["v"]})

    def get_token(self, request):
        return Answer(self.switches.get("token", "").encode(), kind="text/html")
