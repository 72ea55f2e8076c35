// Package lab gives a test a real Kafka: it starts in milliseconds, breaks on purpose, and is thrown away.
//
//	func TestRetry(t *testing.T) {
//		c := lab.New(t, lab.Topics("orders:6")) // ends with t
//		c.Fault(lab.Words{"api": "Produce", "error": "NOT_LEADER_OR_FOLLOWER", "times": 2})
//		send(c.Bootstrap)
//		c.Records("orders", lab.Count(1), lab.Wait(5*time.Second))
//	}
//
// Any client works: it gets the bootstrap address and nothing else. A rule that never acted fails the test. Nothing but
// the standard library is used.
package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Words are the words of the control API, as docs/lab/README.md has them.
type Words = map[string]any

// APIError is a refusal of the lab: Status is that of HTTP, Field the word that is wrong (or empty).
type APIError struct {
	Status  int
	Field   string
	Message string
	Body    json.RawMessage
}

func (e *APIError) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// IsTimeout says whether what was waited for did not come in time.
func IsTimeout(err error) bool {
	var refused *APIError
	return errors.As(err, &refused) && refused.Status == http.StatusRequestTimeout
}

// Record is a record as the cluster has it.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Timestamp int64
	Key       []byte
	Value     []byte
	Headers   map[string]*string
}

// UnmarshalJSON reads a record of the control API, where bytes that are no text have names of their own.
func (r *Record) UnmarshalJSON(data []byte) error {
	type plain struct {
		Topic       string             `json:"topic"`
		Partition   int32              `json:"partition"`
		Offset      int64              `json:"offset"`
		Timestamp   int64              `json:"timestamp"`
		Headers     map[string]*string `json:"headers"`
		Key         *string            `json:"key"`
		Value       *string            `json:"value"`
		KeyBase64   []byte             `json:"key_base64"`
		ValueBase64 []byte             `json:"value_base64"`
	}
	var read plain
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	*r = Record{read.Topic, read.Partition, read.Offset, read.Timestamp, read.KeyBase64, read.ValueBase64, read.Headers}
	if read.Key != nil {
		r.Key = []byte(*read.Key)
	}
	if read.Value != nil {
		r.Value = []byte(*read.Value)
	}
	return nil
}

// Request is a request that a client sent, and what it was answered.
type Request struct {
	Number   uint64          `json:"number"`
	API      string          `json:"api"`
	Version  int16           `json:"version"`
	ClientID string          `json:"client_id"`
	Software string          `json:"software"`
	Outcome  string          `json:"outcome"`
	Errors   []string        `json:"errors"`
	Fault    string          `json:"fault"`
	TookUs   int64           `json:"took_us"`
	Body     json.RawMessage `json:"request"`
	Answer   json.RawMessage `json:"answer"`
}

// Group is a group as its coordinator has it.
type Group struct {
	Name     string `json:"group"`
	State    string `json:"state"`
	Protocol string `json:"protocol"`
	Lag      int64  `json:"lag"`
	Members  []struct {
		MemberID   string `json:"member_id"`
		ClientID   string `json:"client_id"`
		Assignment []struct {
			Topic     string `json:"topic"`
			Partition int32  `json:"partition"`
		} `json:"assignment"`
	} `json:"members"`
	Offsets []struct {
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		Offset    int64  `json:"offset"`
		Lag       *int64 `json:"lag"`
	} `json:"offsets"`
}

// Rule is a fault rule with what it has done.
type Rule struct {
	ID   string          `json:"id"`
	Rule json.RawMessage `json:"rule"`
	Seen uint64          `json:"seen"`
	Hits uint64          `json:"hits"`
}

// Cluster is a Kafka of its own: its port, topics, groups, rules, journal and clocks.
type Cluster struct {
	ID        string
	Bootstrap string
	Seed      uint64

	lab      *Lab
	mu       sync.Mutex
	required map[string]bool
}

// Option says what a cluster is like.
type Option func(Words)

// Topics of the cluster: "orders", "orders:6".
func Topics(topics ...string) Option { return func(w Words) { w["topics"] = topics } }

// Config sets a key of the cluster's broker.
func Config(key string, value any) Option {
	return func(w Words) {
		configs, _ := w["configs"].(Words)
		if configs == nil {
			configs = Words{}
			w["configs"] = configs
		}
		configs[key] = value
	}
}

// Seed of ids and draws.
func Seed(seed uint64) Option { return func(w Words) { w["seed"] = seed } }

// TTL after which the cluster goes by itself.
func TTL(ttl time.Duration) Option { return func(w Words) { w["ttl"] = duration(ttl) } }

// shared is the lab of the test binary. It ends with the process, through its pipe.
var shared struct {
	once sync.Once
	lab  *Lab
	err  error
}

