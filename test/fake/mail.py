#!/usr/bin/python3
"""A mail server on loopback (Debian's python3-aiosmtpd), for tests.

    mail.py FILE [--tls CERTIFICATE KEY] [--at-once] [--login USER PASSWORD] [--refuse LINE]

It prints "mail listens on PORT", and writes each mail that it takes into FILE, as a line
of JSON: from, to, data, tls, user.  With --tls it offers STARTTLS and demands it; with
--at-once TLS begins at once.  With --refuse it says that line to each recipient.  It
serves until its input ends.
"""

import argparse
import json
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Handler:
    def __init__(self, options):
        self.options = options

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if self.options.refuse:
            return self.options.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        with open(self.options.file, "a") as file:
            user = session.auth_data.login.decode() if session.auth_data else None
            file.write(json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos, "user": user,
                                   "tls": session.ssl is not None, "data": envelope.content.decode("latin-1")}) + "\n")
        return "250 taken"


class Server(Controller):
    options = None
    context = None

    def _trigger_server(self):
        """The class looks whether it answers: at the port that it was given."""
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()

    def factory(self):
        options = self.options
        starttls = options.tls and not options.at_once

        def authenticate(server, session, envelope, mechanism, data):
            known = isinstance(data, LoginPassword) and [data.login.decode(), data.password.decode()] == options.login
            return AuthResult(success=known, handled=known, auth_data=data if known else None)

        return SMTP(self.handler, tls_context=self.context if starttls else None, require_starttls=bool(starttls),
                    authenticator=authenticate if options.login else None, auth_required=bool(options.login),
                    auth_require_tls=bool(starttls))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--tls", nargs=2)
    parser.add_argument("--at-once", action="store_true")
    parser.add_argument("--login", nargs=2)
    parser.add_argument("--refuse")
    options = parser.parse_args()
    Server.options = options
    if options.tls:
        Server.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        Server.context.load_cert_chain(*options.tls)
    server = Server(Handler(options), hostname="127.0.0.1", port=0,
                    ssl_context=Server.context if options.at_once else None)
    server.start()
    print("mail listens on %d" % server.port, flush=True)
    sys.stdin.read()
    server.stop()


main()
