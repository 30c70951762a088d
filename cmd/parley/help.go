package main

import (
	"runtime/debug"
	"strings"

	"parley/server"
)

const helpText = `Parley delivers chat messages over Socket.IO.

  parley [serve] [--name=value ...]   run a server; serve --help lists the settings
  parley token --user ID [--ttl 24h]  print a token that servers with the same JWT_… take
  parley version                      print version, commit and Go version
  parley help [settings]              print this, or all settings as Markdown`

func (p process) help(args []string) int {
	if len(args) == 1 && args[0] == "settings" {
		if err := server.Reference(p.stdout); err != nil {
			return exitFailed
		}
		return exitOK
	}
	return p.print(helpText)
}

// versionLine says what was built, from what, with what.
func versionLine() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{GoVersion: "unknown Go"}
	}
	return describe(version, info)
}

func describe(override string, info *debug.BuildInfo) string {
	name := override
	if name == "" {
		name = info.Main.Version
	}
	if name == "" {
		name = "(devel)"
	}
	setting := make(map[string]string)
	for _, s := range info.Settings {
		setting[s.Key] = s.Value
	}
	commit := setting["vcs.revision"]
	if commit == "" {
		commit = "unknown"
	}
	if setting["vcs.modified"] == "true" {
		commit += ", modified"
	}
	return strings.TrimSpace("parley " + name + " (commit " + commit + ") " + info.GoVersion)
}
