"""From frames to messages: fragments put together, text checked."""

from websockets.frames import Frame, Opcode

Message = tuple[bytes, bool]
"""The bytes of a message, and whether it came as text."""


class Messages:
    """Puts the messages of one connection together. How large they may be, the protocol checks frame by frame."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._text = False
        self.unfinished = False
        """Whether fragments of a message are here and others are to come."""

    def add(self, frame: Frame) -> Message | None:
        """Take a frame; the message that is complete by it, if one is. Raises UnicodeDecodeError."""
        if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.BINARY:
            self._text = frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            return None
        data = bytes(frame.data)
        if not frame.fin:
            self.unfinished = True
            if data:  # Empty fragments cost their sender nothing: they must not add up here.
                self._parts.append(data)
            return None
        if self.unfinished:
            data = b"".join([*self._parts, data])
            self._parts.clear()
            self.unfinished = False
        if self._text and not data.isascii():
            data.decode()
        return data, self._text
