package rooms

import (
	"context"
	"time"

	"parley/models"
)

// Chats is where chats are kept.
type Chats interface {
	// Chat returns a chat; found is false where there is none.
	Chat(ctx context.Context, id models.ChatID) (chat models.Chat, found bool, err error)
	// ChatIDsOf returns which chats each of the users takes part in, in no order.
	// It costs nothing that grows with how many others do.
	ChatIDsOf(ctx context.Context, users ...models.UserID) (map[models.UserID][]models.ChatID, error)
	// SmallChatsOf returns the chats of any of the users that have no more than
	// most participants, in no order.
	SmallChatsOf(ctx context.Context, most int, users ...models.UserID) ([]models.Chat, error)
	// ChatsByID returns those of the chats that there are, in no order.
	ChatsByID(ctx context.Context, ids []models.ChatID) ([]models.Chat, error)
	// CreateChat stores a new chat under its id.
	CreateChat(ctx context.Context, chat models.Chat) error
	// AddParticipant and RemoveParticipant are idempotent, touch nothing else of
	// the document but updatedAt, and return the chat as it is afterwards.
	AddParticipant(ctx context.Context, id models.ChatID, user models.UserID, at time.Time) (chat models.Chat, found bool, err error)
	RemoveParticipant(ctx context.Context, id models.ChatID, user models.UserID, at time.Time) (chat models.Chat, found bool, err error)
}

// Moves remembers, for ever, whom Parley has let into chats and shown the door.
// Of who is in a chat from its beginning it knows nothing, nor of what others
// change.
type Moves interface {
	SaveMove(ctx context.Context, move models.Move) error
	// Moves returns those of the users at or after since, oldest first.
	Moves(ctx context.Context, since time.Time, users ...models.UserID) ([]models.Move, error)
}

// Messages is where messages are kept. Their order is (CreatedAt, ID).
type Messages interface {
	// Insert stores all of them or none: after an error nothing stays behind, but
	// after models.ErrUnanswered something may, until it is undone or
	// InsertMissing has made it stay.
	Insert(ctx context.Context, messages []models.Message) error
	// InsertMissing stores those that are not stored yet; of the others it changes
	// the times, where these are not the same.
	InsertMissing(ctx context.Context, messages []models.Message) error
	Message(ctx context.Context, id models.MessageID) (message models.Message, found bool, err error)
	// Latest returns the newest message of each chat that has one.
	Latest(ctx context.Context, chats []models.ChatID) (map[models.ChatID]models.Message, error)
	// Since returns the newest limit messages of the chats created at or after
	// since, oldest first.
	Since(ctx context.Context, chats []models.ChatID, since time.Time, limit int) ([]models.Message, error)
	// History returns a page of a chat, newest first. Before and After name
	// messages of that chat; found is false where such a message does not exist.
	History(ctx context.Context, chat models.ChatID, page models.Page) (messages []models.Message, found bool, err error)
}

// Requests remembers Idempotency-Keys for ever.
type Requests interface {
	Request(ctx context.Context, key string) (request models.Request, found bool, err error)
	// Claim stores the request unless the key is taken; claimed says which.
	Claim(ctx context.Context, request models.Request) (claimed bool, err error)
	// TakeOver puts the request in the place of a claim that nobody works on, if that
	// is still the one made at claimedAt.
	TakeOver(ctx context.Context, claimedAt time.Time, request models.Request) (taken bool, err error)
	// Finish notes that the requests' messages are stored and published.
	Finish(ctx context.Context, keys ...string) error
	// Forget gives a claimed key back after a refusal.
	Forget(ctx context.Context, key string) error
}

// Absences keeps, durably, since when each user has been away.
type Absences interface {
	SaveAbsence(ctx context.Context, user models.UserID, absence models.Absence) error
	Absence(ctx context.Context, user models.UserID) (absence models.Absence, found bool, err error)
	// LastSeen says of those of the users who have ever left when that was last.
	LastSeen(ctx context.Context, users []models.UserID) (map[models.UserID]time.Time, error)
	// TakenForOnline calls fn with all users whose return was saved last, or of whose
	// leaving others were not told, some at a time.
	TakenForOnline(ctx context.Context, fn func(users []models.UserID) error) error
	// ToldOffline notes that others were told that these have left; of one who is
	// back since then it notes nothing.
	ToldOffline(ctx context.Context, gone []models.Untold) error
	// Installed is when Parley first ran on this database: users it has never
	// seen are sent what came after that, and nothing older.
	Installed(ctx context.Context) (time.Time, error)
}

