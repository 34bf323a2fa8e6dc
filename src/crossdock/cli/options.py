"""Options that several commands share, and the rule that every option has an environment twin."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from crossdock import aio

from .output import Form, Output

DEFAULT_URL = "http://127.0.0.1:8080"


def option(env: str, help_text: str, short: str = "") -> Parameter:
    """An option that the environment variable CROSSDOCK_<env> sets too."""
    return Parameter(help=help_text, env_var=f"CROSSDOCK_{env}", alias=short or None)


Printed = Annotated[Form | None, option("OUTPUT", "How to print. Default: table on a terminal, jsonl elsewhere", "-o")]


@Parameter(name="*")
@dataclass(frozen=True)
class Target:
    """Whom a command speaks to, and how it answers."""

    url: Annotated[
        str, option("URL", f"Server (http://HOST:PORT) or store (sqlite:///FILE). Default: {DEFAULT_URL}")
    ] = DEFAULT_URL
    api_key: Annotated[str, option("API_KEY", "API key of the server. Better set in the environment.")] = ""
    output: Printed = None

    def connect(self) -> AbstractAsyncContextManager[aio.Connection]:
        """A connection to the target."""
        return aio.connect(self.url, api_key=self.api_key)

    def printer(self) -> Output:
        """What prints the answer."""
        return Output(self.output)


HERE = Target()

Group = Annotated[str, option("GROUP", "Consumer group. Default: default")]
