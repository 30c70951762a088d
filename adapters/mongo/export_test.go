package mongo

// Waiting is how many posts wait for a round trip of theirs.
func (s *Store) Waiting() int {
	n := 0
	for _, waiting := range []func() int{s.inserts.waits, s.claims.waits, s.chatMany.waits} {
		n += waiting()
	}
	return n
}

func (g *gather[Q, A]) waits() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting)
}

// Narrow makes so many bytes of participants too many to read at once.
func (s *Store) Narrow(bytes int) { s.wide = bytes }