// Presence is who has which sockets, over all pods.
type Presence interface {
	// Add puts the socket into the user's set and says what was there just then.
	Add(ctx context.Context, user models.UserID, socket models.SocketID) (models.Arrival, error)
	// Remove takes it out; removed is false where it was not in, others is how many
	// are left. Where it was the last, it is noted that the user is gone since left,
	// and nobody told of it yet; a zero left notes nothing.
	Remove(ctx context.Context, user models.UserID, socket models.SocketID, left time.Time) (removed bool, others int, err error)
	// NoteLeft notes the same of a user whose last socket somebody else took out.
	NoteLeft(ctx context.Context, user models.UserID, left time.Time) error
	// NoteMissing notes the same of those of the users who are not there, and fails
	// where more may have been lost since all were.
	NoteMissing(ctx context.Context, users []models.UserID, left time.Time) error
	// TakeUntold returns those of the users, who left and had not come back when
	// it was due that others are told, that are still gone; the caller tells.
	TakeUntold(ctx context.Context, untold []models.Untold) ([]models.Untold, error)
	// TakeLeft is TakeUntold of whoever of the users has left, due or not.
	TakeLeft(ctx context.Context, users []models.UserID) ([]models.Untold, error)
	Count(ctx context.Context, user models.UserID) (int, error)
	Sockets(ctx context.Context, user models.UserID) ([]models.SocketID, error)
	// Ours counts those that are in Parley's books: when they leave, it is noted
	// what they had. Of the others nobody notes anything.
	Ours(ctx context.Context, user models.UserID) (int, error)
	// PodsOf counts the same by the pods that have them, or had.
	PodsOf(ctx context.Context, user models.UserID) (map[string]int, error)
	// Presences says of each of the users how many sockets they have and, of one who
	// has none, when they were last seen, where that is noted.
	Presences(ctx context.Context, users []models.UserID) ([]models.Presence, error)
	// Online tells which of the users have a socket.
	Online(ctx context.Context, users []models.UserID) (map[models.UserID]bool, error)
	// MarkAway notes, on behalf of a socket that is about to leave, since when
	// the user is away. A later Since that is already noted stays.
	MarkAway(ctx context.Context, user models.UserID, by models.SocketID, absence models.Absence) error
	Away(ctx context.Context, user models.UserID) (absence models.Absence, found bool, err error)
	// AwaitAway is Away of a user who has not come back, which is about to be noted,
	// on any pod: it returns as soon as it is, or patience ends.
	AwaitAway(ctx context.Context, user models.UserID, patience time.Duration) (absence models.Absence, noted bool, err error)
	// MarkBack notes that the first device returned, and from which absence; it
	// is forgotten after keep, so that devices that come at once share it and
	// later ones do not.
	MarkBack(ctx context.Context, user models.UserID, absence models.Absence, keep time.Duration) error
	// ForgetAway drops the note after keep if it is still the one made on behalf
	// of by: the user turned out to have other sockets. Until then whoever comes
	// is taken for the device that left.
	ForgetAway(ctx context.Context, user models.UserID, by models.SocketID, keep time.Duration) error
	// Vacate keeps for that long what a socket had that left while others of its user
	// stayed.
	Vacate(ctx context.Context, user models.UserID, v models.Vacancy, keep time.Duration) error
	// Vacancies returns those of the user that are no older than that, and whose
	// clients have not come back to their sessions.
	Vacancies(ctx context.Context, user models.UserID, age time.Duration) ([]models.Vacancy, error)
	// Follow is for a client that takes a vacancy; taken is false where it is none any
	// more.
	Follow(ctx context.Context, user models.UserID, left models.SocketID) (taken bool, err error)
}

// Census is what can be known of users while others than Parley serve them.
type Census interface {
	// LastOnline is when the user was last seen to have a socket on a pod that
	// is none of Parley's; ok is false where they were not seen.
	LastOnline(user models.UserID) (at time.Time, ok bool)
}

// Board is where the pods leave their marks; it may forget them at any moment.
type Board interface {
	// Trade leaves this pod's mark and returns everybody's, by pod.
	Trade(ctx context.Context, mark models.Mark) (map[string]models.Mark, error)
	// Withdraw takes the marks of pods that are none any more.
	Withdraw(ctx context.Context, pods ...string) error
}

// Sessions remembers sockets that left for the clients that come back.
type Sessions interface {
	KeepSession(ctx context.Context, id models.SessionID, session models.Session, keep time.Duration) error
	// TakeSession returns the session and forgets it.
	TakeSession(ctx context.Context, id models.SessionID) (session models.Session, found bool, err error)
	// AwaitSession is TakeSession of one that is about to be kept, on any pod: it
	// returns as soon as it is, or patience ends.
	AwaitSession(ctx context.Context, id models.SessionID, patience time.Duration) (session models.Session, found bool, err error)
}

// SavedSessions remembers, durably, those that Sessions could not take.
type SavedSessions interface {
	SaveSession(ctx context.Context, id models.SessionID, session models.Session, keep time.Duration) error
	SavedSession(ctx context.Context, id models.SessionID) (session models.Session, found bool, err error)
}

