package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"parley/server"
)

// token prints a token for a user, for trying things out and for scripts.
func (p process) token(args []string) int {
	flags := flag.NewFlagSet("parley token", flag.ContinueOnError)
	flags.SetOutput(p.stderr)
	user := flags.String("user", "", "whom the token names (required)")
	ttl := flags.Duration("ttl", 24*time.Hour, "how long it is good for")
	secret := flags.String("secret", "", "the servers' JWT_SECRET (default: that variable)")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		return exitUsage
	}
	if *secret == "" {
		*secret = p.variable("JWT_SECRET")
	}
	var wrong string
	switch {
	case flags.NArg() > 0:
		wrong = "it takes flags only: --user ID [--ttl 24h] [--secret TEXT]"
	case *user == "":
		wrong = "--user is missing: whom shall the token name?"
	case *secret == "":
		wrong = "there is no secret: set JWT_SECRET, or --secret, to what the servers have"
	case *ttl < time.Second:
		wrong = "--ttl must be 1s or longer"
	}
	if wrong != "" {
		fmt.Fprintln(p.stderr, "parley token: "+wrong)
		return exitUsage
	}
	minted, err := server.MintToken(*secret, *user, *ttl)
	if err != nil {
		fmt.Fprintf(p.stderr, "parley token: %v\n", err)
		return exitFailed
	}
	return p.print(minted)
}

func (p process) variable(name string) string {
	value := ""
	for _, pair := range p.environ {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			value = v
		}
	}
	return value
}
