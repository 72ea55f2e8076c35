#!/usr/bin/env python3
"""Builds two packages of npm: `@ottla/lab`, and the one of the platform with the binary, its optional dependency.

    deploy/packages/npm/build.py [--binary target/release/ottla] [--out target/packages]

Neither has a script that runs at install.
"""

import gzip
import io
import json
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import payload  # noqa: E402

CPU = {"x86_64": "x64", "aarch64": "arm64"}


def pack(path: Path, files: list[tuple[str, bytes, int]]):
    """As npm lays a package out: everything below `package/`, with one time stamp."""
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=payload.EPOCH) as zipped:
        with tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name, data, mode in files:
                entry = tarfile.TarInfo(f"package/{name}")
                entry.size, entry.mode, entry.mtime = len(data), mode, payload.EPOCH
                archive.addfile(entry, io.BytesIO(data))


def manifest(**words) -> tuple[str, bytes, int]:
    common = {"license": "Apache-2.0", "engines": {"node": ">=18.18"}}
    return "package.json", (json.dumps({**words, **common}, indent=2) + "\n").encode(), 0o644


def main():
    binary, out = payload.arguments(__doc__)
    version, platform = binary.version, f"linux-{CPU[binary.architecture]}"
    licence = ("LICENSE", binary.licence().encode(), 0o644)
    names = ["index.js", "index.d.ts", "README.md", "bin/ottla.js"]
    lab = [
        manifest(
            name="@ottla/lab", version=version, main="index.js", types="index.d.ts", bin={"ottla": "bin/ottla.js"},
            description="A real Kafka for tests: starts in milliseconds, breaks on purpose, moves its time",
            keywords=["kafka", "test", "mock", "broker"], optionalDependencies={f"@ottla/{platform}": version},
        ),
        licence,
        *((name, (HERE / "lab" / name).read_bytes(), 0o755 if name.startswith("bin/") else 0o644) for name in names),
    ]
    # A program that asks for glibc is of no use where there is another C library.
    libc = {} if binary.is_static else {"libc": ["glibc"]}
    native = [
        manifest(
            name=f"@ottla/{platform}", version=version, os=["linux"], cpu=[CPU[binary.architecture]], **libc,
            description=f"The program of @ottla/lab for {platform}",
            ottla={"sha256": binary.sha256},
        ),
        licence,
        ("README.md", f"The program of `@ottla/lab` for {platform}.\n".encode(), 0o644),
        ("THIRD-PARTY-LICENSES.txt", binary.third_party().encode(), 0o644),
        ("sbom.cdx.json", binary.sbom().encode(), 0o644),
        ("bin/ottla", binary.binary.read_bytes(), 0o755),
    ]
    paths = [out / f"ottla-lab-{version}.tgz", out / f"ottla-{platform}-{version}.tgz"]
    pack(paths[0], lab)
    pack(paths[1], native)
    payload.finish(out, paths)


if __name__ == "__main__":
    main()
