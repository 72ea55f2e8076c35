"""What a test can do with a lab, with an unmodified client (confluent-kafka). Run: python3 test_lab.py, or pytest."""

import threading

from confluent_kafka import Consumer, Producer

from lab import Lab


def test_a_producer_tries_again_when_the_leader_is_another():
    with Lab() as lab:
        lab.ask("POST", "/topics", {"name": "orders", "partitions": 1})
        fault = lab.fault(api="Produce", topic="orders", error="NOT_LEADER_OR_FOLLOWER", times=2)
        producer = Producer({"bootstrap.servers": lab.bootstrap, "retry.backoff.ms": 10})
        producer.produce("orders", key="42", value="paid")
        assert producer.flush(10) == 0
        # Twice refused, once taken: the record is there once.
        assert [record["key"] for record in lab.records("orders", count=1, wait="5s")] == ["42"]
        assert lab.count(api="Produce", error="NOT_LEADER_OR_FOLLOWER") == 2
        assert lab.count(api="Produce") == 3
        # Fails if the rule did nothing: a test that passes without its fault proves nothing.
        lab.ask("DELETE", f"/faults/{fault}", expect="hit")


def test_an_answer_that_is_lost_makes_a_duplicate_without_idempotence():
    for idempotent, copies in [(False, 2), (True, 1)]:
        with Lab() as lab:
            lab.ask("POST", "/topics", {"name": "orders", "partitions": 1})
            # The record is written, and the connection ends before the producer hears of it.
            lab.fault(api="Produce", disconnect="after", once=True)
            producer = Producer({
                "bootstrap.servers": lab.bootstrap, "enable.idempotence": idempotent, "retry.backoff.ms": 10,
                "acks": "all", "log_level": 0,
            })
            producer.produce("orders", value="paid")
            assert producer.flush(10) == 0
            assert len(lab.records("orders", count=copies, wait="5s")) == copies


def test_two_consumers_share_a_topic_once_their_group_is_stable():
    with Lab() as lab:
        lab.ask("POST", "/topics", {"name": "jobs", "partitions": 4})
        lab.ask("POST", "/topics/jobs/records", [{"partition": number % 4, "value": str(number)} for number in range(20)])
        done, seen = threading.Event(), []

        def work():
            consumer = Consumer({
                "bootstrap.servers": lab.bootstrap, "group.id": "workers", "auto.offset.reset": "earliest",
                "auto.commit.interval.ms": 100,
            })
            consumer.subscribe(["jobs"])
            while not done.is_set():
                message = consumer.poll(0.1)
                if message is not None and message.error() is None:
                    seen.append(message.value())
            consumer.close()

        workers = [threading.Thread(target=work) for _ in range(2)]
        for worker in workers:
            worker.start()
        group = lab.ask("GET", "/groups/workers", wait="stable", members=2, lag=0, timeout="20s")
        done.set()
        for worker in workers:
            worker.join()
        assert sorted(len(member["assignment"]) for member in group["members"]) == [2, 2]
        assert len(set(seen)) == 20


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print("passed", name)
