package server

import (
	"fmt"
	"strings"
)

// parseFlags reads --name value and --name=value, with one dash or two. It
// never repeats a value in a problem, since it cannot know which are secret.
func parseFlags(table []setting, args []string) (values map[string]string, problems []string, help bool) {
	known := make(map[string]setting, len(table))
	for _, s := range table {
		known[s.flag()] = s
	}
	values = make(map[string]string)
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if !strings.HasPrefix(arg, "-") || arg == "-" || arg == "--" {
			problems = append(problems, fmt.Sprintf("argument %d is not a flag: settings are given as --name=value", i+1))
			continue
		}
		name, value, inline := strings.Cut(arg, "=")
		name = "--" + strings.TrimLeft(name, "-")
		if name == "--help" || name == "--h" {
			return nil, nil, true
		}
		next, follows := "", i+1 < len(args) && !strings.HasPrefix(args[i+1], "--")
		if follows {
			next = args[i+1]
		}
		s, ok := known[name]
		switch {
		case !ok:
			problems = append(problems, unknownFlag(table, name))
			if !inline && follows && !strings.HasPrefix(next, "-") {
				i++ // its value, most likely
			}
		case inline:
			values[s.name] = value
		case s.bare():
			values[s.name] = "true"
			if _, isBool := parseBool(next); follows && isBool {
				values[s.name] = next
				i++
			}
		case follows:
			values[s.name] = next
			i++
		default:
			problems = append(problems, name+" has no value: it must be "+s.allowed)
		}
	}
	return values, problems, false
}

func unknownFlag(table []setting, name string) string {
	line := quotedName(name) + " is not a flag"
	bare := strings.TrimPrefix(name, "--")
	near := nearest(bare, table, func(s setting) string { return strings.TrimPrefix(s.flag(), "--") })
	if near == "" {
		return line + ": parley serve --help lists them"
	}
	return line + "; did you mean --" + near + "?"
}

// quotedName shows the name of something unknown without trusting it.
func quotedName(name string) string { return strings.Trim(quoted(name), `"`) }

// nearest returns the setting's name closest to what was written, or "" where
// none is close enough to be meant. Case and the sort of separator are no matter.
func nearest(written string, table []setting, name func(setting) string) string {
	plain := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "-") }
	const longest = 64
	if len(written) > longest {
		return ""
	}
	best, distance := "", 1+len(written)/3
	for _, s := range table {
		if d := edits(plain(written), plain(name(s))); d <= distance && (best == "" || d < distance) {
			best, distance = name(s), d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
