"""Lines from one topic to another in transactions of aiokafka, the offsets with them."""

import asyncio
import signal
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError


async def relay(bootstrap, source, target, group, stop):
    consumer = AIOKafkaConsumer(
        source,
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        session_timeout_ms=10_000,
    )
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"{group}-0", acks="all")
    await consumer.start()
    await producer.start()
    try:
        while not stop.is_set():
            batches = await consumer.getmany(timeout_ms=200, max_records=500)
            if not batches:
                continue
            async with producer.transaction():
                offsets = {}
                for partition, records in batches.items():
                    for record in records:
                        await producer.send(target, record.value, key=record.key)
                    offsets[partition] = records[-1].offset + 1
                await producer.send_offsets_to_transaction(offsets, group)
    finally:
        # What is open is aborted by the next holder of the id.
        await asyncio.wait_for(asyncio.gather(consumer.stop(), producer.stop()), 20)


async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    while not stop.is_set():
        try:
            await relay(*sys.argv[1:5], stop)
        except (KafkaError, TimeoutError) as error:
            # A transaction that failed leaves the consumer ahead of its commits: both begin anew.
            print(f"again: {error!r}", flush=True)
            await asyncio.sleep(0.2)


asyncio.run(main())
