"""Errors, lost answers, silence and waiting on purpose, as an unmodified client (confluent-kafka) meets them.

Each test gets a Kafka of its own from the fixture `ottla_cluster` of the package ottla.
"""

import threading

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer


def producer(cluster, **settings):
    return Producer({"bootstrap.servers": cluster.bootstrap, "retry.backoff.ms": 10, "log_level": 0, **settings})


@pytest.mark.ottla(topics=["orders"])
def test_a_producer_tries_again_when_the_leader_is_another(ottla_cluster):
    """An error for the next N requests (mockforge#487, Dekaf#2757)."""
    ottla_cluster.fault(api="Produce", topic="orders", error="NOT_LEADER_OR_FOLLOWER", times=2)
    sender = producer(ottla_cluster)
    sender.produce("orders", key="42", value="paid")
    assert sender.flush(10) == 0
    # Twice refused, once taken: the record is there once.
    assert [record.key for record in ottla_cluster.records("orders", count=1, wait=5)] == [b"42"]
    assert ottla_cluster.count(api="Produce", error="NOT_LEADER_OR_FOLLOWER") == 2
    assert ottla_cluster.count(api="Produce") == 3


@pytest.mark.ottla(topics=["orders"])
@pytest.mark.parametrize(("idempotent", "copies"), [(False, 2), (True, 1)])
def test_an_answer_that_is_lost_makes_a_duplicate_without_idempotence(ottla_cluster, idempotent, copies):
    """The connection ends after the effect and before the answer (kafka#22860)."""
    ottla_cluster.fault(api="Produce", disconnect="after", once=True)
    sender = producer(ottla_cluster, **{"enable.idempotence": idempotent, "acks": "all"})
    sender.produce("orders", value="paid")
    assert sender.flush(10) == 0
    assert len(ottla_cluster.records("orders", count=copies, wait=5)) == copies


@pytest.mark.ottla(topics=["orders"])
def test_a_producer_gives_up_in_time_when_the_broker_is_silent(ottla_cluster):
    """A broker that takes requests and never answers (sarama#295, mockforge#487)."""
    ottla_cluster.fault(api="Produce", drop="before")
    told = []
    sender = producer(ottla_cluster, **{"message.timeout.ms": 500})
    sender.produce("orders", value="paid", on_delivery=lambda error, _record: told.append(error.code()))
    sender.flush(10)
    assert told == [KafkaError._MSG_TIMED_OUT]
    assert ottla_cluster.records("orders") == []


@pytest.mark.ottla(topics=["jobs"])
def test_what_happens_while_a_commit_is_on_its_way(ottla_cluster):
    """A barrier instead of a delay: the request waits until the test says go (Dekaf#2757)."""
    ottla_cluster.produce("jobs", "one")
    ottla_cluster.fault(api="OffsetCommit", group="workers", hold="commit", once=True)
    settings = {"bootstrap.servers": ottla_cluster.bootstrap, "group.id": "workers", "enable.auto.commit": False}
    consumer = Consumer({**settings, "auto.offset.reset": "earliest"})
    consumer.subscribe(["jobs"])
    message = consumer.poll(10)
    commit = threading.Thread(target=lambda: consumer.commit(message, asynchronous=False))
    commit.start()
    ottla_cluster.wait_requests(api="OffsetCommit", outcome="waiting")
    assert ottla_cluster.group("workers").offsets == []
    assert ottla_cluster.release("commit") == 1
    commit.join()
    assert ottla_cluster.group("workers", lag=0).offsets[0].offset == 1
    consumer.close()


@pytest.mark.ottla(topics=["jobs"])
def test_a_consumer_joins_though_its_coordinator_is_being_loaded(ottla_cluster):
    """The errors of a coordinator that has just moved (xk6-disruptor#151)."""
    ottla_cluster.produce("jobs", "one")
    ottla_cluster.fault(api="FindCoordinator", error="COORDINATOR_NOT_AVAILABLE", times=2)
    ottla_cluster.fault(api="JoinGroup", error="COORDINATOR_LOAD_IN_PROGRESS", once=True)
    consumer = Consumer({
        "bootstrap.servers": ottla_cluster.bootstrap, "group.id": "workers", "auto.offset.reset": "earliest",
    })
    consumer.subscribe(["jobs"])
    assert consumer.poll(20).value() == b"one"
    consumer.close()


def test_a_transaction_that_was_fenced_is_not_committed(ottla_cluster):
    """A producer hears that another one has taken its place (mockforge#487: the error of one API)."""
    ottla_cluster.create_topic("out")
    sender = producer(ottla_cluster, **{"transactional.id": "tx-1"})
    sender.init_transactions(10)
    ottla_cluster.fault(api="EndTxn", transactional_id="tx-1", error="PRODUCER_FENCED", once=True)
    sender.begin_transaction()
    sender.produce("out", value="half")
    with pytest.raises(KafkaException) as told:
        sender.commit_transaction(10)
    assert told.value.args[0].fatal()
    settings = {"bootstrap.servers": ottla_cluster.bootstrap, "group.id": "readers", "auto.offset.reset": "earliest"}
    reader = Consumer({**settings, "isolation.level": "read_committed", "enable.partition.eof": True})
    reader.subscribe(["out"])
    # Neither the record nor an end that lies behind it: the transaction is open.
    message = reader.poll(10)
    assert message.error().code() == KafkaError._PARTITION_EOF and message.offset() == 0
    reader.close()
