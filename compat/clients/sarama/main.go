// sarama: its hand of the scenario told in compat/README.md.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

var (
	bootstrap string
	sayLock   sync.Mutex
)

func say(format string, args ...any) {
	sayLock.Lock()
	defer sayLock.Unlock()
	fmt.Printf(format+"\n", args...)
}

func main() {
	bootstrap = os.Args[1]
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		words := strings.Split(input.Text(), " ")
		switch words[0] {
		case "quit":
			return
		case "member":
			if err := member(input, words[1], words[2]); err != nil {
				say("error %v", err)
				os.Exit(1)
			}
			return
		}
		if err := perform(words); err != nil {
			say("error %s", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			say("ok")
		}
	}
}

func newConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.ClientID = "compat-sarama"
	// The login comes from the environment, where the broker asks for one.
	if mechanism := os.Getenv("SASL_MECHANISM"); mechanism != "" {
		config.Net.SASL.Enable = true
		config.Net.SASL.Mechanism = sarama.SASLMechanism(mechanism)
		config.Net.SASL.User, config.Net.SASL.Password = os.Getenv("SASL_USERNAME"), os.Getenv("SASL_PASSWORD")
	}
	if path := os.Getenv("SASL_CA"); path != "" {
		authority, err := os.ReadFile(path)
		if err != nil {
			panic(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(authority)
		config.Net.TLS.Enable = true
		config.Net.TLS.Config = &tls.Config{RootCAs: roots}
	}
	return config
}

func perform(words []string) error {
	if verb, known := transactionVerbs[words[0]]; known {
		return verb(words[1:])
	}
	switch words[0] {
	case "codecs":
		say("codecs none,gzip,snappy,lz4,zstd")
		return nil
	case "produce":
		return produce(words[1], words[2], words[3:])
	case "seek":
		timestamp, _ := strconv.ParseInt(words[2], 10, 64)
		return seek(words[1], timestamp)
	}
	admin, err := sarama.NewClusterAdmin([]string{bootstrap}, newConfig())
	if err != nil {
		return err
	}
	defer admin.Close()
	switch words[0] {
	case "create":
		count, _ := strconv.Atoi(words[2])
		replicas, _ := strconv.Atoi(words[3])
		detail := &sarama.TopicDetail{NumPartitions: int32(count), ReplicationFactor: int16(replicas)}
		return admin.CreateTopic(words[1], detail, false)
	case "committed":
		offsets, err := admin.ListConsumerGroupOffsets(words[1], nil)
		if err != nil {
			return err
		}
		for _, partitions := range offsets.Blocks {
			for partition, block := range partitions {
				say("offset %d %d", partition, block.Offset)
			}
		}
		return nil
	case "describe-config":
		resource := sarama.ConfigResource{Type: sarama.TopicResource, Name: words[1], ConfigNames: []string{words[2]}}
		entries, err := admin.DescribeConfig(resource)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			say("config %s %s", entry.Name, entry.Value)
		}
		return nil
	case "alter-config":
		entry := sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &words[3]}
		changes := map[string]sarama.IncrementalAlterConfigsEntry{words[2]: entry}
		return admin.IncrementalAlterConfig(sarama.TopicResource, words[1], changes, false)
	case "exists":
		topics, err := admin.ListTopics()
		if err == nil {
			_, has := topics[words[1]]
			say("exists %t", has)
		}
		return err
	case "delete":
		return admin.DeleteTopic(words[1])
	}
	return fmt.Errorf("unknown verb %s", words[0])
}

var codecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

