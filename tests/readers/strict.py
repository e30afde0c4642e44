"""The one right reading of what a client sends on a connection (RFC 9112), and of what it gets back.

What is not right ends the reading: nothing behind it is a request. Beside what the RFC lets a server forgive (empty
lines in front of a request and bare LF, §2.2) stands here what the gateway's HTTP library forgives without being asked
to, so that it is on one page, and that a service reads the very same in each case:

  - a target with blanks or signs that belong into no target is percent-encoded before anybody reads it
  - the size of a chunk may be left out, which ends the body; an extension may be anything without CR
  - the trailers of a chunked body are dropped unread
"""
import dataclasses
import re

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(%s) ([!#-;=?-~\x80-\xff]+) HTTP/1\.([01])" % TOKEN)
MENDED_LINE = re.compile(rb"(\w+) (.+) HTTP/1\.([01])", re.S)
FIELD = re.compile(rb"(%s):[ \t]*([\t\x20-\x7e\x80-\xff]*)" % TOKEN)
CHUNK = re.compile(rb"([0-9A-Fa-f]{0,16})[ \t]*(?:;[^\r]*)?\r\n")
TRAILER = re.compile(rb"[^\r\n]*\r\n")


class Wrong(Exception):
    """Not HTTP/1.1."""


class Unfinished(Exception):
    """The bytes end before the message does."""


@dataclasses.dataclass
class Request:
    method: str
    target: str
    version: int
    headers: list
    body: bytes
    whole: bool

    def all(self, name):
        return [value for n, value in self.headers if n.lower() == name]


def line(data, at):
    end = data.find(b"\n", at)
    if end < 0:
        raise Unfinished
    return data[at:end].removesuffix(b"\r"), end + 1


def fields(data, at):
    found = []
    while True:
        text, at = line(data, at)
        if not text:
            return found, at
        field = FIELD.fullmatch(text)
        if not field:
            raise Wrong(text)
        found.append((field[1].decode("latin-1"), field[2].decode("latin-1").strip(" \t")))


def body(data, at, request):
    codings, lengths = request.all("transfer-encoding"), request.all("content-length")
    if codings:
        if lengths or request.version == 0 or [c.lower() for c in codings] != ["chunked"]:
            raise Wrong("framing")
        return chunks(data, at, request)
    if len(lengths) > 1 or any(not re.fullmatch("[0-9]+", n) or int(n) >= 1 << 63 for n in lengths):
        raise Wrong("framing")
    length = int(lengths[0]) if lengths else 0
    request.body = data[at : at + length]
    if len(request.body) < length:
        raise Unfinished
    return at + length


def match(pattern, data, at):
    found = pattern.match(data, at)
    if found:
        return found[0], found.end()
    raise Unfinished if b"\n" not in data[at:] else Wrong(data[at:])


def chunks(data, at, request):
    while True:
        size, at = match(CHUNK, data, at)
        length = int(CHUNK.match(size)[1] or b"0", 16)
        if length == 0:
            break
        request.body += data[at : at + length]
        at += length
        if at + 2 > len(data):
            raise Unfinished
        if data[at : at + 2] != b"\r\n":
            raise Wrong("chunk")
        at += 2
    trailer = None
    while trailer != b"\r\n":
        trailer, at = match(TRAILER, data, at)
    return at


def request_line(text):
    """Method, target and minor version."""
    found = REQUEST_LINE.fullmatch(text)
    if found:
        return found[1].decode(), found[2].decode("latin-1"), int(found[3])
    found = MENDED_LINE.fullmatch(text)
    if not found:
        raise Wrong(text)
    mended = (chr(b) if 0x20 < b < 0x7F and b not in b'<>"' else f"%{b:02X}" for b in found[2])
    return found[1].decode(), "".join(mended), int(found[3])


def requests(data):
    """The requests that are there, and how many bytes they take."""
    found, at = [], 0
    try:
        while at < len(data):
            text, after = line(data, at)
            if not text:
                at = after
                continue
            method, target, version = request_line(text)
            headers, after = fields(data, after)
            request = Request(method, target, version, headers, b"", False)
            hosts = request.all("host")
            if len(hosts) > 1 or (not hosts and request.version == 1):
                raise Wrong("Host")
            found.append(request)
            at = body(data, after, request)
            request.whole = True
    except (Wrong, Unfinished):
        pass
    return found, at


def answers(data, asked):
    """How many whole answers are there, and whether the last of them ends the connection."""
    count, at, last = 0, 0, False
    try:
        while at < len(data):
            text, after = line(data, at)
            headers, after = fields(data, after)
            status = int(re.fullmatch(rb"HTTP/1\.[01] (\d{3}) .*", text)[1])
            if status < 200:
                at = after
                continue
            answer = Request("", "", 1, headers, b"", False)
            head = count < len(asked) and asked[count].method == "HEAD"
            at = after if head or status in (204, 304) else body(data, after, answer)
            count, last = count + 1, "close" in answer.all("connection")
    except Unfinished:
        pass
    return count, last
