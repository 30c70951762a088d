// The models of a typical application beside Parley.
import mongoose from 'mongoose';

export const objectId = () => new mongoose.Types.ObjectId().toString();

export async function openModels(uri) {
  const connection = await mongoose.createConnection(uri, { serverSelectionTimeoutMS: 10_000, autoIndex: false, autoCreate: false }).asPromise();
  const { Schema } = mongoose;
  const { ObjectId, Mixed } = Schema.Types;
  const Chat = connection.model('Chat', new Schema({
    participants: [{ type: ObjectId, ref: 'User' }],
    name: String,
  }, { timestamps: true }));
  const Message = connection.model('Message', new Schema({
    chatId: { type: ObjectId, ref: 'Chat', required: true },
    senderId: { type: ObjectId, ref: 'User', required: true },
    type: { type: String, enum: ['text', 'image', 'video', 'audio'], default: 'text' },
    textMessage: String,
    fileUrl: String,
  }, { timestamps: true }));
  // The same collection for applications whose users are not ObjectIds, with fields of their own.
  const LooseChat = connection.model('LooseChat', new Schema({ participants: [Mixed], name: String }, { timestamps: true, strict: false, collection: 'chats' }));
  return { connection, Chat, Message, LooseChat };
}