// Hub reaches connected sockets.
type Hub interface {
	// Emit sends the event to the audience on every pod: this pod's sockets at
	// once, the others by way of the cluster without waiting for it.
	Emit(to models.Audience, event models.Event)
	// EmitEach is Emit for several events in their order; a socket of this pod that
	// is told more than one is written to once.
	EmitEach(notices []models.Notice)
	// Handed returns once what was emitted before is on its way to the other
	// pods; with an error where ctx ends, and at once while they cannot be reached.
	Handed(ctx context.Context) error
	// CaughtUp returns once all that the other pods had published when it was called
	// is given to this pod's sockets, with nothing missing; with an error where that
	// cannot be told, because they were not heard for a moment, for one.
	CaughtUp(ctx context.Context) error
	// Pods counts the pods that listen, this one included, Node's too.
	Pods(ctx context.Context) (int, error)
	// Sure says whether this pod knows who is in which chat's room: no join and no
	// leave can have gone unheard that is not made good yet.
	Sure() bool
	// EmitLocal tells this pod's sockets alone.
	EmitLocal(to models.Audience, event models.Event)
	// Join and Leave put the audience's sockets into, or out of, the chat's room
	// and return when every pod has done so.
	Join(ctx context.Context, who models.Audience, chat models.ChatID) error
	Leave(ctx context.Context, who models.Audience, chat models.ChatID) error
	// Here says of each of the users whether they have a socket on this pod.
	Here(users []models.UserID) []bool
	// Users are those who have sockets on this pod, Chats the chats those are in.
	Users() []models.UserID
	Chats() []models.ChatID
	// Reseat puts the users' sockets on this pod into the rooms of the chats that
	// look returns for each, and out of those of all others, but for what joins
	// and leaves change while it looks. It returns who moved, after an error too.
	Reseat(ctx context.Context, users []models.UserID, look func() (map[models.UserID][]models.ChatID, error)) ([]models.Seat, error)
	// Retell tells this pod's sockets what they may have missed: those in the
	// chat's room, or where the message went there already, those alone whom
	// Reseat has put there since. Who came to the room after asOf has had it, or was
	// not to have it; nor were the users except.
	Retell(message models.Message, asOf time.Time, except []models.UserID)
	// Part cuts off, on every pod, the sockets that hold the session, but for one.
	// It waits for nobody.
	Part(session models.SessionID, except models.SocketID)
	// Probe asks the user's sockets, but for one, on every pod, whether they are
	// alive, and ends those that do not say so within moments. It is true, at once,
	// where so many of this pod's have; else it returns when all pods are done.
	Probe(ctx context.Context, user models.UserID, except models.SocketID, others int) (alive bool)
	// InRoom says whether a socket of this pod is in the chat's room.
	InRoom(socket models.SocketID, chat models.ChatID) bool
}

// Door is one socket of this pod that is not let in yet: what is sent to its
// rooms is held back until its backlog has been sent.
type Door interface {
	SocketID() models.SocketID
	// Device is what its client is known by.
	Device() models.Device
	// Identify ties the socket to its user: from here on joins and leaves that
	// name the user reach it.
	Identify(user models.UserID)
	// Enter joins the rooms, except those it was told to leave meanwhile. It is
	// false where joins and leaves may have gone unheard since it was identified:
	// then the chats have to be looked up again.
	Enter(chats []models.ChatID) bool
	// Hears returns once this pod hears what others send to those rooms.
	Hears(ctx context.Context) error
	// Resumes is the session its client wants to go on with, and what it says it
	// was sent last: a message id, or empty for nothing.
	Resumes() (session models.SessionID, offset string, ok bool)
	// Resume tells the client that it has missed nothing but its backlog.
	Resume()
	// Has says what its client has already: that is not told again once pods that
	// were not heard are.
	Has(had models.Had)
	// Later is asked for more of the backlog once the client is told connect; what
	// is sent to its rooms meanwhile waits for that.
	Later(func(context.Context) []models.Event)
	// Aside runs what only waits for somebody, while others are let in.
	Aside(ctx context.Context, wait func() error) error
	// Keep holds what the next try to let the same socket in has to know of this
	// one; Kept is what was kept, nil the first time.
	Keep(any)
	Kept() any
}

// Media keeps uploaded files.
type Media interface {
	// Keep stores the upload where clients can fetch it.
	Keep(ctx context.Context, upload models.Upload) (url string, err error)
	// Remove deletes a kept file.
	Remove(ctx context.Context, url string) error
}

// IDs makes fresh ids; those of one process grow.
type IDs interface {
	NewMessageID() models.MessageID
	NewChatID() models.ChatID
}

// Metrics is told what happened.
type Metrics interface {
	MessagesStored(n int)
	MessagesReplayed(n int)
	Sent(d time.Duration)
	Dropped(reason string)
	// HeardBehind is how far Marks.Heard is behind the clock.
	HeardBehind(d time.Duration)
}
