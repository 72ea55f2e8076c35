// franz-go: its hand of the scenario told in compat/README.md.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"hash/crc32"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
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

// TLS with the authority of the environment, where the broker's listener has it.
func secured() kgo.Opt {
	path := os.Getenv("SASL_CA")
	if path == "" {
		return kgo.ClientID("kgo")
	}
	authority, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	return kgo.DialTLSConfig(&tls.Config{RootCAs: roots})
}

// The login comes from the environment, where the broker asks for one.
func login() kgo.Opt {
	name, password := os.Getenv("SASL_USERNAME"), os.Getenv("SASL_PASSWORD")
	var mechanisms []sasl.Mechanism
	switch os.Getenv("SASL_MECHANISM") {
	case "PLAIN":
		mechanisms = append(mechanisms, plain.Auth{User: name, Pass: password}.AsMechanism())
	case "SCRAM-SHA-256":
		mechanisms = append(mechanisms, scram.Auth{User: name, Pass: password}.AsSha256Mechanism())
	case "SCRAM-SHA-512":
		mechanisms = append(mechanisms, scram.Auth{User: name, Pass: password}.AsSha512Mechanism())
	}
	return kgo.SASL(mechanisms...)
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
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		if err := perform(ctx, words); err != nil {
			say("error %s", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			say("ok")
		}
		cancel()
	}
}

func perform(ctx context.Context, words []string) error {
	if verb, known := transactionVerbs[words[0]]; known {
		return verb(ctx, words[1:])
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), login(), secured())
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	switch words[0] {
	case "codecs":
		say("codecs none,gzip,snappy,lz4,zstd")
		return nil
	case "create":
		count, _ := strconv.Atoi(words[2])
		replicas, _ := strconv.Atoi(words[3])
		_, err := admin.CreateTopic(ctx, int32(count), int16(replicas), nil, words[1])
		return err
	case "produce":
		return produce(ctx, words[1], words[2], words[3:])
	case "committed":
		offsets, err := admin.FetchOffsets(ctx, words[1])
		if err != nil {
			return err
		}
		offsets.Each(func(o kadm.OffsetResponse) { say("offset %d %d", o.Partition, o.At) })
		return offsets.Error()
	case "seek":
		timestamp, _ := strconv.ParseInt(words[2], 10, 64)
		return seek(ctx, words[1], timestamp)
	case "describe-config":
		configs, err := admin.DescribeTopicConfigs(ctx, words[1])
		if err != nil {
			return err
		}
		config, err := configs.On(words[1], nil)
		if err != nil {
			return err
		}
		for _, entry := range config.Configs {
			if entry.Key == words[2] {
				say("config %s %s", entry.Key, entry.MaybeValue())
			}
		}
		return config.Err
	case "alter-config":
		change := kadm.AlterConfig{Op: kadm.SetConfig, Name: words[2], Value: kadm.StringPtr(words[3])}
		answers, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{change}, words[1])
		if err != nil {
			return err
		}
		return answers[0].Err
	case "exists":
		topics, err := admin.ListTopics(ctx)
		if err == nil {
			say("exists %t", topics.Has(words[1]))
		}
		return err
	case "delete":
		answer, err := admin.DeleteTopic(ctx, words[1])
		if err != nil {
			return err
		}
		return answer.Err
	}
	return fmt.Errorf("unknown verb %s", words[0])
}

func codecOf(name string) kgo.CompressionCodec {
	switch name {
	case "gzip":
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	}
	return kgo.NoCompression()
}

