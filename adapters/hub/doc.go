// Package hub is Parley's Socket.IO side: it carries events between this
// pod's connected clients, the rooms package and the other pods.
//
// It owns connections, rooms' memberships on this pod, the door a socket waits
// at until its backlog has been sent, the order in which a socket is sent
// things, and what happens when one leaves. It is the only package that knows
// the Socket.IO library and works around what is wrong with it.
//
// It refuses to know tokens, databases, chats' participants or how an event is
// spelled: those are handed in as functions.
package hub
