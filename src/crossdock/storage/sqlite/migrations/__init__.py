"""Numbered schema changes: `NNNN_name.sql`, each applied once, in order, in one transaction with its number.

The number of the last one stands in the file's `user_version`. A file with a higher number than this code knows was
written by a newer crossdock and is refused (F39): reading it with old rules could break what the new ones rely on.
"""

from importlib import resources

import apsw

from crossdock.core.errors import StoreUnavailable

APPLICATION_ID = 0x78646F63
"""Marks a SQLite file as ours ("xdoc")."""


def scripts() -> dict[int, str]:
    """Every migration by number."""
    files = (file for file in resources.files(__name__).iterdir() if file.name.endswith(".sql"))
    return {int(file.name[:4]): file.read_text() for file in sorted(files, key=lambda file: file.name)}


def schema_version(connection: apsw.Connection) -> int:
    """Number of the last migration applied, 0 for an empty file. Raises StoreUnavailable for one that is not ours."""
    version, application_id, tables = connection.execute(
        "SELECT (SELECT user_version FROM pragma_user_version), "
        "(SELECT application_id FROM pragma_application_id), "
        "(SELECT count(*) FROM sqlite_schema)"
    ).get
    if tables and application_id != APPLICATION_ID:
        raise StoreUnavailable("the file is a SQLite database of another program")
    newest = max(scripts())
    if version > newest:
        raise StoreUnavailable(
            f"the file has schema version {version}, this crossdock knows up to {newest}: use a newer crossdock"
        )
    return int(version)


def migrate(connection: apsw.Connection) -> None:
    """Bring the schema up to date. Several processes may try at once: one does it, the others find it done."""
    if schema_version(connection) == max(scripts()):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = schema_version(connection)
        for number, script in scripts().items():
            if number > done:
                connection.execute(script)
                connection.pragma("user_version", number)
        connection.pragma("application_id", APPLICATION_ID)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
