"""Text of others, fit to be shown."""


def printable(text: str) -> str:
    """The text without what no terminal or page should get: control characters, halves of surrogates, line ends."""
    return "".join(filter(str.isprintable, text))
