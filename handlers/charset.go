package handlers

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"parley/models"
)

// decode turns a text of the charset into UTF-8. An empty charset is UTF-8;
// known is false for one we do not read.
func decode(s, charset string) (text string, known bool) {
	switch charset {
	case "", "utf-8", "utf8":
		return s, true
	case "us-ascii", "ascii":
		// Clients that say so by default often send something else.
		if utf8.ValidString(s) {
			return s, true
		}
		return fromLatin1(s), true
	case "iso-8859-1", "iso8859-1", "iso_8859-1", "latin1":
		return fromLatin1(s), true
	}
	return "", false
}

func fromLatin1(s string) string {
	var out strings.Builder
	for i := range len(s) {
		out.WriteRune(rune(s[i]))
	}
	return out.String()
}

// inUTF8 is decode for what a client sent as what.
func inUTF8(what, s, charset string) (string, error) {
	text, known := decode(s, charset)
	if !known {
		return "", models.Refuse(models.CodeUnsupportedMedia, fmt.Sprintf("%s is in the charset %.40q; send UTF-8", what, charset))
	}
	return text, nil
}
