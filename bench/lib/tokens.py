"""Keys, certificate and a thousand tokens of each kind, kept in the work folder for some hours.

Kinds: `EdDSA`, `HS256` and `HS256-drf` are the gateway's own, minted by itself for twenty of its users; `RS256`,
`ES256` and `EdDSA-external` come from another issuer. Peers check the very same tokens, but those of `HS256-drf`,
which have neither issuer nor audience.
"""
import json
import pathlib
import secrets
import time

from . import install
from .places import WORK
from .process import Failure, run

KEYS = WORK / "keys"
COUNT, USERS = 1000, 20
# They live for twelve hours.
FRESH = 6 * 60 * 60
ISSUER, AUDIENCE, OURS = "https://login.example.com", "api", "gateway"
OWN = {"EdDSA": "standard", "HS256": "hs256", "HS256-drf": "drf"}
# Of tokens that the other issuer signs, the file is named after the algorithm and this.
EXTERNAL = {"RS256": "RS256-external", "ES256": "ES256-external", "EdDSA-external": "EdDSA-external"}


def tokens_file(kind):
    return KEYS / f"tokens.{EXTERNAL.get(kind, kind)}"


def wrong_file(kind):
    return KEYS / f"wrong.{EXTERNAL.get(kind, kind)}"


def read(kind):
    return tokens_file(kind).read_text().split()


def wrong(kind):
    """What is wrong with a token, and the token; none for kinds whose key is the gateway's secret alone."""
    path = wrong_file(kind)
    return [line.split(" ", 1) for line in path.read_text().splitlines()] if path.exists() else []


def user(number):
    return f"bench-{number:02d}", f"a passphrase of user {number:02d}"


def prepare():
    """The folder, the shared secret and the certificate."""
    KEYS.mkdir(parents=True, exist_ok=True)
    KEYS.chmod(0o700)
    secret = KEYS / "hs256.secret"
    if not secret.exists():
        secret.touch(0o600)
        secret.write_text(secrets.token_hex(16))
    if not (KEYS / "both.pem").exists():
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", KEYS / "tls.key", "-out", KEYS / "tls.crt", "-days", "3650", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], "make a certificate")
        both = KEYS / "both.pem"
        both.touch(0o600)
        both.write_bytes((KEYS / "tls.crt").read_bytes() + (KEYS / "tls.key").read_bytes())


def is_fresh(path):
    return path.exists() and time.time() - path.stat().st_mtime < FRESH and len(path.read_text().split()) >= COUNT


def external(tools):
    """Keys and tokens of the other issuer."""
    if not all(map(is_fresh, map(tokens_file, EXTERNAL))) or not wrong_file("HS256").exists():
        script = pathlib.Path(__file__).with_name("make_tokens.py")
        run([install.python(tools), script, KEYS, ISSUER, AUDIENCE, COUNT, KEYS / "hs256.secret"], "make tokens")


def own(kind, home, progress):
    """Tokens of the gateway's own users. `home` runs a command of the gateway on their data folder."""
    path = tokens_file(kind)
    if is_fresh(path):
        return
    progress.note(f"minting {COUNT} tokens: {kind}")
    known = {entry["username"] for entry in json.loads(home("user", "list", "--json"))}
    made = []
    for number in range(1, USERS + 1):
        name, password = user(number)
        if name not in known:
            home("user", "add", name, "--password-stdin", input=password + "\n")
        made += [home("token", "mint", name).strip() for _ in range(COUNT // USERS)]
    # User after user would favour a cache: the turns are theirs.
    turns = [made[first::COUNT // USERS] for first in range(COUNT // USERS)]
    path.touch(0o600)
    path.write_text("".join(token + "\n" for turn in turns for token in turn))


def forge():
    """The tokens of `HS256` with another signature: what a stranger sends."""
    path = tokens_file("forged-HS256")
    lines = []
    for token in read("HS256"):
        head, claims, signature = token.split(".")
        lines.append(".".join([head, claims, secrets.token_urlsafe(32)]))
        if len(lines[-1]) != len(token):
            raise Failure("a forged token has not the length of a real one")
    path.touch(0o600)
    path.write_text("".join(line + "\n" for line in lines))
