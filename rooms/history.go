package rooms

import (
	"context"

	"parley/models"
)

// History returns a page of a chat the user takes part in, newest first, and
// the cursor of the page that follows it, or "".
func (s *Service) History(ctx context.Context, user models.UserID, chat models.ChatID, page models.Page) ([]models.Message, models.MessageID, error) {
	if _, err := s.member(ctx, user, chat); err != nil {
		return nil, "", err
	}
	// One more than asked for tells whether a page follows.
	messages, found, err := s.Messages.History(ctx, chat, models.Page{Before: page.Before, After: page.After, Limit: page.Limit + 1})
	if err != nil {
		return nil, "", err
	}
	if !found {
		return nil, "", models.Refuse(models.CodeInvalidCursor, "before or after names no message of this chat")
	}
	if len(messages) <= page.Limit {
		return messages, "", nil
	}
	if page.After != "" && page.Before == "" { // walking forward: the page's newest leads on
		messages = messages[1:]
		return messages, messages[0].ID, nil
	}
	messages = messages[:page.Limit]
	return messages, messages[len(messages)-1].ID, nil
}
