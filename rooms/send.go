package rooms

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"parley/models"
)

// Send authorises, stores and publishes a draft: its files in order, then its
// text, each as a message of its own. It stores all of them or none, and
// publishes nothing that is not stored. The draft's uploads are used up.
func (s *Service) Send(ctx context.Context, d models.Draft) ([]models.Message, error) {
	defer discard(d.Files)
	began := s.Now()
	if err := s.check(d); err != nil {
		return nil, err
	}
	chat, err := s.member(ctx, d.SenderID, d.ChatID)
	if err != nil {
		return nil, err
	}

	key := ""
	if d.IdempotencyKey != "" {
		key = requestKey(d.SenderID, d.IdempotencyKey)
	}
	if key != "" && len(d.Files) > 0 { // of a text the claim itself says so; files would be kept in vain
		if messages, answered, err := s.answered(ctx, key, d.SenderID); err != nil || answered {
			return messages, err
		}
	}

	urls, err := s.keep(ctx, d.Files)
	if err != nil {
		return nil, err
	}
	for {
		messages, taken, err := s.store(ctx, d, chat, urls, key)
		if err == nil && !taken {
			s.Metrics.MessagesStored(len(messages))
			s.Metrics.Sent(s.Now().Sub(began))
			return messages, nil
		}
		answered := err != nil
		if !answered { // another try with this key was faster
			messages, answered, err = s.answered(ctx, key, d.SenderID)
		}
		if err == nil && !answered && ctx.Err() == nil {
			continue // it was refused and gave the key back
		}
		if key == "" || !errors.Is(err, models.ErrUnanswered) { // else they belong to what may be stored
			s.drop(ctx, urls)
		}
		if err == nil && !answered {
			err = inProgress()
		}
		return messages, err
	}
}

// store stores and publishes in the sender's turn, unless another request with
// the key has been here.
func (s *Service) store(ctx context.Context, d models.Draft, chat models.Chat, urls []string, key string) (messages []models.Message, taken bool, err error) {
	leave, err := s.order.enter(ctx, d.ChatID, d.SenderID)
	if err != nil {
		if key != "" { // perhaps with this very request
			return nil, false, inProgress()
		}
		return nil, false, models.Unavailable("the client", err)
	}
	defer leave()
	// From here on the work is taken: it ends by its own clock, whether or not
	// the client stays to hear of it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Limits.StoreTimeout)
	defer cancel()

	stamp, landed := s.Marks.stamp()
	defer func() { landed() }()
	messages = s.compose(d, urls, stamp)
	claimed := s.now()
	if key != "" {
		ours, err := s.Requests.Claim(ctx, models.Request{Key: key, Messages: messages, ClaimedAt: claimed})
		if err != nil || !ours {
			return nil, err == nil, err
		}
	}
	if err := s.Messages.Insert(ctx, messages); err != nil {
		switch {
		case key == "":
		case !errors.Is(err, models.ErrUnanswered):
			s.giveBack(ctx, key)
		case s.askLater(unanswered{key, claimed, landed}):
			landed = func() {}
		}
		return nil, false, err
	}
	s.publish(ctx, messages, chat.Participants)
	if key != "" {
		s.finished(ctx, key)
	}
	return messages, false, nil
}

// check refuses what no state of the world could make right.
func (s *Service) check(d models.Draft) error {
	switch {
	case !utf8.ValidString(d.Text):
		return models.Refuse(models.CodeInvalidBody, "textMessage is not valid UTF-8")
	case len(d.Text) > s.Limits.TextBytes:
		return models.Refuse(models.CodeTextTooLong, fmt.Sprintf("textMessage is longer than %d bytes", s.Limits.TextBytes))
	case len(d.Files) > s.Limits.Files:
		return models.Refuse(models.CodeTooManyFiles, fmt.Sprintf("at most %d files can be sent at once", s.Limits.Files))
	case len(d.Files) == 0 && d.Text == "":
		return models.Refuse(models.CodeEmptyMessage, "nothing to send: give textMessage or files")
	}
	return nil
}

// keep puts every file where clients can fetch it, or none.
func (s *Service) keep(ctx context.Context, files []models.Upload) ([]string, error) {
	var urls []string
	for _, f := range files {
		url, err := s.Media.Keep(ctx, f)
		if err != nil {
			s.drop(ctx, urls)
			return nil, err
		}
		urls = append(urls, url)
	}
	return urls, nil
}

// drop takes kept files back after a refusal. It outlives the request: a client
// that hung up leaves no orphan either.
func (s *Service) drop(ctx context.Context, urls []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Limits.StoreTimeout)
	defer cancel()
	for _, url := range urls {
		if err := s.Media.Remove(ctx, url); err != nil {
			s.Logger.Error("orphan file left behind", "url", url, "error", err)
			s.Metrics.Dropped("orphan_file")
		}
	}
}

func discard(files []models.Upload) {
	for _, f := range files {
		f.Discard()
	}
}

// compose makes the documents: files first, then the text.
func (s *Service) compose(d models.Draft, urls []string, at time.Time) []models.Message {
	base := models.Message{ChatID: d.ChatID, SenderID: d.SenderID, CreatedAt: at, UpdatedAt: at}
	var messages []models.Message
	for i, url := range urls {
		m := base
		m.ID, m.Type, m.FileURL = s.IDs.NewMessageID(), d.Files[i].Type, url
		messages = append(messages, m)
	}
	if d.Text != "" { // blanks are a text, too
		m := base
		m.ID, m.Type, m.Text = s.IDs.NewMessageID(), models.Text, d.Text
		messages = append(messages, m)
	}
	return messages
}

// allowed says who takes part in the chat by now, where its room may not know of a
// removal that was answered; those who did when it was looked up, if it cannot be again.
func (s *Service) allowed(ctx context.Context, id models.ChatID, did []models.UserID) []models.UserID {
	chat, found, err := s.Chats.Chat(ctx, id)
	if err != nil || !found {
		s.Logger.Warn("who is in a chat is not known for certain", "chat", id, "error", err)
		return did
	}
	return chat.Participants
}

// handOver bounds how long an answer waits for the other pods' sake. It ends at
// once where they cannot be reached; this is for a Redis that is only slow.
const handOver = time.Second

// publish tells the chat, in order, and queues the delivery receipts; without
// participants they are looked up for those. It waits
// until the messages are on their way to the other pods: a sender who goes on at
// another pod, once answered, must not overtake them there.
func (s *Service) publish(ctx context.Context, messages []models.Message, participants []models.UserID) {
	for _, m := range messages {
		to := models.Audience{Chats: []models.ChatID{m.ChatID}}
		if !s.Hub.Sure() {
			to.Only = s.allowed(ctx, m.ChatID, participants)
		}
		s.Hub.Emit(to, models.NewMessage{Message: m})
		s.receipt(receipt{messages: []sent{sentOf(m)}, participants: participants})
	}
	ctx, cancel := context.WithTimeout(ctx, handOver)
	defer cancel()
	if err := s.Hub.Handed(ctx); err != nil {
		s.Logger.Debug("the other pods hear of it later", "error", err)
	}
}
