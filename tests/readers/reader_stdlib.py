#!/usr/bin/env python3
"""Python's http.server, as a service that honours method overrides. Usage: reader_stdlib.py RECORD [--bodies]

Without --bodies it leaves a body of GET, HEAD and OPTIONS where it is, as handlers that expect none do: what
was a body is then read as the next request.
"""
import http.server
import sys
import urllib.parse

from record import Record

OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")


class Reader(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name):
        # `do_` and the method: this server serves every one of them.
        if name.startswith("do_"):
            return self.serve
        raise AttributeError(name)

    def serve(self):
        query = urllib.parse.parse_qs(self.path.partition("?")[2])
        override = next(filter(None, map(self.headers.get, OVERRIDES)), None)
        effective = override or query.get("_method", [None])[-1] or self.command
        body, whole = b"", True
        if self.command not in ("GET", "HEAD", "OPTIONS") or "--bodies" in sys.argv:
            body, whole = self.body()
        number = record.write(method=self.command, effective=effective.strip().upper(), whole=whole,
                              target=self.requestline.split()[1], headers=self.headers.items(),
                              body=body.decode("latin-1"))
        self.send_response(200)
        self.send_header("X-Read", number)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def body(self):
        """RFC 9112 §6, which http.server leaves to its handlers. With it: whether the end was reached."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            return body, len(body) == length
        body = b""
        while size := self.rfile.readline():
            length = int(size.partition(b";")[0], 16)
            if length == 0:
                while self.rfile.readline() not in (b"\r\n", b""):
                    pass
                return body, True
            body += self.rfile.read(length)
            self.rfile.readline()
        return body, False

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256


if __name__ == "__main__":
    record = Record(sys.argv[1])
    server = Server(("127.0.0.1", 0), Reader)
    print("listening on 127.0.0.1:%d" % server.server_port, flush=True)
    server.serve_forever()