func produce(ctx context.Context, topic, codec string, words []string) error {
	first, _ := strconv.ParseInt(words[0], 10, 64)
	count, _ := strconv.ParseInt(words[1], 10, 64)
	length, _ := strconv.Atoi(words[2])
	timestamp, _ := strconv.ParseInt(words[3], 10, 64)
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		login(), secured(),
		kgo.ProducerBatchCompression(codecOf(codec)),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(1_048_576),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	var records []*kgo.Record
	for id := first; id < first+count; id++ {
		record := &kgo.Record{
			Topic:     topic,
			Partition: int32(id % 3),
			Timestamp: time.UnixMilli(timestamp + id),
			Headers: []kgo.RecordHeader{
				{Key: "id", Value: []byte(strconv.FormatInt(id, 10))},
				{Key: "codec", Value: []byte(codec)},
				{Key: "empty", Value: []byte{}},
			},
		}
		if id%5 != 0 || id%7 == 0 {
			record.Key = []byte(fmt.Sprintf("k%d", id))
		}
		if id%7 != 0 || length >= 1000 {
			unit := []byte(fmt.Sprintf("%d/", id))
			record.Value = bytes.Repeat(unit, length/len(unit)+1)[:length]
		}
		records = append(records, record)
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}

func sayRecord(record *kgo.Record) {
	key, length := "-", -1
	if record.Key != nil {
		key = string(record.Key)
	}
	if record.Value != nil {
		length = len(record.Value)
	}
	var headers []string
	for _, header := range record.Headers {
		headers = append(headers, header.Key+"="+string(header.Value))
	}
	say("record %d %d %d %s %d %d %s", record.Partition, record.Offset, record.Timestamp.UnixMilli(), key, length,
		crc32.ChecksumIEEE(record.Value), strings.Join(headers, ","))
}

func member(input *bufio.Scanner, topic, group string) error {
	ctx, leave := context.WithCancel(context.Background())
	go func() {
		input.Scan()
		leave()
	}()
	// This client assigns cooperatively: it is told of what comes and what goes, and we keep the sum.
	held := map[int32]bool{}
	var heldLock sync.Mutex
	change := func(partitions []int32, has bool) {
		heldLock.Lock()
		defer heldLock.Unlock()
		for _, partition := range partitions {
			if has {
				held[partition] = true
			} else {
				delete(held, partition)
			}
		}
		sayAssigned(held)
	}
	protocol := []kgo.Opt{kgo.SessionTimeout(6 * time.Second), kgo.HeartbeatInterval(time.Second)}
	if os.Getenv("GROUP_PROTOCOL") == "consumer" {
		// In the new protocol the broker says how long a session is.
		protocol = []kgo.Opt{kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer())}
	}
	client, err := kgo.NewClient(append(protocol,
		kgo.SeedBrokers(bootstrap),
		login(), secured(),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		// No rebalance between a poll and the commit of what it gave.
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) {
			change(got[topic], true)
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
			change(lost[topic], false)
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
			change(lost[topic], false)
		}),
	)...)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		fetches.EachError(func(_ string, partition int32, err error) {
			if ctx.Err() == nil {
				say("note partition %d: %v", partition, err)
			}
		})
		if fetches.NumRecords() > 0 {
			fetches.EachRecord(sayRecord)
			if err := client.CommitUncommittedOffsets(context.Background()); err != nil {
				say("note %v", err)
			}
		}
		client.AllowRebalance()
	}
	if err := client.CommitUncommittedOffsets(context.Background()); err != nil {
		say("note %v", err)
	}
	client.CloseAllowingRebalance()
	say("left")
	return nil
}

func sayAssigned(held map[int32]bool) {
	var numbers []int
	for partition := range held {
		numbers = append(numbers, int(partition))
	}
	sort.Ints(numbers)
	var words []string
	for _, number := range numbers {
		words = append(words, strconv.Itoa(number))
	}
	if len(words) == 0 {
		words = []string{"-"}
	}
	say("assigned %s", strings.Join(words, ","))
}

func seek(ctx context.Context, topic string, timestamp int64) error {
	from := map[int32]kgo.Offset{}
	for partition := int32(0); partition < 3; partition++ {
		from[partition] = kgo.NewOffset().AfterMilli(timestamp)
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		login(), secured(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for len(from) > 0 {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(record *kgo.Record) {
			if _, waits := from[record.Partition]; waits {
				delete(from, record.Partition)
				sayRecord(record)
			}
		})
	}
	return nil
}
