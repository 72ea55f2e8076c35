"""Groups and transactions that a test steers by hand, and what befalls bytes on their way."""

import threading

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition


def consumer(cluster, group, **settings):
    return Consumer({
        "bootstrap.servers": cluster.bootstrap, "group.id": group, "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "log_level": 0, "heartbeat.interval.ms": 100, **settings,
    })


def poll_until(reader, done, seconds=20):
    """Messages until something is so."""
    over = threading.Event()
    timer = threading.Timer(seconds, over.set)
    timer.start()
    messages = []
    try:
        while not done():
            assert not over.is_set(), "it does not come"
            message = reader.poll(0.05)
            if message is not None:
                messages.append(message)
    finally:
        timer.cancel()
    return messages


@pytest.mark.ottla(topics=["jobs:2"])
def test_what_an_application_does_when_it_has_to_join_again(ottla_cluster):
    """A rebalance on demand (mockforge#52)."""
    assigned = []
    reader = consumer(ottla_cluster, "workers")
    reader.subscribe(["jobs"], on_assign=lambda _reader, parts: assigned.append(len(parts)))
    poll_until(reader, lambda: len(assigned) == 1)
    ottla_cluster.group("workers", wait_stable=True)
    ottla_cluster.rebalance("workers", "because the test wants it")
    poll_until(reader, lambda: len(assigned) == 2)
    assert assigned == [2, 2]
    reader.close()


@pytest.mark.ottla(topics=["jobs:2"])
def test_a_member_whose_session_ended_joins_as_another(ottla_cluster):
    """The end of one session, without waiting and without cutting anybody off."""
    lost, assigned = [], []
    reader = consumer(ottla_cluster, "workers")
    reader.subscribe(["jobs"], on_assign=lambda _reader, parts: assigned.append(len(parts)),
                     on_lost=lambda _reader, parts: lost.append(len(parts)))
    poll_until(reader, lambda: len(assigned) == 1)
    (member,) = ottla_cluster.group("workers", wait_stable=True, members=1).members
    ottla_cluster.expire_member("workers", member["member_id"] if isinstance(member, dict) else member.member_id)
    poll_until(reader, lambda: len(assigned) == 2)
    assert lost == [2]
    reader.close()


@pytest.mark.ottla(topics=["jobs"])
def test_a_group_begins_where_the_test_says(ottla_cluster):
    ottla_cluster.produce("jobs", "one", "two", "three")
    ottla_cluster.commit("workers", {("jobs", 0): 2})
    reader = consumer(ottla_cluster, "workers")
    reader.subscribe(["jobs"])
    message = reader.poll(20)
    assert message is not None and message.value() == b"three"
    reader.close()


@pytest.mark.ottla(topics=["out"])
@pytest.mark.parametrize("act", ["fence", "expire"])
def test_an_application_hears_that_its_transaction_is_over(ottla_cluster, act):
    """A producer that another one replaced, and one that was too slow (IBM/sarama and kafka-python ask for both)."""
    sender = Producer({"bootstrap.servers": ottla_cluster.bootstrap, "transactional.id": "tx-1", "log_level": 0})
    sender.init_transactions(20)
    sender.begin_transaction()
    sender.produce("out", value="paid")
    sender.flush(20)
    getattr(ottla_cluster, act)("tx-1")
    with pytest.raises(KafkaException) as refused:
        sender.commit_transaction(20)
    assert refused.value.args[0].code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH,
                                            KafkaError.PRODUCER_FENCED)
    reader = consumer(ottla_cluster, "readers", **{"isolation.level": "read_committed"})
    reader.assign([TopicPartition("out", 0, 0)])
    ottla_cluster.produce("out", "after")
    assert reader.poll(20).value() == b"after"
    reader.close()


