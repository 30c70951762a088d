// What every bare engine does: a socket joins the rooms its auth names, and one that emits bench has messages
// sent to a room.
export function attach(io) {
  io.on('connection', (socket) => {
    socket.join(socket.handshake.auth.rooms ?? []);
    socket.on('bench', ({ room, n, size, id }) => {
      const text = 'x'.repeat(size);
      for (let i = 0; i < n; i++) io.to(room).emit('new_message', { id, i, room, text });
    });
  });
}
