// Package embedded runs what Parley needs in the same process, for people who
// have neither MongoDB nor Redis at hand: a server that speaks the MongoDB
// protocol with its data on disk, and one that speaks the Redis protocol in
// memory. Both listen on loopback alone and nothing phones home.
//
// It owns starting and stopping them, and the places where they fall short of
// what they stand in for: the gate makes updates atomic and finds by index what
// FerretDB would read whole collections for, and the clock makes Redis keys age. It refuses to be used over a network, by more than one
// process per directory, and to know what is stored. Built with the tag
// noembed it links none of it and says so.
package embedded

import (
	"context"
	"sync"
)

// Server is one embedded server.
type Server struct {
	uri  string
	once sync.Once
	stop func(ctx context.Context) error
	err  error
}

// URI is where the MongoDB-protocol server is found; its path names the database.
func (s *Server) URI() string { return s.uri }

// URL is where the Redis-protocol server is found.
func (s *Server) URL() string { return s.uri }

// Close ends the server and waits for it, or for ctx. What was acknowledged is
// on disk either way. It may be called more than once.
func (s *Server) Close(ctx context.Context) error {
	s.once.Do(func() { s.err = s.stop(ctx) })
	return s.err
}
