package sim

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A script is a plan written down, its steps behind a line for everything else,
// separated by lines or semicolons:
//
//	seed=1 users=5 pods=2 length=20s every=90ms
//	redis paused(2) at 1.2s for 900ms
//	reloads(0) at 1.9s

func (s step) String() string {
	text := fmt.Sprintf("%s(%d) at %v", s.kind, s.n, s.at)
	if s.d > 0 {
		text += fmt.Sprintf(" for %v", s.d)
	}
	return text
}

func (p plan) String() string {
	lines := []string{fmt.Sprintf("seed=%d users=%d pods=%d length=%v every=%v", p.seed, p.users, p.pods, p.length, p.every)}
	if p.adapter != "" {
		lines[0] += " adapter=" + p.adapter
	}
	for _, s := range p.steps {
		lines = append(lines, s.String())
	}
	return strings.Join(lines, "\n\t")
}

var stepText = regexp.MustCompile(`^(.+)\((\d+)\) at (\S+)(?: for (\S+))?$`)

// readScript reads what String wrote.
func readScript(text string) (p plan, err error) {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == ';' })
	for i, line := range lines {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if p.users == 0 {
			err = p.readHead(line)
		} else {
			err = p.readStep(line)
		}
		if err != nil {
			return plan{}, fmt.Errorf("line %d, %q: %w", i+1, line, err)
		}
	}
	if p.users < 3 || p.pods < 1 || p.length <= 0 || p.every <= 0 {
		return plan{}, fmt.Errorf("%q has no users (three at least), pods, length or every", text)
	}
	return p, nil
}

func (p *plan) readHead(line string) (err error) {
	for _, field := range strings.Fields(line) {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "seed":
			p.seed, err = strconv.ParseUint(value, 10, 64)
		case "users":
			p.users, err = strconv.Atoi(value)
		case "pods":
			p.pods, err = strconv.Atoi(value)
		case "length":
			p.length, err = time.ParseDuration(value)
		case "every":
			p.every, err = time.ParseDuration(value)
		case "adapter":
			if p.adapter = value; !slices.Contains(adapters, value) {
				err = fmt.Errorf("adapters are %q", adapters)
			}
		default:
			err = fmt.Errorf("nothing is called %q", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) readStep(line string) (err error) {
	m := stepText.FindStringSubmatch(line)
	if m == nil || !slices.Contains(kinds, kind(m[1])) {
		return fmt.Errorf("no step is written so; kinds are %q", kinds)
	}
	s := step{kind: kind(m[1])}
	if s.n, err = strconv.Atoi(m[2]); err != nil {
		return err
	}
	if s.at, err = time.ParseDuration(m[3]); err != nil {
		return err
	}
	if m[4] != "" {
		if s.d, err = time.ParseDuration(m[4]); err != nil {
			return err
		}
	}
	p.steps = append(p.steps, s)
	return nil
}
