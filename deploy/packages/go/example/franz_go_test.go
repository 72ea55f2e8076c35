// What a test can do with a lab, with an unmodified client (franz-go).
package example

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"ottla.dev/lab"
)

func client(t *testing.T, c *lab.Cluster, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	quick := kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond })
	made, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.Bootstrap), quick}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(made.Close)
	return made
}

func must[T any](t *testing.T) func(value T, err error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestAProducerTriesAgainWhenTheLeaderIsAnother(t *testing.T) {
	c := lab.New(t, lab.Topics("orders"))
	must[string](t)(c.Fault(lab.Words{"api": "Produce", "topic": "orders", "error": "NOT_LEADER_OR_FOLLOWER", "times": 2}))
	producer := client(t, c, kgo.MetadataMinAge(10*time.Millisecond))
	record := &kgo.Record{Topic: "orders", Key: []byte("42"), Value: []byte("paid")}
	if err := producer.ProduceSync(within(t), record).FirstErr(); err != nil {
		t.Fatal(err)
	}
	records := must[[]lab.Record](t)(c.Records("orders", lab.Count(1), lab.Wait(5*time.Second)))
	if len(records) != 1 || string(records[0].Key) != "42" {
		t.Fatalf("%+v", records)
	}
	refused := must[int](t)(c.CountRequests(lab.Words{"api": "Produce", "error": "NOT_LEADER_OR_FOLLOWER"}))
	if refused != 2 {
		t.Fatalf("refused %d times", refused)
	}
}

func TestATransactionThatWasFencedIsNotCommitted(t *testing.T) {
	c := lab.New(t, lab.Topics("out"))
	must[string](t)(c.Fault(lab.Words{"api": "EndTxn", "transactional_id": "tx-1", "error": "PRODUCER_FENCED", "once": true}))
	producer := client(t, c, kgo.TransactionalID("tx-1"), kgo.DefaultProduceTopic("out"))
	if err := producer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := producer.ProduceSync(within(t), kgo.StringRecord("half")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := producer.EndTransaction(within(t), kgo.TryCommit); !errors.Is(err, kerr.ProducerFenced) {
		t.Fatalf("committed: %v", err)
	}
}

func TestAGroupIsWaitedFor(t *testing.T) {
	c := lab.New(t, lab.Topics("jobs:2"))
	if err := c.Produce("jobs", lab.Words{"value": "one"}, lab.Words{"value": []byte{255}, "partition": 1}); err != nil {
		t.Fatal(err)
	}
	reader := client(t, c, kgo.ConsumerGroup("workers"), kgo.ConsumeTopics("jobs"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AutoCommitInterval(100*time.Millisecond))
	for seen := 0; seen < 2; {
		fetched := reader.PollFetches(within(t))
		if err := fetched.Err(); err != nil {
			t.Fatal(err)
		}
		seen += fetched.NumRecords()
	}
	go reader.PollFetches(within(t)) // What was polled is committed with the next poll.
	group := must[lab.Group](t)(c.Group("workers", lab.Stable(), lab.Members(1), lab.Lag(0), lab.Wait(20*time.Second)))
	if len(group.Members[0].Assignment) != 2 {
		t.Fatalf("%+v", group)
	}
}

func TestAWeekPassesAtOnce(t *testing.T) {
	c := lab.New(t, lab.Topics("events"), lab.Config("log.retention.ms", 604800000), lab.Config("log.roll.ms", 3600000),
		// The times of records are the broker's: a client's own clock goes on with the machine's.
		lab.Config("log.message.timestamp.type", "LogAppendTime"))
	steps := []func() error{
		func() error { return c.Produce("events", lab.Words{"value": "old"}) },
		c.Freeze,
		func() error { return c.Advance(8*24*time.Hour, "records") },
		func() error { return c.Produce("events", lab.Words{"value": "new"}) },
		func() error { return c.Advance(10*time.Minute, "timers") },
		c.Unfreeze,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	records := must[[]lab.Record](t)(c.Records("events", lab.Count(1), lab.Wait(5*time.Second)))
	if len(records) != 1 || string(records[0].Value) != "new" {
		t.Fatalf("%+v", records)
	}
}