// New makes a cluster for a test, in one lab for the whole test binary. It is dropped with the test, which fails if a
// rule never acted, and shows the seed, the rules and the last requests if it has failed.
func New(t testing.TB, options ...Option) *Cluster {
	t.Helper()
	shared.once.Do(func() { shared.lab, shared.err = Start(Settings{}) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	cluster, err := shared.lab.NewCluster(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(cluster.Story(20))
		} else if err := cluster.CheckFaults(); err != nil {
			t.Error(err)
		}
		if err := cluster.Delete(); err != nil {
			t.Error(err)
		}
	})
	return cluster
}

func duration(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }

// Ask sends a request to an address of the cluster ("/faults") and reads the answer into `into`, if that is not nil.
// `patience` is how long the lab itself may wait.
func (c *Cluster) Ask(method, path string, query url.Values, body, into any, patience time.Duration) error {
	return c.lab.ask(method, "/clusters/"+url.PathEscape(c.ID)+path, query, body, into, patience)
}

// Delete drops the cluster with all that it holds.
func (c *Cluster) Delete() error { return c.Ask("DELETE", "", nil, nil, nil, 0) }

// Reset makes the cluster as it was made, behind the same port; clients stay connected.
func (c *Cluster) Reset() error {
	if err := c.Ask("POST", "/reset", nil, nil, nil, 30*time.Second); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.required)
	return nil
}

// CreateTopic makes a topic; it is there for every client when this returns.
func (c *Cluster) CreateTopic(name string, partitions int) error {
	return c.Ask("POST", "/topics", nil, Words{"name": name, "partitions": partitions}, nil, 0)
}

// Produce writes records in the words of the control API: key, value, partition, timestamp, headers. Bytes are taken
// as they are.
func (c *Cluster) Produce(topic string, records ...Words) error {
	body := make([]Words, 0, len(records))
	for _, record := range records {
		out := Words{}
		for name, value := range record {
			if data, isBytes := value.([]byte); isBytes {
				out[name+"_base64"] = data
			} else {
				out[name] = value
			}
		}
		body = append(body, out)
	}
	return c.Ask("POST", "/topics/"+url.PathEscape(topic)+"/records", nil, body, nil, 0)
}

// Wanted narrows what Records and Group look for.
type Wanted func(*wanted)

type wanted struct {
	words url.Values
	wait  time.Duration
}

// Count of records that there must be.
func Count(count int) Wanted { return set("count", count) }

// Partition of the topic.
func Partition(partition int) Wanted { return set("partition", partition) }

// Key of the records.
func Key(key string) Wanted { return set("key", key) }

// Stable group.
func Stable() Wanted { return set("wait", "stable") }

// Members that the group must have.
func Members(count int) Wanted { return set("members", count) }

// Lag that the group may have.
func Lag(lag int) Wanted { return set("lag", lag) }

// Wait so long for it.
func Wait(wait time.Duration) Wanted { return func(w *wanted) { w.wait = wait } }

func set(name string, value any) Wanted {
	return func(w *wanted) { w.words.Set(name, fmt.Sprint(value)) }
}

func gather(list []Wanted) wanted {
	w := wanted{words: url.Values{}}
	for _, one := range list {
		one(&w)
	}
	return w
}

// Records of a topic, once there are so many as Count says.
func (c *Cluster) Records(topic string, list ...Wanted) ([]Record, error) {
	w := gather(list)
	if w.wait > 0 {
		w.words.Set("wait", duration(w.wait))
	}
	var answer struct {
		Records []Record `json:"records"`
	}
	err := c.Ask("GET", "/topics/"+url.PathEscape(topic)+"/records", w.words, nil, &answer, w.wait)
	return answer.Records, err
}

// Group, once it is as Stable, Members and Lag say.
func (c *Cluster) Group(name string, list ...Wanted) (Group, error) {
	w := gather(list)
	if w.wait == 0 {
		w.wait = 10 * time.Second
	}
	if len(w.words) > 0 {
		w.words.Set("timeout", duration(w.wait))
	}
	var group Group
	err := c.Ask("GET", "/groups/"+url.PathEscape(name), w.words, nil, &group, w.wait)
	return group, err
}

// Fault adds a rule behind the others, and returns its id. In the end it must have acted; MayFault is for one that
// need not.
func (c *Cluster) Fault(rule Words) (string, error) { return c.addFault(rule, true) }

// MayFault adds a rule that need not act.
func (c *Cluster) MayFault(rule Words) (string, error) { return c.addFault(rule, false) }

func (c *Cluster) addFault(rule Words, required bool) (string, error) {
	var answer struct {
		ID string `json:"id"`
	}
	if err := c.Ask("POST", "/faults", nil, rule, &answer, 0); err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.required[answer.ID] = required
	return answer.ID, nil
}

