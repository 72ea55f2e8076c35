// The module: how a lab begins and ends, and what is said when it can't.
package example

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ottla.dev/lab"
)

// TestMain lets the test binary play the process that a lab is started by.
func TestMain(m *testing.M) {
	if os.Getenv("PLAY_PARENT") == "" {
		os.Exit(m.Run())
	}
	started, err := lab.Start(lab.Settings{})
	if err != nil {
		panic(err)
	}
	fmt.Println(started.Pid)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func isGone(pid int, patience time.Duration) bool {
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return true
		}
		if time.Now().After(until) {
			return false
		}
	}
}

func script(t *testing.T, text string) (path string, pid func() int) {
	folder := t.TempDir()
	path = filepath.Join(folder, "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho $$ > "+folder+"/pid; "+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path, func() int {
		text, err := os.ReadFile(filepath.Join(folder, "pid"))
		if err != nil {
			t.Fatal(err)
		}
		number, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		return number
	}
}

func TestTheProgramIsUnpackedOnceAndMendedWhenItIsDamaged(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	path := must[string](t)(lab.Binary())
	said := must[[]byte](t)(exec.Command(path, "--version").Output())
	if strings.TrimSpace(string(said)) != "ottla "+lab.Version {
		t.Fatalf("%s", said)
	}
	if err := os.WriteFile(path, []byte("damaged"), 0o755); err != nil {
		t.Fatal(err)
	}
	again := must[string](t)(lab.Binary())
	if again != path || exec.Command(again, "--version").Run() != nil {
		t.Fatal("it was not mended")
	}
	left := must[[]os.DirEntry](t)(os.ReadDir(filepath.Dir(path)))
	if len(left) != 1 {
		t.Fatalf("left are %v", left)
	}
}

func TestALabEndsWhenItIsClosedAndSaysSoAfterwards(t *testing.T) {
	seed := uint64(7)
	started := must[*lab.Lab](t)(lab.Start(lab.Settings{Seed: &seed}))
	if started.Seed != 7 {
		t.Fatal(started.Seed)
	}
	if err := started.Close(); err != nil {
		t.Fatal(err)
	}
	if !isGone(started.Pid, 100*time.Millisecond) {
		t.Fatal("it runs on")
	}
	if err := started.CreateTopic("late", 1); err == nil || !strings.Contains(err.Error(), "has ended with") {
		t.Fatal(err)
	}
}

func TestALabEndsWithTheProcessThatStartedIt(t *testing.T) {
	for _, how := range []string{"killed", "ended"} {
		child := exec.Command(must[string](t)(os.Executable()))
		child.Env = append(os.Environ(), "PLAY_PARENT=yes")
		stdin := must[io.WriteCloser](t)(child.StdinPipe())
		stdout := must[io.ReadCloser](t)(child.StdoutPipe())
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		line := must[string](t)(bufio.NewReader(stdout).ReadString('\n'))
		pid := must[int](t)(strconv.Atoi(strings.TrimSpace(line)))
		if isGone(pid, 50*time.Millisecond) {
			t.Fatal("it is gone too early")
		}
		if how == "killed" {
			_ = child.Process.Kill()
		} else {
			_ = stdin.Close()
		}
		_ = child.Wait()
		if !isGone(pid, 10*time.Second) {
			t.Fatalf("the parent has %s, and the lab runs on", how)
		}
	}
}

func TestALabEndsWhenItsTimeIsOver(t *testing.T) {
	started := must[*lab.Lab](t)(lab.Start(lab.Settings{TTL: 100 * time.Millisecond}))
	if !isGone(started.Pid, 10*time.Second) {
		t.Fatal("it runs on")
	}
	if err := started.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestABinaryThatIsMissingIsSaid(t *testing.T) {
	t.Setenv("OTTLA_BINARY", "/nowhere/ottla")
	if _, err := lab.Start(lab.Settings{}); !errors.Is(err, lab.ErrBinaryMissing) || !strings.Contains(err.Error(), "/nowhere/ottla") {
		t.Fatal(err)
	}
}

func TestAProgramThatIsNoLabIsSaidAndEnds(t *testing.T) {
	for text, why := range map[string]string{
		"echo no room >&2; exit 3":  "ended with exit status 3, and wrote:\nno room",
		"echo hello; exec sleep 60": "is no lab: it said \"hello",
		"exec sleep 60":             "said nothing for 300ms, and wrote nothing",
		"cat $0.ready; exec cat":    "the program is of another version",
	} {
		path, pid := script(t, text)
		timeout := 20 * time.Second
		if strings.HasPrefix(text, "exec") {
			timeout = 300 * time.Millisecond
		}
		ready := fmt.Sprintf("{\"lab\":%q}\n", other(t, `{"info":{"version":"9.9.9"}}`))
		if err := os.WriteFile(path+".ready", []byte(ready), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := lab.Start(lab.Settings{Binary: path, StartTimeout: timeout})
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Fatalf("%s: %v", text, err)
		}
		if !isGone(pid(), 100*time.Millisecond) {
			t.Fatalf("%s: it runs on", text)
		}
	}
}

func TestAWordThatIsWrongIsNamedAndARuleThatDoesNothingIsTold(t *testing.T) {
	started := must[*lab.Lab](t)(lab.Start(lab.Settings{}))
	defer started.Close()
	var refused *lab.APIError
	if _, err := started.Fault(lab.Words{"api": "Produce", "eror": "X"}); !errors.As(err, &refused) || refused.Field != "eror" {
		t.Fatal(err)
	}
	id := must[string](t)(started.Fault(lab.Words{"api": "Fetch", "error": "OFFSET_OUT_OF_RANGE"}))
	if err := started.CheckFaults(); err == nil || !strings.Contains(err.Error(), "never acted") {
		t.Fatal(err)
	}
	if err := started.RemoveFault(id); err == nil || !strings.Contains(err.Error(), "never acted") {
		t.Fatal(err)
	}
	if _, err := started.WaitRequests(lab.Words{"api": "Produce"}, 1, 50*time.Millisecond); !lab.IsTimeout(err) {
		t.Fatal(err)
	}
}

func TestAfterAResetAClusterIsAsItWasMade(t *testing.T) {
	started := lab.New(t, lab.Topics("orders"))
	if err := errors.Join(started.CreateTopic("more", 1), started.Produce("orders", lab.Words{"value": "a"})); err != nil {
		t.Fatal(err)
	}
	if _, err := started.Fault(lab.Words{"api": "Fetch", "error": "REQUEST_TIMED_OUT"}); err != nil {
		t.Fatal(err)
	}
	if err := started.Reset(); err != nil {
		t.Fatal(err)
	}
	records, err := started.Records("orders")
	if err != nil || len(records) != 0 {
		t.Fatal(records, err)
	}
	if rules, err := started.Faults(); err != nil || len(rules) != 0 {
		t.Fatal(rules, err)
	}
	if _, err := started.Records("more"); err == nil {
		t.Fatal("it is there still")
	}
}
