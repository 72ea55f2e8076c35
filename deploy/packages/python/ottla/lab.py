"""The test lab: a real Kafka that a test starts in milliseconds, breaks on purpose, and throws away.

    from ottla.lab import Lab

    with Lab(topics=["orders:6"]) as lab:
        fault = lab.fault(api="Produce", topic="orders", error="NOT_LEADER_OR_FOLLOWER", times=2)
        my_application(lab.bootstrap)              # any client: it gets bootstrap.servers and nothing else
        lab.records("orders", count=1, wait=5)
        fault.remove()                             # fails if the rule never acted

A duration is a number of seconds or a text such as "250ms", "5s", "8d". Nothing but the standard library is used, and
no proxy: the lab is on this machine. Each method is safe to call from several threads.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import queue
import subprocess
import tempfile
import threading
import time
import weakref
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Sequence, Union
from urllib.parse import quote, urlencode, urlsplit

import ottla

__all__ = [
    "ApiError", "Cluster", "Fault", "Group", "Lab", "LabEnded", "LabError", "LabNotStarted", "Member", "NeverActed",
    "Offset", "Record", "Request", "VersionMismatch", "WaitTimeout",
]

Duration = Union[float, int, str]
"""Seconds, or a text such as "250ms", "5s", "8d"."""

Bytes = Union[bytes, str, None]


class LabError(Exception):
    """Anything that goes wrong with a lab."""


class LabNotStarted(LabError):
    """The program ended or said nothing; the message holds what it wrote."""


class LabEnded(LabError):
    """The lab is not there any more; the message holds how it ended."""


class VersionMismatch(LabError):
    """The program is of another version than this package."""


class ApiError(LabError):
    """The lab refused. `status` is that of HTTP, `field` the word that is wrong (or empty), `body` the whole answer."""

    def __init__(self, status: int, body: Mapping[str, Any]):
        error = body.get("error", {})
        self.status = status
        self.field: str = error.get("field", "")
        self.body = body
        where = f"{self.field}: " if self.field else ""
        super().__init__(f"{where}{error.get('message', body)}")


class WaitTimeout(ApiError, TimeoutError):
    """What was waited for did not come in time. `body` has what is there, or the requests that come nearest."""

    def __str__(self) -> str:
        nearest = self.body.get("nearest") or []
        lines = [f"{one['request']['api']} v{one['request']['version']} by {one['request']['client_id']!r}, "
                 f"but not: {', '.join(one['but'])}" for one in nearest]
        return "\n  nearest: ".join([super().__str__(), *lines])


class NeverActed(ApiError, AssertionError):
    """A rule did nothing: a test that passes without its fault proves nothing."""


@dataclass(frozen=True)
class Record:
    """A record as the cluster has it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str | None] = field(default_factory=dict)

    @staticmethod
    def _of(json: Mapping[str, Any]) -> Record:
        def bytes_of(name: str) -> bytes | None:
            if name + "_base64" in json:
                return base64.b64decode(json[name + "_base64"])
            text = json.get(name)
            return None if text is None else text.encode()

        return Record(json["topic"], json["partition"], json["offset"], json["timestamp"],
                      bytes_of("key"), bytes_of("value"), json.get("headers", {}))

    def json(self) -> Any:
        """The value, read as JSON."""
        return None if self.value is None else json.loads(self.value)


@dataclass(frozen=True)
class Request:
    """A request that a client sent, and what it was answered."""

    number: int
    api: str
    version: int
    client_id: str
    software: str
    connection: int
    #: answered, waiting, silent, dropped or closed
    outcome: str
    #: Kafka's names of the errors in the answer
    errors: Sequence[str]
    #: the id of the rule that acted on it
    fault: str | None
    took_us: int | None
    body: Any
    answer: Any

    @staticmethod
    def _of(json: Mapping[str, Any]) -> Request:
        return Request(json["number"], json["api"], json["version"], json["client_id"], json["software"],
                       json["connection"], json["outcome"], tuple(json["errors"] or ()), json["fault"],
                       json["took_us"], json.get("request"), json.get("answer"))


