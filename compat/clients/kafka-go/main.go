// kafka-go: its hand of the scenario told in compat/README.md.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// How many records a member reads before it commits, unless it has come to the end before.
const commitEvery = 200

var (
	bootstrap string
	client    *kafka.Client
	sayLock   sync.Mutex
)

func say(format string, args ...any) {
	sayLock.Lock()
	defer sayLock.Unlock()
	fmt.Printf(format+"\n", args...)
}

func main() {
	bootstrap = os.Args[1]
	client = &kafka.Client{Addr: kafka.TCP(bootstrap), Timeout: 30 * time.Second}
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

func perform(words []string) error {
	ctx := context.Background()
	switch words[0] {
	case "codecs":
		say("codecs none,gzip,snappy,lz4,zstd")
		return nil
	case "create":
		count, _ := strconv.Atoi(words[2])
		replicas, _ := strconv.Atoi(words[3])
		topic := kafka.TopicConfig{Topic: words[1], NumPartitions: count, ReplicationFactor: replicas}
		answer, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
		if err != nil {
			return err
		}
		return answer.Errors[words[1]]
	case "produce":
		return produce(words[1], words[2], words[3:])
	case "committed":
		return committed(ctx, words[1])
	case "seek":
		timestamp, _ := strconv.ParseInt(words[2], 10, 64)
		return seek(ctx, words[1], timestamp)
	case "describe-config":
		return describeConfig(ctx, words[1], words[2])
	case "alter-config":
		return alterConfig(ctx, words[1], words[2], words[3])
	case "exists":
		return exists(ctx, words[1])
	case "delete":
		answer, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{words[1]}})
		if err != nil {
			return err
		}
		return answer.Errors[words[1]]
	}
	return fmt.Errorf("unknown verb %s", words[0])
}

// Over a connection of its own: the client answers Metadata from what it remembers.
func exists(ctx context.Context, topic string) error {
	connection, err := kafka.DialContext(ctx, "tcp", bootstrap)
	if err != nil {
		return err
	}
	defer connection.Close()
	partitions, err := connection.ReadPartitions()
	if err != nil {
		return err
	}
	exists := false
	for _, partition := range partitions {
		exists = exists || partition.Topic == topic
	}
	say("exists %t", exists)
	return nil
}

func describeConfig(ctx context.Context, topic, key string) error {
	resource := kafka.DescribeConfigRequestResource{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{key},
	}
	answer, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{resource},
	})
	if err != nil {
		return err
	}
	for _, described := range answer.Resources {
		if described.Error != nil {
			return described.Error
		}
		for _, entry := range described.ConfigEntries {
			say("config %s %s", entry.ConfigName, entry.ConfigValue)
		}
	}
	return nil
}

func alterConfig(ctx context.Context, topic, key, value string) error {
	change := kafka.IncrementalAlterConfigsRequestConfig{
		Name: key, Value: value, ConfigOperation: kafka.ConfigOperationSet,
	}
	answer, err := client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{change},
		}},
	})
	if err != nil {
		return err
	}
	return answer.Resources[0].Error
}

func committed(ctx context.Context, group string) error {
	answer, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group})
	if err != nil {
		return err
	}
	if answer.Error != nil {
		return answer.Error
	}
	for _, partitions := range answer.Topics {
		for _, partition := range partitions {
			say("offset %d %d", partition.Partition, partition.CommittedOffset)
		}
	}
	return nil
}

var codecs = map[string]kafka.Compression{
	"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
}

func produce(topic, codec string, words []string) error {
	first, _ := strconv.ParseInt(words[0], 10, 64)
	count, _ := strconv.ParseInt(words[1], 10, 64)
	length, _ := strconv.Atoi(words[2])
	timestamp, _ := strconv.ParseInt(words[3], 10, 64)
	writer := &kafka.Writer{
		Addr:         kafka.TCP(bootstrap),
		Topic:        topic,
		RequiredAcks: kafka.RequireAll,
		Compression:  codecs[codec],
		BatchTimeout: 5 * time.Millisecond,
		// As most programs have it; a topic that is not there is made by the broker.
		AllowAutoTopicCreation: true,
		Balancer: kafka.BalancerFunc(func(message kafka.Message, partitions ...int) int {
			return partitions[message.WriterData.(int64)%int64(len(partitions))]
		}),
	}
	var messages []kafka.Message
	for id := first; id < first+count; id++ {
		message := kafka.Message{
			WriterData: id,
			Time:       time.UnixMilli(timestamp + id),
			Headers: []kafka.Header{
				{Key: "id", Value: []byte(strconv.FormatInt(id, 10))},
				{Key: "codec", Value: []byte(codec)},
				{Key: "empty", Value: []byte{}},
			},
		}
		if id%5 != 0 || id%7 == 0 {
			message.Key = []byte(fmt.Sprintf("k%d", id))
		}
		if id%7 != 0 || length >= 1000 {
			unit := []byte(fmt.Sprintf("%d/", id))
			message.Value = bytes.Repeat(unit, length/len(unit)+1)[:length]
		}
		messages = append(messages, message)
	}
	if err := writer.WriteMessages(context.Background(), messages...); err != nil {
		return err
	}
	return writer.Close()
}

