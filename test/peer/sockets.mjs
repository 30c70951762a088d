// The Socket.IO half of the flow: handshake, presence, rooms, what was missed.
export const setOf = (userId) => `user:${userId}:sockets`;

export const newMessage = (m) => ({
  _id: m._id.toString(),
  chatId: m.chatId.toString(),
  senderId: m.senderId.toString(),
  ...(m.textMessage === undefined ? { type: m.type, fileUrl: m.fileUrl } : { content: m.textMessage }),
  createdAt: m.createdAt.toISOString(),
});

export function attachSockets({ io, redis, models, verify, config }) {
  const { Chat, Message, Seen } = models;
  const leaving = new Set(); // disconnects whose clean-up is not done yet

  io.use((socket, next) => {
    // Clients of 2.x have no auth.
    const token = socket.handshake.auth.token ?? (config.allowEIO3 ? socket.handshake.query.token : undefined);
    try {
      socket.data.userId = verify(token);
      next();
    } catch {
      const err = new Error('Authentication error');
      err.data = { code: token ? 'token_invalid' : 'token_missing', message: err.message };
      next(err);
    }
  });

  async function arrive(socket) {
    const { userId } = socket.data;
    const wasOnline = await redis.scard(setOf(userId)) > 0;
    await redis.sadd(setOf(userId), socket.id);
    if (!socket.connected) await redis.srem(setOf(userId), socket.id);
    const chats = await Chat.find({ participants: userId }).lean();
    const rooms = chats.map((c) => c._id.toString());
    socket.join(rooms);
    if (wasOnline) return;
    if (rooms.length) io.to(rooms).except(socket.id).emit('user_online', { userId });
    const seen = await Seen.findById(userId).lean();
    if (!seen) return;
    const missed = await Message.find({ chatId: { $in: chats.map((c) => c._id) }, createdAt: { $gt: seen.at } })
      .sort({ createdAt: 1, _id: 1 }).limit(config.replayLimit).lean();
    for (const m of missed) socket.emit('new_message', newMessage(m));
  }

  async function leave(socket) {
    const { userId } = socket.data;
    await redis.srem(setOf(userId), socket.id);
    if (await redis.scard(setOf(userId)) > 0) return;
    const at = new Date();
    await Seen.updateOne({ _id: userId }, { $set: { at } }, { upsert: true });
    const chats = await Chat.find({ participants: userId }).lean();
    if (chats.length) io.to(chats.map((c) => c._id.toString())).emit('user_offline', { userId, lastSeen: at.toISOString() });
  }

  io.on('connection', (socket) => {
    socket.on('disconnect', () => {
      const done = leave(socket).catch((err) => console.error(JSON.stringify({ level: 'WARN', msg: 'leave', error: err.message })));
      leaving.add(done);
      done.finally(() => leaving.delete(done));
    });
    // As in any small server: a client may ask for anything that answers.
    socket.on('echo', (...args) => { const ack = args.pop(); if (typeof ack === 'function') ack(...args); });
    arrive(socket).catch((err) => {
      console.error(JSON.stringify({ level: 'WARN', msg: 'arrive', error: err.message }));
      socket.disconnect(true);
    });
  });

  return { settled: () => Promise.all([...leaving]) };
}