@dataclass(frozen=True)
class Member:
    """A member of a group. `assignment` has (topic, partition) pairs."""

    member_id: str
    client_id: str
    instance_id: str | None
    assignment: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class Offset:
    """How far a group is in a partition."""

    topic: str
    partition: int
    offset: int
    end: int | None
    lag: int | None


@dataclass(frozen=True)
class Group:
    """A group as its coordinator has it. `state` is Kafka's word: Stable, Empty, Dead, ..."""

    name: str
    state: str
    protocol: str
    members: Sequence[Member]
    offsets: Sequence[Offset]
    lag: int

    @staticmethod
    def _of(json: Mapping[str, Any]) -> Group:
        members = [
            Member(one["member_id"], one["client_id"], one["instance_id"],
                   tuple((part["topic"], part["partition"]) for part in one["assignment"] or ()))
            for one in json["members"]
        ]
        offsets = [Offset(one["topic"], one["partition"], one["offset"], one["end"], one["lag"])
                   for one in json["offsets"]]
        return Group(json["group"], json["state"], json["protocol"], members, offsets, json["lag"])


def _duration(value: Duration) -> str:
    return value if isinstance(value, str) else f"{round(value * 1000)}ms"


def _seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    try:
        return float(digits) * units.get(text[len(digits):] or "ms", 0)
    except ValueError:
        # The lab names what is wrong with it.
        return 0


class Fault:
    """A rule that the cluster obeys. As the target of `with` it goes at the end, and must have acted."""

    def __init__(self, cluster: Cluster, id: str, required: bool):
        self.cluster, self.id, self.required = cluster, id, required

    def _look(self) -> Mapping[str, Any]:
        return self.cluster._ask("GET", f"/faults/{self.id}")

    @property
    def hits(self) -> int:
        """How often it has acted."""
        return self._look()["hits"]

    @property
    def seen(self) -> int:
        """How many requests it was about."""
        return self._look()["seen"]

    def remove(self, required: bool | None = None) -> None:
        """Takes it away. NeverActed if it is required to have acted (as `fault` was told) and has not."""
        required = self.required if required is None else required
        self.cluster._faults.pop(self.id, None)
        self.cluster._ask("DELETE", f"/faults/{self.id}", expect="hit" if required else None)

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        # A test that fails already is not told twice.
        self.remove(required=self.required and kind is None)

    def __repr__(self) -> str:
        return f"Fault({self.id})"


