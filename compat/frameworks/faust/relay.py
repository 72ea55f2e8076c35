"""Lines from one topic to another by an agent of Faust, which commits what its events have been sent for."""

import sys

import faust

BOOTSTRAP, FROM, TO, GROUP = sys.argv[1:5]

app = faust.App(
    GROUP,
    broker=f"kafka://{BOOTSTRAP}",
    datadir="faust-data",
    value_serializer="raw",
    topic_partitions=3,
    topic_replication_factor=1,
    topic_disable_leader=True,
    broker_session_timeout=10.0,
    broker_heartbeat_interval=2.0,
    broker_commit_interval=0.5,
    consumer_auto_offset_reset="earliest",
    web_enabled=False,
)
lines = app.topic(FROM, value_type=bytes, value_serializer="raw")
copies = app.topic(TO, value_type=bytes, value_serializer="raw")


@app.agent(lines)
async def relay(stream):
    async for event in stream.events():
        # The offset may be committed when the copy is stored.
        await (await copies.send(value=event.value))


sys.argv[1:] = ["worker", "-l", "warn"]
app.main()
