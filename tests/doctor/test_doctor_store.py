import http.server
import sqlite3
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from ser.doctor import store


def test_a_store_of_this_mlflow(tracking_uri):
    finding = store.check_store(tracking_uri)
    assert finding.status == "ok" and "0 runs" in finding.text


def test_the_newest_revision_is_the_one_that_mlflow_writes(tracking_uri):
    with sqlite3.connect(tracking_uri.removeprefix("sqlite:///")) as connection:
        (written,) = connection.execute("select version_num from alembic_version").fetchone()
    known, newest = store.read_revisions()
    assert newest == written and newest in known and len(known) > 30


@pytest.mark.parametrize(
    ("revision", "words", "remedy"),
    [("0a8213491aaa", "older MLflow", "mlflow db upgrade"), ("ffffffffffff", "newer MLflow", "install that version")],
)
def test_a_schema_of_another_mlflow_is_an_error(tracking_uri, revision, words, remedy):
    with sqlite3.connect(tracking_uri.removeprefix("sqlite:///")) as connection:
        connection.execute("update alembic_version set version_num = ?", (revision,))
    finding = store.check_store(tracking_uri)
    assert finding.status == "error" and words in finding.text and remedy in finding.remedy


def test_what_is_not_there_is_not_made(tmp_path):
    finding = store.check_store(f"sqlite:///{tmp_path}/new/mlflow.db")
    assert finding.status == "ok" and "not there yet" in finding.text and not list(tmp_path.iterdir())


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "notes.db").write_text("only a text\n" * 100)
    finding = store.check_store(f"sqlite:///{tmp_path}/notes.db")
    assert finding.status == "error" and "notes.db" in finding.text and finding.remedy


def test_a_folder_is_refused():
    assert store.check_store("mlruns").status == "error"
    assert "no path of a file" in store.check_store("sqlite:/mlflow.db").text


def test_another_kind_of_store_is_not_looked_at():
    assert "not looked at" in store.check_store("databricks://mine").text


def test_an_empty_database_is_no_fault_another_one_is(tmp_path):
    (tmp_path / "empty.db").touch()
    finding = store.check_store(f"sqlite:///{tmp_path}/empty.db")
    assert finding.status == "ok" and "the first run makes it" in finding.text
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("create table x (y)")
    finding = store.check_store(f"sqlite:///{tmp_path}/other.db")
    assert finding.status == "error" and "not one of MLflow's" in finding.text and "tracking.uri" in finding.remedy


def test_a_database_that_another_process_writes_to_is_a_warning(tracking_uri, monkeypatch):
    import sqlalchemy

    create = sqlalchemy.create_engine
    monkeypatch.setattr(
        sqlalchemy, "create_engine", lambda uri, connect_args: create(uri, connect_args={"timeout": 0.01})
    )
    with sqlite3.connect(tracking_uri.removeprefix("sqlite:///")) as connection:
        connection.execute("begin exclusive")
        finding = store.check_store(tracking_uri)
    assert finding.status == "warning" and "another process" in finding.text and "wait" in finding.remedy


def test_the_place_of_a_database(tracking_uri, tmp_path, monkeypatch):
    path = Path(tracking_uri.removeprefix("sqlite:///"))
    assert list(store.check_place(tracking_uri, path.parent)) == []
    (room,) = store.check_place(tracking_uri, tmp_path / "outputs")
    assert "free for the store of runs" in room.text
    monkeypatch.setattr(store.os, "access", lambda *_: False)
    (fault,) = store.check_place(tracking_uri, path.parent)
    assert fault.status == "error" and "not written" in fault.text and "chmod" in fault.remedy
    assert list(store.check_place("http://127.0.0.1:9", tmp_path)) == []


def test_the_store_is_the_one_that_runs_would_go_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert store.find_uri(Path("out")) == "sqlite:///out/mlflow.db"
    (tmp_path / "conf" / "tracking").mkdir(parents=True)
    (tmp_path / "conf" / "tracking" / "sqlite.yaml").write_text("# Ours\nuri: ${oc.env:WHERE}/${paths.outputs}  # x\n")
    monkeypatch.setenv("WHERE", "http://runs:5000")
    assert store.find_uri(Path("out")) == "http://runs:5000/out"


def test_passwords_are_not_printed():
    finding = store.check_store("postgresql://me:secret@127.0.0.1:9/runs")
    assert finding.status == "error" and "secret" not in str(finding) and finding.remedy


@contextmanager
def serve(status, text):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/version" else 404)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [(200, "3.5.1", "ok"), (200, "2.1.0", "warning"), (200, "<html>", "error"), (401, "", "error")],
)
def test_a_server_says_its_version(status, text, expected):
    with serve(status, text) as uri:
        finding = store.check_store(uri)
    assert finding.status == expected and uri in finding.text and (finding.remedy or expected == "ok")


def test_a_server_that_does_not_answer():
    finding = store.check_store("http://127.0.0.1:9")
    assert finding.status == "error" and "no MLflow server answers" in finding.text


def test_the_check_only_reads(tracking_uri):
    path = Path(tracking_uri.removeprefix("sqlite:///"))
    before = path.read_bytes()
    store.check_store(tracking_uri)
    assert path.read_bytes() == before and [each.name for each in path.parent.iterdir()] == [path.name]
