// Package engineio is the server side of Engine.IO, protocols 4 and 3: sessions
// over WebSocket and long polling, the upgrade from one to the other, and
// heartbeats. It answers as Node's engine.io does.
//
// It owns connections and what is queued for them. A message is a Frame, built
// once and shared by everybody it is for. Session.Push queues frames, all or
// none, and writes nothing, so that it is fine under locks; Session.Flush hands
// them to the kernel with one system call, without waiting and without
// allocating. Only while the kernel takes no more does a session have a goroutine
// that writes. One that does not take what waits for it is cut off as a
// SlowClient; what was not written is then told by Session.Unsent.
//
// An idle WebSocket is one parked goroutine: its read buffer is borrowed while
// there is something to read, nothing is kept of its request, and its heartbeats
// are places in lists that all sessions share.
//
// Everything a client may make it keep or do has a limit: MaxPayload for a
// message or a body, MaxBacklog for what waits, a number of fragments, and times.
// The packets of a body are dealt with one by one.
//
// It refuses to know what is in a message: Socket.IO is somebody else's. Nor does
// it do JSONP, WebTransport, cookies or permessage-deflate.
package engineio
