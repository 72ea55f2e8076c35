package lab

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// ErrVersion says that the program is of another version than this module.
var ErrVersion = errors.New("the program is of another version")

// Settings of a lab. Their zero values are good.
type Settings struct {
	// Seed of ids and draws; the lab draws one when it is nil.
	Seed *uint64
	// Configs are keys of the main cluster's broker.
	Configs map[string]string
	// ConfigFile is the path of a lab.toml.
	ConfigFile string
	// TTL after which the lab ends by itself.
	TTL time.Duration
	// Binary is another program than Binary().
	Binary string
	// StartTimeout is 20 seconds when it is zero.
	StartTimeout time.Duration
}

// Lab is the process, and its main cluster.
type Lab struct {
	*Cluster
	// Address of the control API.
	Address string
	Pid     int

	command   *exec.Cmd
	stdin     io.Closer
	wrote     *tail
	done      chan struct{}
	transport *http.Transport
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(data []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, data...)
	if over := len(t.text) - 4000; over > 0 {
		t.text = append([]byte(nil), t.text[over:]...)
	}
	return len(data), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text := bytes.TrimSpace(t.text); len(text) > 0 {
		return ", and wrote:\n" + string(text)
	}
	return ", and wrote nothing"
}

// Start starts a lab. It ends with Close, or with this process, however that ends.
func Start(settings Settings) (*Lab, error) {
	program := settings.Binary
	if program == "" {
		var err error
		if program, err = Binary(); err != nil {
			return nil, err
		}
	}
	words := []string{"lab", "--exit-with-parent"}
	if settings.Seed != nil {
		words = append(words, "--seed", fmt.Sprint(*settings.Seed))
	}
	if settings.ConfigFile != "" {
		words = append(words, "--config", settings.ConfigFile)
	}
	if settings.TTL > 0 {
		words = append(words, "--ttl", duration(settings.TTL))
	}
	for key, value := range settings.Configs {
		words = append(words, "--override", key+"="+value)
	}
	command := exec.Command(program, words...)
	wrote := &tail{}
	command.Stderr = wrote
	// The write end of this pipe is closed on exec, so that no other child keeps the lab alive.
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("%s can't be started: %w", program, err)
	}
	lab := &Lab{
		command: command, stdin: stdin, wrote: wrote, Pid: command.Process.Pid, done: make(chan struct{}),
		// Without a proxy: the lab is on this machine.
		transport: &http.Transport{},
	}
	lab.Cluster = &Cluster{ID: "main", lab: lab, required: map[string]bool{}}
	timeout := settings.StartTimeout
	if timeout == 0 {
		timeout = 20 * time.Second
	}
	if err := lab.begin(stdout, timeout, program); err != nil {
		return nil, errors.Join(err, lab.Close())
	}
	return lab, nil
}

func (l *Lab) begin(stdout io.Reader, timeout time.Duration, program string) error {
	lines := make(chan []byte, 1)
	go func() {
		reader := bufio.NewReader(stdout)
		line, _ := reader.ReadBytes('\n')
		lines <- line
		_, _ = io.Copy(io.Discard, reader)
		// Only now may it be waited for.
		_ = l.command.Wait()
		close(l.done)
	}()
	called := program + " " + strings.Join(l.command.Args[1:], " ")
	var line []byte
	select {
	case line = <-lines:
	case <-time.After(timeout):
		_ = l.command.Process.Kill()
		<-l.done
		return fmt.Errorf("%s said nothing for %v%s", called, timeout, l.wrote)
	}
	var ready struct {
		Bootstrap string `json:"bootstrap"`
		Lab       string `json:"lab"`
		Seed      uint64 `json:"seed"`
	}
	if err := json.Unmarshal(line, &ready); err != nil || ready.Lab == "" {
		if l.waits(5 * time.Second) {
			return fmt.Errorf("%s ended with %s%s", called, l.command.ProcessState, l.wrote)
		}
		_ = l.command.Process.Kill()
		<-l.done
		return fmt.Errorf("%s is no lab: it said %q%s", called, line, l.wrote)
	}
	l.Bootstrap, l.Address, l.Seed = ready.Bootstrap, ready.Lab, ready.Seed
	var document struct {
		Info struct {
			Version string `json:"version"`
		} `json:"info"`
	}
	if err := l.ask("GET", "/openapi.json", nil, nil, &document, 0); err != nil {
		return err
	}
	if document.Info.Version != Version {
		return fmt.Errorf("%w: %s is %s, and the module %s", ErrVersion, program, document.Info.Version, Version)
	}
	return nil
}

func (l *Lab) waits(patience time.Duration) bool {
	select {
	case <-l.done:
		return true
	case <-time.After(patience):
		return false
	}
}

func (l *Lab) ended(cause error) error {
	if l.waits(time.Second) {
		return fmt.Errorf("the lab at %s has ended with %s%s: %w", l.Address, l.command.ProcessState, l.wrote, cause)
	}
	return fmt.Errorf("the lab at %s does not answer: %w", l.Address, cause)
}

// NewCluster makes a cluster with a port of its own; it serves when this returns.
func (l *Lab) NewCluster(options ...Option) (*Cluster, error) {
	body := Words{}
	for _, option := range options {
		option(body)
	}
	var made struct {
		ID        string `json:"id"`
		Bootstrap string `json:"bootstrap"`
		Seed      uint64 `json:"seed"`
	}
	if err := l.ask("POST", "/clusters", nil, body, &made, 0); err != nil {
		return nil, err
	}
	return &Cluster{ID: made.ID, Bootstrap: made.Bootstrap, Seed: made.Seed, lab: l, required: map[string]bool{}}, nil
}

// Close ends the lab; nothing of it is left when this returns.
func (l *Lab) Close() error {
	// It ends when its standard input does.
	_ = l.stdin.Close()
	if !l.waits(5 * time.Second) {
		if err := l.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		<-l.done
	}
	l.transport.CloseIdleConnections()
	return nil
}

// Delete is Close: the main cluster ends with the lab.
func (l *Lab) Delete() error { return l.Close() }
