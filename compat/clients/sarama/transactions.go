package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/IBM/sarama"
)

// Producers for transactions by their names, and the members that feed them.
var (
	producers = map[string]sarama.SyncProducer{}
	members   = map[string]*copyingMember{}
)

var transactionVerbs = map[string]func([]string) error{
	"transactional": transactional,
	"begin":         func(words []string) error { return producers[words[0]].BeginTxn() },
	"send":          send,
	"copy":          copyMessages,
	"commit": func(words []string) error {
		defer closeCopy(words[0])
		return producers[words[0]].CommitTxn()
	},
	"abort": func(words []string) error {
		defer closeCopy(words[0])
		return producers[words[0]].AbortTxn()
	},
	"read": read,
}

func transactional(words []string) error {
	config := newConfig()
	config.Version = sarama.MaxVersion
	config.Producer.Transaction.ID = words[1]
	config.Producer.Idempotent = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Net.MaxOpenRequests = 1
	producer, err := sarama.NewSyncProducer([]string{bootstrap}, config)
	if err != nil {
		return err
	}
	producers[words[0]] = producer
	return nil
}

func send(words []string) error {
	first, _ := strconv.Atoi(words[2])
	count, _ := strconv.Atoi(words[3])
	var messages []*sarama.ProducerMessage
	for id := first; id < first+count; id++ {
		text := strconv.Itoa(id)
		messages = append(messages, &sarama.ProducerMessage{
			Topic:     words[1],
			Partition: int32(id % 3),
			Key:       sarama.StringEncoder("k" + text),
			Value:     sarama.StringEncoder(text),
		})
	}
	return producers[words[0]].SendMessages(messages)
}

// A member of a group that hands its messages over and stays until its transaction has ended.
type copyingMember struct {
	group    sarama.ConsumerGroup
	messages chan *sarama.ConsumerMessage
	session  chan sarama.ConsumerGroupSession
	leave    context.CancelFunc
}

func (m *copyingMember) Setup(session sarama.ConsumerGroupSession) error {
	m.session <- session
	return nil
}

func (*copyingMember) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *copyingMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			m.messages <- message
		case <-session.Context().Done():
			return nil
		}
	}
}

func copyMessages(words []string) error {
	name, id, from, to, groupID := words[0], words[1], words[2], words[3], words[4]
	count, _ := strconv.Atoi(words[5])
	if err := transactional([]string{name, id}); err != nil {
		return err
	}
	config := newConfig()
	config.Version = sarama.MaxVersion
	config.Consumer.IsolationLevel = sarama.ReadCommitted
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	group, err := sarama.NewConsumerGroup([]string{bootstrap}, groupID, config)
	if err != nil {
		return err
	}
	ctx, leave := context.WithCancel(context.Background())
	member := &copyingMember{
		group: group, messages: make(chan *sarama.ConsumerMessage, count),
		session: make(chan sarama.ConsumerGroupSession, 10), leave: leave,
	}
	members[name] = member
	go func() {
		for ctx.Err() == nil {
			err := group.Consume(ctx, []string{from}, member)
			if err != nil && !errors.Is(err, sarama.ErrClosedConsumerGroup) {
				say("note %v", err)
			}
		}
	}()
	return copyThrough(producers[name], member, to, groupID, count)
}

func copyThrough(producer sarama.SyncProducer, member *copyingMember, to, groupID string, count int) error {
	if err := producer.BeginTxn(); err != nil {
		return err
	}
	session := <-member.session
	metadata := &sarama.ConsumerGroupMetadata{
		GroupID: groupID, GenerationID: session.GenerationID(), MemberID: session.MemberID(),
	}
	for taken := 0; taken < count; taken++ {
		select {
		case message := <-member.messages:
			copied := &sarama.ProducerMessage{
				Topic: to, Partition: message.Partition,
				Key: sarama.ByteEncoder(message.Key), Value: sarama.ByteEncoder(message.Value),
			}
			if _, _, err := producer.SendMessage(copied); err != nil {
				return err
			}
			if err := producer.AddMessageToTxnWithGroupMetadata(message, metadata, nil); err != nil {
				return err
			}
		case <-time.After(20 * time.Second):
			return fmt.Errorf("only %d of %d messages came", taken, count)
		}
	}
	return nil
}

// What was opened for one copy ends with its transaction.
func closeCopy(name string) {
	member, copies := members[name]
	if !copies {
		return
	}
	member.leave()
	if err := member.group.Close(); err != nil {
		say("note %v", err)
	}
	if err := producers[name].Close(); err != nil {
		say("note %v", err)
	}
	delete(members, name)
	delete(producers, name)
}

// This client shows no markers, so it cannot know an end before one: it reads what is expected, and some time more.
func read(words []string) error {
	count, _ := strconv.Atoi(words[2])
	config := newConfig()
	config.Consumer.MaxWaitTime = 100 * time.Millisecond
	if words[1] == "read_committed" {
		config.Consumer.IsolationLevel = sarama.ReadCommitted
	}
	consumer, err := sarama.NewConsumer([]string{bootstrap}, config)
	if err != nil {
		return err
	}
	defer consumer.Close()
	messages := make(chan *sarama.ConsumerMessage)
	done := make(chan struct{})
	defer close(done)
	for partition := int32(0); partition < 3; partition++ {
		claim, err := consumer.ConsumePartition(words[0], partition, sarama.OffsetOldest)
		if err != nil {
			return err
		}
		defer claim.AsyncClose()
		go func() {
			for message := range claim.Messages() {
				select {
				case messages <- message:
				case <-done:
				}
			}
		}()
	}
	for taken := 0; ; taken++ {
		patience := time.Second
		if taken < count {
			patience = 10 * time.Second
		}
		select {
		case message := <-messages:
			sayRecord(message)
		case <-time.After(patience):
			return nil
		}
	}
}