func produce(topic, codec string, words []string) error {
	first, _ := strconv.ParseInt(words[0], 10, 64)
	count, _ := strconv.ParseInt(words[1], 10, 64)
	length, _ := strconv.Atoi(words[2])
	timestamp, _ := strconv.ParseInt(words[3], 10, 64)
	config := newConfig()
	config.Producer.Compression = codecs[codec]
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Idempotent = true
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Net.MaxOpenRequests = 1
	producer, err := sarama.NewSyncProducer([]string{bootstrap}, config)
	if err != nil {
		return err
	}
	defer producer.Close()
	var messages []*sarama.ProducerMessage
	for id := first; id < first+count; id++ {
		message := &sarama.ProducerMessage{
			Topic:     topic,
			Partition: int32(id % 3),
			Timestamp: time.UnixMilli(timestamp + id),
			Headers: []sarama.RecordHeader{
				{Key: []byte("id"), Value: []byte(strconv.FormatInt(id, 10))},
				{Key: []byte("codec"), Value: []byte(codec)},
				{Key: []byte("empty"), Value: []byte{}},
			},
		}
		if id%5 != 0 || id%7 == 0 {
			message.Key = sarama.StringEncoder(fmt.Sprintf("k%d", id))
		}
		if id%7 != 0 || length >= 1000 {
			unit := []byte(fmt.Sprintf("%d/", id))
			message.Value = sarama.ByteEncoder(bytes.Repeat(unit, length/len(unit)+1)[:length])
		}
		messages = append(messages, message)
	}
	return producer.SendMessages(messages)
}

func sayRecord(message *sarama.ConsumerMessage) {
	key, length := "-", -1
	if message.Key != nil {
		key = string(message.Key)
	}
	if message.Value != nil {
		length = len(message.Value)
	}
	var headers []string
	for _, header := range message.Headers {
		headers = append(headers, string(header.Key)+"="+string(header.Value))
	}
	say("record %d %d %d %s %d %d %s", message.Partition, message.Offset, message.Timestamp.UnixMilli(), key, length,
		crc32.ChecksumIEEE(message.Value), strings.Join(headers, ","))
}

type handler struct{ topic string }

func (h handler) Setup(session sarama.ConsumerGroupSession) error {
	partitions := session.Claims()[h.topic]
	sort.Slice(partitions, func(a, b int) bool { return partitions[a] < partitions[b] })
	var words []string
	for _, partition := range partitions {
		words = append(words, strconv.Itoa(int(partition)))
	}
	if len(words) == 0 {
		words = []string{"-"}
	}
	say("assigned %s", strings.Join(words, ","))
	return nil
}

func (handler) Cleanup(session sarama.ConsumerGroupSession) error {
	session.Commit()
	return nil
}

func (handler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			sayRecord(message)
			session.MarkMessage(message, "")
			if len(claim.Messages()) == 0 {
				session.Commit()
			}
		case <-session.Context().Done():
			return nil
		}
	}
}

func member(input *bufio.Scanner, topic, group string) error {
	config := newConfig()
	config.Consumer.Group.Session.Timeout = 6 * time.Second
	config.Consumer.Group.Heartbeat.Interval = time.Second
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	consumer, err := sarama.NewConsumerGroup([]string{bootstrap}, group, config)
	if err != nil {
		return err
	}
	ctx, leave := context.WithCancel(context.Background())
	go func() {
		input.Scan()
		leave()
	}()
	for ctx.Err() == nil {
		err := consumer.Consume(ctx, []string{topic}, handler{topic})
		if err != nil && !errors.Is(err, sarama.ErrClosedConsumerGroup) {
			say("note %v", err)
		}
	}
	if err := consumer.Close(); err != nil {
		return err
	}
	say("left")
	return nil
}

func seek(topic string, timestamp int64) error {
	client, err := sarama.NewClient([]string{bootstrap}, newConfig())
	if err != nil {
		return err
	}
	defer client.Close()
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return err
	}
	defer consumer.Close()
	for partition := int32(0); partition < 3; partition++ {
		offset, err := client.GetOffset(topic, partition, timestamp)
		if err != nil {
			return err
		}
		claim, err := consumer.ConsumePartition(topic, partition, offset)
		if err != nil {
			return err
		}
		select {
		case message := <-claim.Messages():
			sayRecord(message)
		case <-time.After(30 * time.Second):
			return fmt.Errorf("partition %d: nothing came", partition)
		}
		claim.Close()
	}
	return nil
}
