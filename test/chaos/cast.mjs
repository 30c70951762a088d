// Who takes part in a run: users, chats of many sizes, seats with clients of three versions, senders, members that come and go.
import { objectId } from '../e2e/harness/models.mjs';
import { Seat, transports, versions } from './pages.mjs';
import { Sender } from './senders.mjs';

const sizes = [60, 40, 30, 20, 15, 12, 10, 8, 6, 5, 3, 2];
const users = 60;
const second = 8; // users with a second device
const rate = Number(process.env.RATE ?? 220); // deliveries a second, all chats together

export async function gather(world, history, random) {
  const people = Array.from({ length: users }, objectId);
  const chats = [];
  for (const size of sizes) {
    const participants = size === users ? people : random.shuffled(people).slice(0, size);
    const { _id } = await world.Chat.create({ participants });
    chats.push({ id: _id.toString(), participants });
    history.add('chat', { chat: _id.toString(), members: participants });
  }
  const seats = [];
  for (const [i, user] of [...people, ...people.slice(0, second)].entries()) {
    // Half of them can recover; a quarter each of the older two.
    const version = versions[[0, 1, 0, 2][i % 4]];
    const how = Object.keys(transports)[[0, 2, 0, 1, 0, 0, 2][i % 7]];
    seats.push(new Seat(`s${i}`, user, { version, how, history, proxy: await world.proxy(new URL(world.url).port), random }));
  }
  const senders = [];
  const members = [];
  for (const { id, participants } of chats) {
    const talking = participants.slice(0, participants.length > 3 ? 2 : 1);
    const every = Math.max(200, (1000 * participants.length * talking.length * chats.length) / rate);
    for (const user of talking) senders.push(new Sender(world, history, random, { user, chat: id, every, careless: senders.length % 7 === 3 }));
    if (participants.length >= 8) for (const user of participants.slice(2, 6)) members.push({ chat: id, user, by: talking[0] });
  }
  return { people, seats, senders, members };
}
