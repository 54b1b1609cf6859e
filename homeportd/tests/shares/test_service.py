import asyncio
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from homeportd.auth.limiter import FAILURES
from homeportd.auth.passwords import WAITING
from homeportd.endings import Endings
from homeportd.errors import Problem
from homeportd.shares.model import Decision, Mode
from homeportd.shares.service import ShareRequest, Shares
from homeportd.shares.store import ShareStore

HERE = ip_address("203.0.113.7")
THERE = ip_address("203.0.113.8")
LOCKED = ShareRequest(Mode.PASSWORD, "secret")


class Clock:
    def __init__(self):
        self.now = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def shares(database, passwords, clock):
    made = Shares(ShareStore(database), passwords, Endings(database), clock)
    await made.load()
    return made


async def test_a_share_survives_a_restart_in_every_detail(shares, database, passwords, clock):
    request = ShareRequest(
        Mode.PASSWORD, "secret", "24h", ("10.0.0.0/8", "2001:db8::/32"), 3, "Shop.test:3000"
    )
    share = await shares.set(3000, request)
    assert await shares.prove(3000, "secret", ip_address("10.0.0.1")) is Decision.LOGIN
    again = Shares(ShareStore(database), passwords, Endings(database), clock)
    await again.load()
    assert again.get(3000) == shares.get(3000)
    assert again.get(3000).uses == 1
    assert again.alive(3000, share.grant)


async def test_every_change_ends_what_visitors_hold(shares):
    told = []
    shares.changed.subscribe(lambda port, share: told.append((port, share and share.mode)))
    grants = [(await shares.set(3000, LOCKED)).grant]
    grants.append((await shares.set(3000, ShareRequest(Mode.PASSWORD, "other"))).grant)
    grants.append((await shares.set(3000, ShareRequest(Mode.PUBLIC))).grant)
    assert [shares.alive(3000, grant) for grant in grants] == [False, False, True]
    await shares.remove(3000)
    assert not shares.alive(3000, grants[-1])
    grants.append((await shares.set(3000, LOCKED)).grant)
    assert len(set(grants)) == 4, "a share made anew is not one that was removed"
    assert told == [(3000, m) for m in ("password", "password", "public", None, "password")]


async def test_a_password_left_out_is_kept(shares):
    await shares.set(3000, LOCKED)
    await shares.set(3000, ShareRequest(Mode.PASSWORD, None, "1h"))
    assert await shares.prove(3000, "secret", HERE) is Decision.LOGIN


@pytest.mark.parametrize(
    "policy",
    [
        ShareRequest(Mode.PASSWORD),
        ShareRequest(Mode.PASSWORD, ""),
        ShareRequest(Mode.PASSWORD, "x" * 2000),
        ShareRequest(Mode.PUBLIC, "secret"),
        ShareRequest(Mode.PUBLIC, max_uses=1),
        ShareRequest(Mode.PASSWORD, "secret", max_uses=0),
        ShareRequest(Mode.PUBLIC, allow=("10.0.0.1/33",)),
        ShareRequest(Mode.PUBLIC, allow=("localhost",)),
        ShareRequest(Mode.PUBLIC, allow=("10.0.0.0/8",) * 65),
        ShareRequest(Mode.PUBLIC, expires="yesterday"),
    ],
)
async def test_a_policy_that_cannot_be_changes_nothing(shares, policy):
    with pytest.raises(Problem) as caught:
        await shares.set(3000, policy)
    assert caught.value.status in (409, 422)
    assert caught.value.fix
    assert shares.all() == []


async def test_expiry_ends_a_share_and_is_told_once(shares, clock):
    share = await shares.set(3000, ShareRequest(Mode.PASSWORD, "secret", "1h"))
    told = []
    shares.changed.subscribe(lambda port, _share: told.append(port))
    shares.sweep()
    assert (told, shares.alive(3000, share.grant)) == ([], True)
    clock.now += timedelta(hours=1)
    shares.sweep()
    shares.sweep()
    assert (told, shares.alive(3000, share.grant)) == ([3000], False)
    assert await shares.prove(3000, "secret", HERE) is Decision.DENIED_EXPIRED


async def test_guesses_are_limited_by_address_and_a_right_one_forgives(shares):
    await shares.set(3000, LOCKED)
    for _ in range(FAILURES - 1):
        assert await shares.prove(3000, "wrong", HERE) is Decision.DENIED_PASSWORD
    assert await shares.prove(3000, "secret", HERE) is Decision.LOGIN
    for _ in range(FAILURES):
        assert await shares.prove(3000, "wrong", HERE) is Decision.DENIED_PASSWORD
    assert await shares.prove(3000, "secret", HERE) is Decision.DENIED_LIMIT
    assert shares.wait_s(3000, HERE) > 0
    assert await shares.prove(3000, "secret", THERE) is Decision.LOGIN


async def test_guesses_made_side_by_side_do_not_slip_through(shares):
    await shares.set(3000, LOCKED)
    answers = await asyncio.gather(*(shares.prove(3000, "wrong", HERE) for _ in range(12)))
    assert answers.count(Decision.DENIED_PASSWORD) == FAILURES
    assert answers.count(Decision.DENIED_LIMIT) == 12 - FAILURES


