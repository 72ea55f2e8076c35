"""Testcontainers' Python modules, unchanged: start, produce, consume. One line each: the module and its seconds."""

import sys
import time

from confluent_kafka import Consumer, Producer
from testcontainers.kafka import KafkaContainer, RedpandaContainer


def exchange(bootstrap):
    producer = Producer({"bootstrap.servers": bootstrap})
    errors = []
    for number in range(10):
        producer.produce("module", f"v{number}", callback=lambda error, _: errors.append(error) if error else None)
    assert producer.flush(20) == 0 and not errors, errors
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe(["module"])
    seen = []
    deadline = time.monotonic() + 20
    while len(seen) < 10 and time.monotonic() < deadline:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            seen.append(message.value().decode())
    consumer.close()
    assert seen == [f"v{number}" for number in range(10)], seen


MODULES = {
    "KafkaContainer": lambda: KafkaContainer("confluentinc/cp-kafka:7.6.0"),
    "KafkaContainer with_kraft": lambda: KafkaContainer("confluentinc/cp-kafka:7.6.0").with_kraft(),
    "RedpandaContainer": lambda: RedpandaContainer("redpandadata/redpanda:v23.1.13"),
}

for name, make in MODULES.items():
    begin = time.monotonic()
    with make() as container:
        ready = time.monotonic() - begin
        exchange(container.get_bootstrap_server())
    print(f"{name}\t{ready:.2f}", flush=True)
sys.exit(0)
