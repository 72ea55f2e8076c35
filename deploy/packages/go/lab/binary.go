package lab

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// ErrBinaryMissing says that the program is nowhere.
var ErrBinaryMissing = errors.New("the program ottla is missing")

// Binary is the path of the program: what OTTLA_BINARY names; else the one in this module, unpacked once into the
// user's cache; else the first on the PATH. It is never fetched.
func Binary() (string, error) {
	if named := os.Getenv("OTTLA_BINARY"); named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			return "", fmt.Errorf("%w: OTTLA_BINARY is %q: %w", ErrBinaryMissing, named, err)
		}
		return path, nil
	}
	if len(packed) > 0 {
		return unpack()
	}
	path, err := exec.LookPath("ottla")
	if err != nil {
		return "", fmt.Errorf("%w: this module has none for %s/%s, and there is none on the PATH; OTTLA_BINARY names one",
			ErrBinaryMissing, runtime.GOOS, runtime.GOARCH)
	}
	return path, nil
}

// unpack writes the program under the name of its checksum, unless it is there. Several processes may do so at once:
// each writes a file of its own and gives it the name when it is whole.
func unpack() (string, error) {
	folder, err := os.UserCacheDir()
	if err != nil {
		folder = os.TempDir()
	}
	folder = filepath.Join(folder, "ottla", Version+"-"+packedSHA256[:16])
	path := filepath.Join(folder, "ottla")
	if isWhole(path) {
		return path, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	file, err := os.CreateTemp(folder, "unpacking-")
	if err != nil {
		return "", err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return "", err
	}
	digest := sha256.New()
	if _, err := io.Copy(io.MultiWriter(file, digest), reader); err != nil {
		return "", err
	}
	if found := hex.EncodeToString(digest.Sum(nil)); found != packedSHA256 {
		return "", fmt.Errorf("the program in this module is damaged: its checksum is %s, and not %s", found, packedSHA256)
	}
	if err := errors.Join(file.Chmod(0o755), file.Close()); err != nil {
		return "", err
	}
	return path, os.Rename(file.Name(), path)
}

// isWhole says whether the file is the program, to the byte.
func isWhole(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, file); err != nil {
		return false
	}
	return hex.EncodeToString(digest.Sum(nil)) == packedSHA256
}
