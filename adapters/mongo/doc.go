// Package mongo keeps chats, messages, idempotency keys and absences in MongoDB
// or anything that speaks its protocol.
//
// It owns the shape of the documents, the indexes, the deadlines of every
// operation and the meaning of every driver error. It shares the collections
// chats and messages with whatever application is beside it, so it reads
// leniently, changes only what it must, and leaves foreign fields alone. It
// refuses to decide who may do what, and needs no transactions, change streams,
// TTL or partial indexes.
package mongo
