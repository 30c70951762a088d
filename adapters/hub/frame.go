package hub

import (
	"slices"
	"sync"
	"time"

	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	sio "github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"parley/models"
)

// frame is one packet on its way to any number of sockets. It is encoded once,
// by whoever needs it first.
type frame struct {
	once    sync.Once
	encoder parser.Encoder
	packet  *parser.Packet

	one    []byte                  // a packet without attachments
	binary bool                    // it is no text
	bufs   []types.BufferInterface // a packet with some
	size   int                     // of the packet, in bytes
	marks  bool                    // an offset may follow
	offset *offset

	compress *bool
	volatile bool
	// id is set for a new_message; at is then the moment from which a client that
	// was not sent it has to be given it again.
	id models.MessageID
	at time.Time
}

// identify makes the frame that of a new_message, if it is one. marks says that
// some clients may come back by its id.
func (f *frame) identify(id models.MessageID, at time.Time, marks bool) {
	f.id, f.at, f.marks = id, at, marks && id != ""
}

func (f *frame) encode() {
	f.once.Do(func() {
		bufs := f.encoder.Encode(f.packet)
		for _, b := range bufs {
			f.size += b.Len()
		}
		_, text := bufs[0].(*types.StringBuffer)
		f.binary = !text
		if len(bufs) > 1 {
			f.bufs = bufs
		} else {
			f.one = bufs[0].Bytes()
		}
		if f.marks {
			f.offset = newOffset(f.id, f.encoder)
		}
		f.packet = nil
	})
}

// write hands the frame to the socket's engine, with its offset where that is of
// use. It never blocks.
func (f *frame) write(client *sio.Client, offsets bool) {
	f.encode()
	conn := client.Conn()
	opts := packet.Options{Compress: f.compress}
	mark := func(b types.BufferInterface) types.BufferInterface {
		if !offsets || f.offset == nil {
			return b
		}
		return &marked{BufferInterface: b, offset: f.offset}
	}
	if end := len(f.bufs) - 1; end > 0 {
		bufs := append(slices.Clone(f.bufs[:end]), mark(f.bufs[end]))
		client.WriteToEngine(bufs, &sio.WriteOptions{Options: opts, Volatile: f.volatile})
		return
	}
	if f.volatile && !conn.Transport().Writable() {
		return
	}
	conn.Write(mark(bufferOf(f.one, f.binary)), &opts, nil)
}

// weight is what the frame counts for, its offset included.
func (f *frame) weight(offsets bool) int {
	if offsets {
		return f.size + f.offset.size()
	}
	return f.size
}
