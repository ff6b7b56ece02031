"""The one server that a database belongs to: its keys, and the folder it publishes in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    Row,
    String,
    Table,
    insert,
    inspect,
    literal,
    select,
    table,
    update,
)

from server.store.database import Database, metadata
from tracing_core.errors import StoreError

__all__ = ["check_folder", "check_is_free", "claim", "claim_folder", "owner"]

owner = Table(
    "owner",
    metadata,
    Column("id", Integer, primary_key=True, doc="Always 1."),
    Column("fingerprint", String(100), doc="The fingerprint in the server's join line."),
    Column("folder", String(64), doc="The folder of key files; null if it is in the same home."),
)
"""One row, written at the first start: which home folder the database belongs to."""

_TABLES_OF_A_SERVER = (table("operator_key"), table("export_file"))


def check_is_free(database: Database, fingerprint: str) -> None:
    """Check that a database that is about to be set up belongs to no other server.

    Parameters
    ----------
    database
        The database, which may be of an older version or empty.
    fingerprint
        That of this home, if its set-up was interrupted; else empty.

    Raises
    ------
    StoreError
        When another server uses the database.
    """
    with database.read() as conn:
        tables = set(inspect(conn).get_table_names())
        if owner.name in tables:
            row = conn.execute(select(owner)).one_or_none()
            if row is not None and row.fingerprint is not None:
                if row.fingerprint != fingerprint:
                    raise _taken(database)
                return
        for each in _TABLES_OF_A_SERVER:
            query = select(literal(1)).select_from(each).limit(1)
            if each.name in tables and conn.execute(query).first():
                raise _taken(database)


def _taken(database: Database) -> StoreError:
    return StoreError(
        f"{database.name} already belongs to another server, whose operators and codes would be"
        " lost: give this server an empty database, or share the other server's home folder to run"
        " a second node of it"
    )


def claim(conn: Connection, database: Database, fingerprint: str) -> None:
    """Note that a database belongs to the server with these keys; the first one gets it.

    Raises
    ------
    StoreError
        When it belongs to a server with other keys.
    """
    row = _row(conn)
    if row.fingerprint is None:
        conn.execute(update(owner).values(fingerprint=fingerprint))
    elif row.fingerprint != fingerprint:
        raise StoreError(
            f"{database.name} belongs to a server with other keys: set database_url to this"
            " server's own database, or use the home folder that belongs to this one"
        )


def claim_folder(conn: Connection, folder: str, home: Path, *, is_adopted: bool) -> None:
    """Note where the key files of a database are; the first folder gets it.

    Parameters
    ----------
    conn
        A transaction.
    folder
        The folder's name for itself.
    home
        The home folder, for the message.
    is_adopted
        True lets it take the place of another one.

    Raises
    ------
    StoreError
        When the key files are in another folder.
    """
    row = _row(conn)
    if row.folder is None or is_adopted:
        conn.execute(update(owner).values(folder=folder))
    else:
        _check(row, folder, home)


def check_folder(conn: Connection, folder: str, home: Path) -> None:
    """Check that no other folder has taken the place of this one.

    Raises
    ------
    StoreError
        When one has.
    """
    row = conn.execute(select(owner)).one_or_none()
    if row is not None and row.folder is not None:
        _check(row, folder, home)


def _check(row: Row[Any], folder: str, home: Path) -> None:
    if row.folder != folder:
        raise StoreError(
            "the key files of this database are in another folder, so devices would not find"
            " those written here: share that folder between the nodes or, if it was moved or"
            f" restored to here, run 'truyvet server run --adopt-folder --home {home}' once"
        )


def _row(conn: Connection) -> Row[Any]:
    query = select(owner).with_for_update()
    row = conn.execute(query).one_or_none()
    if row is None:
        conn.execute(insert(owner).values(id=1))
        row = conn.execute(query).one()
    return row
