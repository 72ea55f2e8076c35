package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Producers for transactions by their names; those that copy are sessions, which consume as well.
var (
	producers = map[string]*kgo.Client{}
	sessions  = map[string]*kgo.GroupTransactSession{}
)

var transactionVerbs = map[string]func(context.Context, []string) error{
	"transactional": transactional,
	"begin": func(_ context.Context, words []string) error {
		return producers[words[0]].BeginTransaction()
	},
	"send":   send,
	"copy":   copyRecords,
	"commit": func(ctx context.Context, words []string) error { return end(ctx, words[0], kgo.TryCommit) },
	"abort":  func(ctx context.Context, words []string) error { return end(ctx, words[0], kgo.TryAbort) },
	"read":   read,
}

func transactional(ctx context.Context, words []string) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		login(), secured(),
		kgo.TransactionalID(words[1]),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	if err != nil {
		return err
	}
	producers[words[0]] = client
	// This client is initialised when its id is first asked for; the contract wants it now.
	_, _, err = client.ProducerID(ctx)
	return err
}

func send(ctx context.Context, words []string) error {
	first, _ := strconv.Atoi(words[2])
	count, _ := strconv.Atoi(words[3])
	var records []*kgo.Record
	for id := first; id < first+count; id++ {
		text := strconv.Itoa(id)
		records = append(records, &kgo.Record{
			Topic: words[1], Partition: int32(id % 3), Key: []byte("k" + text), Value: []byte(text),
		})
	}
	return producers[words[0]].ProduceSync(ctx, records...).FirstErr()
}

func copyRecords(ctx context.Context, words []string) error {
	name, id, from, to, group := words[0], words[1], words[2], words[3], words[4]
	count, _ := strconv.Atoi(words[5])
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(bootstrap),
		login(), secured(),
		kgo.TransactionalID(id),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(from),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)
	if err != nil {
		return err
	}
	sessions[name] = session
	if err := session.Begin(); err != nil {
		return err
	}
	for taken := 0; taken < count; {
		fetches := session.PollRecords(ctx, count-taken)
		if err := ctx.Err(); err != nil {
			return err
		}
		var copies []*kgo.Record
		fetches.EachRecord(func(record *kgo.Record) {
			copies = append(copies, &kgo.Record{
				Topic: to, Partition: record.Partition, Key: record.Key, Value: record.Value,
			})
		})
		if err := session.ProduceSync(ctx, copies...).FirstErr(); err != nil {
			return err
		}
		taken += len(copies)
	}
	return nil
}

func end(ctx context.Context, name string, try kgo.TransactionEndTry) error {
	session, copies := sessions[name]
	if !copies {
		return producers[name].EndTransaction(ctx, try)
	}
	// The session sends the offsets here, and what was opened for one copy ends with its transaction.
	delete(sessions, name)
	defer session.Close()
	committed, err := session.End(ctx, try)
	if err == nil && committed != bool(try) {
		err = errors.New("the session aborted instead")
	}
	return err
}

func read(ctx context.Context, words []string) error {
	topic := words[0]
	level, list := kgo.ReadUncommitted(), (*kadm.Client).ListEndOffsets
	if words[1] == "read_committed" {
		level, list = kgo.ReadCommitted(), (*kadm.Client).ListCommittedOffsets
	}
	from := map[int32]kgo.Offset{}
	for partition := int32(0); partition < 3; partition++ {
		from[partition] = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		login(), secured(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(level),
		// The last record before an end may be a marker; it is how the end is recognised.
		kgo.KeepControlRecords(),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	ends, err := list(kadm.NewClient(client), ctx, topic)
	if err != nil {
		return err
	}
	left := map[int32]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		if end.Offset > 0 {
			left[end.Partition] = end.Offset
		}
	})
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(record *kgo.Record) {
			if !record.Attrs.IsControl() {
				sayRecord(record)
			}
			if record.Offset+1 >= left[record.Partition] {
				delete(left, record.Partition)
			}
		})
	}
	return ends.Error()
}
