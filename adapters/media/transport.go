package media

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// maxAnswerBytes bounds what the file store may answer.
const maxAnswerBytes = 1 << 20

// strictTransport lets only JSON objects through. The SDK reads answers of any
// size, does not look at the status, and panics on a bare null. It also sends
// its forms without saying that they are forms.
type strictTransport struct{ next http.RoundTripper }

func (t *strictTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Content-Type") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	if closeErr := response.Body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	var object map[string]json.RawMessage
	if len(body) > maxAnswerBytes || json.Unmarshal(body, &object) != nil || object == nil {
		return nil, fmt.Errorf("the answer (status %d, %d bytes) is not a JSON object", response.StatusCode, len(body))
	}
	if _, explained := object["error"]; !explained && response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer has status %d", response.StatusCode)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}
