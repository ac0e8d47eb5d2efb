"""Which tokens the running service takes, each with the status that it gets, in both modes and in both at once."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from kolors_mcp.service_settings import ServiceSettings
from tests.support.commands import environment
from tests.support.issuer import AUDIENCE, Issuer, edwards_key, elliptic_key, issuing, public_pem, published, rsa_key
from tests.support.letting_in import Door
from tests.support.over_http import ENVELOPE, TAKES, Answer, Serving, asked, serving

METADATA = "/.well-known/oauth-protected-resource/mcp"
STATIC = {"reads": "secret-reads", "ana": "secret-ana"}
LINES = (
    "# people\n"
    f"ana {hashlib.sha256(b'secret-ana').hexdigest()} try_on:read,try_on:create\n"
    f"reader {hashlib.sha256(b'secret-reads').hexdigest()} try_on:read\n"
)


def posted(
    service: Serving, token: str | None, tool: str = "get_account", path: str = "/mcp", said: str | None = None
) -> Answer:
    """What a call of the protocol of 2026 is answered; `said` is what its header calls the tool, if it differs."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "_meta": ENVELOPE}}
    if tool != "get_account":
        body["params"]["arguments"] = {}  # pyright: ignore[reportIndexIssue, reportArgumentType]
    headers = [
        ("Accept", TAKES),
        ("Content-Type", "application/json"),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", said or tool),
        *([] if token is None else [("Authorization", f"Bearer {token}")]),
    ]
    return asked(service, "POST", path, *headers, body=json.dumps(body).encode())


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as made:
        yield made


def variables(tmp_path: Path, issuer: Issuer | None, *, tokens: bool) -> dict[str, str]:
    """The environment of a service that takes tokens of these kinds."""
    given = {"KOLORS_SANDBOX": "1", "KOLORS_AUDIENCE": AUDIENCE}
    if issuer is not None:
        given["KOLORS_ISSUER"] = issuer.name
    if tokens:
        (tmp_path / "tokens").write_text(LINES)
        given["KOLORS_TOKENS"] = str(tmp_path / "tokens")
    return environment(tmp_path, **given)


def unsigned(issuer: Issuer) -> str:
    """A good token without a signature."""
    claims = issuer.token().split(".")[1]
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT","kid":"first"}').rstrip(b"=").decode()
    return f"{header}.{claims}."


def signed_with_the_public_key(issuer: Issuer) -> str:
    """A token of whoever knows only what everybody may know, which some take for a shared secret."""
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT","kid":"first"}').rstrip(b"=").decode()
    signing = f"{header}.{issuer.token().split('.')[1]}"
    made = hmac.new(public_pem(rsa_key()), signing.encode(), hashlib.sha256).digest()
    return f"{signing}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


