#!/usr/bin/env python3
"""Builds four artifacts of Maven as a repository in a folder: the library, the binary, the extension of JUnit, the BOM.

    deploy/packages/maven/build.py [--binary target/release/ottla] [--out target/packages]

`ottla-lab` needs nothing but a JDK (11 or newer); `ottla-binaries-linux-amd64` holds the binary; `ottla-junit5` is
compiled against JUnit's API, which Maven fetches; `ottla-bom` keeps them of one version.
"""

import gzip
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import payload  # noqa: E402

GROUP = "dev.ottla"
JUNIT = "5.13.4"
RELEASE = "11"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}

POM = """\
<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>{group}</groupId>
  <artifactId>{name}</artifactId>
  <version>{version}</version>
  <packaging>{packaging}</packaging>
  <name>{name}</name>
  <description>{about}</description>
  <licenses>
    <license>
      <name>Apache-2.0</name>
      <url>https://www.apache.org/licenses/LICENSE-2.0.txt</url>
    </license>
  </licenses>
{more}</project>
"""


def dependencies(*lines: tuple[str, str, str]) -> str:
    def one(group, name, version):
        return (f"    <dependency>\n      <groupId>{group}</groupId>\n      <artifactId>{name}</artifactId>\n"
                f"      <version>{version}</version>\n    </dependency>\n")
    return "  <dependencies>\n" + "".join(one(*line) for line in lines) + "  </dependencies>\n"


def run(command: list, **words) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **words)
    if done.returncode != 0:
        payload.fail(f"{command[0]} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Repository:
    def __init__(self, binary: payload.Payload, out: Path):
        self.binary, self.folder, self.files = binary, out / "maven-repository", []

    def path(self, name: str, end: str) -> Path:
        version = self.binary.version
        folder = self.folder / GROUP.replace(".", "/") / name / version
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}-{version}{end}"

    def pom(self, name: str, about: str, more: str = "", packaging: str = "jar"):
        words = dict(group=GROUP, name=name, version=self.binary.version, about=about, more=more, packaging=packaging)
        path = self.path(name, ".pom")
        path.write_text(POM.format(**words))
        self.files.append(path)

    def jar(self, name: str, files: dict[str, bytes], end: str = ".jar") -> Path:
        path = self.path(name, end)
        files = {"META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\r\n"
                 + f"Automatic-Module-Name: {GROUP}.{name.removeprefix('ottla-').replace('-', '.')}\r\n\r\n".encode(),
                 "META-INF/LICENSE": self.binary.licence().encode(), **files}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for inside, data in files.items():
                entry = zipfile.ZipInfo(inside, payload.zip_time())
                # What is compressed already is only stored.
                entry.compress_type = zipfile.ZIP_STORED if inside.endswith(".gz") else zipfile.ZIP_DEFLATED
                archive.writestr(entry, data)
        self.files.append(path)
        return path


def sources(module: str) -> dict[str, bytes]:
    folder = HERE / module / "src"
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.java"))}


def compiled(binary: payload.Payload, module: str, class_path: str = "") -> dict[str, bytes]:
    target = binary.folder / module
    files = sorted((HERE / module / "src").rglob("*.java"))
    run(["javac", "--release", RELEASE, "-Xlint:all,-classfile,-options", "-Werror", "-d", target, "-cp", class_path, *files])
    return {str(path.relative_to(target)): path.read_bytes() for path in sorted(target.rglob("*.class"))}


def junit(binary: payload.Payload) -> str:
    """The class path of JUnit's API."""
    pom, path = binary.folder / "junit.pom", binary.folder / "junit.path"
    more = dependencies(("org.junit.jupiter", "junit-jupiter-api", JUNIT))
    pom.write_text(POM.format(group=GROUP, name="junit-path", version="1", about="", more=more, packaging="pom"))
    plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath"
    run(["mvn", "-q", "-B", "-f", pom, plugin, f"-Dmdep.outputFile={path}"])
    return path.read_text().strip()


def main():
    binary, out = payload.arguments(__doc__)
    version, architecture = binary.version, ARCHITECTURE[binary.architecture]
    repository = Repository(binary, out)
    program = binary.binary

    facts = f"version={version}\n".encode()
    lab = repository.jar("ottla-lab", {**compiled(binary, "lab"), "dev/ottla/lab/version.properties": facts})
    repository.jar("ottla-lab", sources("lab"), "-sources.jar")
    repository.pom("ottla-lab", "A real Kafka for tests, steered by its control API; needs nothing but a JDK")

    binaries, folder = f"ottla-binaries-linux-{architecture}", f"ottla-binaries/linux-{architecture}"
    repository.jar(binaries, {
        f"{folder}/binary.properties": facts + f"sha256={binary.sha256}\n".encode(),
        f"{folder}/ottla.gz": gzip.compress(program.read_bytes(), 9, mtime=payload.EPOCH),
        "META-INF/THIRD-PARTY-LICENSES.txt": binary.third_party().encode(),
        "META-INF/sbom/ottla.cdx.json": binary.sbom().encode(),
    })
    repository.pom(binaries, f"The program of ottla-lab for linux-{architecture}")

    class_path = f"{lab}:{junit(binary)}"
    repository.jar("ottla-junit5", compiled(binary, "junit5", class_path))
    repository.jar("ottla-junit5", sources("junit5"), "-sources.jar")
    needs = dependencies((GROUP, "ottla-lab", version), ("org.junit.jupiter", "junit-jupiter-api", JUNIT))
    repository.pom("ottla-junit5", "JUnit 5: a Kafka of its own for each test", needs)

    all_of_them = dependencies(*((GROUP, name, version) for name in ("ottla-lab", binaries, "ottla-junit5")))
    managed = "  <dependencyManagement>\n" + all_of_them + "  </dependencyManagement>\n"
    repository.pom("ottla-bom", "Keeps the artifacts of one version", managed, "pom")
    for file in repository.files:
        # The one that every release of Maven looks for.
        file.with_name(file.name + ".sha1").write_text(hashlib.sha1(file.read_bytes()).hexdigest())
    payload.finish(out, repository.files)


if __name__ == "__main__":
    main()
