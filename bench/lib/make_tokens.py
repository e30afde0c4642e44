"""Keys and tokens of the other issuer. Run by a Python that has PyJWT and cryptography:

    make_tokens.py FOLDER ISSUER AUDIENCE COUNT SECRET_FILE

Keys are made once: `RS256.pub.pem` and so on, `issuer.jwks.json` with the public ones. Tokens each
time: `tokens.ALG`, one a line, and `wrong.ALG`, tokens that must be refused, each with what is wrong before it.
`wrong.HS256` is made with the gateway's own secret, in the gateway's own form.
"""
import json
import pathlib
import secrets
import sys
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

# The gateway takes no token that lives longer than a day.
LIFETIME = 12 * 60 * 60
MAKE = {
    "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


def private(folder, name):
    path = folder / f"{name}.pem"
    if not path.exists():
        key = MAKE[name]()
        path.touch(0o600)
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
        (folder / f"{name}.pub.pem").write_bytes(key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    return serialization.load_pem_private_key(path.read_bytes(), None)


def public_jwk(key, name):
    made = jwt.get_algorithm_by_name(name).to_jwk(key.public_key(), as_dict=True)
    made.pop("key_ops", None)
    return made | {"alg": name, "use": "sig", "kid": name}


def claims(issuer, audience, number, now):
    return {"iss": issuer, "sub": f"user-{number:05d}", "aud": audience, "iat": now, "exp": now + LIFETIME,
            "jti": secrets.token_urlsafe(16)}


def wrong(good, key, algorithm, headers):
    """Each differs from a good token in one thing."""
    sign = lambda changed: jwt.encode(good | changed, key, algorithm, headers)
    head, body, signature = sign({}).split(".")
    forged = ".".join([head, body, secrets.token_urlsafe(len(signature) * 3 // 4)])
    nothing = jwt.encode(good, None, "none", headers | {"alg": "none"})
    hour_ago = int(time.time()) - 3600
    return [("forged", forged), ("expired", sign({"iat": hour_ago - 60, "exp": hour_ago})), ("issuer", sign({"iss": "nobody"})),
            ("audience", sign({"aud": "somebody-else"})), ("unsigned", nothing)]


def write(path, lines):
    path.touch(0o600)
    path.write_text("".join(line + "\n" for line in lines))


def main():
    folder, issuer, audience, count, secret_file = sys.argv[1:]
    folder, now = pathlib.Path(folder), int(time.time())
    keys = {name: private(folder, name) for name in MAKE}
    (folder / "issuer.jwks.json").write_text(json.dumps({"keys": [public_jwk(key, name) for name, key in keys.items()]}))
    for name, key in keys.items():
        headers = {"kid": name}
        made = [jwt.encode(claims(issuer, audience, n, now), key, name, headers) for n in range(int(count))]
        write(folder / f"tokens.{name}-external", made)
        bad = wrong(claims(issuer, audience, 0, now), key, name, headers)
        write(folder / f"wrong.{name}-external", [" ".join(pair) for pair in bad])
    secret = pathlib.Path(secret_file).read_bytes().strip()
    ours = claims("gateway", audience, 0, now) | {"sub": "1", "client_id": audience, "sid": "s", "ver": 0}
    bad = wrong(ours, secret, "HS256", {"typ": "at+jwt", "kid": "configured"})
    write(folder / "wrong.HS256", [" ".join(pair) for pair in bad])


if __name__ == "__main__":
    main()