// RemoveFault takes a rule away; an error if it had to act and has not.
func (c *Cluster) RemoveFault(id string) error {
	c.mu.Lock()
	required := c.required[id]
	delete(c.required, id)
	c.mu.Unlock()
	query := url.Values{}
	if required {
		query.Set("expect", "hit")
	}
	return c.Ask("DELETE", "/faults/"+url.PathEscape(id), query, nil, nil, 0)
}

// Faults are the rules with their hits.
func (c *Cluster) Faults() ([]Rule, error) {
	var answer struct {
		Faults []Rule `json:"faults"`
	}
	err := c.Ask("GET", "/faults", nil, nil, &answer, 0)
	return answer.Faults, err
}

// CheckFaults is an error if a rule is left that had to act and has not.
func (c *Cluster) CheckFaults() error {
	rules, err := c.Faults()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rule := range rules {
		if rule.Hits == 0 && c.required[rule.ID] {
			return fmt.Errorf("never acted: %s (about %d requests)", rule.Rule, rule.Seen)
		}
	}
	return nil
}

// Release lets those go on that a rule with `hold` keeps at a gate; returns how many.
func (c *Cluster) Release(gate string) (int, error) {
	var answer struct {
		Released int `json:"released"`
	}
	err := c.Ask("POST", "/gates/"+url.PathEscape(gate)+"/release", nil, nil, &answer, 0)
	return answer.Released, err
}

// Requests that match, oldest first.
func (c *Cluster) Requests(match Words) ([]Request, error) {
	query := url.Values{}
	for name, value := range match {
		query.Set(name, fmt.Sprint(value))
	}
	var answer struct {
		Requests []Request `json:"requests"`
	}
	err := c.Ask("GET", "/requests", query, nil, &answer, 0)
	return answer.Requests, err
}

// CountRequests that match.
func (c *Cluster) CountRequests(match Words) (int, error) {
	var answer struct {
		Count int `json:"count"`
	}
	err := c.Ask("POST", "/requests/count", nil, match, &answer, 0)
	return answer.Count, err
}

// WaitRequests waits until so many match; IsTimeout tells that they did not come.
func (c *Cluster) WaitRequests(match Words, count int, timeout time.Duration) ([]Request, error) {
	var answer struct {
		Requests []Request `json:"requests"`
	}
	body := Words{"match": match, "count": count, "timeout": duration(timeout)}
	err := c.Ask("POST", "/requests/wait", nil, body, &answer, timeout)
	return answer.Requests, err
}

// Freeze both clocks, until Advance or Unfreeze.
func (c *Cluster) Freeze() error { return c.Ask("PUT", "/clock", nil, Words{"mode": "frozen"}, nil, 0) }

// Unfreeze lets both clocks run from where they stand.
func (c *Cluster) Unfreeze() error { return c.Ask("PUT", "/clock", nil, Words{"mode": "real"}, nil, 0) }

// Advance moves the clocks ("records", "timers"; both when none is named), and returns when what became due is done.
func (c *Cluster) Advance(by time.Duration, what ...string) error {
	if len(what) == 0 {
		what = []string{"records", "timers"}
	}
	return c.Ask("POST", "/clock/advance", nil, Words{"by": duration(by), "what": what}, nil, 10*time.Second)
}

// Story is what to show of a test that failed.
func (c *Cluster) Story(count int) string {
	var out strings.Builder
	fmt.Fprintf(&out, "cluster %s at %s, seed %d", c.ID, c.Bootstrap, c.Seed)
	rules, err := c.Faults()
	if err != nil {
		return fmt.Sprintf("%s: %v", out.String(), err)
	}
	for _, rule := range rules {
		fmt.Fprintf(&out, "\nrule %s: %s, acted %d times", rule.ID, rule.Rule, rule.Hits)
	}
	requests, err := c.Requests(Words{"limit": count, "bodies": "false"})
	if err != nil {
		return fmt.Sprintf("%s: %v", out.String(), err)
	}
	for _, one := range requests {
		what := one.Outcome
		if len(one.Errors) > 0 {
			what = strings.Join(one.Errors, ", ")
		}
		fmt.Fprintf(&out, "\n%6d %s v%d %q: %s", one.Number, one.API, one.Version, one.ClientID, what)
	}
	return out.String()
}

func (l *Lab) ask(method, path string, query url.Values, body, into any, patience time.Duration) error {
	var data io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		data = bytes.NewReader(text)
	}
	target := l.Address + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequest(method, target, data)
	if err != nil {
		return err
	}
	client := http.Client{Transport: l.transport, Timeout: 30*time.Second + patience}
	answer, err := client.Do(request)
	if err != nil {
		return l.ended(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return l.ended(err)
	}
	if answer.StatusCode < 400 {
		if into == nil {
			return nil
		}
		return json.Unmarshal(text, into)
	}
	var told struct {
		Error struct {
			Field   string `json:"field"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(text, &told) != nil {
		told.Error.Message = string(text)
	}
	return &APIError{answer.StatusCode, told.Error.Field, told.Error.Message, text}
}
