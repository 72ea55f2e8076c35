"""Lines from one topic to another, by a subscriber and a publisher of FastStream; a line is acknowledged once it is stored."""

import asyncio
import sys

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker

BOOTSTRAP, FROM, TO, GROUP = sys.argv[1:5]

broker = KafkaBroker(BOOTSTRAP, acks="all", enable_idempotence=True, logger=None)
app = FastStream(broker)


@broker.subscriber(
    FROM,
    batch=True,
    group_id=GROUP,
    auto_offset_reset="earliest",
    ack_policy=AckPolicy.NACK_ON_ERROR,
    session_timeout_ms=10_000,
    # A batch of the publisher must fit into a batch of the producer.
    max_records=100,
)
@broker.publisher(TO, batch=True)
async def relay(lines: list[str]) -> tuple[str, ...]:
    return tuple(lines)


asyncio.run(app.run())
