"""What a client said to a broker, played again: to another broker, and as one."""

from confluent_kafka import Consumer, Producer, TopicPartition


def pay(bootstrap):
    """A service that reads, writes in a transaction, and commits."""
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": "payments"})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce("payments", "10", key="alice")
    producer.produce("payments", "20", key="bob")
    producer.commit_transaction(20)
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "audit", "auto.offset.reset": "earliest"})
    reader.subscribe(["payments"])
    read = sorted(reader.poll(20).value() for _ in range(2))
    reader.commit(asynchronous=False)
    reader.close()
    return read


def test_a_talk_has_the_same_answers_on_another_broker(ottla):
    """Traffic that was recorded once, against a broker that is to be tried (rdebug#16)."""
    with ottla.cluster(topics=["payments:1"]) as first, ottla.cluster(topics=["payments:1"]) as second:
        with first.record() as talk:
            assert pay(first.bootstrap) == [b"10", b"20"]
        told = second.replay(talk)
        assert told["sent"] > 15
        different = {(one["api"], one["path"].rsplit(".", 1)[-1]) for one in told["differences"]}
        # How records lie in answers to fetches is a matter of time.
        assert {api for api, _ in different} <= {"Fetch"}, told["differences"]
        assert [record.value for record in second.records("payments", count=2, wait=5)] == [b"10", b"20"]
        assert second.group("audit").offsets == first.group("audit").offsets


def test_a_recording_is_a_broker_for_whoever_asks_the_same(ottla):
    """A test of a client needs no broker that has the data (mockforge#683)."""
    with ottla.cluster(topics=["payments:1"]) as first:
        first.produce("payments", "10", "20")
        with first.record() as talk:
            assert tail(first.bootstrap) == [b"10", b"20"]
        exported = talk.export()
    with ottla.cluster() as empty:
        empty.answer_from(ottla.recording(exported))
        assert tail(empty.bootstrap) == [b"10", b"20"]
        asked = empty.answer_again()
        # Behind the last record it reads on as far as it gets.
        assert {one["api"] for one in asked["missing"]} <= {"Fetch"}


def tail(bootstrap):
    """Without a group and metrics, so that it asks the same each time."""
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "none", "enable.auto.commit": False,
                       "enable.metrics.push": False})
    reader.assign([TopicPartition("payments", 0, 0)])
    read = [reader.poll(20).value() for _ in range(2)]
    reader.close()
    return read
