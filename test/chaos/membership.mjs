// Who was in a chat when, as far as it can be known from outside: a change counts from the asking for what is owed, and
// from the answer for what is forbidden.
const onItsWay = 100; // ms a message may take from the kernel to the page

// The move that takes a removal back; one without an answer is for ever.
function back(book, move) {
  return book.moves.find((m) => m.added && m.user === move.user && m.chat === move.chat && m.asked >= move.answered) ?? { asked: Infinity, answered: Infinity };
}

const removals = (book, user, chat) => book.moves.filter((m) => !m.added && m.user === user && m.chat === chat);

// Whether the user took part for certain while the message was posted.
export function member(book, user, message) {
  if (!book.chats.get(message.chat)?.has(user)) return false;
  const end = message.answered ?? message.at + 10_000;
  return removals(book, user, message.chat).every((m) => end < m.asked || message.at > back(book, m).answered);
}

// The first removal asked for after the message.
export function removedAfter(book, user, message) {
  return removals(book, user, message.chat).find((m) => m.asked >= message.at);
}

// Why the user should never have been sent this, if so.
export function leaked(book, user, got, message) {
  if (!book.chats.get(message.chat)?.has(user)) return 'not a participant at all';
  for (const m of removals(book, user, message.chat)) {
    const again = back(book, m);
    // A try again may tell of a message long after it was stored.
    const told = Math.min(message.answered ?? Infinity, message.first ?? Infinity);
    if (message.at > m.answered && told < again.asked) return `said ${message.at - m.answered} ms after the removal was answered, ${again.asked === Infinity ? 'and never added again' : `${again.asked - message.at} ms before the adding`}`;
    if (told < again.asked && got.t > m.answered && got.t < again.asked && late(book, got, m)) return `arrived ${got.t - m.answered} ms after the removal was answered`;
  }
  return undefined;
}

// Whether it came later than what was with the kernel already when the removal was answered.
function late(book, got, move) {
  const conn = book.pages.get(got.page).conns.find((c) => c.conn === got.conn);
  if (conn && conn.from > move.answered) return true;
  if (book.lagged(got.t) || conn?.slow.some((s) => got.t > s.from && got.t < s.to + 10_000)) return false;
  return got.t > move.answered + onItsWay;
}
