package main

import (
	"errors"
	"os"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func dockerfile(file string) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	result, err := parser.Parse(f)
	if err != nil {
		return err
	}
	for _, w := range result.Warnings {
		err = errors.Join(err, errors.New(w.Short))
	}
	_, _, parseErr := instructions.Parse(result.AST, nil)
	return errors.Join(err, parseErr)
}
