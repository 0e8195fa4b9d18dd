"""Downloads from a server on this machine: resumed, verified, unpacked safely, or refused in words."""

import hashlib
import io
import json
import re
import socket
import stat
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from ser.commands.data import main
from ser.data.fetch import Download, fetch_corpus
from ser.data.unpack import unpack
from ser.dataset.emodb import EmoDB
from ser.dataset.emozionalmente import Emozionalmente
from ser.dataset.ravdess import RAVDESS
from ser.errors import InputError

CONTENT = np.random.default_rng(0).bytes(700_000)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.requests.append((self.path, self.headers.get("Range")))
        if self.path not in server.files:
            self.send_error(404)
            return
        body, tag = server.files[self.path], server.tags.get(self.path, '"v1"')
        start = 0
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if match and server.ranges and self.headers.get("If-Range") in (None, tag):
            start = int(match[1])
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("ETag", tag)
        self.end_headers()
        sent = server.cuts.pop(0) if server.cuts else len(body)
        self.wfile.write(body[start : start + sent])
        if start + sent < len(body):
            self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.files, httpd.tags, httpd.cuts, httpd.requests, httpd.ranges = {"/a.bin": CONTENT}, {}, [], [], True
        httpd.url = f"http://127.0.0.1:{httpd.server_address[1]}"
        threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True).start()
        yield httpd
        httpd.shutdown()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)


def fetch(root, *downloads, tries=5):
    said = []
    corpus = type("Corpus", (), {"downloads": downloads})
    fetched = fetch_corpus(corpus, "corpus", root, said.append, tries=tries)
    return fetched, "".join(said)


