"""Unpacking archives so that nothing leaves its folder: every name is judged before the first byte is written."""

from __future__ import annotations

import re
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ser.errors import InputError


def unpack(archive: Path, folder: Path) -> int:
    """Unpack a zip or tar archive (plain, gz, bz2 or xz) into a folder; returns the number of files.

    Raises:
        InputError: not an archive, a damaged or encrypted one, one that needs more space than there is, or one with
            an absolute path, a ``..``, a device, or a link that leaves the folder. Nothing is written then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                return unpack_zip(file, archive, folder)
        if tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                return unpack_tar(tar, archive, folder)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError) as error:
        raise InputError(f"{archive}: damaged ({error})", remedy="delete it and fetch again") from error
    raise InputError(f"{archive}: not a zip or tar archive", expected="zip, tar, tar.gz, tar.bz2 or tar.xz")


def unpack_zip(file: zipfile.ZipFile, archive: Path, folder: Path) -> int:
    """Unpack a zip after judging its members; links are refused, a zip of recordings has no use for them."""
    members = file.infolist()
    for member in members:
        check_name(member.filename, archive)
        if stat.S_ISLNK(member.external_attr >> 16):
            raise refuse(archive, member.filename, "a link")
        if member.flag_bits & 1:
            raise InputError(f"{archive}: encrypted", remedy="unpack it with the publisher's password")
    check_space(sum(member.file_size for member in members), archive, folder)
    check_places((member.filename for member in members), archive, folder)
    file.extractall(folder)
    return sum(not member.is_dir() for member in members)


def unpack_tar(tar: tarfile.TarFile, archive: Path, folder: Path) -> int:
    """Unpack a tar after judging its members; links inside the folder are allowed."""
    members = tar.getmembers()
    for member in members:
        check_name(member.name, archive)
        if member.issym() or member.islnk():
            base = PurePosixPath(member.name).parent if member.issym() else PurePosixPath()
            check_link(base, member.linkname, archive, member.name)
        elif not (member.isfile() or member.isdir()):
            raise refuse(archive, member.name, "neither file nor folder")
    check_space(sum(member.size for member in members), archive, folder)
    check_places((member.name for member in members), archive, folder)
    # Python's own filter follows chains of links, too.
    tar.extractall(folder, filter="data")
    return sum(member.isfile() for member in members)


def check_name(name: str, archive: Path) -> None:
    """Raise InputError for a name that does not stay below the folder on some system."""
    plain = name.replace("\\", "/")
    if plain.startswith("/") or re.match(r"[A-Za-z]:", plain):
        raise refuse(archive, name, "an absolute path")
    if ".." in plain.split("/"):
        raise refuse(archive, name, "a path out of its folder")
    if "\0" in name:
        raise refuse(archive, name, "a name with a zero byte")


def check_link(base: PurePosixPath, target: str, archive: Path, name: str) -> None:
    """Raise InputError for a link to a place outside the folder."""
    depth = 0
    for part in (*base.parts, *target.replace("\\", "/").split("/")):
        depth += {"": 0, ".": 0, "..": -1}.get(part, 1)
        if depth < 0:
            raise refuse(archive, name, f"a link that leaves its folder ({target})")
    if target.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", target):
        raise refuse(archive, name, f"a link that leaves its folder ({target})")


def check_places(names: Iterator[str], archive: Path, folder: Path) -> None:
    """Raise InputError where a link that lies in the folder already would lead a file out of it."""
    top = folder.resolve()
    for name in names:
        if not (folder / name).resolve().is_relative_to(top):
            raise refuse(archive, name, f"it would land outside {folder}, through a link that lies there")


def check_space(needed: int, archive: Path, folder: Path) -> None:
    """Raise InputError where the disk is too small for the contents."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(f"{archive}: needs {needed:,} bytes unpacked", expected=f"at most the {free:,} that are free")


def refuse(archive: Path, name: str, why: str) -> InputError:
    """The error for a member that may not be unpacked."""
    return InputError(
        f"{archive}: refused, nothing was unpacked: member {name!r} is {why}",
        expected="names and links that stay inside the archive's own folder",
        remedy="do not trust this file; fetch the corpus from its publisher",
    )
