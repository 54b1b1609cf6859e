"""Proofs of the owner: login sessions, tokens, login links, the dashboard's password, the hand-off to a port."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

from homeportd import clock
from homeportd.auth.codes import Codes
from homeportd.auth.limiter import Limiter
from homeportd.auth.model import LoginSession, Scope, Token
from homeportd.auth.passwords import SHORTEST, WAITING_LOGINS, Passwords
from homeportd.auth.signing import Signer
from homeportd.auth.store import AuthStore
from homeportd.endings import Endings
from homeportd.errors import Problem, invalid, not_found
from homeportd.networks import client_key
from homeportd.signal import Signal
from homeportd.tasks import TaskSet

LOGIN_SESSION_DAYS = 30
LOGIN_LINK_S = 10 * 60
HANDOFF_S = 60  # how long a code of a hand-off is good
MAX_TOKENS = 100
MAX_NAME = 64  # characters of a token's name
TOKEN_PREFIX = "hp_"  # noqa: S105 - lets secret scanners recognise a leaked token
MAX_GRACE_S = 7 * 86400  # how long a replaced token may live on
USE_WRITTEN_EVERY = timedelta(minutes=1)


class Auth:
    """All proofs of the owner; a lookup is by hash and in memory."""

    def __init__(
        self,
        store: AuthStore,
        passwords: Passwords,
        key: bytes,
        endings: Endings,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._store = store
        self._endings = endings
        self._passwords = passwords
        self._now = now
        self._login_sessions: dict[bytes, LoginSession] = {}
        self._living: frozenset[str] = frozenset()  # ids of the login sessions that held at the last sweep
        self._tokens: dict[bytes, Token] = {}
        self._password: str | None = None
        self._limiter = Limiter()
        self._logins = Codes(LOGIN_LINK_S)
        self._handoffs = Codes(HANDOFF_S)
        # A login session or a token has ended, and with it whatever it opened.
        self.revoked: Signal[[]] = Signal()
        # A token was replaced: the old token, the new one, the new one's secret.
        self.rotated: Signal[[Token, Token, str]] = Signal()
        self._owner_cookies = Signer(key, "owner cookie of a port")
        self._writes = TaskSet()  # uses and ends of tokens, on their way to the disk
        self._entering = asyncio.Lock()  # held while the password changes, or opens a login session
        self._ending = asyncio.Lock()  # held while a token is made or replaced: one at a time

    async def load(self) -> None:
        """Read what the database holds."""
        self._login_sessions = {session.hash: session for session in await self._store.login_sessions()}
        self._tokens = {token.hash: token for token in await self._store.tokens()}
        self._password = await self._store.password()

    # Login sessions of the dashboard

    def login_session(self, cookie: str) -> LoginSession | None:
        """The login session of this cookie value, None when there is none or its time is over."""
        session = self._login_sessions.get(_hash(cookie)) if len(cookie) <= 64 else None
        return session if session and self._now() < session.expires_at else None

    def login_session_alive(self, session_id: str) -> bool:
        """Whether the login session of this id still holds."""
        now = self._now()
        return any(s.id == session_id and now < s.expires_at for s in self._login_sessions.values())

    async def open_login_session(self) -> str:
        """The cookie value of a new login session; the value is kept nowhere."""
        cookie, now = secrets.token_urlsafe(32), self._now()
        session = LoginSession(
            secrets.token_hex(8), _hash(cookie), now, now + timedelta(days=LOGIN_SESSION_DAYS)
        )
        # In memory first: what ends others meanwhile keeps on disk those that memory has.
        self._login_sessions = {h: s for h, s in self._login_sessions.items() if now < s.expires_at} | {
            session.hash: session
        }
        try:
            await self._store.add_login_session(session)
        except BaseException:
            self._login_sessions.pop(session.hash, None)
            raise
        return cookie

    async def close_login_session(self, session_id: str) -> None:
        """End one login session. Raises Problem 503: it has ended, and the disk does not know."""
        self._login_sessions = {h: s for h, s in self._login_sessions.items() if s.id != session_id}
        self.revoked.emit()
        await self._endings.write(
            f"login session {session_id}",
            "the login session has ended",
            lambda: self._store.delete_login_session(session_id),
        )

    # One-time login links

    def make_login_code(self) -> tuple[str, datetime]:
        """A code for a login link, and when it ends."""
        return self._logins.make("login"), self._now() + timedelta(seconds=LOGIN_LINK_S)

    def redeem_login_code(self, code: str) -> bool:
        """Whether the code is good; it is not a second time."""
        return self._logins.redeem(code) is not None

    # The dashboard's password

    @property
    def has_password(self) -> bool:
        """Whether one can log in with a password at all."""
        return self._password is not None

    async def set_password(self, password: str, kept_session: str | None) -> None:
        """Set the dashboard's password and end every session but `kept_session`.

        Raises Problem 422, and 503: the old password and the sessions have ended, and the disk does not know.
        """
        if len(password) < SHORTEST:
            raise invalid(f"the password is shorter than {SHORTEST} characters", "choose a longer one")
        hashed = await self._passwords.hash(password)
        self._password = hashed
        self._login_sessions = {h: s for h, s in self._login_sessions.items() if s.id == kept_session}
        self.revoked.emit()
        async with self._entering:
            await self._endings.write(
                "password",
                "the old password and the other login sessions have ended",
                lambda: self._store.set_password(
                    self._password or hashed, [s.id for s in self._login_sessions.values()]
                ),
            )

    async def log_in(self, password: str, address: IPv4Address | IPv6Address | None) -> str:
        """As `open_login_session`. Raises Problem 401 for a wrong password, 429 after too many from this address."""
        hashed = self._password
        client = client_key(address) if address else "local"
        self._refuse_guesses(client)
        # A queue of its own: guesses at a share's password from the owner's address hold no login up.
        async with self._passwords.turn(f"login from {client}"):
            self._refuse_guesses(client)  # others of this client may have been wrong meanwhile
            right = hashed is not None and await self._passwords.matches(password, hashed, WAITING_LOGINS)
            if hashed is not None:
                self._limiter.note(client, right=right)
        async with self._entering:
            if not right or self._password != hashed:  # it was changed while this one was being checked
                raise Problem(
                    401, "the password is wrong", "try again, or run homeport login-link on the machine"
                )
            return await self.open_login_session()

    def _refuse_guesses(self, client: str) -> None:
        wait_s = self._limiter.wait_s(client)
        if wait_s:
            raise Problem(
                429,
                "too many wrong passwords",
                f"wait {int(wait_s) // 60 + 1} minutes, or use homeport login-link",
            )

    # Tokens

    def tokens(self) -> list[Token]:
        """Every token, oldest first."""
        now = self._now()
        living = [token for token in self._tokens.values() if not token.expired(now)]
        return sorted(living, key=lambda token: (token.created_at, token.id))

    def token(self, secret: str, scope: Scope = Scope.OWNER) -> Token | None:
        """The living token with this secret and scope; its use is noted, on disk at most once a minute."""
        if not secret.startswith(TOKEN_PREFIX) or len(secret) > 64:
            return None
        token, now = self._tokens.get(_hash(secret)), self._now()
        if token is None or token.scope is not scope or token.expired(now):
            return None
        if token.last_used_at is None or now - token.last_used_at >= USE_WRITTEN_EVERY:
            token = replace(token, last_used_at=now)
            self._tokens[token.hash] = token
            self._writes.spawn(self._store.use_token(token), "use of a token")
        return token

    def token_alive(self, token_id: str) -> bool:
        """Whether a token still holds."""
        return self._by_id(token_id) is not None

    def lineage_alive(self, lineage: str) -> bool:
        """Whether any token of a lineage still holds."""
        now = self._now()
        return any(t.lineage == lineage and not t.expired(now) for t in self._tokens.values())

    async def create_token(self, name: str, scope: Scope = Scope.OWNER) -> tuple[Token, str]:
        """A new token and its secret, which is kept nowhere."""
        name = name.strip()
        if not name or len(name) > MAX_NAME or not name.isprintable():
            raise invalid(
                "the name of the token is empty, too long or not printable", f"use 1 to {MAX_NAME} characters"
            )
        async with self._ending:  # or some made side by side would be more than there may be
            token, secret = self._mint(name, scope, None)
            await self._store.add_token(token)
            self._tokens[token.hash] = token
        return token, secret

    async def rotate_token(self, token_id: str, grace_s: int) -> tuple[Token, str]:
        """Replace a token: its successor and the secret, kept nowhere. The old one holds for `grace_s` more.

        Raises Problem 404 for an unknown token, 409 for one that was replaced already, 422 for the grace.
        """
        if not 0 <= grace_s <= MAX_GRACE_S:
            raise invalid(
                f"grace_s is not between 0 and {MAX_GRACE_S}",
                "an hour, 3600, suits most; leave it out for that",
            )
        async with self._ending:
            old = self._by_id(token_id)
            if old is None:
                raise not_found(f"token {token_id}", "homeport token list shows the ids")
            if old.expires_at is not None:
                raise Problem(409, f"token {token_id} was replaced already", "rotate the newest of its name")
            old = replace(old, expires_at=self._now() + timedelta(seconds=grace_s))
            token, secret = self._mint(old.name, old.scope, old.lineage)
            await self._store.add_token(token, old)
            self._tokens[token.hash] = token
            if old.hash in self._tokens:  # and was not revoked meanwhile
                self._tokens[old.hash] = old
        self.rotated.emit(old, token, secret)
        return token, secret

    async def revoke_token(self, token_id: str) -> None:
        """End a token. Raises Problem 404 for an unknown one, and 503: it has ended, and the disk does not know."""
        if not self.token_alive(token_id):
            raise not_found(f"token {token_id}", "homeport token list shows the ids")
        self._forget(token_id)
        self.revoked.emit()
        await self._endings.write(
            f"token {token_id}",
            f"token {token_id} is revoked",
            lambda: self._store.delete_token(token_id),
        )

    def sweep(self) -> None:
        """Emit `revoked` for login sessions whose time is over; delete tokens whose grace is over."""
        now = self._now()
        living = frozenset(
            session.id for session in self._login_sessions.values() if now < session.expires_at
        )
        ended, self._living = self._living - living, living
        if ended:
            self.revoked.emit()
        for token in [token for token in self._tokens.values() if token.expired(now)]:
            self._forget(token.id)
            self._writes.spawn(self._store.delete_token(token.id), "end of a token")
            self.revoked.emit()

    def _mint(self, name: str, scope: Scope, lineage: str | None) -> tuple[Token, str]:
        if len(self._tokens) >= MAX_TOKENS:
            raise Problem(409, f"there are {MAX_TOKENS} tokens already", "revoke one that is not used")
        secret, id_ = TOKEN_PREFIX + secrets.token_urlsafe(32), secrets.token_hex(4)
        token = Token(id_, name, secret[:7], _hash(secret), self._now(), None, scope, lineage or id_)
        return token, secret

    def _by_id(self, token_id: str) -> Token | None:
        now = self._now()
        found = (t for t in self._tokens.values() if t.id == token_id and not t.expired(now))
        return next(found, None)

    def _forget(self, token_id: str) -> None:
        self._tokens = {h: token for h, token in self._tokens.items() if token.id != token_id}

    # The hand-off of a login session to the origin of a port

    def make_handoff(self, session_id: str, port: int, browser: str) -> str:
        """A one-time code that carries a login session to the origin of a port, within HANDOFF_S.

        It is good for that browser (`codes.browser_of`): a page of the port's origin, or its service worker, can read
        the code, and could send it elsewhere.
        """
        return self._handoffs.make(f"{session_id}.{port}.{browser}")

    def redeem_handoff(self, code: str, port: int, browser: str) -> str | None:
        """The value of the owner cookie for the origin of this port, or None."""
        session_id, _, made_for = (self._handoffs.redeem(code) or "").partition(".")
        if made_for != f"{port}.{browser}" or not self.login_session_alive(session_id):
            return None
        return self._owner_cookies.sign(f"{session_id}.{port}")

    def owner_of(self, cookie: str, port: int) -> str | None:
        """The id of the login session behind an owner cookie of this port, while that session lives."""
        session_id, _, made_for = (self._owner_cookies.verify(cookie) or "").partition(".")
        return session_id if made_for == str(port) and self.login_session_alive(session_id) else None

    async def close(self) -> None:
        """Wait for writes under way."""
        await self._writes.finish()


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
