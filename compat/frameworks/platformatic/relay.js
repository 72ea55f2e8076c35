// Lines from one topic to another by the streams of @platformatic/kafka; a line is committed once its copy is stored.
'use strict';

const { Consumer, MessagesStreamFallbackModes, MessagesStreamModes, Producer, stringDeserializers,
  stringSerializers } = require('@platformatic/kafka');

const [bootstrap, from, to, group] = process.argv.slice(2);
const common = { clientId: 'relay', bootstrapBrokers: [bootstrap], retries: 15, retryDelay: 200 };
const producer = new Producer({ ...common, idempotent: true, serializers: stringSerializers });
const consumer = new Consumer({
  ...common,
  groupId: group,
  sessionTimeout: 10000,
  rebalanceTimeout: 10000,
  heartbeatInterval: 1000,
  deserializers: stringDeserializers,
});

async function main() {
  const stream = await consumer.consume({
    topics: [from],
    mode: MessagesStreamModes.COMMITTED,
    fallbackMode: MessagesStreamFallbackModes.EARLIEST,
    autocommit: false,
    maxWaitTime: 200,
  });
  process.on('SIGTERM', async () => {
    await stream.close();
    await consumer.close();
    await producer.close();
    process.exit(0);
  });
  for await (const message of stream) {
    await producer.send({ messages: [{ topic: to, value: message.value }], acks: -1 });
    await message.commit();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
