// Command scale calculates what a number of sockets on a number of pods costs
// the pods, Redis and MongoDB. It owns the model; what one of each thing costs
// it reads from docs/BENCHMARKS.md, where `make bench` has measured it and
// `make scaling` counted it. It measures nothing itself and knows nothing of
// how Parley is made.
//
// With -write it puts its tables into docs/SCALING.md; without, it prints what
// a scenario of its flags comes to.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("scale", flag.ContinueOnError)
	benchmarks := flags.String("benchmarks", "docs/BENCHMARKS.md", "`file` with the unit costs")
	document := flags.String("write", "", "`file` to put the tables into")
	s := million
	flags.Float64Var(&s.sockets, "sockets", s.sockets, "sockets, one a user")
	flags.Float64Var(&s.pods, "pods", s.pods, "pods")
	flags.Float64Var(&s.chatSize, "chat", s.chatSize, "sockets in a chat")
	flags.Float64Var(&s.chatsPerUser, "chats", s.chatsPerUser, "chats of a user")
	flags.Float64Var(&s.messages, "messages", s.messages, "messages a second")
	flags.Float64Var(&s.stay, "stay", s.stay, "seconds that a socket is connected")
	flags.Float64Var(&s.pingInterval, "ping", s.pingInterval, "PING_INTERVAL in seconds")
	flags.Float64Var(&s.presenceTTL, "ttl", s.presenceTTL, "PRESENCE_TTL in seconds")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.pods < 1 || s.sockets <= 0 || s.chatSize < 1 || s.stay <= 0 || s.pingInterval <= 0 || s.presenceTTL <= 0 {
		return errors.New("a scenario has pods, sockets, chats and times above 0")
	}
	text, err := os.ReadFile(*benchmarks)
	if err != nil {
		return err
	}
	c, err := costsOf(string(text))
	if err != nil {
		return err
	}
	if *document == "" {
		fmt.Println(c.calculated(s))
		return nil
	}
	old, err := os.ReadFile(*document)
	if err != nil {
		return err
	}
	written, err := filled(string(old), c.tables(tablesOf(string(text))))
	if err != nil {
		return err
	}
	return os.WriteFile(*document, []byte(written), 0o644)
}

// filled is a document with each table between its two marks.
func filled(document string, tables map[string]string) (string, error) {
	const end = "<!-- /scale -->"
	for name, t := range tables {
		begin := "<!-- scale: " + name + " -->"
		before, rest, found := strings.Cut(document, begin)
		_, after, ends := strings.Cut(rest, end)
		if !found || !ends {
			return "", fmt.Errorf("the document has no place for %s: %s … %s", name, begin, end)
		}
		document = before + begin + "\n" + t + "\n" + end + after
	}
	return document, nil
}