class Cluster:
    """A Kafka of its own: its port, topics, groups, rules, journal and clocks. Made by `Lab.cluster`."""

    def __init__(self, lab: Lab | None, id: str, bootstrap: str, seed: int):
        self._lab, self.id, self.bootstrap, self.seed = lab, id, bootstrap, seed
        # Whether each rule must have acted. A lab refers to nothing that refers to it, so that it ends as soon as
        # nobody holds it.
        self._faults: dict[str, bool] = {}

    @property
    def lab(self) -> Lab:
        """The lab that the cluster is of."""
        assert self._lab is not None
        return self._lab

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id}, {self.bootstrap}, seed {self.seed})"

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.delete()

    def _ask(self, method: str, path: str, body: object = None, patience: float = 0, **words: object) -> Any:
        return self.lab._ask_lab(method, f"/clusters/{self.id}{path}", body, patience, words)

    def delete(self) -> None:
        """Drops the cluster with all that it holds."""
        self.lab._ask_lab("DELETE", f"/clusters/{self.id}", None, 0, {})

    def reset(self) -> None:
        """As it was made, behind the same port: no topics, groups, transactions, rules but those of its birth.

        Clients stay connected; what they still know is refused by Kafka's own rules. The clocks run, and are not moved back.
        """
        self._ask("POST", "/reset", patience=30)
        self._faults.clear()

    def fork(self, **words: Any) -> Cluster:
        """A new cluster that begins as this one is now: its topics, records, groups, transactions and clocks."""
        return self.lab._made(self._ask("POST", "/fork", words, 30))

    def snapshot(self) -> Snapshot:
        """The cluster as it is now, from which others can be made."""
        return Snapshot(self.lab, self._ask("POST", "/snapshots")["snapshot"])

    def restore(self, snapshot: Snapshot) -> None:
        """Becomes what the snapshot is, behind the same port; clients connect anew."""
        self._ask("POST", "/restore", {"snapshot": snapshot.id}, patience=30)

    # Topics, records, groups.

    def create_topic(self, name: str, partitions: int = 1) -> None:
        """Makes a topic; it is there for every client when this returns."""
        self._ask("POST", "/topics", {"name": name, "partitions": partitions})

    def produce(self, topic: str, *values: Bytes | Mapping[str, Any], key: Bytes = None, partition: int | None = None,
                timestamp: int | None = None, headers: Mapping[str, str | None] | None = None) -> None:
        """Writes a record for each value. A mapping is a whole record instead, in the words of the control API."""
        records: list[Mapping[str, Any]] = []
        for value in values:
            if isinstance(value, Mapping):
                records.append(value)
                continue
            record: dict[str, Any] = {}
            for name, given in (("key", key), ("value", value)):
                if isinstance(given, bytes):
                    record[name + "_base64"] = base64.b64encode(given).decode()
                else:
                    record[name] = given
            for name, extra in (("partition", partition), ("timestamp", timestamp), ("headers", headers)):
                if extra is not None:
                    record[name] = extra
            records.append(record)
        self._ask("POST", f"/topics/{quote(topic, safe='')}/records", records)

    def records(self, topic: str, *, count: int = 0, wait: Duration = 0, partition: int | None = None,
                start: int | None = None, key: str | None = None) -> list[Record]:
        """The records of a topic, once there are `count` that match. WaitTimeout after `wait`; never fewer."""
        words = {"partition": partition, "from": start, "key": key, "count": count or None}
        if wait:
            words["wait"] = _duration(wait)
        path = f"/topics/{quote(topic, safe='')}/records"
        answer = self._ask("GET", path, patience=_seconds(_duration(wait)), **words)
        return [Record._of(one) for one in answer["records"]]

    def group(self, name: str, *, wait_stable: bool = False, members: int | None = None, lag: int | None = None,
              timeout: Duration = 10) -> Group:
        """A group, once it is stable, has so many members and is at most so far behind, where that is asked."""
        words = {"wait": "stable" if wait_stable else None, "members": members, "lag": lag}
        waits = any(word is not None for word in words.values())
        text = _duration(timeout)
        patience = _seconds(text) if waits else 0
        answer = self._ask("GET", f"/groups/{quote(name, safe='')}", patience=patience,
                           timeout=text if waits else None, **words)
        return Group._of(answer)

    def rebalance(self, group: str, reason: str | None = None) -> None:
        """The members of a classic or consumer group have to join again."""
        self._ask("POST", f"/groups/{quote(group, safe='')}/rebalance", {"reason": reason} if reason else None)

    def expire_member(self, group: str, member_id: str) -> None:
        """The member is out, as when its session ends; it hears of it with its next heartbeat."""
        self._ask("POST", f"/groups/{quote(group, safe='')}/members/{quote(member_id, safe='')}/expire")

    def commit(self, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
        """Commits offsets, by topic and partition, of a group without members."""
        listed = [{"topic": topic, "partition": partition, "offset": offset}
                  for (topic, partition), offset in offsets.items()]
        self._ask("PUT", f"/groups/{quote(group, safe='')}/offsets", listed)

    def delete_offsets(self, group: str, topics: Iterable[str] | None = None) -> None:
        """Deletes what a group without members has committed, in these topics or in all."""
        body = None if topics is None else {"topics": list(topics)}
        self._ask("DELETE", f"/groups/{quote(group, safe='')}/offsets", body)

    # Transactions and producers.

    def transactions(self) -> list[Mapping[str, Any]]:
        """The transactional ids: state, producer_id, producer_epoch, partitions."""
        return self._ask("GET", "/transactions")["transactions"]

    def fence(self, transactional_id: str) -> Mapping[str, Any]:
        """Another producer of the same id begins."""
        return self._transaction(transactional_id, "fence")

    def abort(self, transactional_id: str) -> Mapping[str, Any]:
        """Aborts the transaction that is open."""
        return self._transaction(transactional_id, "abort")

    def expire(self, transactional_id: str) -> Mapping[str, Any]:
        """Aborts the transaction that is open as if its timeout were over now."""
        return self._transaction(transactional_id, "expire")

    def hang(self, transactional_id: str, topic: str, partition: int = 0, value: str = "") -> Mapping[str, Any]:
        """Leaves a transaction in a partition of which the coordinator knows nothing."""
        return self._transaction(transactional_id, "hang", {"topic": topic, "partition": partition, "value": value})

    def _transaction(self, transactional_id: str, act: str, body: object = None) -> Mapping[str, Any]:
        return self._ask("POST", f"/transactions/{quote(transactional_id, safe='')}/{act}", body, 10)

    def forget_producer(self, producer_id: int, topic: str | None = None) -> None:
        """Partitions forget a producer, as after `producer.id.expiration.ms`."""
        self._ask("POST", f"/producers/{producer_id}/forget", {"topic": topic} if topic else None)

    # Faults and gates.

    def fault(self, *, required: bool = True, **words: Any) -> Fault:
        """Adds a rule behind the others, in the words of docs/lab/README.md: `api="Fetch", error="...", once=True`.

        One that is `required` must have acted when it is removed, and at the end of a test with `ottla_cluster`.
        """
        fault = Fault(self, self._ask("POST", "/faults", words)["id"], required)
        self._faults[fault.id] = required
        return fault

    def faults(self) -> list[Mapping[str, Any]]:
        """The rules with their hits."""
        return self._ask("GET", "/faults")["faults"]

    def clear_faults(self) -> None:
        """Takes all rules away, whether they have acted or not."""
        self._faults.clear()
        self._ask("DELETE", "/faults")

    def check_faults(self) -> None:
        """NeverActed if a rule is left that is required to have acted and has not."""
        idle = [one for one in self.faults() if one["hits"] == 0
                and self._faults.get(one["id"], False)]
        if idle:
            rules = "; ".join(f"{json.dumps(one['rule'])} (about {one['seen']} requests)" for one in idle)
            raise NeverActed(409, {"error": {"message": f"never acted: {rules}"}, "faults": idle})

    def disk(self, **words: Any) -> Mapping[str, Any]:
        """Fills, slows down or spoils its disk: disk(free_bytes=0), disk(fsync={"delay": "1s"}), disk(fsync={"error": True}),
        disk(read={"corrupt": [{"topic": "orders"}]}); None takes one back. What is in force now."""
        return self._ask("PUT", "/disk", words) if words else self._ask("GET", "/disk")

    def mend_disk(self) -> None:
        """As it was. A directory that failed stays away until a crash."""
        self._ask("DELETE", "/disk")

    def crash(self, lose: str = "none") -> None:
        """Its machine stops and starts again behind the same port. lose: "none" (as kill -9) or "unsynced" (power loss)."""
        self._ask("POST", "/crash", {"lose": lose}, patience=30)

    def record(self) -> Recording:
        """Keeps what is asked and answered from here on, until it is stopped or left: `with cluster.record() as talk`."""
        return Recording(self, self._ask("POST", "/recordings")["recording"])

    def replay(self, recording: Recording, to: str | None = None, speed: float = 0) -> Mapping[str, Any]:
        """Sends its requests again, here or to another broker: sent, same, different, differences."""
        words: dict[str, Any] = {"recording": recording.id, "speed": speed}
        if to is not None:
            words["to"] = to
        return self._ask("POST", "/replays", words, patience=3600)

    def answer_from(self, recording: Recording, speed: float = 0) -> None:
        """From here on the recording answers in the broker's place."""
        self._ask("POST", "/replays", {"recording": recording.id, "as": "server", "speed": speed})

    def answer_again(self) -> Mapping[str, Any]:
        """The broker answers again. What the recording was asked: played, repeated, left, missed, missing."""
        return self._ask("DELETE", "/replays")

    def gates(self) -> dict[str, int]:
        """How many requests wait at each gate."""
        return {one["gate"]: one["waiting"] for one in self._ask("GET", "/gates")["gates"]}

    def release(self, gate: str) -> int:
        """Lets those go on that a rule with `hold` keeps at a gate. Returns how many."""
        return self._ask("POST", f"/gates/{quote(gate, safe='')}/release")["released"]

    # The journal.

    def requests(self, **words: Any) -> list[Request]:
        """What clients sent, oldest first: `api`, `topic`, `group`, `client_id`, `error`, ..."""
        return [Request._of(one) for one in self._ask("GET", "/requests", **words)["requests"]]

    def count(self, **words: Any) -> int:
        """How many requests match."""
        return self._ask("POST", "/requests/count", words)["count"]

    def wait_requests(self, count: int = 1, timeout: Duration = 10, **words: Any) -> list[Request]:
        """Waits until so many requests match; WaitTimeout tells the nearest ones and what they miss."""
        text = _duration(timeout)
        body = {"match": words, "count": count, "timeout": text}
        answer = self._ask("POST", "/requests/wait", body, _seconds(text))
        return [Request._of(one) for one in answer["requests"]]

    def forget_requests(self) -> None:
        """Empties the journal."""
        self._ask("DELETE", "/requests")

    # Clocks.

    def clock(self) -> Mapping[str, Any]:
        """Both clocks: mode, records (milliseconds since 1970), timers, next_in_ms."""
        return self._ask("GET", "/clock")

    def freeze(self) -> None:
        """Both clocks stand until they are moved."""
        self._ask("PUT", "/clock", {"mode": "frozen"})

    def scale(self, scale: float) -> None:
        """Both clocks run so many times as fast as the machine's."""
        self._ask("PUT", "/clock", {"mode": "scaled", "scale": scale})

    def unfreeze(self) -> None:
        """Both clocks run again, from where they stand."""
        self._ask("PUT", "/clock", {"mode": "real"})

    def advance(self, by: Duration, what: Iterable[str] = ("records", "timers")) -> Mapping[str, Any]:
        """Moves the clocks, and returns when all that became due is done. `what`: "records", "timers"."""
        return self._ask("POST", "/clock/advance", {"by": _duration(by), "what": list(what)}, 10)

    def next_timer(self) -> Mapping[str, Any]:
        """Moves both clocks to where the first timer is due."""
        return self._ask("POST", "/clock/next", None, 10)

    def story(self, requests: int = 20) -> str:
        """What to show of a test that failed: seed, rules with their hits, the last requests."""
        lines = [repr(self)]
        for one in self.faults():
            lines.append(f"rule {one['id']}: {json.dumps(one['rule'])}, acted {one['hits']} times")
        for one in self.requests(limit=requests, bodies="false"):
            what = ", ".join(one.errors) or one.outcome
            by = f", by rule {one.fault}" if one.fault else ""
            lines.append(f"{one.number:>6} {one.api} v{one.version} {one.client_id!r}: {what}{by}")
        return "\n".join(lines)


class Snapshot:
    """A cluster as it was at one moment. Made by `Cluster.snapshot`."""

    def __init__(self, lab: Lab, id: str):
        self._lab, self.id = lab, id

    def fork(self, **words: Any) -> Cluster:
        """A new cluster that begins as it is: `name`, `topics`, `configs`, `faults`, `seed`, `ttl`, `clock`."""
        return self._lab._made(self._lab._ask_lab("POST", f"/snapshots/{self.id}/fork", words, 30, {}))

    def delete(self) -> None:
        """Forgets it."""
        self._lab._ask_lab("DELETE", f"/snapshots/{self.id}", None, 0, {})

    def __repr__(self) -> str:
        return f"Snapshot({self.id})"


class Recording:
    """What clients and a broker said to each other. Made by `Cluster.record`, or `Lab.recording` of what was exported."""

    def __init__(self, cluster: Cluster, id: str):
        self._cluster, self.id = cluster, id

    def _ask(self, method: str, path: str = "") -> Any:
        return self._cluster.lab._ask_lab(method, f"/recordings/{self.id}{path}", None, 0, {})

    def stop(self) -> None:
        """Takes in nothing more."""
        self._ask("POST", "/stop")

    def export(self) -> bytes:
        """Its frames with times, a line of JSON each."""
        exported: bytes = self._ask("GET", "/export")
        return exported

    def delete(self) -> None:
        """Forgets it."""
        self._ask("DELETE")

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"Recording({self.id})"


class Lab(Cluster):
    """Starts `ottla lab`; is its main cluster; ends it with `close`, at the end of `with`, or with this process.

    seed       ids and draws follow from it; the lab draws one when it is None, and `seed` says which
    topics     of the main cluster: "orders", "orders:6"
    configs    keys of its broker: {"auto.create.topics.enable": False}
    config     the path of a lab.toml
    ttl        the lab ends by itself after this time
    binary     another program than `ottla.binary()`
    start_timeout   seconds until LabNotStarted
    """

    def __init__(self, *, seed: int | None = None, topics: Iterable[str] = (),
                 configs: Mapping[str, object] | None = None, config: str | os.PathLike[str] | None = None,
                 ttl: Duration | None = None, binary: str | None = None, start_timeout: float = 20):
        # With the pipe of its standard input open to this process alone, the lab ends when this process does.
        command = [binary or ottla.binary(), "lab", "--exit-with-parent"]
        if seed is not None:
            command += ["--seed", str(seed)]
        if config is not None:
            command += ["--config", os.fspath(config)]
        if ttl is not None:
            command += ["--ttl", _duration(ttl)]
        for key, value in (configs or {}).items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            command += ["--override", f"{key}={text}"]
        self._owner = os.getpid()
        # It has no name on the disk, so that nothing is left behind whatever happens.
        self._errors = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=self._errors)
        except OSError as error:
            self._errors.close()
            raise LabNotStarted(f"{command[0]} can't be started: {error}") from error
        self._end = weakref.finalize(self, _end, self._process, self._errors, self._owner)
        try:
            ready = self._ready_line(command, start_timeout)
            at = urlsplit(ready["lab"])
            self.address: str = ready["lab"]
            self._host, self._port, self._path = at.hostname, at.port, at.path
            super().__init__(None, "main", ready["bootstrap"], ready["seed"])
            self._check_version(command[0])
            self._topics = tuple(topics)
            self._create_first_topics()
        except BaseException:
            self.close()
            raise

    def _create_first_topics(self) -> None:
        for topic in self._topics:
            name, _, partitions = topic.partition(":")
            self.create_topic(name, int(partitions or 1))

    def reset(self) -> None:
        super().reset()
        self._create_first_topics()

    @property
    def lab(self) -> Lab:
        """Itself."""
        return self

    @property
    def pid(self) -> int:
        """Of the lab's process."""
        return self._process.pid

    def _ready_line(self, command: Sequence[str], timeout: float) -> Mapping[str, Any]:
        lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        output = self._process.stdout
        assert output is not None
        threading.Thread(target=lambda: lines.put(output.readline()), name="ottla-ready", daemon=True).start()
        try:
            line = lines.get(timeout=timeout)
        except queue.Empty:
            self._process.kill()
            why = f"said nothing for {timeout} s"
            raise LabNotStarted(f"{' '.join(command)} {why}{self._wrote()}") from None
        try:
            return json.loads(line)
        except ValueError:
            # It has closed its output: it is about to end, or is something else.
            try:
                why = f"ended with {self._process.wait(5)}"
            except subprocess.TimeoutExpired:
                self._process.kill()
                why = f"is no lab: it said {line[:200]!r}"
            raise LabNotStarted(f"{' '.join(command)} {why}{self._wrote()}") from None

    def _wrote(self) -> str:
        """The end of what the program wrote."""
        if self._errors.closed:
            return ""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - 4000))
        text = self._errors.read().decode(errors="replace").strip()
        return f", and wrote:\n{text}" if text else ", and wrote nothing"

    def _check_version(self, program: str) -> None:
        found = self._ask_lab("GET", "/openapi.json", None, 0, {})["info"]["version"]
        if found != ottla.__version__ != "0.0.0":
            raise VersionMismatch(f"{program} is version {found}, and the package ottla {ottla.__version__}: "
                                  "take both of one version, or let OTTLA_BINARY name the right program")

    def _ask_lab(self, method: str, path: str, body: object, patience: float, words: Mapping[str, object]) -> Any:
        given = {name: ",".join(value) if isinstance(value, (list, tuple)) else value
                 for name, value in words.items() if value is not None}
        url = self._path + path + ("?" + urlencode(given) if given else "")
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection(self._host or "", self._port, timeout=30 + patience)
        try:
            connection.request(method, url, data)
            answer = connection.getresponse()
            status, text, kind = answer.status, answer.read(), answer.getheader("content-type", "")
        except OSError as error:
            raise self._ended(error) from error
        except http.client.HTTPException as error:
            raise self._ended(error) from error
        finally:
            connection.close()
        if kind.startswith("application/x-"):
            return text
        try:
            told = json.loads(text)
        except ValueError:
            told = {"error": {"message": text.decode(errors="replace")}}
        if status < 400:
            return told
        if status == 408:
            raise WaitTimeout(status, told)
        if status == 409 and given.get("expect") == "hit":
            raise NeverActed(status, told)
        raise ApiError(status, told)

    def _ended(self, error: Exception) -> LabError:
        try:
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return LabError(f"the lab at {self.address} does not answer: {error}")
        return LabEnded(f"the lab at {self.address} has ended with {code}{self._wrote()}")

    def cluster(self, *, name: str | None = None, topics: Iterable[str | Mapping[str, Any]] = (),
                configs: Mapping[str, object] | None = None, faults: Iterable[Mapping[str, Any]] = (),
                seed: int | None = None, ttl: Duration | None = None,
                clock: str | Mapping[str, Any] | None = None, emulate: str | None = None) -> Cluster:
        """Makes a cluster with a port of its own; it serves when this returns. One a test keeps tests apart.

        A topic is "orders", "orders:6", or {"name": ..., "partitions": ..., "configs": {...}}. With emulate="3.7"
        clients see the versions and features of that release of Apache Kafka.
        """
        body: dict[str, Any] = {"topics": list(topics), "configs": dict(configs or {}), "faults": list(faults)}
        for word, value in (("name", name), ("seed", seed), ("clock", clock), ("emulate", emulate),
                            ("ttl", None if ttl is None else _duration(ttl))):
            if value is not None:
                body[word] = value
        return self._made(self._ask_lab("POST", "/clusters", body, 0, {}))

    def _made(self, made: Mapping[str, Any]) -> Cluster:
        return Cluster(self, made["id"], made["bootstrap"], made["seed"])

    def recording(self, exported: bytes) -> Recording:
        """Takes in what `Recording.export` gave."""
        return Recording(self, self._ask_lab("POST", "/recordings", exported, 30, {})["recording"])

    def clusters(self) -> list[str]:
        """The names of all clusters."""
        return [one["id"] for one in self._ask_lab("GET", "/clusters", None, 0, {})["clusters"]]

    def delete(self) -> None:
        """The main cluster ends with the lab."""
        self.close()

    def close(self) -> None:
        """Ends the lab. Nothing of it is left when this returns."""
        self._end()

    def __enter__(self) -> Lab:
        return self


def _end(process: subprocess.Popen[bytes], errors: Any, owner: int) -> None:
    # A child that was forked must not end the lab of its parent.
    if os.getpid() != owner:
        return
    # It ends when its standard input does.
    if process.stdin is not None:
        process.stdin.close()
    deadline = time.monotonic() + 5
    try:
        process.wait(max(0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
    errors.close()
