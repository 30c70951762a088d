package main

import (
	"errors"
	"flag"
	"fmt"
	"time"

	"parley/server"
)

// token prints a token for a user, for trying things out and for scripts. It is
// one that servers with the same environment take.
func (p process) token(args []string) int {
	flags := flag.NewFlagSet("parley token", flag.ContinueOnError)
	flags.SetOutput(p.stderr)
	user := flags.String("user", "", "whom the token names (required)")
	ttl := flags.Duration("ttl", 24*time.Hour, "how long it is good for")
	secret := flags.String("secret", "", "the servers' JWT_SECRET (default: that variable)")
	private := flags.String("private-key", "", "PEM, or a file of it, for RS, PS, ES algorithms and EdDSA (default: JWT_PRIVATE_KEY)")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		return exitUsage
	}
	var wrong string
	switch {
	case flags.NArg() > 0:
		wrong = "it takes flags only: --user ID [--ttl 24h] [--secret TEXT | --private-key FILE]"
	case *user == "":
		wrong = "--user is missing: whom shall the token name?"
	case *ttl < time.Second:
		wrong = "--ttl must be 1s or longer"
	}
	if wrong != "" {
		fmt.Fprintln(p.stderr, "parley token: "+wrong)
		return exitUsage
	}
	minted, err := server.MintToken(server.MintOptions{User: *user, TTL: *ttl, Secret: *secret, PrivateKey: *private}, p.environ)
	var bad *server.ConfigError
	if errors.As(err, &bad) {
		fmt.Fprintf(p.stderr, "parley token: %v\n", err)
		return exitUsage
	}
	if err != nil {
		fmt.Fprintf(p.stderr, "parley token: %v\n", err)
		return exitFailed
	}
	return p.print(minted)
}