@pytest.mark.ottla(topics=["out"])
def test_who_reads_committed_records_waits_for_one_that_hangs(ottla_cluster):
    ottla_cluster.hang("tx-1", "out", value="late")
    ottla_cluster.produce("out", "behind")
    for isolation, expected in (("read_uncommitted", [b"late", b"behind"]), ("read_committed", [])):
        reader = consumer(ottla_cluster, isolation, **{"isolation.level": isolation, "enable.partition.eof": True})
        reader.assign([TopicPartition("out", 0, 0)])
        at_end = KafkaError._PARTITION_EOF
        ended = [reader.poll(20)]
        while ended[-1].error() is None:
            ended.append(reader.poll(20))
        assert ended[-1].error().code() == at_end
        assert [one.value() for one in ended[:-1]] == expected
        reader.close()


@pytest.mark.ottla(topics=["jobs"])
def test_a_consumer_that_checks_records_sees_that_they_were_spoilt(ottla_cluster):
    ottla_cluster.produce("jobs", "one")
    ottla_cluster.fault(api="Fetch", topic="jobs", corrupt="crc", once=True)
    reader = consumer(ottla_cluster, "workers", **{"check.crcs": True})
    reader.assign([TopicPartition("jobs", 0, 0)])
    first, second = reader.poll(20), reader.poll(20)
    assert first.error().code() == KafkaError._BAD_MSG
    # It asks again, and the record is as it was.
    assert second.error() is None and second.value() == b"one"
    reader.close()


@pytest.mark.ottla(topics=["jobs"])
def test_a_producer_tries_again_when_its_answer_is_broken_off(ottla_cluster):
    """Bytes that end too early (toxiproxy#171)."""
    ottla_cluster.fault(api="Produce", once=True, truncate=9)
    sender = Producer({"bootstrap.servers": ottla_cluster.bootstrap, "enable.idempotence": True,
                       "retry.backoff.ms": 10, "log_level": 0})
    sender.produce("jobs", value="paid")
    assert sender.flush(20) == 0
    assert [record.value for record in ottla_cluster.records("jobs")] == [b"paid"]
    assert ottla_cluster.count(api="Produce") == 2


@pytest.mark.ottla(topics=["jobs"])
def test_a_producer_gives_up_on_an_answer_that_makes_no_sense_though_the_record_is_there(ottla_cluster):
    ottla_cluster.fault(api="Produce", once=True, corrupt="length")
    told = []
    sender = Producer({"bootstrap.servers": ottla_cluster.bootstrap, "log_level": 0})
    sender.produce("jobs", value="paid", on_delivery=lambda error, _record: told.append(error))
    assert sender.flush(20) == 0
    assert len(told) == 1 and told[0] is not None
    assert [record.value for record in ottla_cluster.records("jobs")] == [b"paid"]


@pytest.mark.ottla(topics=["jobs"])
def test_a_leader_is_away_for_half_a_minute_of_the_clusters_time(ottla_cluster):
    """A rule that begins after the first request and ends when the test has moved the clock."""
    ottla_cluster.fault(api="Produce", after=1, error="NOT_LEADER_OR_FOLLOWER", **{"for": "30s"})
    sender = Producer({"bootstrap.servers": ottla_cluster.bootstrap, "retry.backoff.ms": 10, "log_level": 0})
    sender.produce("jobs", value="one")
    assert sender.flush(20) == 0
    sender.produce("jobs", value="two")
    ottla_cluster.wait_requests(2, api="Produce", error="NOT_LEADER_OR_FOLLOWER")
    assert sender.flush(0) == 1
    ottla_cluster.advance("31s")
    assert sender.flush(20) == 0


@pytest.mark.ottla(topics=["jobs"])
def test_what_two_applications_send_arrives_the_other_way_round(ottla_cluster):
    fault = ottla_cluster.fault(api="Produce", reorder=2, times=2)
    senders = [Producer({"bootstrap.servers": ottla_cluster.bootstrap, "log_level": 0}) for _ in range(2)]
    senders[0].produce("jobs", value="first")
    senders[0].poll(0)
    ottla_cluster.wait_requests(1, api="Produce", outcome="waiting")
    senders[1].produce("jobs", value="second")
    assert [sender.flush(20) for sender in senders] == [0, 0]
    assert [record.value for record in ottla_cluster.records("jobs")] == [b"second", b"first"]
    fault.remove()
