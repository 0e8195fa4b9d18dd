"""A downloader for pooch that goes on where it broke off: pooch itself begins again."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ser.errors import InputError
from ser.progress import show_progress

CHUNK = 1 << 16
MEGABYTE = 1_000_000
RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


def make_downloader(part: Path, tries: int, say: Callable[[str], object]) -> Any:
    """A subclass of ``pooch.HTTPDownloader`` that keeps what it has in ``part`` and asks for the rest (HTTP Range).

    Args:
        part: the unfinished file; beside it lies what identifies the server's version of it (ETag or date), so that
            parts of two versions are never joined.
        tries: connections before giving up.
        say: for messages.
    """
    import requests
    from pooch import HTTPDownloader

    class ResumingDownloader(HTTPDownloader):
        def __call__(self, url: str, output_file: Any, *_: Any, **__: Any) -> bool | None:
            for attempt in range(1, tries + 1):
                try:
                    fetch_rest(url, part, say)
                    part.replace(output_file)
                    _note(part).unlink(missing_ok=True)
                    return None
                except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
                    have = part.stat().st_size if part.exists() else 0
                    if attempt == tries or (have == 0 and isinstance(error, requests.ConnectionError)):
                        raise explain_broken(url, have, error) from error
                    say(f"the connection broke off after {have:,} bytes; going on\n")
                    time.sleep(min(0.2 * 2**attempt, 10))
            return None

    return ResumingDownloader()


def fetch_rest(url: str, part: Path, say: Callable[[str], object]) -> None:
    """Append to ``part`` what it lacks of the file at ``url``.

    Raises:
        InputError: the server refuses (404 and other codes), or sends another number of bytes than it announced.
        requests.RequestException: the connection failed or broke off; ``part`` keeps what came.
    """
    import requests

    have = part.stat().st_size if part.exists() else 0
    version = json.loads(_note(part).read_text()) if _note(part).exists() else ""
    if have and not version:  # nothing says of which version this is the beginning
        part.unlink()
        have = 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": version}
    with requests.get(url, headers=headers, stream=True, timeout=30) as response:
        if response.status_code == 416:  # nothing lies beyond what is there
            match = RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if match and match[2] == str(have):
                return None
            part.unlink()
            _note(part).unlink(missing_ok=True)
            return fetch_rest(url, part, say)
        if response.status_code >= 400:
            raise InputError(
                f"{url}: the server answered {response.status_code} {response.reason}",
                expected="the corpus's file",
                remedy="see the publisher's page: the file may have moved (`ser data list` has the address)",
            )
        match = RANGE.fullmatch(response.headers.get("Content-Range", ""))
        resumed = response.status_code == 206 and match is not None and match[1] == str(have)
        if resumed:
            say(f"resuming at {have:,} bytes\n")
        elif have:
            say("the server cannot resume, or has another version by now: starting anew\n")
        length = response.headers.get("Content-Length")
        total = int(length) + (have if resumed else 0) if length else 0
        note = response.headers.get("ETag", "")
        if note.startswith("W/") or not note:  # a weak tag does not promise the same bytes
            note = response.headers.get("Last-Modified", "")
        _note(part).write_text(json.dumps(note))
        write_body(response, part, have if resumed else 0, total)
    return None


def write_body(response: Any, part: Path, have: int, total: int) -> None:
    """Write what comes, with progress in megabytes; raises a connection error if less comes than was announced."""
    import requests

    shown = have // MEGABYTE
    with part.open("ab" if have else "wb") as file, show_progress("MB", math.ceil(total / MEGABYTE)) as advance:
        advance(shown)
        for chunk in response.iter_content(CHUNK):
            file.write(chunk)
            have += len(chunk)
            advance(have // MEGABYTE - shown)
            shown = have // MEGABYTE
    if total and have < total:
        raise requests.ConnectionError(f"{have:,} of {total:,} bytes came")


def explain_broken(url: str, have: int, error: Exception) -> InputError:
    """What a user needs to know of a connection that failed or broke off."""
    if have:
        return InputError(
            f"{url}: broke off after {have:,} bytes ({error.__class__.__name__})",
            remedy="give the same command again: it goes on where it stopped",
        )
    host = re.sub(r"^\w+://([^/]*).*", r"\1", url)
    return InputError(
        f"{url}: {host} cannot be reached ({error.__class__.__name__})",
        expected="a connection to the internet, directly or through HTTPS_PROXY",
        remedy="download the file elsewhere, unpack it and pass dataset.root=<folder>",
    )


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.version")
