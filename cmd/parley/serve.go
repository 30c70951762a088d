package main

import (
	"context"
	"errors"
	"fmt"

	"parley/server"
)

// serve runs a server until a signal ends it. The first signal starts a clean
// shutdown; the second ends the process at once.
func (p process) serve(args []string) int {
	cfg, err := server.Load(args, p.environ)
	if errors.Is(err, server.ErrHelp) {
		return p.usage()
	}
	if err != nil {
		fmt.Fprintf(p.stderr, "parley: the configuration is not valid\n%v\n", err)
		return exitUsage
	}
	cfg.Out = p.stdout
	logger := cfg.Logger(p.stderr, p.terminal)
	logger.Info("parley starts", "version", versionLine())
	// Whoever tries Parley out is better served by the few lines that follow.
	if cfg.Embedded() {
		logger.Debug("configuration", "config", cfg)
	} else {
		logger.Info("configuration", "config", cfg)
	}
	for _, warning := range cfg.Warnings() {
		logger.Warn("configuration: " + warning)
	}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		p.watch(cancel, done)
	}()
	defer func() {
		close(done)
		<-watched
	}()

	s, err := p.start(ctx, cfg, logger)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		logger.Info("parley was stopped while starting")
		return exitOK
	}
	if err != nil {
		logger.Error("parley cannot start", "error", err)
		return exitFailed
	}
	if err := s.Run(ctx); err != nil {
		logger.Error("parley failed", "error", err)
		return exitFailed
	}
	logger.Info("parley has stopped")
	return exitOK
}

func (p process) watch(cancel context.CancelFunc, done <-chan struct{}) {
	select {
	case <-p.signals:
		cancel()
	case <-done:
		return
	}
	select {
	case <-p.signals:
		p.exit(exitFailed)
	case <-done:
	}
}

func (p process) usage() int {
	if err := server.Usage(p.stdout); err != nil {
		return exitFailed
	}
	return exitOK
}
