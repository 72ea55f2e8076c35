"""The installed wheel: what is in it, how a lab begins and ends, and what is said when it can't.

Run by `cargo compat packages python` in an environment that has the wheel, pytest, and no network.
"""

import hashlib
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time

import pytest

import ottla
from ottla.lab import ApiError, Lab, LabEnded, LabNotStarted, NeverActed, VersionMismatch, WaitTimeout

pytest_plugins = ["pytester"]


def is_gone(pid: int, patience: float = 10) -> bool:
    """Whether the process ends in time."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


def script(tmp_path, text: str) -> str:
    path = tmp_path / "program"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def test_the_binary_is_the_one_that_was_packed():
    path = ottla.binary()
    assert os.path.dirname(path) == os.path.dirname(sys.executable)
    with open(path, "rb") as file:
        assert hashlib.sha256(file.read()).hexdigest() == ottla._built.BINARY_SHA256
    said = subprocess.run([sys.executable, "-m", "ottla", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == f"ottla {ottla.__version__}" == f"ottla {importlib.metadata.version('ottla')}"


def test_licences_and_an_sbom_are_in_the_wheel():
    files = {path.name: path for path in importlib.metadata.files("ottla")}
    assert "Apache License" in files["LICENSE"].read_text()
    bill = json.loads(files["ottla.cdx.json"].read_text())
    assert bill["metadata"]["component"]["hashes"][0]["content"] == ottla._built.BINARY_SHA256
    third_party = files["THIRD-PARTY-LICENSES.txt"].read_text()
    crates = [one for one in bill["components"] if not one["name"].startswith("ottla-")]
    assert any(one["name"] == "tokio" for one in crates)
    for crate in crates:
        assert f"{crate['name']} {crate['version']}" in third_party, crate
        # The one that is ours is not from the registry.
        assert "hashes" in crate or crate["name"] == "raft-proto", crate


def test_a_lab_ends_with_its_block_and_leaves_nothing(tmp_path):
    with Lab(seed=7, topics=["orders:3"]) as lab:
        assert lab.seed == 7
        lab.produce("orders", "a", b"\xff", key="k", partition=2)
        found = [(one.partition, one.key, one.value) for one in lab.records("orders", count=2)]
        assert found == [(2, b"k", b"a"), (2, b"k", b"\xff")]
        pid = lab.pid
    assert is_gone(pid, 0.1)
    with pytest.raises(LabEnded):
        lab.records("orders")


def test_after_a_reset_a_cluster_is_as_it_was_made():
    with Lab(topics=["orders"]) as lab:
        lab.create_topic("more")
        lab.produce("orders", "a")
        lab.fault(api="Fetch", error="REQUEST_TIMED_OUT")
        lab.reset()
        assert lab.records("orders") == [] and lab.faults() == []
        with pytest.raises(ApiError):
            lab.records("more")


def test_a_lab_that_nobody_holds_any_more_ends():
    lab = Lab()
    pid = lab.pid
    del lab
    assert is_gone(pid)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, None])
def test_a_lab_ends_with_the_process_that_started_it(how):
    program = "from ottla.lab import Lab; lab = Lab(); print(lab.pid, flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pid = int(child.stdout.readline())
    assert not is_gone(pid, 0.05)
    if how is None:
        child.stdin.write(b"\n")
    else:
        child.send_signal(how)
    child.communicate()
    assert is_gone(pid)


def test_a_lab_ends_with_its_process_though_a_fork_of_it_still_has_the_pipe():
    program = (
        "import os, time; from ottla.lab import Lab; lab = Lab(); fork = os.fork()\n"
        "if fork == 0: os.close(1); time.sleep(60)\n"
        "print(lab.pid, fork, flush=True); input()"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pid, fork = map(int, child.stdout.readline().split())
    try:
        child.kill()
        child.communicate()
        assert not is_gone(fork, 0.05)
        assert is_gone(pid)
    finally:
        os.kill(fork, signal.SIGKILL)


def test_a_forked_child_does_not_end_the_lab_of_its_parent():
    with Lab() as lab:
        fork = os.fork()
        if fork == 0:
            lab.close()
            os._exit(0)
        os.waitpid(fork, 0)
        lab.create_topic("still-there")


def test_a_lab_ends_when_its_time_is_over():
    lab = Lab(ttl="100ms")
    assert is_gone(lab.pid)
    with pytest.raises(LabEnded, match="has ended with 0"):
        lab.create_topic("late")


def test_a_binary_that_is_missing_is_said_with_where_it_was_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("OTTLA_BINARY", str(tmp_path / "nowhere"))
    with pytest.raises(ottla.BinaryMissing, match="nowhere"):
        Lab()
    monkeypatch.delenv("OTTLA_BINARY")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(ottla, "_folders", lambda: [tmp_path])
    with pytest.raises(ottla.BinaryMissing, match=f"not in {tmp_path}/ottla, not on the PATH"):
        Lab()


def test_a_program_of_another_version_is_refused_and_ends(monkeypatch):
    real, pids = subprocess.Popen, []

    def start(*arguments, **words):
        process = real(*arguments, **words)
        pids.append(process.pid)
        return process

    monkeypatch.setattr(subprocess, "Popen", start)
    version = ottla.__version__
    monkeypatch.setattr(ottla, "__version__", "9.9.9")
    with pytest.raises(VersionMismatch, match=f"is version {version}, and the package ottla 9.9.9"):
        Lab()
    assert is_gone(pids[0], 0.1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("echo no room >&2; exit 3", "ended with 3, and wrote:\nno room"),
        ("echo hello; exec sleep 60", "is no lab: it said b'hello"),
        ("exec sleep 60", "said nothing for 0.2 s, and wrote nothing"),
    ],
)
def test_a_program_that_is_no_lab_is_said_and_ends(tmp_path, text, why):
    program = script(tmp_path, f"echo $$ > {tmp_path}/pid; {text}")
    timeout = 0.2 if "said nothing" in why else 20
    with pytest.raises(LabNotStarted) as told:
        Lab(binary=program, start_timeout=timeout)
    assert why in str(told.value)
    assert is_gone(int((tmp_path / "pid").read_text()), 0.1)


def test_what_the_lab_does_not_take_is_in_the_error():
    with pytest.raises(LabNotStarted, match="log.retention.ms"):
        Lab(configs={"log.retention.ms": "soon"})


def test_a_word_that_is_wrong_is_named():
    with Lab() as lab:
        with pytest.raises(ApiError) as told:
            lab.fault(api="Produce", eror="NOT_LEADER_OR_FOLLOWER")
        assert (told.value.status, told.value.field) == (400, "eror")
        with pytest.raises(NeverActed):
            with lab.fault(api="Fetch", error="OFFSET_OUT_OF_RANGE"):
                pass
        with pytest.raises(WaitTimeout, match="0 of 1 requests"):
            lab.wait_requests(api="Produce", timeout=0.05)
        assert lab.faults() == []


INNER = """
import pytest

