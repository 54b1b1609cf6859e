import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from homeportd.auth.codes import MAX_CODES, Codes, browser_of
from homeportd.auth.limiter import FAILURES, WINDOW_S, Limiter
from homeportd.auth.passwords import A_CLIENT, WAITING, WAITING_LOGINS
from homeportd.auth.paths import local_path
from homeportd.auth.service import LOGIN_SESSION_DAYS, MAX_TOKENS, Auth
from homeportd.auth.signing import Signer, read_key
from homeportd.auth.store import AuthStore
from homeportd.clock import now
from homeportd.database import Database, migrations
from homeportd.endings import Endings
from homeportd.errors import Problem
from homeportd.networks import client_key

HERE = ip_address("203.0.113.7")
KEY = b"k" * 32


class Clock:
    def __init__(self):
        self.now = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def auth(database, passwords, clock):
    made = Auth(AuthStore(database), passwords, KEY, Endings(database), clock)
    await made.load()
    yield made
    await made.close()


async def reopened(database, passwords, clock):
    made = Auth(AuthStore(database), passwords, KEY, Endings(database), clock)
    await made.load()
    return made


async def test_login_sessions_survive_a_restart_end_by_time_and_by_logging_out(
    auth, database, passwords, clock
):
    cookie, other = await auth.open_login_session(), await auth.open_login_session()
    again = await reopened(database, passwords, clock)
    session = again.login_session(cookie)
    assert again.login_session_alive(session.id)
    await again.close_login_session(session.id)
    assert again.login_session(cookie) is None
    assert (await reopened(database, passwords, clock)).login_session(cookie) is None
    clock.now += timedelta(days=LOGIN_SESSION_DAYS)
    assert again.login_session(other) is None


async def test_a_cookie_from_before_the_table_was_renamed_is_still_good(tmp_path, passwords, monkeypatch):
    path, cookie = tmp_path / "homeport.db", "a cookie of the release before"
    steps = migrations()[:3]
    with monkeypatch.context() as patch:
        patch.setattr("homeportd.database.migrations", lambda: steps)
        before = await Database.open(path)
    async with before.transaction() as connection:
        await connection.execute(
            "INSERT INTO sessions VALUES ('one', ?, '2026-01-01T00:00:00Z', '2999-01-01T00:00:00Z')",
            (hashlib.sha256(cookie.encode()).digest(),),
        )
    await before.close()
    after = await Database.open(path)
    auth = await reopened(after, passwords, now)
    session = auth.login_session(cookie)
    assert session is not None
    assert session.id == "one"
    await after.close()


async def test_nothing_secret_is_stored(auth, database, tmp_path):
    cookie = await auth.open_login_session()
    _token, secret = await auth.create_token("ci")
    await auth.set_password("correct horse", None)
    await database.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for text in (cookie, secret, "correct horse"):
        assert text.encode() not in stored


async def test_tokens_are_made_used_and_revoked(auth, database, passwords, clock):
    emitted = []
    auth.revoked.subscribe(lambda: emitted.append(1))
    token, secret = await auth.create_token(" ci ")
    assert (token.name, secret[:3]) == ("ci", "hp_")
    assert secret.startswith(token.prefix)
    assert auth.token(secret).last_used_at == clock.now
    assert auth.token(secret + "x") is None
    assert auth.token("hp_" + "x" * 43) is None
    await auth.close()
    again = await reopened(database, passwords, clock)
    assert again.tokens()[0].last_used_at == clock.now
    await auth.revoke_token(token.id)
    assert auth.token(secret) is None
    assert emitted == [1]
    with pytest.raises(Problem):
        await auth.revoke_token(token.id)


async def test_a_token_that_is_being_revoked_is_not_replaced(auth):
    token, secret = await auth.create_token("ci")
    both = (auth.revoke_token(token.id), auth.rotate_token(token.id, 600))
    _, refused = await asyncio.gather(*both, return_exceptions=True)
    assert isinstance(refused, Problem)
    assert auth.token(secret) is None
    assert auth.tokens() == []


async def test_a_token_that_is_replaced_twice_at_a_time_has_one_successor(auth):
    token, _ = await auth.create_token("ci")
    done = await asyncio.gather(*(auth.rotate_token(token.id, 600) for _ in range(2)), return_exceptions=True)
    assert [type(each) for each in done] == [tuple, Problem]
    assert len(auth.tokens()) == 2


