// The REST half of the flow, and as much of the chats' calls as a mixed cluster needs.
import { randomUUID } from 'node:crypto';
import { extname, join } from 'node:path';
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import express from 'express';
import mongoose from 'mongoose';
import multer from 'multer';
import { newMessage, setOf } from './sockets.mjs';

const refuse = (res, status, code) => res.status(status).json({ error: { code, message: code } });
const isId = (s) => typeof s === 'string' && /^[0-9a-f]{24}$/.test(s);

export function attachRest({ app, io, redis, models, verify, config }) {
  const { Chat, Message } = models;
  const folder = join(config.dataDir, 'files');
  mkdirSync(folder, { recursive: true });
  const upload = multer({
    limits: { fileSize: 25 << 20, files: 10, fieldSize: 1 << 20 },
    storage: multer.diskStorage({
      destination: folder,
      filename: (req, file, done) => done(null, `${randomUUID()}${/^\.\w{1,5}$/.exec(extname(file.originalname)) ?? ''}`),
    }),
    fileFilter: (req, file, done) => done(null, /^(image|video|audio)\//.test(file.mimetype)),
  });

  app.get('/healthz', (req, res) => res.json({ status: 'ok' }));
  app.use('/files', express.static(folder, { dotfiles: 'deny', index: false }));
  app.use('/api', (req, res, next) => {
    try {
      req.userId = verify((req.get('authorization') ?? '').replace(/^Bearer /, ''));
      next();
    } catch { refuse(res, 401, 'token_invalid'); }
  });

  app.post('/api/messages', upload.array('files'), async (req, res) => {
    const { chatId, textMessage } = req.body ?? {};
    const drop = async (status, code) => {
      await Promise.all(req.files.map((f) => rm(f.path, { force: true })));
      refuse(res, status, code);
    };
    if (!isId(chatId)) return drop(400, 'invalid_chat_id');
    const chat = await Chat.findById(chatId).lean();
    if (!chat) return drop(404, 'chat_not_found');
    if (!chat.participants.some((p) => p.toString() === req.userId)) return drop(403, 'not_a_participant');
    if (!textMessage && req.files.length === 0) return drop(400, 'nothing_to_send');

    const parts = req.files.map((f) => ({ type: f.mimetype.split('/')[0], fileUrl: `/files/${f.filename}` }));
    if (textMessage) parts.push({ type: 'text', textMessage });
    const messages = [];
    for (const part of parts) {
      const m = await Message.create({ chatId, senderId: req.userId, ...part });
      io.to(chatId).emit('new_message', newMessage(m));
      messages.push(m);
    }
    res.status(201).json({ messages });
  });

  // Both move the user's live sockets, on every pod, before they answer.
  const member = async (res, chatId, change, move, userId) => {
    if (!isId(chatId) || !isId(userId)) return refuse(res, 400, 'invalid_id');
    const chat = await Chat.findByIdAndUpdate(chatId, change, { returnDocument: 'after' });
    if (!chat) return refuse(res, 404, 'chat_not_found');
    const sockets = await redis.smembers(setOf(userId));
    if (sockets.length) {
      move(io.in(sockets));
      await io.in(sockets).fetchSockets(); // who answers this has done that
    }
    res.json({ chat });
  };
  const id = (s) => new mongoose.Types.ObjectId(s);
  const add = (req, res) => {
    const userId = req.params.userId ?? req.body?.userId;
    return member(res, req.params.chatId, isId(userId) && { $addToSet: { participants: id(userId) } }, (op) => op.socketsJoin(req.params.chatId), userId);
  };
  app.post('/api/chats/:chatId/participants', express.json(), add);
  app.post('/api/chats/:chatId/participants/:userId', add);
  app.delete('/api/chats/:chatId/participants/:userId', (req, res) => {
    const { chatId, userId } = req.params;
    return member(res, chatId, isId(userId) && { $pull: { participants: id(userId) } }, (op) => op.socketsLeave(chatId), userId);
  });

  app.use((err, req, res, next) => {
    if (res.headersSent) return next(err);
    const status = err instanceof multer.MulterError ? 413 : err.status ?? 500;
    if (status === 500) console.error(JSON.stringify({ level: 'ERROR', msg: 'request', error: err.stack }));
    refuse(res, status, err.code ?? 'internal');
  });
}
