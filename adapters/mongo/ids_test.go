package mongo

import (
	"testing"
	"time"
)

func TestIDsGrowWhateverTheClockDoes(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s, err := newIDSource(func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	s.counter = 1<<counterBits - 3
	last := ""
	for i := range 10 {
		if i == 7 {
			now = now.Add(-time.Hour)
		}
		id := s.next().Hex()
		if id <= last {
			t.Fatalf("%s after %s", id, last)
		}
		last = id
	}
}

func TestDatabaseName(t *testing.T) {
	for uri, want := range map[string]string{
		"mongodb://h": "test", "mongodb://h/": "test", "mongodb://h/?a=b/c": "test", "mongodb://h/chat": "chat", "mongodb://u:p%2F@h1:1,h2:2/my%20db?x=y": "my db",
		"mongodb+srv://u:p@h.example/chat?retryWrites=true": "chat",
	} {
		if got := databaseName(uri); got != want {
			t.Errorf("%s: %q", uri, got)
		}
	}
}

func TestOptionsLeaveTheURIItsSay(t *testing.T) {
	c := clientOptions(Options{URI: "mongodb://h/?readPreference=secondary", OpTimeout: time.Second})
	if c.WriteConcern == nil || c.WriteConcern.W != "majority" || c.ReadPreference.Mode().String() != "primary" || *c.ServerSelectionTimeout != time.Second {
		t.Errorf("%+v", c)
	}
	c = clientOptions(Options{URI: "mongodb://h/?w=1&serverSelectionTimeoutMS=100", OpTimeout: time.Second})
	if c.WriteConcern.W != 1 || *c.ServerSelectionTimeout != 100*time.Millisecond {
		t.Errorf("%+v", c.WriteConcern)
	}
}