func sayRecord(message kafka.Message) {
	key, length := "-", -1
	if message.Key != nil {
		key = string(message.Key)
	}
	if message.Value != nil {
		length = len(message.Value)
	}
	var headers []string
	for _, header := range message.Headers {
		headers = append(headers, header.Key+"="+string(header.Value))
	}
	say("record %d %d %d %s %d %d %s", message.Partition, message.Offset, message.Time.UnixMilli(), key, length,
		crc32.ChecksumIEEE(message.Value), strings.Join(headers, ","))
}

func newReader(topic string, partition int) *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{bootstrap}, Topic: topic, Partition: partition,
		MinBytes: 1, MaxBytes: 10 << 20, MaxWait: 250 * time.Millisecond,
	})
}

func member(input *bufio.Scanner, topic, group string) error {
	members, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                     group,
		Brokers:                []string{bootstrap},
		Topics:                 []string{topic},
		GroupBalancers:         []kafka.GroupBalancer{kafka.RangeGroupBalancer{}},
		HeartbeatInterval:      500 * time.Millisecond,
		SessionTimeout:         6 * time.Second,
		JoinGroupBackoff:       500 * time.Millisecond,
		StartOffset:            kafka.FirstOffset,
		WatchPartitionChanges:  true,
		PartitionWatchInterval: time.Second,
	})
	if err != nil {
		return err
	}
	ctx, leave := context.WithCancel(context.Background())
	go func() {
		input.Scan()
		leave()
	}()
	for ctx.Err() == nil {
		generation, err := members.Next(ctx)
		if err != nil {
			if ctx.Err() == nil {
				say("note %v", err)
			}
			continue
		}
		serve(generation, topic)
	}
	if err := members.Close(); err != nil {
		return err
	}
	say("left")
	return nil
}

// Reads what this generation gave the member, until the next one begins.
func serve(generation *kafka.Generation, topic string) {
	given := generation.Assignments[topic]
	sort.Slice(given, func(a, b int) bool { return given[a].ID < given[b].ID })
	var words []string
	for _, partition := range given {
		words = append(words, strconv.Itoa(partition.ID))
	}
	if len(words) == 0 {
		words = []string{"-"}
	}
	say("assigned %s", strings.Join(words, ","))
	for _, partition := range given {
		generation.Start(func(ctx context.Context) {
			if err := read(ctx, generation, topic, partition); err != nil {
				say("note partition %d: %v", partition.ID, err)
			}
		})
	}
}

func read(ctx context.Context, generation *kafka.Generation, topic string, partition kafka.PartitionAssignment) error {
	reader := newReader(topic, partition.ID)
	defer reader.Close()
	if err := reader.SetOffset(partition.Offset); err != nil {
		return err
	}
	next, uncommitted := int64(-1), 0
	commit := func() error {
		if uncommitted == 0 {
			return nil
		}
		uncommitted = 0
		return generation.CommitOffsets(map[string]map[int]int64{topic: {partition.ID: next}})
	}
	for {
		message, err := reader.ReadMessage(ctx)
		if err != nil {
			if errors.Is(err, kafka.ErrGenerationEnded) || ctx.Err() != nil {
				return commit()
			}
			return err
		}
		sayRecord(message)
		next, uncommitted = message.Offset+1, uncommitted+1
		if next >= message.HighWaterMark || uncommitted >= commitEvery {
			if err := commit(); err != nil {
				say("note commit: %v", err)
			}
		}
	}
}

func seek(ctx context.Context, topic string, timestamp int64) error {
	var wanted []kafka.OffsetRequest
	for partition := 0; partition < 3; partition++ {
		wanted = append(wanted, kafka.TimeOffsetOf(partition, time.UnixMilli(timestamp)))
	}
	answer, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{topic: wanted},
	})
	if err != nil {
		return err
	}
	for _, found := range answer.Topics[topic] {
		if found.Error != nil {
			return found.Error
		}
		for offset := range found.Offsets {
			if err := readOne(ctx, topic, found.Partition, offset); err != nil {
				return err
			}
		}
	}
	return nil
}

func readOne(ctx context.Context, topic string, partition int, offset int64) error {
	reader := newReader(topic, partition)
	defer reader.Close()
	if err := reader.SetOffset(offset); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	message, err := reader.ReadMessage(limited)
	if err != nil {
		return err
	}
	sayRecord(message)
	return nil
}
