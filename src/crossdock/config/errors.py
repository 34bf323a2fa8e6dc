"""What is wrong with a configuration, and where."""

from crossdock.core.errors import CrossdockError


class ConfigError(CrossdockError):
    """The configuration cannot be used. The text names the source (a file, a variable, a flag) and the key."""

    code = "config_error"

    def __init__(self, source: str, problem: str) -> None:
        super().__init__(source, problem)
        self.source = source
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.source}: {self.problem}"
