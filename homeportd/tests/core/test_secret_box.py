"""Texts encrypted at rest: they open in their own context with their own key alone."""

import base64
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeportd.secret_box import SecretBox

KEY = bytes(range(32))
BOX = SecretBox(KEY, "settings")


@given(st.text(max_size=200), st.text(max_size=20))
def test_a_sealed_text_opens_and_shows_nothing(text, context):
    sealed = BOX.seal(text, context)
    assert BOX.open(sealed, context) == text
    assert sealed != BOX.seal(text, context)  # the same text does not show that it is the same
    assert len(text) < 4 or text not in sealed


@pytest.mark.parametrize(
    ("box", "context"),
    [(SecretBox(KEY, "sessions"), "a"), (SecretBox(bytes(32), "settings"), "a"), (BOX, "b")],
    ids=["another purpose", "another key", "another field"],
)
def test_it_opens_for_nothing_else(box, context):
    with pytest.raises(ValueError, match="another key"):
        box.open(BOX.seal("secret", "a"), context)


def test_no_byte_of_it_can_be_changed_or_left_out():
    sealed = BOX.seal("secret", "a")
    data = bytearray(base64.urlsafe_b64decode(sealed[2:]))
    for number in range(len(data)):
        changed = bytearray(data)
        changed[number] ^= 1
        for other in (changed, data[:number]):
            with pytest.raises(ValueError, match=r"."):
                BOX.open("1." + base64.urlsafe_b64encode(other).decode(), "a")
    with pytest.raises(ValueError, match="not a sealed text"):
        BOX.open("secret", "a")


def test_who_has_no_secret_does_not_load_the_library():
    program = "import homeportd.secret_box as b, sys; b.SecretBox(b'', ''); assert 'cryptography' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
