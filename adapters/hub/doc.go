// Package hub is Parley's Socket.IO side: it carries events between this
// pod's connected clients, the rooms package and the other pods.
//
// It owns rooms' memberships on this pod, the door a socket waits
// at until its backlog has been sent, the order in which a socket is sent
// things, and what happens when one leaves. Connections, packets and handlers are
// package socketio's, what crosses Redis is package cluster's.
//
// It refuses to know tokens, databases, chats' participants or how an event is
// spelled: those are handed in as functions.
package hub
