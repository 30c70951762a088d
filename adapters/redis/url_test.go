package redis

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"redis://":                                  "0 [localhost:6379] :@ 0 false ",
		"redis://h":                                 "0 [h:6379] :@ 0 false ",
		" REDIS://h:1/2 ":                           "0 [h:1] :@ 2 false ",
		"redis://h/?db=3":                           "0 [h:6379] :@ 3 false ",
		"redis://:p%40ss@h":                         "0 [h:6379] :p@ss@ 0 false ",
		"redis://user:a:b@h:7":                      "0 [h:7] user:a:b@ 0 false ",
		"redis://[::1]:7/1":                         "0 [[::1]:7] :@ 1 false ",
		"redis://[::1]":                             "0 [[::1]:6379] :@ 0 false ",
		"rediss://h":                                "0 [h:6379] :@ 0 true ",
		"redis://h?ssl=true":                        "0 [h:6379] :@ 0 true ",
		"redis://h?family=0":                        "0 [h:6379] :@ 0 false ",
		"redis+cluster://a:1,b:2":                   "1 [a:1 b:2] :@ 0 false ",
		"rediss+cluster://u:p@a,b":                  "1 [a:6379 b:6379] u:p@ 0 true ",
		"redis-cluster://a":                         "1 [a:6379] :@ 0 false ",
		"redis://a,b?cluster=true":                  "1 [a:6379 b:6379] :@ 0 false ",
		"redis+sentinel://a,b:5/mymaster":           "2 [a:26379 b:5] :@ 0 false mymaster",
		"redis+sentinel://:p@a/mymaster/4":          "2 [a:26379] :p@ 4 false mymaster",
		"redis-sentinel://a,b/1#mymaster":           "2 [a:26379 b:26379] :@ 1 false mymaster",
		"redis://a,b/2?master=m":                    "2 [a:26379 b:26379] :@ 2 false m",
		"redis://a,b?master_name=m":                 "2 [a:26379 b:26379] :@ 0 false m",
		"redis+sentinel://a?sentinelMasterId=m":     "2 [a:26379] :@ 0 false m",
		"rediss+sentinel://a/m?sentinel_password=x": "2 [a:26379] :@ 0 true m",
	} {
		got, err := parseURL(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if s := fmt.Sprintf("%d %v %s:%s@ %d %v %s", got.topology, got.addrs, got.username, got.password, got.db, got.tls != nil, got.master); s != want {
			t.Errorf("%s:\n got %s\nwant %s", url, s, want)
		}
	}
}

func TestBadURLsKeepTheSecret(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for _, url := range []string{"", "h", "http://u:hunter2@h", "redis:/u:hunter2@h", "redis://u:hunter2@a,b", "redis://u:hunter2@h:port",
		"redis://u:hunter2@h:70000", "redis://u:hunter2%zz@h", "redis://u:a/hunter2@h", "redis://u:a?hunter2@h", "redis://u:a#hunter2@h",
		"redis://u:hunter2@h/x", "redis://u:hunter2@h/1/2", "redis://u:hunter2@h/-1", "redis://u:hunter2@h?db=hunter2", "redis://u:hunter2@h?a=%zz",
		"redis+sentinel://u:hunter2@h", "redis+cluster://u:hunter2@h/1", "redis://u:hunter2@a:b:c", "redis://h:1/hunter2", "redis://h?pool_size=-1"} {
		c, err := Open(Options{URL: url})
		if err == nil || c != nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", url, err)
		}
		if strings.HasPrefix(url, "redis://u:a") && strings.HasSuffix(url, "hunter2@h") && !strings.Contains(fmt.Sprint(err), "%2F") {
			t.Errorf("%s: no hint: %v", url, err)
		}
	}
}

func TestOpenIsFastToFail(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"redis://h", "redis+cluster://h", "redis+sentinel://h/m"} {
		c, err := Open(Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		switch c := c.(type) {
		case *driver.Client:
			o := c.Options()
			if o.MaxRetries != 0 || o.DialerRetries != 1 || o.DialTimeout != patience || o.ReadTimeout != patience || !o.ContextTimeoutEnabled {
				t.Errorf("%s: %+v", url, o)
			}
		case *driver.ClusterClient:
			o := c.Options()
			if o.MaxRetries != -1 && o.MaxRetries != 0 || o.DialerRetries != 1 || o.ReadTimeout != patience {
				t.Errorf("%s: retries %d", url, o.MaxRetries)
			}
		default:
			t.Errorf("%s: %T", url, c)
		}
	}
}

type dials struct {
	noMetrics
	errors []string
}

func (d *dials) RedisError(op string) { d.errors = append(d.errors, op) }

func TestPing(t *testing.T) {
	t.Parallel()
	m := &dials{}
	c, err := Open(Options{URL: "redis://127.0.0.1:1", Metrics: m})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := Ping(context.Background(), c); models.CodeOf(err) != models.CodeUnavailable {
		t.Errorf("nobody there: %v", err)
	}
	if !slices.Contains(m.errors, "dial") {
		t.Errorf("counted %v", m.errors)
	}
	s := startServer(t, "--requirepass", "p@ss:w/rd")
	if err := Ping(context.Background(), open(t, "redis://:p%40ss:w%2Frd@"+s.addr+"/3")); err != nil {
		t.Error(err)
	}
	if err := Ping(context.Background(), open(t, "redis://:wrong@"+s.addr)); models.CodeOf(err) != models.CodeUnavailable || strings.Contains(err.Error(), "wrong@") {
		t.Errorf("wrong password: %v", err)
	}
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	master := startServer(t)
	host, port, _ := net.SplitHostPort(master.addr)
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	if err := os.WriteFile(conf, []byte("sentinel monitor mymaster "+host+" "+port+" 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	watch := startSentinel(t, conf)
	for _, url := range []string{"redis+sentinel://" + watch + "/mymaster", "redis://" + watch + "/0?master=mymaster"} {
		client := open(t, url)
		await(t, "the sentinel to know the master", func() bool { return Ping(context.Background(), client) == nil })
		p := newPod(t, client, "a")
		p.mustAdd(t, "u", "s")
		if m := members(t, open(t, master.url()), "u"); !slices.Equal(m, []string{"s"}) {
			t.Errorf("members %v", m)
		}
	}
}
