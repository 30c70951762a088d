// The collections as a typical Mongoose application declares them.
import mongoose from 'mongoose';

const { Schema } = mongoose;
const { ObjectId } = Schema.Types;

export async function openModels(uri) {
  const db = await mongoose.createConnection(uri, { autoIndex: false, autoCreate: false }).asPromise();
  return {
    db,
    Chat: db.model('Chat', new Schema({ participants: [{ type: ObjectId, ref: 'User' }], name: String }, { timestamps: true })),
    Message: db.model('Message', new Schema({
      chatId: { type: ObjectId, ref: 'Chat', required: true },
      senderId: { type: ObjectId, ref: 'User', required: true },
      type: { type: String, enum: ['text', 'image', 'video', 'audio'], default: 'text' },
      textMessage: String,
      fileUrl: String,
    }, { timestamps: true })),
    // When each user's last socket left: what was sent after it is sent again.
    Seen: db.model('Seen', new Schema({ _id: String, at: Date }, { versionKey: false, collection: 'peer_seen' })),
  };
}
