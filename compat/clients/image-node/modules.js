// Testcontainers' Node modules, unchanged: start, produce, consume. One line each: the module and its seconds.
const { Kafka, logLevel } = require("kafkajs");
const { KafkaContainer } = require("@testcontainers/kafka");
const { RedpandaContainer } = require("@testcontainers/redpanda");

async function exchange(broker) {
  const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING });
  const producer = kafka.producer();
  await producer.connect();
  const expected = [...Array(10).keys()].map((number) => `v${number}`);
  await producer.send({ topic: "module", messages: expected.map((value) => ({ value })) });
  await producer.disconnect();
  const consumer = kafka.consumer({ groupId: "g" });
  await consumer.connect();
  await consumer.subscribe({ topic: "module", fromBeginning: true });
  const seen = [];
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`only ${seen} came`)), 30000);
    const eachMessage = async ({ message }) => {
      seen.push(message.value.toString());
      if (seen.length === expected.length) {
        clearTimeout(timer);
        resolve();
      }
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  if (seen.join() !== expected.join()) throw new Error(`${seen} came`);
}

const modules = {
  KafkaContainer: async () => {
    const container = await new KafkaContainer("confluentinc/cp-kafka:7.6.0").start();
    return [container, `${container.getHost()}:${container.getMappedPort(9093)}`];
  },
  "KafkaContainer withKraft": async () => {
    const container = await new KafkaContainer("confluentinc/cp-kafka:7.6.0").withKraft().start();
    return [container, `${container.getHost()}:${container.getMappedPort(9093)}`];
  },
  RedpandaContainer: async () => {
    const container = await new RedpandaContainer("redpandadata/redpanda:v23.1.13").start();
    return [container, container.getBootstrapServers()];
  },
};

(async () => {
  for (const [name, start] of Object.entries(modules)) {
    const begin = performance.now();
    const [container, broker] = await start();
    const ready = (performance.now() - begin) / 1000;
    await exchange(broker);
    await container.stop();
    console.log(`${name}\t${ready.toFixed(2)}`);
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
