package handlers

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"

	"parley/models"
)

// How much longer than its text a body can be: \u0041 in JSON, %41 in a form.
const (
	jsonGrowth = 6
	formGrowth = 3
)

// body reads a text body whole.
func (f *form) body(growth int) (string, error) {
	f.limit(int64(growth)*int64(f.h.Limits.TextBytes) + bodyOverhead)
	raw, err := io.ReadAll(f.c.Request.Body)
	return string(raw), bodyError(err)
}

// inUTF8 reads a part of the body in the charset the request declares.
func (f *form) inUTF8(s string) (string, error) {
	return inUTF8("the body", s, charsetOf(f.c.GetHeader("Content-Type")))
}

// json reads a text that came as an object. Keys are taken to the letter, as
// JavaScript does; those we do not know are ignored.
func (f *form) json() error {
	body, err := f.body(jsonGrowth)
	if err != nil {
		return err
	}
	if body, err = f.inUTF8(body); err != nil {
		return err
	}
	if !utf8.ValidString(body) {
		return models.Refuse(models.CodeInvalidBody, "the body is not valid UTF-8")
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "\uFEFF")), &object); err != nil || object == nil {
		return models.Refuse(models.CodeInvalidBody, "the body must be a JSON object")
	}
	for _, name := range []string{"files", "files[]"} {
		if value, given := object[name]; given && !emptyJSON(value) {
			return filesElsewhere()
		}
	}
	for _, name := range []string{"textMessage", "chatId"} {
		value, given, ok := jsonText(object[name])
		switch {
		case !ok && name == "chatId":
			return models.Refuse(models.CodeInvalidChatID, "chatId must be a string of 24 hex digits")
		case !ok:
			return models.Refuse(models.CodeInvalidBody, name+" must be a string")
		case !given:
		default:
			if err := f.field(name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func filesElsewhere() error {
	return models.Refuse(models.CodeInvalidBody, "files can only be sent as multipart/form-data")
}

func emptyJSON(value json.RawMessage) bool {
	var word string
	if json.Unmarshal(value, &word) == nil { // null leaves it empty
		return nothing(word)
	}
	return nothing(string(bytes.Join(bytes.Fields(value), nil)))
}

// jsonText reads a value as Mongoose puts it into a String: a number and true as
// JavaScript prints them. What is false there is not given, as in
// `if (textMessage)`. It is not ok for what Mongoose cannot cast.
func jsonText(value json.RawMessage) (s string, given, ok bool) {
	var v any
	if value == nil {
		return "", false, true
	}
	if json.Unmarshal(value, &v) != nil { // a number beyond all numbers
		return "", true, false
	}
	switch v := v.(type) {
	case nil:
		return "", false, true
	case string:
		return v, true, true
	case bool:
		return "true", v, true
	case float64:
		printed, err := json.Marshal(v) // which prints as ECMAScript does
		return string(printed), v != 0, err == nil
	}
	return "", true, false
}

// urlencoded reads a text that came as a plain HTML form sends it. Its charset is
// that of the bytes behind the percent signs.
func (f *form) urlencoded() error {
	body, err := f.body(formGrowth)
	if err != nil {
		return err
	}
	for pair := range strings.SplitSeq(body, "&") {
		key, value, _ := strings.Cut(pair, "=")
		name, err := f.inUTF8(unplus(key))
		if err != nil {
			return err
		}
		switch name {
		case "chatId", "textMessage", "files", "files[]":
		default:
			continue
		}
		if value, err = f.inUTF8(unplus(value)); err != nil {
			return err
		}
		if name == "files" || name == "files[]" {
			if !nothing(value) {
				return filesElsewhere()
			}
			continue
		}
		if err := f.field(name, value); err != nil {
			return err
		}
	}
	return nil
}

// unplus decodes as browsers do (WHATWG URL): a percent sign that begins nothing
// stands for itself.
func unplus(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			out = append(out, ' ')
		case s[i] == '%' && i+2 < len(s) && hex(s[i+1]) >= 0 && hex(s[i+2]) >= 0:
			out = append(out, byte(hex(s[i+1])<<4|hex(s[i+2])))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out)
}

func hex(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b >= 'a' && b <= 'f':
		return int(b-'a') + 10
	case b >= 'A' && b <= 'F':
		return int(b-'A') + 10
	}
	return -1
}
