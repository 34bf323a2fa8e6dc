"""The page that shows the API and lets one try it. It loads nothing from elsewhere."""

from importlib import resources

from .answer import Answer
from .operation import Operation, public
from .request import Call

POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
)


class Docs:
    """The page and its two files."""

    def operations(self) -> list[Operation]:
        return [public("/docs", self.page, "service", {200: "text/html"})]

    def files(self) -> list[Operation]:
        """What the page loads."""
        return [
            public("/docs/docs.js", self.script, "service", {200: "text/javascript"}),
            public("/docs/docs.css", self.style, "service", {200: "text/css"}),
        ]

    async def page(self, call: Call[None]) -> Answer:
        """This API as a page."""
        return _static("docs.html", b"text/html; charset=utf-8")

    async def script(self, call: Call[None]) -> Answer:
        """The page's script."""
        return _static("docs.js", b"text/javascript; charset=utf-8")

    async def style(self, call: Call[None]) -> Answer:
        """The page's style."""
        return _static("docs.css", b"text/css; charset=utf-8")


def _static(name: str, content_type: bytes) -> Answer:
    body = resources.files(__package__).joinpath("static", name).read_bytes()
    return Answer(200, body, HEADERS, (b"content-type", content_type))
