// Lines from one topic to another in transactions of KafkaJS, the offsets with them.
'use strict';

const { Kafka, logLevel } = require('kafkajs');

const [bootstrap, from, to, group] = process.argv.slice(2);
const kafka = new Kafka({
  brokers: [bootstrap],
  logLevel: logLevel.WARN,
  retry: { retries: 30, initialRetryTime: 100, maxRetryTime: 1000 },
});
const consumer = kafka.consumer({ groupId: group, sessionTimeout: 10000, readUncommitted: false });
const producer = kafka.producer({ transactionalId: `${group}-0`, maxInFlightRequests: 1, idempotent: true });

async function relay({ batch, resolveOffset, heartbeat }) {
  const transaction = await producer.transaction();
  try {
    const messages = batch.messages.map(({ key, value }) => ({ key, value }));
    await transaction.send({ topic: to, messages, acks: -1 });
    const { topic, partition } = batch;
    const offset = String(BigInt(batch.lastOffset()) + 1n);
    await transaction.sendOffsets({
      consumerGroupId: group,
      topics: [{ topic, partitions: [{ partition, offset }] }],
    });
    await transaction.commit();
  } catch (error) {
    await transaction.abort().catch(() => {});
    throw error;
  }
  resolveOffset(batch.lastOffset());
  await heartbeat();
}

// A transaction whose commit got no answer cannot be ended by this process: the next one with its id does that.
consumer.on(consumer.events.CRASH, () => process.exit(1));

async function main() {
  await producer.connect();
  await consumer.connect();
  await consumer.subscribe({ topics: [from], fromBeginning: true });
  await consumer.run({ autoCommit: false, partitionsConsumedConcurrently: 1, eachBatch: relay });
}

process.on('SIGTERM', async () => {
  await consumer.disconnect();
  await producer.disconnect();
  process.exit(0);
});
main().catch((error) => {
  console.error(error);
  process.exit(1);
});
