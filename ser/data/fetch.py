"""``ser data fetch``: download a corpus where its licence allows it, or say how to ask for access."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ser.data.catalogue import find_info
from ser.data.download import make_downloader
from ser.data.unpack import unpack
from ser.dataset.info import CorpusInfo, Download
from ser.errors import InputError

#: What was fetched into a folder, with checksums; written last.
RECEIPT = "fetched.json"


def fetch_corpus(
    corpus: type, name: str, root: Path, say: Callable[[str], object], keep: bool = False, tries: int = 5
) -> bool:
    """Fetch a corpus into its folder.

    Args:
        corpus: class of ``ser.dataset``; its ``downloads`` are fetched, its ``info`` is shown.
        name: what the command calls it.
        root: where it goes.
        say: for messages.
        keep: leave archives where they were unpacked.
        tries: connections to a server before giving up.

    Returns:
        Whether the corpus is there now; false where access must be asked for.

    Raises:
        InputError: a server that cannot be reached or refuses, a wrong checksum, an archive that may not be unpacked.
    """
    info = find_info(corpus)
    if info:
        say(f"{info.title}\nlicence   {info.licence}\ncitation  {info.citation}\n")
    downloads: tuple[Download, ...] = tuple(getattr(corpus, "downloads", ()))
    if not downloads:
        say(explain_access(info, name, root))
        return False
    root.mkdir(parents=True, exist_ok=True)
    receipt = root / RECEIPT
    done = json.loads(receipt.read_text(encoding="utf-8")) if receipt.is_file() else {}
    for download in downloads:
        if done.get(download.url, {}).get("wanted") == asdict(download):
            digest = done[download.url]["sha256"]
            say(f"{download.name} was fetched before (sha256 {digest}); delete {receipt} to redo\n")
            continue
        done[download.url] = {"wanted": asdict(download), "sha256": fetch_file(download, root, say, keep, tries)}
        receipt.write_text(json.dumps(done, indent=2) + "\n", encoding="utf-8")
    return True


def fetch_file(download: Download, root: Path, say: Callable[[str], object], keep: bool, tries: int) -> str:
    """Download, verify and unpack one file; returns its SHA-256."""
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    say(f"fetching {download.url}\n")
    downloader = make_downloader(root / f"{download.name}.part", max(1, tries), say)
    try:
        path = Path(pooch.retrieve(download.url, download.checksum, download.name, root, downloader=downloader))
    except ValueError as error:  # pooch has deleted what came
        found = re.search(r"but got ([0-9a-f]{32,})", str(error))
        got = found[1] if found else "(unknown)"
        raise InputError(
            f"{download.url}: wrong checksum {got}; the file was deleted",
            expected=str(download.checksum),
            remedy="try again; if it stays so, the publisher has changed the file: compare with the publisher's page",
        ) from error
    except requests.RequestException as error:  # an OSError, too
        raise InputError(f"{download.url}: {error}", remedy="check the address") from error
    except OSError as error:
        raise InputError(
            f"{root}: cannot be written ({error})", remedy="free some space, or pass dataset.root="
        ) from error
    digest = str(pooch.file_hash(str(path), alg="sha256"))
    verdict = "as published" if download.checksum else "no checksum is published, so it could not be verified"
    say(f"{path.name}: {path.stat().st_size:,} bytes, sha256 {digest} ({verdict})\n")
    if download.archive:
        say(f"unpacked {unpack(path, root)} files into {root}\n")
        if not keep:
            path.unlink()
    return digest


def explain_access(info: CorpusInfo | None, name: str, root: Path) -> str:
    """The steps to a corpus that cannot be downloaded without asking."""
    if info is None:
        return f"{name} has no publisher to fetch it from: it is generated, or it is your own\n"
    steps = [step.strip() for step in info.access.split(";") if step.strip()]
    listing = "".join(f"  {number}. {step}\n" for number, step in enumerate(steps, start=1))
    return (
        f"{name} is not downloaded by ser. To get it, from {info.url}:\n{listing}"
        f"  {len(steps) + 1}. put it into {root} (or pass dataset.root=<folder>), then: ser data check dataset={name}\n"
    )
