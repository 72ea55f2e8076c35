"""What each package holds beside its own files: the binary without debug information, its checksum, licences, an SBOM.

Nothing but the standard library (Python 3.11 or newer), cargo's metadata, and strip. The same input gives the same bytes:
archives are written with one time stamp, which SOURCE_DATE_EPOCH sets.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# ZIP archives know no time before 1980.
EPOCH = max(int(os.environ.get("SOURCE_DATE_EPOCH", "1767225600")), 315619200)
LICENCE_FILE = re.compile(r"^(licen[cs]e|copying|notice|unlicense|copyright)", re.IGNORECASE)
BINARY_MEBIBYTES_MAX = 64


def version() -> str:
    """The one version of everything, from the root Cargo.toml."""
    return tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]


def fail(why: str):
    sys.exit(f"{Path(sys.argv[0]).parent.name}: {why}")


def zip_time():
    return time.gmtime(EPOCH)[:6]


@dataclass
class Payload:
    """One binary and what goes with it. `folder` is scratch space that lasts as long as the build."""

    source: Path
    folder: Path

    @cached_property
    def version(self) -> str:
        return version()

    @cached_property
    def binary(self) -> Path:
        """The binary without debug information; it must be of this version."""
        self.folder.mkdir(parents=True, exist_ok=True)
        out = self.folder / "ottla"
        shutil.copyfile(self.source, out)
        out.chmod(0o755)
        subprocess.run(["strip", out], check=True)
        said = subprocess.run([out, "--version"], check=True, capture_output=True, text=True).stdout.split()
        if said != ["ottla", self.version]:
            fail(f"{self.source} says {' '.join(said)}, and Cargo.toml {self.version}")
        if out.stat().st_size > BINARY_MEBIBYTES_MAX << 20:
            fail(f"the stripped binary has {out.stat().st_size} bytes: is it a debug build?")
        return out

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.binary.read_bytes()).hexdigest()

    @cached_property
    def is_static(self) -> bool:
        """Whether it asks for no interpreter (PT_INTERP of its program headers) and so for no C library."""
        head = self.binary.read_bytes()
        if head[:6] != b"\x7fELF\x02\x01":
            fail("only 64-bit little-endian ELF binaries are packed so far")
        at, size, count = (int.from_bytes(head[a:b], "little") for a, b in ((32, 40), (54, 56), (56, 58)))
        kinds = [int.from_bytes(head[at + n * size : at + n * size + 4], "little") for n in range(count)]
        return 3 not in kinds

    @cached_property
    def architecture(self) -> str:
        """As the ELF header names it: x86_64 or aarch64."""
        machine = int.from_bytes(self.binary.read_bytes()[18:20], "little")
        names = {62: "x86_64", 183: "aarch64"}
        if machine not in names:
            fail(f"no package is made for ELF machine {machine}")
        return names[machine]

    @cached_property
    def glibc(self) -> tuple[int, int]:
        """The newest C library whose symbols it asks for."""
        found = re.findall(rb"GLIBC_(\d+)\.(\d+)", self.binary.read_bytes())
        return max(((int(a), int(b)) for a, b in found), default=(2, 17))

    @cached_property
    def _metadata(self) -> dict:
        command = ["cargo", "metadata", "--format-version", "1", "--locked"]
        command += ["--filter-platform", f"{self.architecture}-unknown-linux-{'musl' if self.is_static else 'gnu'}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            fail(f"cargo metadata: {done.stderr}")
        return json.loads(done.stdout)

    @cached_property
    def crates(self) -> list[dict]:
        """The crates that are linked into the binary: what the server needs, but not for its tests or builds."""
        nodes = {node["id"]: node for node in self._metadata["resolve"]["nodes"]}
        packages = {package["id"]: package for package in self._metadata["packages"]}
        waiting = [id for id, package in packages.items() if package["name"] == "ottla-server"]
        seen = set(waiting)
        while waiting:
            for dependency in nodes[waiting.pop()]["deps"]:
                is_linked = any(kind["kind"] is None for kind in dependency["dep_kinds"])
                if is_linked and dependency["pkg"] not in seen:
                    seen.add(dependency["pkg"])
                    waiting.append(dependency["pkg"])
        return sorted((packages[id] for id in seen), key=lambda crate: (crate["name"], crate["version"]))

    def sbom(self) -> str:
        """CycloneDX 1.6: every crate with its licence, and its checksum from Cargo.lock."""
        lock = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
        sums = {(one["name"], one["version"]): one.get("checksum") for one in lock}
        components = []
        for crate in self.crates:
            name, number = crate["name"], crate["version"]
            purl = f"pkg:cargo/{name}@{number}"
            component = {"type": "library", "bom-ref": purl, "name": name, "version": number, "purl": purl}
            if crate["license"]:
                # Old crates write "MIT/Apache-2.0" where SPDX says OR.
                component["licenses"] = [{"expression": crate["license"].replace("/", " OR ")}]
            if sums.get((name, number)):
                component["hashes"] = [{"alg": "SHA-256", "content": sums[name, number]}]
            components.append(component)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH))
        subject = {
            "type": "application", "bom-ref": f"pkg:generic/ottla@{self.version}", "name": "ottla",
            "version": self.version, "licenses": [{"expression": "Apache-2.0"}],
            "hashes": [{"alg": "SHA-256", "content": self.sha256}],
        }
        document = {
            "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
            "metadata": {"timestamp": stamp, "component": subject}, "components": components,
        }
        return json.dumps(document, indent=1) + "\n"

    def third_party(self) -> str:
        """The licence files of every crate that is linked in; a text that several share stands once."""
        texts: dict[str, list[str]] = {}
        bare = []
        for crate in self.crates:
            if crate["source"] is None and crate["name"].startswith("ottla-"):
                continue
            name = f"{crate['name']} {crate['version']}"
            folder = Path(crate["manifest_path"]).parent
            files = sorted(path for path in folder.iterdir() if LICENCE_FILE.match(path.name) and path.is_file())
            for file in files:
                texts.setdefault(file.read_text(errors="replace").strip(), []).append(name)
            if not files:
                bare.append(f"{name}: {crate['license']}")
        parts = ["What the binary is linked with, and under which licences.\n"]
        for text, names in texts.items():
            parts.append(f"{'=' * 80}\n{', '.join(dict.fromkeys(names))}\n{'=' * 80}\n{text}\n")
        parts.append(f"{'=' * 80}\nWithout a licence file of their own:\n" + "\n".join(bare) + "\n")
        return "\n".join(parts)

    def licence(self) -> str:
        return (ROOT / "LICENSE").read_text()


def arguments(about: str) -> tuple[Payload, Path]:
    """Reads the command line that every build script has; returns the payload and the folder for the packages."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/ottla", help="target/release/ottla")
    parser.add_argument("--out", type=Path, default=ROOT / "target/packages", help="target/packages")
    given = parser.parse_args()
    if not given.binary.is_file():
        fail(f"{given.binary} is not there; `cargo build --release -p ottla-server --bin ottla` builds it")
    out = given.out.resolve()
    return Payload(given.binary.resolve(), out / "work"), out


def finish(out: Path, files: list[Path]):
    """Writes a line of checksums for each file beside it, and says what was made."""
    shutil.rmtree(out / "work", ignore_errors=True)
    for file in files:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        file.with_name(file.name + ".sha256").write_text(f"{digest}  {file.name}\n")
        print(f"{file.stat().st_size:>9} {digest[:16]} {file}")
