// KafkaJS: its hand of the scenario told in compat/README.md.
'use strict';

const fs = require('node:fs');
const readline = require('node:readline');
const zlib = require('node:zlib');
const { Kafka, CompressionCodecs, CompressionTypes, ConfigResourceTypes, logLevel } = require('kafkajs');
const SnappyCodec = require('kafkajs-snappy');
const lz4 = require('lz4-napi');
const zstd = require('@bokuweb/zstd-wasm');

// KafkaJS knows gzip and takes the others as plug-ins.
CompressionCodecs[CompressionTypes.Snappy] = SnappyCodec;
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async (encoder) => lz4.compressFrame(encoder.buffer),
  decompress: async (buffer) => lz4.decompressFrame(buffer),
});
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async (encoder) => Buffer.from(zstd.compress(encoder.buffer, 3)),
  decompress: async (buffer) => Buffer.from(zstd.decompress(buffer)),
});
const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};

// The login comes from the environment, where the broker asks for one.
const mechanism = process.env.SASL_MECHANISM?.toLowerCase();
const sasl = mechanism && { mechanism, username: process.env.SASL_USERNAME, password: process.env.SASL_PASSWORD };
const ssl = process.env.SASL_CA && { ca: [fs.readFileSync(process.env.SASL_CA, 'utf-8')] };
const kafka = new Kafka({ clientId: 'compat-kafkajs', brokers: [process.argv[2]], logLevel: logLevel.WARN, sasl, ssl });
const say = (...words) => process.stdout.write(words.join(' ') + '\n');

function keyOf(id) {
  return id % 5 === 0 && id % 7 !== 0 ? null : `k${id}`;
}

function valueOf(id, length) {
  if (id % 7 === 0 && length < 1000) return null;
  return Buffer.alloc(length, `${id}/`);
}

function sayRecord(partition, message) {
  const headers = Object.entries(message.headers || {}).map(([name, content]) => `${name}=${content}`);
  const value = message.value;
  say('record', partition, message.offset, message.timestamp, message.key === null ? '-' : message.key.toString(),
    value === null ? -1 : value.length, value === null ? 0 : zlib.crc32(value), headers.join(','));
}

async function withAdmin(action) {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await action(admin);
  } finally {
    await admin.disconnect();
  }
}

async function produce(topic, codec, firstText, countText, lengthText, timestampText) {
  const [first, count, length, timestamp] = [firstText, countText, lengthText, timestampText].map(Number);
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  try {
    // This client packs all that it is given into one request; large records go one by one.
    const step = length > 100000 ? 1 : 500;
    for (let begin = first; begin < first + count; begin += step) {
      const messages = [];
      for (let id = begin; id < Math.min(begin + step, first + count); id++) {
        messages.push({
          partition: id % 3,
          key: keyOf(id),
          value: valueOf(id, length),
          headers: { id: String(id), codec, empty: '' },
          timestamp: String(timestamp + id),
        });
      }
      await producer.send({ topic, messages, acks: -1, compression: CODECS[codec] });
    }
  } finally {
    await producer.disconnect();
  }
}

async function member(lines, topic, groupId) {
  const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 1000, maxWaitTimeInMs: 200 });
  let next = new Map();
  consumer.on(consumer.events.GROUP_JOIN, (event) => {
    const partitions = event.payload.memberAssignment[topic] || [];
    next = new Map();
    say('assigned', [...partitions].sort((a, b) => a - b).join(',') || '-');
  });
  // A crash that the client does not retry must end this program, so that the run sees it.
  consumer.on(consumer.events.CRASH, (event) => {
    say('note', 'crash', String(event.payload.error).replace(/\n/g, ' '));
    if (!event.payload.restart) process.exit(1);
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
      for (const message of batch.messages) {
        sayRecord(batch.partition, message);
        resolveOffset(message.offset);
        next.set(batch.partition, String(BigInt(message.offset) + 1n));
      }
      await heartbeat();
      await commit(consumer, topic, next);
    },
  });
  await lines.next();
  await consumer.stop();
  await commit(consumer, topic, next);
  await consumer.disconnect();
  say('left');
}

async function commit(consumer, topic, next) {
  const offsets = [...next].map(([partition, offset]) => ({ topic, partition, offset }));
  try {
    if (offsets.length > 0) await consumer.commitOffsets(offsets);
  } catch (error) {
    say('note', String(error).replace(/\n/g, ' '));
  }
}

async function seek(topic, timestamp) {
  const found = await withAdmin((admin) => admin.fetchTopicOffsetsByTimestamp(topic, Number(timestamp)));
  // Without a group this client cannot consume; one that nobody else uses stands in.
  const consumer = kafka.consumer({ groupId: `${topic}-seek`, maxWaitTimeInMs: 200 });
  const waiting = new Set([0, 1, 2]);
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, (event) => reject(event.payload.error));
    consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        const from = BigInt(found.find((one) => one.partition === partition).offset);
        if (BigInt(message.offset) >= from && waiting.delete(partition)) sayRecord(partition, message);
        if (waiting.size === 0) resolve();
      },
    }).catch(reject);
    for (const { partition, offset } of found) consumer.seek({ topic, partition, offset });
  });
  await consumer.disconnect();
}

const RESOURCE = (name) => ({ type: ConfigResourceTypes.TOPIC, name });

const VERBS = {
  codecs: async () => say('codecs', Object.keys(CODECS).join(',')),
  create: (topic, count, replicas) => withAdmin((admin) => admin.createTopics({
    waitForLeaders: true,
    topics: [{ topic, numPartitions: Number(count), replicationFactor: Number(replicas) }],
  })),
  produce,
  committed: (groupId) => withAdmin(async (admin) => {
    for (const { partitions } of await admin.fetchOffsets({ groupId })) {
      for (const { partition, offset } of partitions) say('offset', partition, offset);
    }
  }),
  seek,
  'describe-config': (topic, key) => withAdmin(async (admin) => {
    const answer = await admin.describeConfigs({
      includeSynonyms: false, resources: [{ ...RESOURCE(topic), configNames: [key] }],
    });
    for (const entry of answer.resources[0].configEntries) say('config', entry.configName, entry.configValue);
  }),
  'alter-config': (topic, name, value) => withAdmin((admin) => admin.alterConfigs({
    validateOnly: false, resources: [{ ...RESOURCE(topic), configEntries: [{ name, value }] }],
  })),
  exists: (topic) => withAdmin(async (admin) => say('exists', (await admin.listTopics()).includes(topic))),
  delete: (topic) => withAdmin((admin) => admin.deleteTopics({ topics: [topic] })),
};

async function serve() {
  await zstd.init();
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  for (;;) {
    const { value: line, done } = await lines.next();
    if (done || line === 'quit') return;
    const [verb, ...words] = line.split(' ');
    if (verb === 'member') return member(lines, ...words);
    try {
      await VERBS[verb](...words);
      say('ok');
    } catch (error) {
      say('error', String(error && error.stack).replace(/\n/g, ' '));
    }
  }
}

serve().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
