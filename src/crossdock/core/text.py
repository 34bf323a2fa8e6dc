"""Text from elsewhere, made safe to show."""


def printable(text: str) -> str:
    """`text` with what a terminal or a log reader would obey (control characters, newlines) written as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