@pytest.mark.ottla(topics=["orders:2"])
def test_a_rule_that_does_nothing(ottla_cluster):
    ottla_cluster.fault(api="Produce", error="NOT_LEADER_OR_FOLLOWER")

def test_a_rule_that_may_do_nothing(ottla_cluster):
    ottla_cluster.fault(api="Produce", error="NOT_LEADER_OR_FOLLOWER", required=False)

@pytest.mark.ottla(topics=["orders:2"])
def test_that_fails(ottla_cluster):
    ottla_cluster.fault(api="Fetch", once=True, delay="1ms", required=False)
    ottla_cluster.produce("orders", "a")
    assert len(ottla_cluster.records("orders")) == 2

def test_that_nothing_of_another_test_is_there(ottla, ottla_cluster):
    assert ottla.clusters() == sorted([ottla_cluster.id, "main"])
    assert ottla_cluster.faults() == []
"""


def test_the_fixtures_keep_tests_apart_and_say_what_happened(pytester):
    pytester.makepyfile(INNER)
    told = pytester.runpytest_subprocess("--ottla-seed=7")
    told.assert_outcomes(passed=3, failed=1, errors=1)
    told.stdout.fnmatch_lines(["*NeverActed: never acted: *Produce*about 0 requests*"])
    told.stdout.fnmatch_lines(["*- ottla -*", "Cluster(*seed *", "rule *Fetch*acted 0 times"])