async def test_right_passwords_side_by_side_are_no_guesses(shares):
    await shares.set(3000, LOCKED)
    answers = await asyncio.gather(*(shares.prove(3000, "secret", HERE) for _ in range(3 * FAILURES)))
    assert answers == [Decision.LOGIN] * (3 * FAILURES)


async def test_uses_are_counted_and_never_exceeded(shares):
    await shares.set(3000, ShareRequest(Mode.PASSWORD, "secret", max_uses=3))
    addresses = [ip_address(f"10.0.0.{n}") for n in range(8)]
    answers = await asyncio.gather(*(shares.prove(3000, "secret", address) for address in addresses))
    assert sorted(answers) == sorted([Decision.LOGIN] * 3 + [Decision.DENIED_USES] * 5)


async def test_basic_is_remembered_for_its_generation_only(shares):
    share = await shares.set(3000, LOCKED)
    assert not shares.knows_basic(share, "secret")
    assert await shares.prove_basic(3000, "secret", HERE) is Decision.LOGIN
    assert shares.knows_basic(share, "secret")
    assert not shares.knows_basic(share, "wrong")
    assert not shares.knows_basic(await shares.set(3000, LOCKED), "secret")


async def test_requests_side_by_side_with_one_password_are_one_guess_and_one_use(shares):
    await shares.set(3000, ShareRequest(Mode.PASSWORD, "secret", max_uses=2))
    answers = await asyncio.gather(*(shares.prove_basic(3000, "secret", HERE) for _ in range(12)))
    assert answers == [Decision.LOGIN] * 12
    assert shares.get(3000).uses == 1
    answers = await asyncio.gather(*(shares.prove_basic(3000, "wrong", HERE) for _ in range(12)))
    assert answers == [Decision.DENIED_PASSWORD] * 12
    assert shares.wait_s(3000, HERE) == 0


async def test_a_request_that_is_given_up_ends_none_beside_it(shares):
    await shares.set(3000, LOCKED)
    first, second = (asyncio.create_task(shares.prove_basic(3000, "secret", HERE)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second is Decision.LOGIN


async def test_a_guess_that_nobody_could_check_does_not_count(shares, passwords, monkeypatch):
    await shares.set(3000, LOCKED)
    with monkeypatch.context() as busy:
        busy.setattr(passwords, "_busy", WAITING)
        for _ in range(FAILURES):
            with pytest.raises(Problem):
                await shares.prove(3000, "secret", HERE)
    assert await shares.prove(3000, "secret", HERE) is Decision.LOGIN


async def test_a_clock_that_is_set_back_is_told_as_well(shares, clock):
    await shares.set(3000, ShareRequest(Mode.PUBLIC, expires="1h"))
    told = []
    shares.changed.subscribe(lambda port, share: told.append(share.expired(clock())))
    for hours in (1, -1, 1):
        clock.now += timedelta(hours=hours)
        shares.sweep()
        shares.sweep()
    assert told == [True, False, True]


async def test_removing_what_is_not_shared_says_so(shares):
    with pytest.raises(Problem) as caught:
        await shares.remove(3000)
    assert caught.value.status == 404


async def test_a_right_ends_before_the_disk_has_heard_of_it(shares, monkeypatch):
    share = await shares.set(3000, ShareRequest(Mode.PUBLIC))
    other = await shares.set(3001, ShareRequest(Mode.PUBLIC))
    slow, begun, end = asyncio.Event(), asyncio.Event(), shares._store.delete

    async def hangs(port):
        begun.set()
        await slow.wait()
        await end(port)

    monkeypatch.setattr(shares._store, "delete", hangs)
    removal = asyncio.create_task(shares.remove(3000))
    await begun.wait()
    assert not shares.alive(3000, share.grant)
    narrower = asyncio.create_task(shares.set(3001, ShareRequest(Mode.PUBLIC, expires="1h")))
    await asyncio.sleep(0)
    assert not shares.alive(3001, other.grant)
    slow.set()
    await asyncio.gather(removal, narrower)
    assert shares.get(3001).expires_at is not None


async def test_a_share_removed_while_a_wider_one_is_written_stays_removed(shares, database, passwords, clock):
    await shares.set(3000, ShareRequest(Mode.PUBLIC, expires="1h"))
    written, save = asyncio.Event(), shares._store.save

    async def saves(share):
        await save(share)
        await written.wait()

    shares._store.save = saves
    wider = asyncio.create_task(shares.set(3000, ShareRequest(Mode.PUBLIC)))
    await asyncio.sleep(0.01)
    removal = asyncio.create_task(shares.remove(3000))
    await asyncio.sleep(0)
    written.set()
    with pytest.raises(Problem):
        await wider
    await removal
    assert shares.get(3000) is None
    again = Shares(ShareStore(database), passwords, Endings(database), clock)
    await again.load()
    assert again.all() == []
