package mongo

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"parley/models"
)

// idSource makes ObjectIds of the usual layout (4 bytes seconds, 5 bytes
// process, 3 bytes counter) that grow: messages of one millisecond are ordered
// by _id, and the driver's own generator goes backwards when its counter wraps
// or the clock is set back.
type idSource struct {
	now     func() time.Time
	process [5]byte

	mu      sync.Mutex
	second  uint32
	counter uint32
}

const counterBits = 24

func newIDSource(now func() time.Time) (*idSource, error) {
	var r [8]byte
	if _, err := rand.Read(r[:]); err != nil {
		return nil, fmt.Errorf("no randomness for ids: %w", err)
	}
	s := &idSource{now: now}
	copy(s.process[:], r[:5])
	s.counter = uint32(r[5])<<16 | uint32(r[6])<<8 | uint32(r[7])
	return s, nil
}

func (s *idSource) next() bson.ObjectID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := uint32(s.now().Unix()); t > s.second {
		s.second = t
	}
	s.counter++
	if s.counter>>counterBits != 0 {
		// The counter starts over, so the second must move on.
		s.counter = 0
		s.second++
	}
	var id bson.ObjectID
	binary.BigEndian.PutUint32(id[:4], s.second)
	copy(id[4:9], s.process[:])
	id[9], id[10], id[11] = byte(s.counter>>16), byte(s.counter>>8), byte(s.counter)
	return id
}

// NewMessageID makes an id greater than any this process made before.
func (s *Store) NewMessageID() models.MessageID { return models.MessageID(s.ids.next().Hex()) }

// NewChatID makes an id greater than any this process made before.
func (s *Store) NewChatID() models.ChatID { return models.ChatID(s.ids.next().Hex()) }
