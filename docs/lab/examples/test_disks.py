"""A disk that is full, and a machine that stops under a client."""

from confluent_kafka import KafkaError, Producer


def deliver(producer, value):
    """The error of one record, or None."""
    told = []
    producer.produce("orders", value, on_delivery=lambda error, _message: told.append(error))
    producer.flush(20)
    return told[0] if told else KafkaError(KafkaError._TIMED_OUT)


def test_a_producer_gives_up_on_a_full_disk_and_goes_on_with_room(ottla):
    """What an application says of it, which no fake has."""
    with ottla.cluster(topics=["orders:1"]) as cluster:
        settings = {"bootstrap.servers": cluster.bootstrap, "delivery.timeout.ms": 1500, "retries": 2, "log_level": 0}
        producer = Producer(settings)
        assert deliver(producer, "first") is None
        cluster.disk(free_bytes=0)
        assert deliver(producer, "second") is not None
        cluster.mend_disk()
        assert deliver(producer, "third") is None
        assert [record.value for record in cluster.records("orders", count=2, wait=5)] == [b"first", b"third"]


def test_an_idempotent_producer_survives_a_crash_and_repeats_nothing(ottla):
    """The broker is gone for a moment and comes back with what was written."""
    with ottla.cluster(topics=["orders:1"]) as cluster:
        producer = Producer({"bootstrap.servers": cluster.bootstrap, "enable.idempotence": True, "log_level": 0,
                             "reconnect.backoff.max.ms": 200})
        for number in range(20):
            producer.produce("orders", str(number))
            if number == 10:
                cluster.crash()
        assert producer.flush(30) == 0
        values = [int(record.value) for record in cluster.records("orders", count=20, wait=5)]
        assert values == list(range(20))
