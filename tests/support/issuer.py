"""An authorization server in a thread: metadata, keys that can be rotated, tokens of any kind, and ways to fail."""

import json
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

PATH = "/realms/shop"
AUDIENCE = "https://try-on.shop.example/mcp"
BOTH = "openid try_on:read try_on:create"
_EXPONENT = 65537
_PRIMES = Path(__file__).with_name("rsa_primes.txt")
"""Of RSA keys, two for each: every worker of the tests would look for some, which takes 50 ms a key."""
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@cache
def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    """One of three RSA keys."""
    p, q = (int(prime, 16) for prime in _PRIMES.read_text("ascii").split()[2 * number : 2 * number + 2])
    d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
    of_primes = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, *of_primes, rsa.RSAPublicNumbers(_EXPONENT, p * q))
    # That they are primes was seen when they were found.
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


@cache
def elliptic_key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    """A key on the curve P-256."""
    assert number >= 0
    return ec.generate_private_key(ec.SECP256R1())


@cache
def edwards_key() -> ed25519.Ed25519PrivateKey:
    """A key on the curve Ed25519."""
    return ed25519.Ed25519PrivateKey.generate()


def public_pem(key: PrivateKey) -> bytes:
    """What everybody may know of a key, as it is often handed around."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def published(key: PrivateKey, **members: Any) -> dict[str, Any]:
    """A key as it stands in a set of keys."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        written = RSAAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        written = ECAlgorithm.to_jwk(public, as_dict=True)
    else:
        written = OKPAlgorithm.to_jwk(public, as_dict=True)
    return {**written, "use": "sig", **members}


class Issuer:
    """Whoever has its address trusts it."""

    def __init__(self) -> None:
        self.origin = ""
        self.asked: list[str] = []
        """The paths that were asked for."""
        self.places = {f"/.well-known/oauth-authorization-server{PATH}"}
        """Where the metadata are."""
        self.keys: list[dict[str, Any]] = [published(rsa_key(), kid="first")]
        self.answer: Callable[[BaseHTTPRequestHandler], None] | None = None
        """What it does instead of what it should."""
        self.said: dict[str, Any] = {}
        """What its metadata say beside or instead of the truth."""

    @property
    def name(self) -> str:
        """The issuer, as tokens and metadata name it."""
        return self.origin + PATH

    @property
    def times_asked_for_keys(self) -> int:
        return sum(path.endswith("/keys") for path in self.asked)

    def token(
        self, key: PrivateKey | str | bytes | None = None, kid: str | None = "first", alg: str = "RS256", **changed: Any
    ) -> str:
        """A token that is good, but for what is changed; a claim that is None is left out."""
        claims = {
            "iss": self.name,
            "aud": AUDIENCE,
            "sub": "ana",
            "scope": BOTH,
            "iat": int(time.time()),
            "exp": int(time.time()) + 600,
            **changed,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        headers = None if kid is None else {"kid": kid}
        return jwt.encode(kept, cast("Any", rsa_key() if key is None else key), algorithm=alg, headers=headers)

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request."""
        self.asked.append(request.path)
        if self.answer is not None:
            self.answer(request)
        elif request.path in self.places:
            say(request, {"issuer": self.name, "jwks_uri": f"{self.origin}/keys", **self.said})
        elif request.path == "/keys":
            say(request, {"keys": self.keys})
        else:
            say(request, {}, 404)


def say(request: BaseHTTPRequestHandler, value: object, status: int = 200, **headers: str) -> None:
    """Answer with an object."""
    body = json.dumps(value).encode()
    request.send_response(status)
    for name, text in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
        request.send_header(name, text)
    request.end_headers()
    request.wfile.write(body)


@contextmanager
def issuing() -> Generator[Issuer]:
    """An issuer that listens on loopback."""
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.handle(self)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name that is called)
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    issuer.origin = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
