// Package web holds what Parley serves to browsers from inside the binary: the
// stock socket.io-client builds, and the page to try Parley with.
//
// It refuses to know anything about chats, tokens or sockets: the page is a
// client like any other and reaches the server by REST and Socket.IO alone.
package web
