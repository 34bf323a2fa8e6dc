"""Frames to send, ready for the socket."""

from websockets.frames import Frame, Opcode


def text_frame(text: bytes) -> bytes:
    """A text frame; `text` is UTF-8."""
    return Frame(Opcode.TEXT, text).serialize(mask=False)


def binary_frame(data: bytes) -> bytes:
    """A binary frame."""
    return Frame(Opcode.BINARY, data).serialize(mask=False)