def make_zip(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


def test_a_file_with_its_checksum(server, tmp_path):
    digest = hashlib.sha256(CONTENT).hexdigest()
    fetched, said = fetch(tmp_path, Download(f"{server.url}/a.bin", digest, archive=False))
    assert fetched and (tmp_path / "a.bin").read_bytes() == CONTENT and f"{digest} (as published)" in said
    fetched, said = fetch(tmp_path, Download(f"{server.url}/a.bin", digest, archive=False))
    assert "was fetched before" in said and len(server.requests) == 1


def test_what_is_found_is_said_where_no_checksum_is_published(server, tmp_path):
    _, said = fetch(tmp_path, Download(f"{server.url}/a.bin", archive=False))
    assert f"sha256 {hashlib.sha256(CONTENT).hexdigest()} (no checksum is published" in said
    digest = hashlib.md5(CONTENT).hexdigest()
    _, said = fetch(tmp_path / "zenodo", Download(f"{server.url}/a.bin", archive=False, md5=digest))
    assert "as published" in said


def test_an_address_and_a_checksum_like_zenodo_s(server, tmp_path):
    archive, address = (
        make_zip({"emozionalmente/metadata/a.csv": b"1"}),
        "/records/1/files/emozionalmente.zip?download=1",
    )
    server.files[address] = archive
    digest = hashlib.md5(archive).hexdigest()
    _, said = fetch(tmp_path, Download(server.url + address, md5=digest.upper()))
    assert "emozionalmente.zip: " in said and "as published" in said and "unpacked 1 files" in said
    assert server.requests == [(address, None)]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["emozionalmente", "fetched.json"]
    with pytest.raises(InputError, match=rf"(?s)wrong checksum {digest}.*md5:{'0' * 32}"):
        fetch(tmp_path / "again", Download(server.url + address, md5="0" * 32))
    assert not list((tmp_path / "again").iterdir())


@pytest.mark.parametrize("corpus", [EmoDB, RAVDESS, Emozionalmente])
def test_what_can_be_fetched_has_a_name_and_a_proper_checksum(corpus):
    for download in corpus.downloads:
        assert download.name.endswith(".zip") and "?" not in download.name and download.url.startswith("http")
        assert re.fullmatch(r"([0-9a-f]{64})?", download.sha256) and re.fullmatch(r"([0-9a-f]{32})?", download.md5)


def test_a_broken_connection_goes_on_where_it_stopped(server, tmp_path):
    server.cuts = [300_000, 200_000]
    _, said = fetch(tmp_path, Download(f"{server.url}/a.bin", hashlib.sha256(CONTENT).hexdigest(), archive=False))
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    first, second, third = (asked for _, asked in server.requests)
    assert first is None and second.startswith("bytes=") and third.startswith("bytes=")
    assert 0 < int(second[6:-1]) <= 300_000 < int(third[6:-1]) <= 500_000
    assert said.count("resuming at") == 2 and sorted(p.name for p in tmp_path.iterdir()) == ["a.bin", "fetched.json"]


def test_a_killed_download_goes_on_with_the_next_command(server, tmp_path):
    server.cuts = [400_000]
    download = Download(f"{server.url}/a.bin", hashlib.sha256(CONTENT).hexdigest(), archive=False)
    with pytest.raises(InputError, match=r"broke off after .* bytes") as raised:
        fetch(tmp_path, download, tries=1)
    assert "goes on where it stopped" in str(raised.value)
    assert 0 < (tmp_path / "a.bin.part").stat().st_size <= 400_000 and not (tmp_path / "a.bin").exists()
    _, said = fetch(tmp_path, download)
    assert "resuming at" in said and (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_part_that_is_already_whole(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    (tmp_path / "a.bin.part.version").write_text('"\\"v1\\""')
    fetch(tmp_path, Download(f"{server.url}/a.bin", hashlib.sha256(CONTENT).hexdigest(), archive=False))
    assert (tmp_path / "a.bin").read_bytes() == CONTENT and server.requests[0][1] == f"bytes={len(CONTENT)}-"


@pytest.mark.parametrize("case", ["changed", "no ranges", "unknown version"])
def test_parts_of_different_versions_are_never_joined(server, tmp_path, case):
    (tmp_path / "a.bin.part").write_bytes(b"another beginning")
    if case != "unknown version":
        (tmp_path / "a.bin.part.version").write_text('"\\"v0\\""')
    server.ranges = case != "no ranges"
    fetch(tmp_path, Download(f"{server.url}/a.bin", archive=False))
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_wrong_checksum(server, tmp_path):
    with pytest.raises(InputError, match="wrong checksum") as raised:
        fetch(tmp_path, Download(f"{server.url}/a.bin", "0" * 64, archive=False))
    assert hashlib.sha256(CONTENT).hexdigest() in str(raised.value) and not list(tmp_path.iterdir())


def test_servers_that_refuse_or_are_not_there(server, tmp_path):
    with pytest.raises(InputError, match="answered 404"):
        fetch(tmp_path, Download(f"{server.url}/b.bin"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match=r"127\.0\.0\.1:.* cannot be reached") as raised:
        fetch(tmp_path, Download(f"http://127.0.0.1:{port}/a.bin"))
    assert "pass dataset.root" in str(raised.value) and not list(tmp_path.glob("a.bin*"))


def test_a_corpus_from_an_archive(server, tmp_path, monkeypatch, capsys, write_tone):
    for number, name in enumerate(("03a01Fa", "03a01Wa", "08a01Fa", "08a01Wa")):
        write_tone(tmp_path / "made" / f"{name}.wav", 200 + number)
    archive = make_zip({f"wav/{path.name}": path.read_bytes() for path in (tmp_path / "made").iterdir()})
    server.files["/wav.zip"] = archive
    monkeypatch.setattr(EmoDB, "downloads", (Download(f"{server.url}/wav.zip"),), raising=False)
    assert main(["fetch", "dataset=emodb", f"dataset.root={tmp_path / 'emodb'}"]) == 0
    printed = capsys.readouterr().out
    assert "4 clips of 2 speakers are there" in printed and "licence" in printed and "Burkhardt" in printed
    assert printed.splitlines()[-1] == str(tmp_path / "emodb") and not (tmp_path / "emodb" / "wav.zip").exists()
    receipt = json.loads((tmp_path / "emodb" / "fetched.json").read_text())
    assert receipt[f"{server.url}/wav.zip"]["sha256"] == hashlib.sha256(archive).hexdigest()


@pytest.mark.parametrize("name", ["iemocap", "savee"])
def test_steps_where_access_must_be_asked_for(name, capsys, tmp_path):
    assert main(["fetch", f"dataset={name}", f"dataset.root={tmp_path / name}"]) == 0
    printed = capsys.readouterr().out
    assert "is not downloaded by ser" in printed and "1. " in printed and "licence" in printed and "http" in printed
    assert f"ser data check dataset={name}" in printed and not list(tmp_path.iterdir())


def test_the_built_in_corpus_needs_no_fetching(capsys):
    assert main(["fetch", "dataset=planted"]) == 0
    assert "no publisher" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["../evil.txt", "a/../../evil.txt", "/tmp/evil.txt", "C:\\evil.txt", "..\\evil.txt"])
def test_a_zip_that_would_leave_its_folder(tmp_path, name):
    (tmp_path / "a.zip").write_bytes(make_zip({"fine.txt": b"1", name: b"2"}))
    with pytest.raises(InputError, match="refused, nothing was unpacked"):
        unpack(tmp_path / "a.zip", tmp_path / "inside" / "deep")
    assert not list((tmp_path / "inside").rglob("*.txt")) and not (tmp_path / "evil.txt").exists()


def test_links_in_archives(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    (tmp_path / "a.zip").write_bytes(make_zip({link: "/etc"}))
    with pytest.raises(InputError, match="a link"):
        unpack(tmp_path / "a.zip", tmp_path / "zip")
    for target, fine in (("/etc", False), ("../../etc", False), ("b.txt", True), ("sub/../b.txt", True)):
        with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
            entry = tarfile.TarInfo("b.txt")
            entry.size = 1
            tar.addfile(entry, io.BytesIO(b"1"))
            entry = tarfile.TarInfo("sub/link" if ".." not in target else "link")
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
        if fine:
            assert unpack(tmp_path / "a.tar.gz", tmp_path / target.replace("/", "_")) == 1
        else:
            with pytest.raises(InputError, match="link that leaves"):
                unpack(tmp_path / "a.tar.gz", tmp_path / "tar")


def test_a_link_that_lies_there_already_leads_nowhere(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "sub").symlink_to(tmp_path / "out")
    (tmp_path / "a.zip").write_bytes(make_zip({"sub/evil.txt": b"1"}))
    with pytest.raises(InputError, match="through a link"):
        unpack(tmp_path / "a.zip", tmp_path / "in")
    assert not list((tmp_path / "out").iterdir())


def test_devices_and_damaged_archives(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        entry = tarfile.TarInfo("pipe")
        entry.type = tarfile.FIFOTYPE
        tar.addfile(entry)
    with pytest.raises(InputError, match="neither file nor folder"):
        unpack(tmp_path / "a.tar", tmp_path / "x")
    data = bytearray(make_zip({"a.txt": b"1" * 5000}))
    data[100] ^= 0xFF
    (tmp_path / "b.zip").write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        unpack(tmp_path / "b.zip", tmp_path / "x")
    (tmp_path / "c.zip").write_bytes(b"<html>not found</html>")
    with pytest.raises(InputError, match="not a zip or tar"):
        unpack(tmp_path / "c.zip", tmp_path / "x")


def test_names_of_files_cannot_lead_away():
    assert Download("https://a.b/files/Audio%20Speech.zip?download=1").name == "Audio Speech.zip"
    assert "/" not in Download("https://a.b/x/..%2f..%2fevil.zip").name and Download("https://a.b/").name == "download"
