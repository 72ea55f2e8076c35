// Lines from one topic to another by a microservice of NestJS: an event pattern, and a client that emits.
'use strict';

require('reflect-metadata');
const { Controller, Inject, Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { ClientsModule, EventPattern, KafkaRetriableException, Payload, Transport } = require('@nestjs/microservices');
const { lastValueFrom } = require('rxjs');

const [bootstrap, from, to, group] = process.argv.slice(2);
const client = {
  brokers: [bootstrap],
  retry: { retries: 30, initialRetryTime: 100, maxRetryTime: 1000 },
};

class Relay {
  constructor(kafka) {
    this.kafka = kafka;
  }

  async relay(line) {
    try {
      await lastValueFrom(this.kafka.emit(to, line));
    } catch (error) {
      // Any other exception would count as handled.
      throw new KafkaRetriableException(error);
    }
  }
}

// What a compiler of TypeScript makes of decorators.
Inject('KAFKA')(Relay, undefined, 0);
Payload()(Relay.prototype, 'relay', 0);
EventPattern(from)(Relay.prototype, 'relay', Object.getOwnPropertyDescriptor(Relay.prototype, 'relay'));
Controller()(Relay);

class Application {}
Module({
  imports: [
    ClientsModule.register([
      { name: 'KAFKA', transport: Transport.KAFKA, options: { client, producerOnlyMode: true, send: { acks: -1 } } },
    ]),
  ],
  controllers: [Relay],
})(Application);

async function main() {
  const service = await NestFactory.createMicroservice(Application, {
    transport: Transport.KAFKA,
    logger: ['warn', 'error'],
    options: {
      client,
      consumer: { groupId: group, sessionTimeout: 10000 },
      subscribe: { fromBeginning: true },
      // The group would otherwise have the suffix -server.
      postfixId: '',
    },
  });
  service.enableShutdownHooks();
  await service.listen();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
