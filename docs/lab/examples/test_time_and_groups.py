"""Time that the test moves, groups it waits for, and what a client has sent."""

import threading
import urllib.request

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic


class Worker(threading.Thread):
    """A consumer of a group that reads until it is told to stop."""

    def __init__(self, cluster, topic, client_id, **settings):
        super().__init__()
        self.values, self.done = [], threading.Event()
        self.consumer = Consumer({
            "bootstrap.servers": cluster.bootstrap, "group.id": "workers", "client.id": client_id,
            "auto.offset.reset": "earliest", "auto.commit.interval.ms": 100, "log_level": 0, **settings,
        })
        self.consumer.subscribe([topic])
        self.start()

    def run(self):
        while not self.done.is_set():
            message = self.consumer.poll(0.05)
            if message is not None and message.error() is None:
                self.values.append(message.value())
        self.consumer.close()

    def stop(self):
        self.done.set()
        self.join()


@pytest.mark.ottla(topics=["jobs:4"])
def test_two_consumers_share_a_topic_once_their_group_is_stable(ottla_cluster):
    """Waiting until a group is assigned and has read all, without guessing (spring-kafka#539, occurrent#980)."""
    for number in range(20):
        ottla_cluster.produce("jobs", str(number), partition=number % 4)
    workers = [Worker(ottla_cluster, "jobs", f"worker-{number}") for number in range(2)]
    group = ottla_cluster.group("workers", wait_stable=True, members=2, lag=0, timeout=20)
    for worker in workers:
        worker.stop()
    assert sorted(len(member.assignment) for member in group.members) == [2, 2]
    assert len(set(workers[0].values + workers[1].values)) == 20


@pytest.mark.ottla(topics=["jobs:2"])
def test_a_worker_that_is_cut_off_loses_its_work_to_the_other(ottla_cluster):
    """One client alone is cut off until its session ends, and nobody waits for it (kafka#23438)."""
    settings = {"heartbeat.interval.ms": 50, "session.timeout.ms": 6000}
    workers = [Worker(ottla_cluster, "jobs", name, **settings) for name in ("well", "ill")]
    group = ottla_cluster.group("workers", wait_stable=True, members=2, timeout=20)
    assert [len(member.assignment) for member in group.members] == [1, 1]
    ottla_cluster.fault(client_id="ill", drop="before")
    # Twice almost a session, and between them the other one is heard: so only the first one's is over.
    for _ in range(2):
        ottla_cluster.advance(5, ["timers"])
        heard = ottla_cluster.count(api="Heartbeat", client_id="well")
        ottla_cluster.wait_requests(count=heard + 2, api="Heartbeat", client_id="well")
    group = ottla_cluster.group("workers", wait_stable=True, members=1, timeout=20)
    assert group.members[0].client_id == "well" and len(group.members[0].assignment) == 2
    ottla_cluster.clear_faults()
    for worker in workers:
        worker.stop()


# The times of records are the broker's: a client's own clock goes on with the machine's.
EVENTS = {"retention.ms": 604800000, "segment.ms": 3600000, "message.timestamp.type": "LogAppendTime"}


@pytest.mark.ottla(topics=[{"name": "events", "partitions": 1, "configs": EVENTS}])
def test_a_reader_that_was_away_for_a_week_finds_its_records_gone(ottla_cluster):
    """Retention without waiting a week (kafka#5748, flink-connector-kafka#320)."""
    ottla_cluster.produce("events", "old")
    ottla_cluster.freeze()
    # The records age, and the broker looks after its five minutes.
    ottla_cluster.advance("8d", ["records"])
    ottla_cluster.produce("events", "new")
    ottla_cluster.advance("10m", ["timers"])
    ottla_cluster.unfreeze()
    assert [record.value for record in ottla_cluster.records("events", count=1, wait=5)] == [b"new"]
    settings = {"bootstrap.servers": ottla_cluster.bootstrap, "group.id": "late", "auto.offset.reset": "error"}
    reader = Consumer({**settings, "log_level": 0})
    reader.assign([TopicPartition("events", 0, 0)])
    assert reader.poll(10).error().code() == KafkaError._AUTO_OFFSET_RESET
    reader.close()


def test_tests_that_run_at_once_do_not_see_each_other(ottla):
    """The same names in two clusters, and no unique-name helpers (aiokafka#655, typestream#199)."""
    with ottla.cluster(topics=["orders"]) as one, ottla.cluster(topics=["orders"]) as other:
        for cluster, value in ((one, "red"), (other, "blue")):
            sender = Producer({"bootstrap.servers": cluster.bootstrap})
            sender.produce("orders", value=value)
            assert sender.flush(10) == 0
        assert [record.value for record in one.records("orders", count=1, wait=5)] == [b"red"]
        assert [record.value for record in other.records("orders", count=1, wait=5)] == [b"blue"]


@pytest.mark.ottla(topics=["orders"])
def test_what_an_idempotent_producer_sends(ottla_cluster):
    """Assertions about the requests themselves (Dekaf#2757, otel-arrow#3563)."""
    sender = Producer({"bootstrap.servers": ottla_cluster.bootstrap, "enable.idempotence": True, "client.id": "shop"})
    for number in range(3):
        sender.produce("orders", value=str(number))
    assert sender.flush(10) == 0
    assert ottla_cluster.count(api="InitProducerId", client_id="shop") == 1
    requests = ottla_cluster.requests(api="Produce", client_id="shop")
    assert {request.body["acks"] for request in requests} == {-1}
    assert all(request.errors == () for request in requests)


def test_an_application_makes_its_topics_itself_and_only_once(ottla_cluster):
    """A topic that two start-ups want to make (smallrye#2658, testcontainers-java#4011)."""
    admin = AdminClient({"bootstrap.servers": ottla_cluster.bootstrap})
    wanted = NewTopic("orders", num_partitions=3)
    admin.create_topics([wanted])["orders"].result(10)
    with pytest.raises(Exception, match="TOPIC_ALREADY_EXISTS"):
        admin.create_topics([wanted])["orders"].result(10)
    assert ottla_cluster.count(api="CreateTopics", error="TOPIC_ALREADY_EXISTS") == 1


@pytest.mark.ottla(topics=["orders"])
def test_another_language_steers_the_cluster_by_http_at_its_kafka_port(ottla_cluster):
    """The controls from any language, through the one port of Kafka (confluent-kafka-dotnet#1134)."""
    def ask(path, body):
        url = f"http://{ottla_cluster.bootstrap}/lab/v1{path}"
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, body) as answer:
            return answer.status

    assert ask("/faults", b'{"api":"Produce","once":true,"error":"REQUEST_TIMED_OUT"}') == 201
    sender = Producer({"bootstrap.servers": ottla_cluster.bootstrap, "retry.backoff.ms": 10})
    sender.produce("orders", value="paid")
    assert sender.flush(10) == 0
    assert ottla_cluster.count(api="Produce", error="REQUEST_TIMED_OUT") == 1
