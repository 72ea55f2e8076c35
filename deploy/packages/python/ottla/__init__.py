"""A real Kafka for tests. `ottla.lab` starts one and steers it; the fixtures `ottla` and `ottla_cluster` give it to pytest."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

try:
    from ._built import VERSION as __version__
except ImportError:  # The source tree: no package was built.
    __version__ = "0.0.0"

__all__ = ["BinaryMissing", "__version__", "binary"]


class BinaryMissing(FileNotFoundError):
    """The program `ottla` is nowhere; the message says where it was looked for."""


def binary() -> str:
    """The path of the program `ottla`.

    It is what the variable OTTLA_BINARY names; else the one that was installed with this package; else the first
    on the PATH. It is never fetched.
    """
    named = os.environ.get("OTTLA_BINARY")
    if named:
        if os.access(named, os.X_OK) and os.path.isfile(named):
            return os.path.abspath(named)
        raise BinaryMissing(f"OTTLA_BINARY is {named!r}, and that is no program")
    name = "ottla.exe" if os.name == "nt" else "ottla"
    looked = [folder / name for folder in _folders()]
    for path in looked:
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
    found = shutil.which("ottla")
    if found:
        return found
    places = ", ".join(map(str, looked))
    raise BinaryMissing(
        f"the program `ottla` is missing: not in {places}, not on the PATH. The wheel of this platform "
        f"({sysconfig.get_platform()}) brings it; OTTLA_BINARY names another one."
    )


def _folders() -> "list[Path]":
    """Where installers put the scripts of a wheel."""
    package = Path(__file__).resolve().parent
    folders = [Path(sysconfig.get_path("scripts"))]
    try:
        if sys.version_info >= (3, 10):
            scheme = sysconfig.get_preferred_scheme("user")
        else:
            scheme = "nt_user" if os.name == "nt" else "posix_user"
        folders.append(Path(sysconfig.get_path("scripts", scheme)))
    except KeyError:  # A Python without folders for each user.
        pass
    # `pip install --target` puts them beside the packages.
    folders.append(package.parent / "bin")
    return folders
