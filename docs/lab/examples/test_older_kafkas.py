"""One matrix of brokers without a matrix of images."""

import pytest
from confluent_kafka import Consumer, Producer


@pytest.mark.parametrize("release", ["2.8", "3.4", "3.9", "4.2"])
def test_a_transaction_is_seen_once_on_each_release(ottla, release):
    """A client that negotiates anew with each broker (librdkafka, Dekaf#1846)."""
    with ottla.cluster(topics=["orders:1"], emulate=release) as cluster:
        producer = Producer({"bootstrap.servers": cluster.bootstrap, "transactional.id": "t"})
        producer.init_transactions(20)
        for value, ends in (("kept", producer.commit_transaction), ("lost", producer.abort_transaction),
                            ("kept too", producer.commit_transaction)):
            producer.begin_transaction()
            producer.produce("orders", value)
            ends(20)
        reader = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "g", "auto.offset.reset": "earliest"})
        reader.subscribe(["orders"])
        seen = [reader.poll(20).value() for _ in range(2)]
        reader.close()
        assert seen == [b"kept", b"kept too"]
        newest = {"2.8": 9, "3.4": 9, "3.9": 11, "4.2": 13}[release]
        assert all(request.version <= newest for request in cluster.requests(api="Produce"))
