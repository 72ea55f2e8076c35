"""aiokafka: its hand of the scenario."""

import asyncio
import pathlib
import ssl
import sys

# The folder of this file is called as the package is; only its parent may be searched.
sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent)

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

import contract

BOOTSTRAP = sys.argv[1]
if contract.AUTHORITY:
    contract.LOGIN["ssl_context"] = ssl.create_default_context(cafile=contract.AUTHORITY)


async def with_admin(action):
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP, **contract.LOGIN)
    await admin.start()
    try:
        return await action(admin)
    finally:
        await admin.close()


def refuse(code, message=None):
    """This client hands error codes back instead of raising them."""
    if code:
        raise for_code(code)(message)


async def create(topic, count, replicas):
    new_topic = NewTopic(topic, int(count), int(replicas))
    answer = await with_admin(lambda admin: admin.create_topics([new_topic]))
    for error in answer.topic_errors:
        refuse(*error[1:3])


async def delete(topic):
    answer = await with_admin(lambda admin: admin.delete_topics([topic]))
    for _topic, code in answer.topic_error_codes:
        refuse(code)


async def produce(topic, codec, first, count, length, timestamp):
    producer = AIOKafkaProducer(
        bootstrap_servers=BOOTSTRAP, **contract.LOGIN,
        compression_type=None if codec == "none" else codec,
        enable_idempotence=True,
        linger_ms=5,
    )
    await producer.start()
    try:
        sent = [
            await producer.send(
                topic,
                partition=number % 3,
                key=contract.key_of(number),
                value=contract.value_of(number, int(length)),
                headers=contract.headers_of(number, codec),
                timestamp_ms=int(timestamp) + number,
            )
            for number in range(int(first), int(first) + int(count))
        ]
        await asyncio.wait_for(asyncio.gather(*sent), 30)
    finally:
        await producer.stop()


def say_record(record):
    contract.say_record(
        record.partition, record.offset, record.timestamp, record.key, record.value, record.headers
    )


class Listener(ConsumerRebalanceListener):
    def on_partitions_revoked(self, revoked):
        pass

    def on_partitions_assigned(self, assigned):
        contract.say_assigned([partition.partition for partition in assigned])


async def consume_as_member(topic, group):
    leave = contract.told_to_leave()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=BOOTSTRAP, **contract.LOGIN,
        group_id=group,
        session_timeout_ms=6000,
        heartbeat_interval_ms=1000,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    consumer.subscribe([topic], listener=Listener())
    await consumer.start()
    while not leave.is_set():
        batches = await consumer.getmany(timeout_ms=100)
        for records in batches.values():
            for record in records:
                say_record(record)
        if batches:
            await commit(consumer)
    await commit(consumer)
    await consumer.stop()
    contract.say("left")


async def commit(consumer):
    try:
        await consumer.commit()
    except KafkaError as error:
        contract.say("note", repr(error))


async def committed(group):
    offsets = await with_admin(lambda admin: admin.list_consumer_group_offsets(group))
    for partition, offset in offsets.items():
        contract.say("offset", partition.partition, offset.offset)


async def seek(topic, timestamp):
    consumer = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, **contract.LOGIN, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, partition) for partition in contract.PARTITIONS]
        consumer.assign(partitions)
        found = await consumer.offsets_for_times({p: int(timestamp) for p in partitions})
        for partition in partitions:
            consumer.seek(partition, found[partition].offset)
            say_record(await asyncio.wait_for(consumer.getone(partition), 30))
    finally:
        await consumer.stop()


async def describe_config(topic, key):
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {key: None})
    for answer in await with_admin(lambda admin: admin.describe_configs([resource])):
        for code, message, _type, _name, entries in answer.resources:
            refuse(code, message)
            for entry in entries:
                contract.say("config", entry[0], entry[1])


async def alter_config(topic, key, value):
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {key: value})
    for answer in await with_admin(lambda admin: admin.alter_configs([resource])):
        for code, message, _type, _name in answer.resources:
            refuse(code, message)


async def exists(topic):
    contract.say("exists", str(topic in await with_admin(lambda admin: admin.list_topics())).lower())


def run(verb):
    return lambda *words: asyncio.run(verb(*words))


VERBS = {
    "codecs": lambda: contract.say("codecs", ",".join(contract.CODECS)),
    "create": run(create),
    "produce": run(produce),
    "committed": run(committed),
    "seek": run(seek),
    "describe-config": run(describe_config),
    "alter-config": run(alter_config),
    "exists": run(exists),
    "delete": run(delete),
}

contract.serve(VERBS, run(consume_as_member))
