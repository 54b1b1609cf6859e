"""Properties of a server's life, whatever happens in whatever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from homeportd.port_range import PortRange
from homeportd.servers import numbers, transitions
from homeportd.servers.model import End, Life, State
from homeportd.servers.transitions import Retry, Spawn, Stop


class Lives(RuleBasedStateMachine):
    """A server and its process, as far as the transitions' actions make one."""

    def __init__(self):
        super().__init__()
        self.life = Life()
        self.process = False
        self.wanted = False  # by the person who asked last

    def take(self, step):
        before = self.life
        self.life, action = step
        if isinstance(action, Spawn):
            assert not self.process, "a second process"
            self.process = True
        if isinstance(action, Stop):
            assert self.process
        if isinstance(action, Retry):
            assert self.life.state is State.FAILED
            assert action.after_s <= transitions.BACKOFF_S[-1]
        assert before == self.life or action is None or before.state is not self.life.state

    @rule()
    def start(self):
        self.take(transitions.start(self.life))
        self.wanted = True

    @rule(idle=st.booleans())
    def stop(self, idle):
        self.take(transitions.stop(self.life, idle=idle))
        if not idle or self.process:
            self.wanted = False

    @rule()
    def restart(self):
        self.take(transitions.stop(self.life, again=True))
        self.wanted = True

    @rule(ports=st.sampled_from([(), (3000,), (3000, 3001)]))
    def listens(self, ports):
        self.take((transitions.listens(self.life, ports), None))

    @rule(
        code=st.sampled_from([0, 1]),
        restart=st.booleans(),
        ran_s=st.sampled_from([0.1, 100.0]),
        out=st.booleans(),
    )
    def ends(self, code, restart, ran_s, out):
        if not self.process:
            return
        self.process = False
        stopping = self.life.state is State.STOPPING
        end = End("ended", code=code)
        self.take(transitions.exited(self.life, end, restart=restart, ran_s=ran_s, outside=out))
        if not stopping:
            self.wanted = self.life.wanted

    @rule()
    def retry(self):
        self.take(transitions.retry(self.life))

    @invariant()
    def states_match(self):
        assert self.life.state.alive == self.process
        assert self.life.ports == () or self.process
        if self.life.state is not State.STOPPING:
            assert self.life.wanted == self.wanted


TestLives = Lives.TestCase


def test_crashes_in_a_row_wait_longer_and_a_steady_run_begins_anew():
    life, waits = Life(), []
    life, _ = transitions.start(life)
    for ran_s in (1, 1, 1, 100):
        life, action = transitions.exited(life, End("x", code=1), restart=True, ran_s=ran_s)
        waits.append(action.after_s)
        life, _ = transitions.retry(life)
    assert waits == [1.0, 2.0, 5.0, 1.0]


@given(
    preferred=st.none() | st.integers(1, 65535),
    reserved=st.frozensets(st.integers(3000, 3010)),
    busy=st.frozensets(st.integers(3000, 3010)),
)
def test_a_number_is_free_and_nobody_elses(preferred, reserved, busy):
    span = PortRange(3000, 3010)
    found = numbers.choose(preferred, reserved, [span], lambda port: port not in busy)
    free = set(range(3000, 3011)) - reserved - busy
    assert (found in free) if free else found is None
    if preferred in free:
        assert found == preferred
