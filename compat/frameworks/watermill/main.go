// Lines from one topic to another by a router of Watermill; a message is acknowledged once its copy is stored.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
)

func main() {
	bootstrap, from, to, group := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	logger := watermill.NewStdLogger(false, false)
	// The marshaler's own header carries its id; a line without one gets none.
	marshaler := kafka.DefaultMarshaler{}

	reading := kafka.DefaultSaramaSubscriberConfig()
	reading.Consumer.Offsets.Initial = sarama.OffsetOldest
	reading.Consumer.Group.Session.Timeout = 10 * time.Second
	subscriber, err := kafka.NewSubscriber(kafka.SubscriberConfig{
		Brokers:               []string{bootstrap},
		Unmarshaler:           marshaler,
		OverwriteSaramaConfig: reading,
		ConsumerGroup:         group,
	}, logger)
	if err != nil {
		log.Fatal(err)
	}

	writing := kafka.DefaultSaramaSyncPublisherConfig()
	writing.Producer.RequiredAcks = sarama.WaitForAll
	writing.Producer.Idempotent = true
	writing.Net.MaxOpenRequests = 1
	publisher, err := kafka.NewPublisher(kafka.PublisherConfig{
		Brokers:               []string{bootstrap},
		Marshaler:             marshaler,
		OverwriteSaramaConfig: writing,
	}, logger)
	if err != nil {
		log.Fatal(err)
	}

	router, err := message.NewRouter(message.RouterConfig{}, logger)
	if err != nil {
		log.Fatal(err)
	}
	router.AddMiddleware(middleware.Retry{MaxRetries: 1000, InitialInterval: 100 * time.Millisecond,
		MaxInterval: time.Second, Logger: logger}.Middleware)
	router.AddHandler("relay", from, subscriber, to, publisher,
		func(line *message.Message) ([]*message.Message, error) {
			return []*message.Message{message.NewMessage(watermill.NewUUID(), line.Payload)}, nil
		})

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := router.Run(ctx); err != nil {
		log.Fatal(err)
	}
	if err := publisher.Close(); err != nil {
		log.Fatal(err)
	}
}
