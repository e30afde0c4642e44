"""Clients that no ready-made generator offers, each run as `python3 -m lib.client WHAT …`, printing JSON.

    handshakes PORT PATH SECONDS CONNECTIONS   a new TLS connection with a full handshake for each request
    steady PORT PATH RATE SECONDS CONNECTIONS  requests at a fixed rate, whatever the answers do
    logins PORT SECONDS CONNECTIONS            each connection logs its user in without pause
"""
import collections
import contextlib
import gc
import http.client
import json
import os
import re
import select
import socket
import ssl
import sys
import threading
import time

from . import tokens

ADDRESS = "127.0.0.1"


def micros(since, until):
    return round((until - since) * 1e6, 1)


def together(count, work):
    """`count` threads that each fill a dictionary of their own."""
    told = [collections.Counter() for _ in range(count)]
    threads = [threading.Thread(target=work, args=(number, told[number])) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(told, collections.Counter())


def handshakes(port, path, seconds, connections):
    port, seconds, took = int(port), float(seconds), []
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    begin = time.monotonic()

    def work(_, told):
        while (now := time.monotonic()) < begin + seconds:
            try:
                # Nothing carries a session from one connection to the next.
                with context.wrap_socket(socket.create_connection((ADDRESS, port), 10), server_hostname="localhost") as s:
                    s.sendall(request)
                    answer = b""
                    while piece := s.recv(65536):
                        answer += piece
            except OSError:
                told["broken"] += 1
                continue
            took.append(micros(now, time.monotonic()))
            told["bytes"] += len(answer)
            told["refused"] += not answer.startswith(b"HTTP/1.1 200 ")

    told = together(int(connections), work)
    return {"took": took, "seconds": time.monotonic() - begin, "refused": told["refused"], "broken": told["broken"],
            "bytes": told["bytes"]}


def steady(port, path, rate, seconds, connections):
    """Latency counts from the moment at which a request was due: a proxy that stands still is not let off."""
    port, rate, total = int(port), float(rate), int(float(rate) * float(seconds))
    # The client shall be on time, whoever else wants the processor.
    with contextlib.suppress(OSError):
        os.nice(-10)
    gc.disable()
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    free, busy, waiting, took, late, wrong = [connect(port) for _ in range(int(connections))], {}, collections.deque(), [], [], 0
    begin, sent = time.monotonic() + 0.05, 0
    while len(took) < total:
        now = time.monotonic()
        if now > begin + total / rate + 20:
            raise SystemExit("answers did not come within 20 seconds")
        while sent < total and begin + sent / rate <= now:
            waiting.append(begin + sent / rate)
            late.append(micros(waiting[-1], now))
            sent += 1
        while waiting and free:
            s, due = free.pop(), waiting.popleft()
            s.sendall(request)
            busy[s] = (due, b"")
        pause = max(0.0, begin + sent / rate - time.monotonic()) if sent < total else 1.0
        for s in select.select(list(busy), [], [], pause)[0]:
            due, answer = busy[s]
            piece = s.recv(65536)
            answer += piece
            if piece and not complete(answer):
                busy[s] = (due, answer)
                continue
            took.append(micros(due, time.monotonic()))
            wrong += not answer.startswith(b"HTTP/1.1 200 ")
            del busy[s]
            if not piece or b"\r\nconnection: close\r\n" in answer.lower():
                s.close()
                s = connect(port)
            free.append(s)
    return {"took": took, "late": late, "wrong": wrong, "seconds": time.monotonic() - begin}


def connect(port):
    s = socket.create_connection((ADDRESS, port), 10)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def complete(answer):
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return bool(end) and length and len(body) >= int(length.group(1))


def logins(port, seconds, connections):
    port, seconds = int(port), float(seconds)
    begin = time.monotonic()

    def work(number, told):
        name, password = tokens.user(number % tokens.USERS + 1)
        body = json.dumps({"username": name, "password": password})
        connection = http.client.HTTPConnection(ADDRESS, port, timeout=60)
        while time.monotonic() < begin + seconds:
            connection.request("POST", "/api-auth/", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            page = answer.read()
            told[str(answer.status) if answer.status != 200 or b'"token"' in page else "200 without a token"] += 1

    told = together(int(connections), work)
    return {"answers": dict(told), "seconds": time.monotonic() - begin}


if __name__ == "__main__":
    what = {"handshakes": handshakes, "steady": steady, "logins": logins}[sys.argv[1]]
    print(json.dumps(what(*sys.argv[2:])))