async def test_tokens_made_side_by_side_keep_the_limit(auth):
    making = [auth.create_token("ci") for _ in range(MAX_TOKENS + 5)]
    made = await asyncio.gather(*making, return_exceptions=True)
    assert sum(isinstance(one, Problem) for one in made) == 5
    assert len(auth.tokens()) == MAX_TOKENS


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb", "\x1b[31m"])
async def test_a_token_needs_a_printable_name(auth, name):
    with pytest.raises(Problem) as caught:
        await auth.create_token(name)
    assert caught.value.status == 422


async def test_the_password_ends_other_sessions_and_guesses_are_limited(auth):
    kept, other = await auth.open_login_session(), await auth.open_login_session()
    await auth.set_password("correct horse", auth.login_session(kept).id)
    assert auth.login_session(kept)
    assert auth.login_session(other) is None
    await auth.log_in("correct horse", HERE)
    for _ in range(FAILURES):
        with pytest.raises(Problem) as caught:
            await auth.log_in("wrong", HERE)
        assert caught.value.status == 401
    with pytest.raises(Problem) as caught:
        await auth.log_in("correct horse", HERE)
    assert caught.value.status == 429
    await auth.log_in("correct horse", ip_address("203.0.113.8"))


async def test_without_a_password_none_is_right(auth):
    with pytest.raises(Problem):
        await auth.log_in("", HERE)


async def test_passwords_longer_than_bcrypt_reads_differ_at_their_end(auth):
    await auth.set_password("x" * 100 + "a", None)
    with pytest.raises(Problem):
        await auth.log_in("x" * 100 + "b", HERE)


async def test_a_password_that_is_replaced_while_it_is_checked_lets_nobody_in(auth, passwords, monkeypatch):
    await auth.set_password("correct horse", None)
    matches = passwords.matches

    async def slowly(password, hashed, waiting):
        right = await matches(password, hashed, waiting)
        await auth.set_password("another horse", None)
        return right

    monkeypatch.setattr(passwords, "matches", slowly)
    with pytest.raises(Problem) as caught:
        await auth.log_in("correct horse", HERE)
    assert caught.value.status == 401


async def test_a_password_that_is_replaced_while_it_lets_somebody_in_ends_that_session(auth, database):
    await auth.set_password("correct horse", None)
    await database._writing.acquire()  # a slow disk
    replacing = asyncio.create_task(auth.set_password("another horse", None))
    while not database._writing._waiters:  # noqa: ASYNC110
        await asyncio.sleep(0)
    logging_in = asyncio.create_task(auth.log_in("correct horse", HERE))
    while not auth._entering._waiters:  # noqa: ASYNC110
        await asyncio.sleep(0)
    database._writing.release()
    await replacing
    with pytest.raises(Problem):
        await logging_in
    assert not auth._login_sessions


async def test_a_guess_that_nobody_could_check_does_not_count(auth, passwords, monkeypatch):
    await auth.set_password("correct horse", None)
    with monkeypatch.context() as busy:
        busy.setattr(passwords, "_busy", WAITING_LOGINS)
        for _ in range(FAILURES):
            with pytest.raises(Problem) as caught:
                await auth.log_in("correct horse", HERE)
            assert caught.value.status == 503
    assert auth.login_session(await auth.log_in("correct horse", HERE))


async def test_a_login_link_works_once(auth):
    code, _expires = auth.make_login_code()
    assert auth.redeem_login_code(code)
    assert not auth.redeem_login_code(code)


async def test_a_handoff_carries_a_login_session_to_one_port_once(auth):
    session = auth.login_session(await auth.open_login_session())
    code = auth.make_handoff(session.id, 3000, "browser")
    assert auth.redeem_handoff(code, 4000, "browser") is None
    assert auth.redeem_handoff(code, 3000, "browser") is None, "a code shown to the wrong port is spent"
    assert auth.redeem_handoff(auth.make_handoff(session.id, 3000, "browser"), 3000, "another") is None
    cookie = auth.redeem_handoff(auth.make_handoff(session.id, 3000, "browser"), 3000, "browser")
    assert auth.owner_of(cookie, 3000) == session.id
    assert auth.owner_of(cookie, 4000) is None
    assert auth.owner_of(cookie[:-1] + "x", 3000) is None
    await auth.close_login_session(session.id)
    assert auth.owner_of(cookie, 3000) is None


def test_a_browser_is_an_address_and_a_user_agent():
    here = browser_of(ip_address("203.0.113.7"), "Firefox")
    assert here != browser_of(ip_address("203.0.113.8"), "Firefox")
    assert here != browser_of(ip_address("203.0.113.7"), "Chrome")
    assert browser_of(ip_address("2001:db8::1"), "") == browser_of(ip_address("2001:db8::2"), "")
    assert (
        browser_of(ip_address("127.0.0.1"), "") == browser_of(ip_address("::1"), "") == browser_of(None, "")
    )


def test_codes_end_by_time_and_are_bounded():
    now = [0.0]
    codes = Codes(10, lambda: now[0])
    old = codes.make("x")
    for _ in range(MAX_CODES):
        fresh = codes.make("y")
    assert codes.redeem(old) is None
    now[0] = 10.0
    assert codes.redeem(fresh) is None


def test_the_limit_slides():
    now = [0.0]
    limiter = Limiter(lambda: now[0])
    for _ in range(FAILURES):
        assert limiter.wait_s("k") == 0
        limiter.note("k", right=False)
        now[0] += 1
    assert limiter.wait_s("k") == WINDOW_S - FAILURES
    now[0] = WINDOW_S
    assert limiter.wait_s("k") == 0


def test_one_client_is_one_ipv6_network():
    assert client_key(ip_address("2001:db8::1")) == client_key(ip_address("2001:db8::ffff:1"))
    assert client_key(ip_address("2001:db8::1")) != client_key(ip_address("2001:db8:0:1::1"))
    assert client_key(ip_address("::ffff:10.0.0.1")) == "10.0.0.1"


def test_signed_values_hold_for_their_purpose_alone():
    signed = Signer(KEY, "a").sign("text~with~tildes")
    assert Signer(KEY, "a").verify(signed) == "text~with~tildes"
    assert Signer(KEY, "b").verify(signed) is None
    assert Signer(b"x" * 32, "a").verify(signed) is None
    for wrong in ("", "~", signed[:-1], signed + "0", "x" * 5000, "é" + signed):
        assert Signer(KEY, "a").verify(wrong) is None


def test_the_key_is_made_once_and_private(tmp_path):
    path = tmp_path / "secret.key"
    key = read_key(path)
    assert read_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    path.write_bytes(b"short")
    with pytest.raises(ValueError, match="not a key"):
        read_key(path)


@pytest.mark.parametrize("text", ["/", "/a?b=c#d", "/a//b", "/é"])
def test_local_paths_are_kept(text):
    assert local_path(text) == text


@pytest.mark.parametrize(
    "text", ["", "a", "//evil", "/\\evil", "http://evil", "/\t/evil", "/a\r\nb", "/a\\b", "/" + "x" * 5000]
)
def test_ways_off_this_origin_lead_home(text):
    assert local_path(text) == "/"


async def test_one_client_takes_neither_the_queue_nor_the_owners_part_of_it(passwords, monkeypatch):
    hashed = await passwords.hash("secret")
    busiest, run = [0], passwords._run

    async def counted(*arguments):
        busiest[0] = max(busiest[0], passwords._busy + 1)
        return await run(*arguments)

    monkeypatch.setattr(passwords, "_run", counted)

    async def guess(client):
        async with passwords.turn(client):
            return await passwords.matches("secret", hashed)

    results = await asyncio.gather(
        *(guess("203.0.113.7") for _ in range(A_CLIENT + 3)), return_exceptions=True
    )
    assert results[:A_CLIENT] == [True] * A_CLIENT
    assert [error.status for error in results[A_CLIENT:]] == [503] * 3
    assert busiest == [1]
    assert passwords._queues == {}

    crowd = await asyncio.gather(*(guess(str(n)) for n in range(WAITING + 5)), return_exceptions=True)
    assert crowd.count(True) == WAITING
    monkeypatch.setattr(passwords, "_busy", WAITING)  # full of visitors
    assert await passwords.matches("secret", hashed, WAITING_LOGINS)
    assert await passwords.hash("another")
    with pytest.raises(Problem):
        await passwords.matches("secret", hashed)


async def test_right_passwords_side_by_side_are_no_guesses(auth):
    await auth.set_password("correct horse", None)
    cookies = await asyncio.gather(*(auth.log_in("correct horse", HERE) for _ in range(3 * FAILURES)))
    assert len(set(cookies)) == 3 * FAILURES
    wrong = await asyncio.gather(*(auth.log_in("no", HERE) for _ in range(12)), return_exceptions=True)
    assert sorted(error.status for error in wrong) == [401] * FAILURES + [429] * (12 - FAILURES)
