package socketio

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
	binary bool                    // one is no text
	bufs   []types.BufferInterface // a packet with some
	size   int

	compress *bool
	volatile bool
	// id is set for a new_message; at is then the moment from which a client that
	// was not sent it has to be given it again.
	id models.MessageID
	at time.Time
}

// identify makes the frame that of a new_message, if it is one. offset appends
// its id, by which a client that comes back says how far it got.
func (f *frame) identify(id models.MessageID, at time.Time, offset bool) {
	f.id, f.at = id, at
	args, ok := f.packet.Data.([]any)
	if id == "" || !offset || !ok || f.packet.Id != nil {
		return
	}
	own := *f.packet // the caller's goes to other pods
	own.Data = append(slices.Clip(args), string(id))
	f.packet = &own
}

func (f *frame) encode() {
	f.once.Do(func() {
		bufs := f.encoder.Encode(f.packet)
		for _, b := range bufs {
			f.size += b.Len()
		}
		if len(bufs) > 1 {
			f.bufs = bufs
		} else {
			_, text := bufs[0].(*types.StringBuffer)
			b := bufs[0].Bytes()
			f.one, f.binary = b[:len(b):len(b)], !text
		}
		f.packet = nil
	})
}

// write hands the frame to the socket's engine. It never blocks.
func (f *frame) write(client *sio.Client) {
	f.encode()
	conn := client.Conn()
	opts := packet.Options{Compress: f.compress}
	if f.bufs != nil {
		client.WriteToEngine(f.bufs, &sio.WriteOptions{Options: opts, Volatile: f.volatile})
		return
	}
	if f.volatile && !conn.Transport().Writable() {
		return
	}
	// The bytes are shared by all recipients: the engine only reads them.
	if f.binary {
		conn.Write(types.NewBytesBuffer(f.one), &opts, nil)
		return
	}
	conn.Write(types.NewStringBuffer(f.one), &opts, nil)
}
