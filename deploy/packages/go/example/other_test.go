package example

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// other is the address of something that answers as no lab does.
func other(t *testing.T, answer string) string {
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(out, answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
