#!/usr/bin/env python3
"""Builds the wheel: the binary as a script, `ottla.lab`, and the plugin of pytest.

    deploy/packages/python/build.py [--binary target/release/ottla] [--out target/packages]

A wheel is an archive with a list of its files (PEP 427), so no build backend is needed, and none is fetched.
"""

import base64
import csv
import hashlib
import io
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import payload  # noqa: E402

METADATA = """\
Metadata-Version: 2.4
Name: ottla
Version: {version}
Summary: A real Kafka for tests: starts in milliseconds, breaks on purpose, moves its time, says what clients sent
License-Expression: Apache-2.0
License-File: LICENSE
License-File: THIRD-PARTY-LICENSES.txt
Keywords: kafka,testing,pytest,broker,mock
Classifier: Framework :: Pytest
Classifier: Intended Audience :: Developers
Classifier: Operating System :: POSIX :: Linux
Classifier: Programming Language :: Python :: 3
Classifier: Topic :: Software Development :: Testing
Classifier: Typing :: Typed
Requires-Python: >=3.9
Description-Content-Type: text/markdown

"""

# The plugin of pytest loads by itself where the wheel is installed, and imports nothing until a fixture is used.
ENTRY_POINTS = "[pytest11]\nottla = ottla.pytest_plugin\n"


def tags(binary: payload.Payload) -> list[str]:
    """A static binary runs with every C library; another one with the one it was linked with, or a newer one."""
    if binary.is_static:
        return [f"manylinux_2_17_{binary.architecture}", f"musllinux_1_1_{binary.architecture}"]
    major, minor = binary.glibc
    return [f"manylinux_{major}_{minor}_{binary.architecture}"]


def main():
    binary, out = payload.arguments(__doc__)
    version, platforms = binary.version, tags(binary)
    info = f"ottla-{version}.dist-info"
    wheel = "Wheel-Version: 1.0\nGenerator: ottla\nRoot-Is-Purelib: false\n"
    wheel += "".join(f"Tag: py3-none-{platform}\n" for platform in platforms)
    facts = f'"""Written by the build."""\n\nVERSION = "{version}"\nBINARY_SHA256 = "{binary.sha256}"\n'
    files: list[tuple[str, bytes, int]] = [
        (f"ottla/{path.name}", path.read_bytes(), 0o644)
        for path in sorted((HERE / "ottla").iterdir())
        if path.suffix in (".py", ".typed") or path.name == "py.typed"
    ]
    files += [
        ("ottla/_built.py", facts.encode(), 0o644),
        (f"ottla-{version}.data/scripts/ottla", binary.binary.read_bytes(), 0o755),
        (f"{info}/METADATA", (METADATA.format(version=version) + (HERE / "README.md").read_text()).encode(), 0o644),
        (f"{info}/WHEEL", wheel.encode(), 0o644),
        (f"{info}/entry_points.txt", ENTRY_POINTS.encode(), 0o644),
        (f"{info}/licenses/LICENSE", binary.licence().encode(), 0o644),
        (f"{info}/licenses/THIRD-PARTY-LICENSES.txt", binary.third_party().encode(), 0o644),
        (f"{info}/sboms/ottla.cdx.json", binary.sbom().encode(), 0o644),
    ]
    path = out / f"ottla-{version}-py3-none-{'.'.join(platforms)}.whl"
    record = io.StringIO()
    lines = csv.writer(record, lineterminator="\n")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        def put(name: str, data: bytes, mode: int):
            entry = zipfile.ZipInfo(name, payload.zip_time())
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)

        for name, data, mode in files:
            put(name, data, mode)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            lines.writerow([name, f"sha256={digest}", len(data)])
        lines.writerow([f"{info}/RECORD", "", ""])
        put(f"{info}/RECORD", record.getvalue().encode(), 0o644)
    payload.finish(out, [path])


if __name__ == "__main__":
    main()
