// Command check reads the deployment files that cannot be run by the tests with
// the parsers of those who will run them: Kubernetes' own types, decoded
// strictly, Compose's loader and BuildKit's Dockerfile parser. A module of its
// own keeps what that takes out of Parley's.
//
//	check kubernetes|compose|dockerfile FILE...
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: check kubernetes|compose|dockerfile FILE...")
		os.Exit(2)
	}
	checks := map[string]func(string) error{"kubernetes": kubernetes, "compose": compose, "dockerfile": dockerfile}
	check, ok := checks[os.Args[1]]
	if !ok {
		fmt.Fprintln(os.Stderr, "check: no check is called", os.Args[1])
		os.Exit(2)
	}
	failed := false
	for _, file := range os.Args[2:] {
		if err := check(file); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", file, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}
