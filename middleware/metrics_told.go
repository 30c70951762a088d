package middleware

import "time"

// What package rooms tells.

// MessagesStored counts messages written to the database.
func (m *Metrics) MessagesStored(n int) { add(m.stored, n) }

// MessagesReplayed counts messages sent again to users who had been away.
func (m *Metrics) MessagesReplayed(n int) { add(m.replayed, n) }

// Sent times a post, from accepted to stored and emitted.
func (m *Metrics) Sent(d time.Duration) { m.send.Observe(d.Seconds()) }

// Dropped counts work given up.
func (m *Metrics) Dropped(reason string) { m.dropped.inc(reason) }

// HeardBehind is how far behind the clock all pods are known to have been heard.
func (m *Metrics) HeardBehind(d time.Duration) { m.heardBehind.Set(d.Seconds()) }

// What package listen tells.

// Unspoken is the number of connections without a byte so far.
func (m *Metrics) Unspoken(n int) { m.unspoken.Set(float64(n)) }

// What package hub tells.

// SocketOpened counts a socket that was let in.
func (m *Metrics) SocketOpened() {
	m.sockets.Inc()
	m.opened.Inc()
}

// SocketClosed counts a socket that left.
func (m *Metrics) SocketClosed(reason string) {
	m.sockets.Dec()
	m.closed.inc(reason)
}

// Waiting changes how many sockets wait at the door.
func (m *Metrics) Waiting(change int) { m.waiting.Add(float64(change)) }

// NotLetIn counts a try to let a socket in that failed and is made again.
func (m *Metrics) NotLetIn(reason string) { m.notLetIn.inc(reason) }

// Refused counts a refusal over a socket.
func (m *Metrics) Refused(code string) { m.socketRefused.inc(code) }

// Delivered counts events handed to sockets.
func (m *Metrics) Delivered(n int) { add(m.delivered, n) }

// Duplicate counts an event a socket had already.
func (m *Metrics) Duplicate() { m.duplicates.Inc() }

// Cut counts a connection this pod ended.
func (m *Metrics) Cut(reason string) { m.cut.inc(reason) }

// Panicked counts a panic that was caught, in REST or in an event.
func (m *Metrics) Panicked() { m.panics.Inc() }

// What the cluster tells.

// ClusterDropped counts a message between pods that was given up.
func (m *Metrics) ClusterDropped(reason string) { m.clusterDropped.inc(reason) }

// ClusterPublished counts messages to other pods.
func (m *Metrics) ClusterPublished(n int) { add(m.published, n) }

// ClusterReceived counts messages from other pods.
func (m *Metrics) ClusterReceived(n int) { add(m.received, n) }

// What the storage adapters tell.

// MongoError counts an operation that failed.
func (m *Metrics) MongoError(op string) { m.mongoErrors.inc(op) }

// MongoLatency times an operation.
func (m *Metrics) MongoLatency(op string, d time.Duration) { m.mongoSeconds.observe(op, d) }

// RedisError counts an operation that failed.
func (m *Metrics) RedisError(op string) { m.redisErrors.inc(op) }

// RedisLatency times an operation.
func (m *Metrics) RedisLatency(op string, d time.Duration) { m.redisSeconds.observe(op, d) }

// PodReaped counts a dead pod that was cleared away, with the n sockets it left.
func (m *Metrics) PodReaped(n int) {
	m.podsReaped.Inc()
	add(m.ghosts, n)
}

// StrangersRemoved counts socket ids that no pod answered for and that were taken out of presence.
func (m *Metrics) StrangersRemoved(n int) { add(m.strangers, n) }

// MediaError counts an operation that failed.
func (m *Metrics) MediaError(op string) { m.mediaErrors.inc(op) }

// What package token tells.

// KeysFetched counts a request for the keys of the tokens.
func (m *Metrics) KeysFetched(outcome string) { m.keysFetched.inc(outcome) }