def test_each_token_of_an_issuer_gets_what_it_is_due(issuer: Issuer, tmp_path: Path) -> None:
    issuer.keys = [
        published(rsa_key(), kid="first"),
        published(elliptic_key(), kid="curve"),
        published(edwards_key(), kid="edwards"),
        published(rsa_key(2), kid="for-secrets", use="enc"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared", "alg": "HS256"},
    ]
    now = int(time.time())
    rows: list[tuple[str, str | None, int]] = [
        ("none", None, 401),
        ("empty", "", 401),
        ("garbage", "garbage", 401),
        ("three parts of garbage", "a.b.c", 401),
        ("good", issuer.token(), 200),
        ("good, by an elliptic curve", issuer.token(elliptic_key(), "curve", "ES256"), 200),
        ("good, by an Edwards curve", issuer.token(edwards_key(), "edwards", "EdDSA"), 200),
        ("good, with padding by chance", issuer.token(alg="PS256"), 200),
        ("good, without the key's name", issuer.token(kid=None), 200),
        ("for several audiences", issuer.token(aud=["https://other.example", AUDIENCE]), 200),
        ("scopes as a list", issuer.token(scope=None, scp=["try_on:read"]), 200),
        ("just expired, by a clock that differs", issuer.token(exp=now - 5), 200),
        ("expired", issuer.token(exp=now - 120), 401),
        ("never expires", issuer.token(exp=None), 401),
        ("not valid yet", issuer.token(nbf=now + 600), 401),
        ("another audience", issuer.token(aud="https://other.example/mcp"), 401),
        ("an audience that only begins so", issuer.token(aud=f"{AUDIENCE}/more"), 401),
        ("no audience", issuer.token(aud=None), 401),
        ("another issuer", issuer.token(iss="https://login.other.example"), 401),
        ("the issuer with a slash", issuer.token(iss=f"{issuer.name}/"), 401),
        ("no issuer", issuer.token(iss=None), 401),
        ("nobody", issuer.token(sub=None), 401),
        ("an empty name", issuer.token(sub=""), 401),
        ("not signed", unsigned(issuer), 401),
        ("signed with the public key", signed_with_the_public_key(issuer), 401),
        ("signed with a published secret", issuer.token("secret" * 8, "shared", "HS256"), 401),
        ("another's key under a known name", issuer.token(rsa_key(1)), 401),
        ("an unknown key", issuer.token(rsa_key(1), "unknown"), 401),
        ("a key for something else", issuer.token(rsa_key(2), "for-secrets"), 401),
        ("the curve's name with another kind of key", issuer.token(rsa_key(), "curve"), 401),
        ("no scope of ours", issuer.token(scope="openid"), 403),
        ("no scope at all", issuer.token(scope=None), 403),
        ("only creating", issuer.token(scope="try_on:create"), 403),
        ("a static one, where there are none", "secret-ana", 401),
    ]
    with serving(variables(tmp_path, issuer, tokens=False), tmp_path) as service:
        found = {name: posted(service, token).status for name, token, _ in rows}
        metadata = json.loads(asked(service, "GET", METADATA).body)
        bare = asked(service, "GET", "/.well-known/oauth-protected-resource").status
    assert found == {name: status for name, _, status in rows}
    assert metadata["authorization_servers"] == [issuer.name]
    assert metadata["scopes_supported"] == ["try_on:read", "try_on:create"]
    assert metadata["resource"] == service.url
    assert bare == 404
    # However many of them were wrong, the issuer was asked for its keys a few times.
    assert issuer.times_asked_for_keys < 4


def test_a_challenge_names_the_scope_and_where_the_issuer_is_named(issuer: Issuer, tmp_path: Path) -> None:
    with serving(variables(tmp_path, issuer, tokens=True), tmp_path) as service:
        first = posted(service, None)
        create = posted(service, None, "create_try_on")
        lacks = {tool: posted(service, "secret-reads", tool) for tool in ("create_try_on", "start_try_on")}
        encoded = posted(service, "secret-reads", "create_try_on", said="=?base64?Y3JlYXRlX3RyeV9vbg==?=")
        lies = posted(service, "secret-reads", "create_try_on", said="get_account")
        older = asked(service, "POST", "/mcp", ("Accept", TAKES), body=b"{}")
        both = posted(service, "secret-ana"), posted(service, issuer.token())
    assert lies.status == 400, "the header decides on the scope, so it has to be true"
    where = f'resource_metadata="http://{service.host}{METADATA}"'
    assert first.status == create.status == older.status == 401
    assert 'scope="try_on:read"' in first.headers["www-authenticate"]
    assert 'scope="try_on:create"' in create.headers["www-authenticate"]
    # Of older protocols only the body says what is called, and their clients ask once.
    assert 'scope="try_on:read try_on:create"' in older.headers["www-authenticate"]
    assert all(where in each.headers["www-authenticate"] for each in (first, create, older))
    for answer in (*lacks.values(), encoded):
        assert answer.status == 403
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
        assert 'scope="try_on:create"' in answer.headers["www-authenticate"]
    assert [answer.status for answer in both] == [200, 200]


def test_without_an_issuer_static_tokens_are_taken_and_nothing_is_discovered(issuer: Issuer, tmp_path: Path) -> None:
    with serving(variables(tmp_path, None, tokens=True), tmp_path) as service:
        refused = posted(service, "wrong")
        statuses = {
            "ana": posted(service, "secret-ana").status,
            "reads": posted(service, "secret-reads").status,
            "an issuer's": posted(service, issuer.token()).status,
            "the hash itself": posted(service, hashlib.sha256(b"secret-ana").hexdigest()).status,
            "in the query": posted(service, None, path="/mcp?access_token=secret-ana&token=secret-ana").status,
            "metadata": asked(service, "GET", METADATA).status,
            "metadata of an issuer": asked(service, "GET", "/.well-known/oauth-authorization-server").status,
            "metadata of OpenID": asked(service, "GET", "/.well-known/openid-configuration").status,
        }
    assert statuses == {
        "ana": 200, "reads": 200, "an issuer's": 401, "the hash itself": 401, "in the query": 401,
        "metadata": 404, "metadata of an issuer": 404, "metadata of OpenID": 404,
    }  # fmt: skip
    assert refused.status == 401
    assert "resource_metadata" not in refused.headers["www-authenticate"]
    assert "wrong" not in refused.body


@pytest.mark.anyio
@pytest.mark.parametrize("content", [None, "", "\n# nobody\n", "ana secret-ana try_on:read\n", "\0\xff\n"])
async def test_a_file_without_one_good_line_lets_nobody_in(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    if content is not None:
        await anyio.Path(path).write_bytes(content.encode("latin-1"))
    door = Door(ServiceSettings(tokens=path))
    assert (await door.status("secret-ana"), await door.status(None)) == (401, 401)
    assert not await door.authentication.can_let_in()


def test_a_service_that_can_let_nobody_in_says_that_it_is_not_ready(tmp_path: Path) -> None:
    env = variables(tmp_path, None, tokens=True)
    (tmp_path / "tokens").write_text("ana secret-ana try_on:read\n")
    with serving(env, tmp_path) as service:
        assert posted(service, "secret-ana").status == 401
        assert posted(service, None).status == 401
        ready = asked(service, "GET", "/readyz")
    assert ready.status == 503
    assert "ana" not in ready.body
