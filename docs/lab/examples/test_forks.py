"""A base that is made once and forked for each test, and clusters that one port tells apart."""

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition


@pytest.fixture(scope="module")
def base(ottla):
    """What every test begins with."""
    with ottla.cluster(topics=["orders"]) as cluster:
        cluster.produce("orders", "one", "two", "three")
        cluster.commit("billing", {("orders", 0): 1})
        snapshot = cluster.snapshot()
    # It does not need the cluster any more.
    yield snapshot
    snapshot.delete()


@pytest.fixture
def orders(base):
    with base.fork() as cluster:
        yield cluster


def read(cluster, group, count, **settings):
    reader = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": group, "auto.offset.reset": "earliest",
                       "log_level": 0, **settings})
    reader.subscribe(["orders"])
    messages = [reader.poll(20) for _ in range(count)]
    reader.close()
    assert None not in messages
    return [message.value() for message in messages]


@pytest.mark.parametrize("times", [1, 2])
def test_a_group_goes_on_where_the_base_left_it(orders, times):
    """Tests do not see each other (typestream#199, aiokafka#655): each of the two finds the same."""
    assert read(orders, "billing", 2) == [b"two", b"three"]
    orders.produce("orders", "of this test alone")


def test_a_test_breaks_its_own_copy(orders):
    orders.fault(api="Produce", error="NOT_LEADER_OR_FOLLOWER", once=True)
    sender = Producer({"bootstrap.servers": orders.bootstrap, "retry.backoff.ms": 10, "log_level": 0})
    sender.produce("orders", value="four")
    assert sender.flush(20) == 0
    assert len(orders.records("orders")) == 4


def test_clients_of_two_clusters_use_one_port(ottla):
    """In a container one port is mapped: the id of a client says whose it is."""
    with ottla.cluster(topics=["orders"]) as one, ottla.cluster(topics=["orders"]) as other:
        for cluster, value in ((one, "of one"), (other, "of the other")):
            sender = Producer({"bootstrap.servers": ottla.bootstrap, "client.id": f"{cluster.id}.app", "log_level": 0})
            sender.produce("orders", value=value)
            assert sender.flush(20) == 0
        assert read(ottla, "g", 1, **{"client.id": f"{other.id}.app"}) == [b"of the other"]
        assert [record.value for record in one.records("orders")] == [b"of one"]
        assert one.count(api="Produce", client_id=f"{one.id}.app") == 1
        # At its own port it needs no such id.
        reader = Consumer({"bootstrap.servers": one.bootstrap, "group.id": "g", "log_level": 0})
        reader.assign([TopicPartition("orders", 0, 0)])
        assert reader.poll(20).value() == b"of one"
        reader.close()
