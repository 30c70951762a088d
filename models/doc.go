// Package models holds the words Parley is spoken in: chats, messages, typed
// ids, events and the codes a refusal can carry.
//
// It owns meaning only. It refuses technology: nothing here knows HTTP, JSON,
// MongoDB, Redis or Socket.IO, and it imports the standard library alone.
package models
