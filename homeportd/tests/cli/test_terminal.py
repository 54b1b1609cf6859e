from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeportd.cli.output.terminal import Cell, Column, Screen, Style, clean, clip, lay_out, width_of

WIDE = Screen(None, False)
COLUMNS = (
    Column("NAME", 9, least=4),
    Column("WHO", 8),
    Column("ADDRESS", 1),
    Column("NUMBER", 2, right=True),
)


def rows(*texts: tuple[str, ...]) -> list[list[Cell]]:
    return [[Cell(text) for text in row] for row in texts]


@given(
    st.lists(st.tuples(*[st.text(max_size=30)] * 4), max_size=6),
    st.integers(min_value=1, max_value=120),
    st.booleans(),
)
def test_a_table_fits_any_screen_and_steers_no_terminal(texts, width, heading) -> None:
    lines = lay_out(COLUMNS, rows(*texts), Screen(width, False), heading=heading)

    assert len(lines) == len(texts) + heading
    for line in lines:
        assert line.isprintable()
        assert width_of(line) <= width


@given(st.text(), st.integers(min_value=0, max_value=40))
def test_a_clipped_text_fits_and_says_that_it_is_clipped(text, width) -> None:
    text = clean(text)
    clipped = clip(text, width)

    assert width_of(clipped) <= width
    assert clipped == text or width == 0 or clipped.endswith("…")


def test_a_pipe_gets_everything_in_full() -> None:
    lines = lay_out(COLUMNS, rows(("x" * 300, "public", "http://3000.localhost:8080", "1")), WIDE)

    assert lines[1].split() == ["x" * 300, "public", "http://3000.localhost:8080", "1"]


def test_columns_align_and_numbers_stand_right() -> None:
    lines = lay_out(COLUMNS, rows(("a", "public", "u", "1"), ("bcd", "private", "v", "4711")), WIDE)

    assert lines == [
        "NAME  WHO      ADDRESS  NUMBER",
        "a     public   u             1",
        "bcd   private  v          4711",
    ]


def test_the_least_important_column_goes_first_and_an_address_is_never_cut() -> None:
    table = rows(("frontend", "password", "http://3000.localhost:8080", "4711"))

    assert "http://3000.localhost:8080" in lay_out(COLUMNS, table, Screen(60, False))[1]
    assert lay_out(COLUMNS, table, Screen(40, False))[1] == "frontend  password    4711"
    assert lay_out(COLUMNS, table, Screen(18, False))[1] == "frontend  password"
    assert lay_out(COLUMNS, table, Screen(15, False))[1] == "fron…  password"


def test_a_column_without_content_is_left_out() -> None:
    assert lay_out(COLUMNS, rows(("a", "", "", "1")), WIDE) == ["NAME  NUMBER", "a          1"]


def test_wide_characters_take_two_columns() -> None:
    lines = lay_out(COLUMNS[:2], rows(("日本", "x"), ("abcd", "y")), WIDE, heading=False)

    assert lines == ["日本  x", "abcd  y"]


@pytest.mark.parametrize("char", ["\x1b", "\x07", "\x9b", "\n", "\u202e", "\u2028"])
def test_a_strangers_text_cannot_steer_the_terminal(char) -> None:
    assert clean(f"a{char}[31mb") == "a�[31mb"


def test_colour_is_for_terminals_with_colour_alone() -> None:
    assert Screen(80, True).paint("public", Style.GREEN) == "\x1b[32mpublic\x1b[0m"
    assert Screen(80, False).paint("public", Style.GREEN) == "public"
    assert Screen(80, True).paint("public", Style.PLAIN) == "public"
