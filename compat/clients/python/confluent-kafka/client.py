"""librdkafka through confluent-kafka: its hand of the scenario."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

import contract

SERVERS = {"bootstrap.servers": sys.argv[1]}
if contract.LOGIN:
    SERVERS |= {
        "security.protocol": contract.LOGIN["security_protocol"],
        "sasl.mechanism": contract.LOGIN["sasl_mechanism"],
        "sasl.username": contract.LOGIN["sasl_plain_username"],
        "sasl.password": contract.LOGIN["sasl_plain_password"],
    }
if contract.AUTHORITY:
    SERVERS["ssl.ca.location"] = contract.AUTHORITY
ADMIN = AdminClient({**SERVERS})


def finish(futures):
    return {name: future.result(30) for name, future in futures.items()}


def produce(topic, codec, first, count, length, timestamp):
    producer = Producer({
        **SERVERS,
        "compression.type": codec,
        "enable.idempotence": True,
        "message.max.bytes": 1_048_576,
        "linger.ms": 5,
    })
    errors = []

    def delivered(error, _message):
        if error is not None:
            errors.append(error)

    for number in range(int(first), int(first) + int(count)):
        producer.produce(
            topic,
            partition=number % 3,
            key=contract.key_of(number),
            value=contract.value_of(number, int(length)),
            headers=contract.headers_of(number, codec),
            timestamp=int(timestamp) + number,
            on_delivery=delivered,
        )
        producer.poll(0)
    if producer.flush(30) or errors:
        raise RuntimeError(f"not delivered: {errors[:1]}")


def say_message(message):
    contract.say_record(
        message.partition(), message.offset(), message.timestamp()[1], message.key(), message.value(),
        message.headers() or [],
    )


def member(topic, group):
    leave = contract.told_to_leave()
    consumer = Consumer({
        **SERVERS,
        "group.id": group,
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 1000,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    })

    def on_assign(_consumer, partitions):
        contract.say_assigned([partition.partition for partition in partitions])

    consumer.subscribe([topic], on_assign=on_assign)
    while not leave.is_set():
        messages = consumer.consume(500, 0.1)
        for message in messages:
            if message.error():
                contract.say("note", message.error())
            else:
                say_message(message)
        if messages:
            commit(consumer)
    commit(consumer)
    consumer.close()
    contract.say("left")


def commit(consumer):
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        contract.say("note", error)


def committed(group):
    request = [ConsumerGroupTopicPartitions(group)]
    for partition in finish(ADMIN.list_consumer_group_offsets(request))[group].topic_partitions:
        contract.say("offset", partition.partition, partition.offset)


def seek(topic, timestamp):
    consumer = Consumer({**SERVERS, "group.id": "unused", "enable.auto.commit": False})
    wanted = [TopicPartition(topic, partition, int(timestamp)) for partition in contract.PARTITIONS]
    consumer.assign(consumer.offsets_for_times(wanted, 30))
    waiting = set(contract.PARTITIONS)
    while waiting:
        for message in consumer.consume(100, 0.1):
            if message.error() is None and message.partition() in waiting:
                waiting.discard(message.partition())
                say_message(message)
    consumer.close()


def describe_config(topic, key):
    resource = ConfigResource(ResourceType.TOPIC, topic)
    contract.say("config", key, finish(ADMIN.describe_configs([resource]))[resource][key].value)


def alter_config(topic, key, value):
    entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    finish(ADMIN.incremental_alter_configs([resource]))


# Producers for transactions by their names, and the consumers that feed them.
PRODUCERS = {}
CONSUMERS = {}


def transactional(name, transactional_id):
    producer = Producer({**SERVERS, "transactional.id": transactional_id})
    PRODUCERS[name] = producer
    producer.init_transactions(30)


def send(name, topic, first, count):
    errors = []
    for number in range(int(first), int(first) + int(count)):
        PRODUCERS[name].produce(
            topic,
            partition=number % 3,
            key=f"k{number}".encode(),
            value=str(number).encode(),
            on_delivery=lambda error, _message: error is not None and errors.append(error),
        )
    if PRODUCERS[name].flush(30) or errors:
        raise RuntimeError(f"not delivered: {errors[:1]}")


def copy(name, transactional_id, source, target, group, count):
    transactional(name, transactional_id)
    consumer = CONSUMERS[name] = Consumer({
        **SERVERS,
        "group.id": group,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    })
    consumer.subscribe([source])
    producer = PRODUCERS[name]
    producer.begin_transaction()
    offsets, taken = {}, 0
    while taken < int(count):
        for message in consumer.consume(int(count) - taken, 0.1):
            if message.error():
                contract.say("note", message.error())
                continue
            producer.produce(target, partition=message.partition(), key=message.key(), value=message.value())
            offsets[message.partition()] = message.offset() + 1
            taken += 1
    if producer.flush(30):
        raise RuntimeError("not delivered")
    positions = [TopicPartition(source, partition, offset) for partition, offset in offsets.items()]
    producer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata(), 30)


def close(name):
    """What was opened for one copy ends with its transaction."""
    if name in CONSUMERS:
        CONSUMERS.pop(name).close()
        del PRODUCERS[name]


def commit_transaction(name):
    PRODUCERS[name].commit_transaction(30)
    close(name)


def abort_transaction(name):
    PRODUCERS[name].abort_transaction(30)
    close(name)


def read(topic, isolation, _count):
    consumer = Consumer({
        **SERVERS,
        "group.id": "unused",
        "isolation.level": isolation,
        "enable.partition.eof": True,
        "enable.auto.commit": False,
    })
    consumer.assign([TopicPartition(topic, partition, 0) for partition in contract.PARTITIONS])
    waiting = set(contract.PARTITIONS)
    while waiting:
        for message in consumer.consume(500, 0.1):
            if message.error() is None:
                say_message(message)
            elif message.error().code() == KafkaError._PARTITION_EOF:
                waiting.discard(message.partition())
            else:
                contract.say("note", message.error())
    consumer.close()


def create(topic, count, replicas):
    finish(ADMIN.create_topics([NewTopic(topic, int(count), int(replicas))]))


VERBS = {
    "transactional": transactional,
    "begin": lambda name: PRODUCERS[name].begin_transaction(),
    "send": send,
    "copy": copy,
    "commit": commit_transaction,
    "abort": abort_transaction,
    "read": read,
    "codecs": lambda: contract.say("codecs", ",".join(contract.CODECS)),
    "create": create,
    "produce": produce,
    "committed": committed,
    "seek": seek,
    "describe-config": describe_config,
    "alter-config": alter_config,
    "exists": lambda topic: contract.say("exists", str(topic in ADMIN.list_topics(timeout=30).topics).lower()),
    "delete": lambda topic: finish(ADMIN.delete_topics([topic])),
}

contract.serve(VERBS, member)
