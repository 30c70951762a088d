// Package sim runs several pods of Parley, their Redis and their clients inside
// one process and one bubble of testing/synctest, where time passes only when
// nobody has anything to do: minutes of a history take milliseconds.
//
// What can be real is: rooms, the hub with its engine, the bus, presence. Redis
// is miniredis, with the sharded channels it lacks; the network is made here so
// that it can be held, cut and slow; the database is a small stand-in. A history
// is a seed: who sends, leaves, reloads and what breaks when. What clients were
// sent is then held against what they were due. One that breaks a guarantee is
// made short, and kept as a script.
//
// A seed is a history only by and large: which of several goroutines that could
// go on does, which case a select takes, the order of maps and what libraries
// draw by themselves are the runtime's.
//
// It owns the world and the checker. It refuses to know how Parley is built
// inside: pod.go wires it as package server does, and nothing else looks in.
package sim
