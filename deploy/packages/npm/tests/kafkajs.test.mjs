// What a test can do with a lab, with an unmodified client (KafkaJS).
import assert from 'node:assert/strict';
import { after, before, beforeEach, afterEach, test } from 'node:test';
import kafkajs from 'kafkajs';
import { Lab } from '@ottla/lab';

const { Kafka, logLevel } = kafkajs;
let lab, cluster;

before(async () => {
  lab = await Lab.start({ seed: 7 });
});
after(() => lab.close());
beforeEach(async () => {
  cluster = await lab.cluster({ topics: ['orders'] });
});
afterEach(async () => {
  await cluster.checkFaults();
  await cluster.delete();
});

function client() {
  return new Kafka({ brokers: [cluster.bootstrap], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 10 } });
}

async function send(value) {
  const producer = client().producer();
  await producer.connect();
  await producer.send({ topic: 'orders', messages: [{ key: '42', value }] });
  await producer.disconnect();
}

test('a producer tries again when the leader is another', async () => {
  await cluster.fault({ api: 'Produce', topic: 'orders', error: 'NOT_LEADER_OR_FOLLOWER', times: 2 });
  await send('paid');
  const [record] = await cluster.records('orders', { count: 1, wait: '5s' });
  assert.equal(record.key.toString(), '42');
  assert.equal(await cluster.count({ api: 'Produce', error: 'NOT_LEADER_OR_FOLLOWER' }), 2);
});

test('an answer that is lost makes a duplicate', async () => {
  await cluster.fault({ api: 'Produce', disconnect: 'after', once: true });
  await send('paid');
  assert.equal((await cluster.records('orders', { count: 2, wait: '5s' })).length, 2);
});

test('a consumer is waited for, and a week passes at once', async () => {
  const consumer = client().consumer({ groupId: 'workers' });
  const seen = [];
  await consumer.connect();
  await consumer.subscribe({ topics: ['orders'], fromBeginning: true });
  await consumer.run({ autoCommitThreshold: 1, eachMessage: async ({ message }) => void seen.push(message.value.toString()) });
  await cluster.produce('orders', 'one', { key: 'k', value: { paid: true } });
  const group = await cluster.group('workers', { stable: true, members: 1, lag: 0, timeout: '20s' });
  assert.deepEqual(seen, ['one', '{"paid":true}']);
  assert.deepEqual(group.members[0].assignment, [{ topic: 'orders', partition: 0 }]);
  await consumer.disconnect();
  const before = (await cluster.clock()).records;
  await cluster.advance('8d', ['records']);
  assert.ok((await cluster.clock()).records - before >= 8 * 86_400_000);
});
