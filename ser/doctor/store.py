"""The store that runs are tracked in: can it be reached, and is it of this MLflow's version?"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlparse
from urllib.request import urlopen

import yaml

from ser.annotated import read_choice
from ser.doctor.around import check_room
from ser.doctor.finding import ERROR, OK, WARNING, Finding
from ser.usage import find_stage, list_stage_groups

DATABASE = "pass tracking.uri=sqlite:///<path>/mlflow.db"
SERVER = f"start it, or {DATABASE}"
#: Databases besides SQLite that MLflow can use.
DATABASES = ("postgresql", "mysql", "mssql")
#: Modules through which SQLAlchemy reaches them → what brings them, where that has another name.
DRIVERS = {"psycopg": "'psycopg[binary]'", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
#: s until an answer.
PATIENCE = 3


def find_uri(outputs: Path) -> str:
    """The store that runs go to when no other is named; a folder ``conf`` where one is may choose it."""
    from omegaconf import OmegaConf

    stage = find_stage("train")
    assert stage is not None
    written = read_choice("tracking", list_stage_groups(stage)["tracking"]).settings["uri"].value
    return str(OmegaConf.create({"paths": {"outputs": str(outputs)}, "uri": str(yaml.safe_load(written))}).uri)


def check_store(uri: str) -> Finding:
    """The store at an MLflow tracking URI; nothing is written, and nothing made that is not there."""
    scheme = urlparse(uri).scheme
    if scheme in ("http", "https"):
        return check_server(uri)
    if scheme == "sqlite":
        if not uri.startswith("sqlite:///"):
            return Finding(ERROR, f"tracking.uri={uri}: no path of a file", DATABASE)
        return check_database(uri, uri) if find_file(uri).exists() else not_yet(uri)
    if scheme.partition("+")[0] in DATABASES:
        from sqlalchemy import make_url

        return check_database(uri, make_url(uri).render_as_string(hide_password=True))
    if scheme in ("", "file"):
        return Finding(ERROR, f"tracking.uri={uri}: MLflow keeps no new runs in plain folders", DATABASE)
    return Finding(WARNING, f"tracking.uri={uri}: not looked at; only databases and servers are", "")


def check_place(uri: str, outputs: Path) -> Iterator[Finding]:
    """Whether a SQLite file can be written, and whether there is room for it where that is not the folder of runs."""
    if not uri.startswith("sqlite:///"):
        return
    file = find_file(uri)
    if file.is_file() and not os.access(file, os.W_OK):
        yield Finding(ERROR, f"{uri}: can be read, but not written", f"chmod u+w {file}, or {DATABASE}")
    if not file.absolute().is_relative_to(outputs.absolute()):
        yield check_room(file.parent, "the store of runs", "tracking.uri", "remove what is not needed there")


def find_file(uri: str) -> Path:
    """The file of a SQLite database."""
    return Path(urlparse(uri).path[1:])


def not_yet(shown: str) -> Finding:
    """No store is no fault."""
    return Finding(OK, f"{shown}: not there yet; the first run makes it")


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
    from sqlalchemy import create_engine, inspect, text
    from sqlalchemy.exc import SQLAlchemyError

    scheme = urlparse(uri).scheme.partition("+")[0]
    waits = {"connect_timeout": PATIENCE} if scheme in ("postgresql", "mysql") else {}
    try:
        with create_engine(uri, connect_args=waits).connect() as connection:
            tables = inspect(connection).get_table_names()
            if not tables:
                return not_yet(shown)
            if "alembic_version" not in tables:
                return Finding(ERROR, f"{shown}: a database, but not one of MLflow's", DATABASE)
            revision = connection.execute(text("select version_num from alembic_version")).scalar()
            count = connection.execute(text("select count(*) from runs")).scalar()
    except ImportError as error:
        return Finding(ERROR, f"{shown}: {error}", f"pip install {DRIVERS.get(str(error.name), error.name)}")
    except SQLAlchemyError as error:
        return describe_failure(str(error).partition("\n")[0], shown)
    known, newest = read_revisions()
    if revision == newest:
        return Finding(OK, f"{shown}: {count:,} runs, schema of MLflow {version('mlflow')}")
    if revision in known:
        remedy = f"back it up, then: mlflow db upgrade {shown}"
        return Finding(ERROR, f"{shown}: made by an older MLflow (schema {revision}, now {newest})", remedy)
    return Finding(ERROR, f"{shown}: made by a newer MLflow than {version('mlflow')}", "install that version of mlflow")


def describe_failure(reason: str, shown: str) -> Finding:
    """Why a database did not answer."""
    if "database is locked" in reason:
        remedy = "wait until it is done; jobs on many machines need a server (docs/remote-mlflow.md)"
        return Finding(WARNING, f"{shown}: another process is writing to it", remedy)
    return Finding(ERROR, f"{shown}: no MLflow database can be read there ({reason})", DATABASE)


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
