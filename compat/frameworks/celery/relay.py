"""Each line of a topic becomes a task of Celery, whose queue is another topic; the worker's task writes the line on."""

import sys
import threading

import confluent_kafka
from celery import Celery

BOOTSTRAP, FROM, TO, GROUP = sys.argv[1:5]

app = Celery("relay", broker=f"confluentkafka://{BOOTSTRAP}")
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_enable_remote_control=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "wait_time_seconds": 1,
        "kafka_producer_config": {"enable.idempotence": True},
        "kafka_consumer_config": {"session.timeout.ms": 10_000},
    },
)
producer = confluent_kafka.Producer({"bootstrap.servers": BOOTSTRAP, "enable.idempotence": True})


@app.task
def carry(line):
    failures = []
    producer.produce(TO, line, on_delivery=lambda error, _: error and failures.append(error))
    producer.flush()
    if failures:
        raise confluent_kafka.KafkaException(failures[0])


def ask(stop):
    """A line is committed once its task is in the queue."""
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": BOOTSTRAP,
        "group.id": GROUP,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "session.timeout.ms": 10_000,
    })
    consumer.subscribe([FROM])
    while not stop.is_set():
        line = consumer.poll(0.2)
        if line is not None and line.error() is None:
            carry.delay(line.value().decode())
            consumer.commit(line)
    try:
        consumer.commit(asynchronous=False)
    except confluent_kafka.KafkaException as error:
        print(f"at the end: {error}", flush=True)
    consumer.close()


stopping = threading.Event()
asker = threading.Thread(target=ask, args=[stopping])
asker.start()
try:
    app.worker_main(["worker", "--pool=solo", "--loglevel=warning", "--without-gossip", "--without-mingle",
                     "--without-heartbeat"])
finally:
    stopping.set()
    asker.join()
