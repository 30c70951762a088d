package models

import (
	"errors"
	"time"
)

// Code is a fixed word a program can switch on. Every refusal carries one.
type Code string

// The codes. Handlers map each to one status, in one place.
const (
	CodeTokenMissing     Code = "token_missing"
	CodeTokenMalformed   Code = "token_malformed"
	CodeTokenInvalid     Code = "token_invalid"
	CodeTokenExpired     Code = "token_expired"
	CodeNotAParticipant  Code = "not_a_participant"
	CodeChatNotFound     Code = "chat_not_found"
	CodeMessageNotFound  Code = "message_not_found"
	CodeNotFound         Code = "not_found"
	CodeMethodNotAllowed Code = "method_not_allowed"
	CodeInvalidChatID    Code = "invalid_chat_id"
	CodeInvalidUserID    Code = "invalid_user_id"
	CodeInvalidCursor    Code = "invalid_cursor"
	CodeInvalidBody      Code = "invalid_body"
	CodeInvalidLimit     Code = "invalid_limit"
	CodeEmptyMessage     Code = "empty_message"
	CodeTextTooLong      Code = "text_too_long"
	CodeFileTooLarge     Code = "file_too_large"
	CodeTooManyFiles     Code = "too_many_files"
	CodeBodyTooLarge     Code = "body_too_large"
	CodeUploadStalled    Code = "upload_stalled"
	CodeUnsupportedMedia Code = "unsupported_media"
	CodeRateLimited      Code = "rate_limited"
	CodeInProgress       Code = "in_progress"
	CodeUnavailable      Code = "unavailable"
	CodeShuttingDown     Code = "shutting_down"
	CodeInternal         Code = "internal"
)

// Error is the one error type that crosses package borders: a code for
// programs, a sentence for people, and the cause for the log alone.
type Error struct {
	Code    Code
	Message string
	// RetryAfter is how long a client should wait, where that is known.
	RetryAfter time.Duration
	// What was not reachable, for a person; empty for every other error.
	What string
	// Err is the cause. It is logged and never sent to a client.
	Err error
}

// Refuse makes an error without a cause: the request itself is at fault.
func Refuse(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// Unavailable makes the retriable error for a dependency that did not answer.
func Unavailable(what string, err error) *Error {
	return &Error{Code: CodeUnavailable, Message: what + " is not reachable; try again", RetryAfter: time.Second, What: what, Err: err}
}

// ErrUnanswered is in an error after which what was asked for may have been done,
// or may be done yet.
var ErrUnanswered = errors.New("there was no answer")

// Internal makes the error for what should not have happened.
func Internal(err error) *Error {
	return &Error{Code: CodeInternal, Message: "internal error", Err: err}
}

func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Message
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// AsError returns err as an *Error; anything else becomes an internal one.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Internal(err)
}

// CodeOf returns the code of err, or "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return AsError(err).Code
}
