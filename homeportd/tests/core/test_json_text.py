"""JSON of others: nested without end, without an end, with brackets in strings."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeportd.json_text import MAX_DEPTH, loads

MANY = 200_000
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_json_is_read_as_before(value):
    assert loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "[" * MANY,
        '{"a":' * MANY,
        "[" * MANY + "]" * MANY,
        '["' + '\\"' * MANY,
        "[{" * MANY,
        '"' * MANY + "[" * MANY,
        "[]" * MANY,
    ],
    ids=["lists", "objects", "whole", "string without an end", "both", "quotes", "one after another"],
)
def test_what_is_not_is_a_value_error_soon(text):
    begun = time.process_time()
    for data in (text, text.encode()):
        with pytest.raises(ValueError, match=r"levels|JSON|Expecting|Extra|Unterminated|double quotes"):
            loads(data)
    assert time.process_time() - begun < 2


def test_brackets_in_strings_are_no_depth():
    assert loads(json.dumps(["[" * 1000, "\\", '"[' * 100])) == ["[" * 1000, "\\", '"[' * 100]
    assert loads(json.dumps([[each] for each in range(1000)]))
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert loads(deep)
    with pytest.raises(ValueError, match="levels"):
        loads(f"[{deep}]")


@pytest.mark.parametrize("depth", [900, MANY])
async def test_a_deep_body_is_refused_by_the_api(peer, depth):
    body = b'{"name":' + b"[" * depth + b"]" * depth + b"}"
    answer = await peer.post("/api/tokens", content=body, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert (await peer.get("/api/health")).status_code == 200
