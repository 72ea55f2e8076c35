"""Lines from one topic to another by Quix Streams, exactly once."""

import sys

from quixstreams import Application

BOOTSTRAP, FROM, TO, GROUP = sys.argv[1:5]

app = Application(
    broker_address=BOOTSTRAP,
    consumer_group=GROUP,
    auto_offset_reset="earliest",
    auto_create_topics=False,
    processing_guarantee="exactly-once",
    commit_interval=0.5,
    consumer_extra_config={"session.timeout.ms": 10_000},
    state_dir="quix-state",
    loglevel="WARNING",
)
source = app.topic(FROM, key_deserializer="bytes", value_deserializer="bytes")
target = app.topic(TO, key_serializer="bytes", value_serializer="bytes")
app.dataframe(source).to_topic(target)
app.run()
