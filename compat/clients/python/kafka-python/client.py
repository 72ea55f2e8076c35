"""kafka-python: its hand of the scenario."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import CommitFailedError, KafkaError

import contract

BOOTSTRAP = sys.argv[1]
if contract.AUTHORITY:
    contract.LOGIN["ssl_cafile"] = contract.AUTHORITY


def with_admin(action):
    admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP, **contract.LOGIN)
    try:
        return action(admin)
    finally:
        admin.close()


def produce(topic, codec, first, count, length, timestamp):
    producer = KafkaProducer(
        bootstrap_servers=BOOTSTRAP, **contract.LOGIN, compression_type=None if codec == "none" else codec, acks="all", linger_ms=5
    )
    sent = [
        producer.send(
            topic,
            partition=number % 3,
            key=contract.key_of(number),
            value=contract.value_of(number, int(length)),
            headers=contract.headers_of(number, codec),
            timestamp_ms=int(timestamp) + number,
        )
        for number in range(int(first), int(first) + int(count))
    ]
    for one in sent:
        one.get(30)
    producer.close()


def say_record(record):
    contract.say_record(
        record.partition, record.offset, record.timestamp, record.key, record.value, record.headers
    )


class Listener(ConsumerRebalanceListener):
    def on_partitions_revoked(self, revoked):
        pass

    def on_partitions_assigned(self, assigned):
        contract.say_assigned([partition.partition for partition in assigned])


def member(topic, group):
    leave = contract.told_to_leave()
    consumer = KafkaConsumer(
        bootstrap_servers=BOOTSTRAP, **contract.LOGIN,
        group_id=group,
        session_timeout_ms=6000,
        heartbeat_interval_ms=1000,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    consumer.subscribe([topic], listener=Listener())
    while not leave.is_set():
        batches = consumer.poll(100)
        for records in batches.values():
            for record in records:
                say_record(record)
        if batches:
            commit(consumer)
    commit(consumer)
    consumer.close()
    contract.say("left")


def commit(consumer):
    try:
        consumer.commit()
    except (CommitFailedError, KafkaError) as error:
        contract.say("note", repr(error))


def committed(group):
    offsets = with_admin(lambda admin: admin.list_group_offsets(group))[group]
    for partition, offset in offsets.items():
        contract.say("offset", partition.partition, offset.offset)


def seek(topic, timestamp):
    consumer = KafkaConsumer(bootstrap_servers=BOOTSTRAP, **contract.LOGIN, enable_auto_commit=False)
    partitions = [TopicPartition(topic, partition) for partition in contract.PARTITIONS]
    consumer.assign(partitions)
    for partition, found in consumer.offsets_for_times({p: int(timestamp) for p in partitions}).items():
        consumer.seek(partition, found.offset)
    waiting = set(partitions)
    while waiting:
        for partition, records in consumer.poll(100).items():
            if partition in waiting:
                waiting.discard(partition)
                say_record(records[0])
    consumer.close()


def describe_config(topic, key):
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {key: None})
    described = with_admin(lambda admin: admin.describe_configs([resource], config_filter="all"))
    contract.say("config", key, described["topic"][topic][key]["value"])


def alter_config(topic, key, value):
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {key: value})
    with_admin(lambda admin: admin.alter_configs([resource]))


def create(topic, count, replicas):
    options = {topic: {"num_partitions": int(count), "replication_factor": int(replicas)}}
    with_admin(lambda admin: admin.create_topics(options))


VERBS = {
    "codecs": lambda: contract.say("codecs", ",".join(contract.CODECS)),
    "create": create,
    "produce": produce,
    "committed": committed,
    "seek": seek,
    "describe-config": describe_config,
    "alter-config": alter_config,
    "exists": lambda topic: contract.say(
        "exists", str(topic in with_admin(lambda admin: admin.list_topics())).lower()
    ),
    "delete": lambda topic: with_admin(lambda admin: admin.delete_topics([topic])),
}

contract.serve(VERBS, member)
