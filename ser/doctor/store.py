"""The store that runs are tracked in: can it be reached, and is it of this MLflow's version?"""

from __future__ import annotations

import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlparse
from urllib.request import urlopen

from ser.doctor.finding import ERROR, OK, WARNING, Finding

SERVER = "start it, or pass tracking.uri=sqlite:///<path>/mlflow.db"
#: Databases besides SQLite that MLflow can use.
DATABASES = ("postgresql", "mysql", "mssql")
#: Modules through which SQLAlchemy reaches them → what brings them, where that has another name.
DRIVERS = {"psycopg": "'psycopg[binary]'", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
#: s until an answer.
PATIENCE = 3


def check_store(uri: str) -> Finding:
    """The store at an MLflow tracking URI; nothing is written, and nothing made that is not there."""
    scheme = urlparse(uri).scheme
    if scheme in ("http", "https"):
        return check_server(uri)
    if scheme == "sqlite":
        path = Path(urlparse(uri).path[1:])
        if not path.exists():
            return Finding(OK, f"{uri}: not there yet; the first run makes it")
        return check_database(uri, uri)
    if scheme.partition("+")[0] in DATABASES:
        from sqlalchemy import make_url

        return check_database(uri, make_url(uri).render_as_string(hide_password=True))
    return Finding(ERROR, f"tracking.uri={uri}: MLflow keeps no new runs in plain folders", "tracking.uri=sqlite:///…")


def check_server(uri: str) -> Finding:
    """An MLflow server by its address."""
    try:
        with urlopen(f"{uri.rstrip('/')}/version", timeout=PATIENCE) as answer:
            found = answer.read(100).decode(errors="replace").strip()
    except HTTPError as error:
        return Finding(ERROR, f"{uri}: no MLflow server, or one that asks who you are ({error})", SERVER)
    except OSError as error:
        return Finding(ERROR, f"{uri}: no MLflow server answers ({error})", SERVER)
    if not re.fullmatch(r"\d+\.\d+.*", found):
        return Finding(ERROR, f"{uri}: what answers is no MLflow server", SERVER)
    mine = version("mlflow")
    if found.partition(".")[0] != mine.partition(".")[0]:
        return Finding(WARNING, f"{uri}: MLflow {found}, here {mine}", "use one major version on both sides")
    return Finding(OK, f"{uri}: MLflow {found}")


def check_database(uri: str, shown: str) -> Finding:
    """A database, by the revision of its schema.

    Args:
        uri: SQLAlchemy's.
        shown: the same without a password.
    """
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError

    scheme = urlparse(uri).scheme.partition("+")[0]
    waits = {"connect_timeout": PATIENCE} if scheme in ("postgresql", "mysql") else {}
    try:
        with create_engine(uri, connect_args=waits).connect() as connection:
            revision = connection.execute(text("select version_num from alembic_version")).scalar()
            count = connection.execute(text("select count(*) from runs")).scalar()
    except ImportError as error:
        return Finding(ERROR, f"{shown}: {error}", f"pip install {DRIVERS.get(str(error.name), error.name)}")
    except SQLAlchemyError as error:
        reason = str(error).partition("\n")[0]
        return Finding(
            ERROR, f"{shown}: no MLflow database can be read there ({reason})", "pass another tracking.uri=…"
        )
    known, newest = read_revisions()
    if revision == newest:
        return Finding(OK, f"{shown}: {count:,} runs, schema of MLflow {version('mlflow')}")
    if revision in known:
        remedy = f"back it up, then: mlflow db upgrade {shown}"
        return Finding(ERROR, f"{shown}: made by an older MLflow (schema {revision}, now {newest})", remedy)
    return Finding(ERROR, f"{shown}: made by a newer MLflow than {version('mlflow')}", "install that version of mlflow")


def read_revisions() -> tuple[set[str], str]:
    """The revisions of schemas that the installed MLflow knows, and the newest; importing MLflow would take seconds."""
    spec = find_spec("mlflow")
    assert spec is not None and spec.origin is not None
    scripts = (Path(spec.origin).parent / "store" / "db_migrations" / "versions").glob("*.py")
    texts = [path.read_text(encoding="utf-8") for path in scripts]
    known = {found for text in texts for found in re.findall(r"^revision\s*(?::.*)?=\s*['\"](\w+)", text, re.MULTILINE)}
    lines = [line for text in texts for line in re.findall(r"^down_revision\s*(?::.*)?=(.*)$", text, re.MULTILINE)]
    before = {name for line in lines for name in re.findall(r"['\"](\w+)['\"]", line)}
    return known, min(known - before, default="")
