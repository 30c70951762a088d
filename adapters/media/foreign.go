package media

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"net/http"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
)

// foreignMarks are archives and programs that mimetype does not know.
var foreignMarks = []string{"\x04\x22\x4d\x18", "dex\n03", "\x1bLua", "BC\xc0\xde"} // lz4, Dalvik, Lua, LLVM

// foreign says whether content that is no media we know is known to be
// something else: text of any kind, a document, an archive, a program.
func foreign(head []byte, sniffed *mimetype.MIME) bool {
	switch {
	case bytes.HasPrefix(head, []byte("#!SILK")):
		return false // a codec whose mark reads as a script's
	case bytes.HasPrefix(head, []byte("#!")), isText(head):
		return true
	case len(bytes.Trim(head, "\x00")) == 0:
		return true // what is left of a transfer that failed: nothing
	case bytes.Contains(head[:min(len(head), 1024)], []byte("%PDF-")):
		return true // readers take it from there
	}
	for _, mark := range foreignMarks {
		if bytes.HasPrefix(head, []byte(mark)) {
			return true
		}
	}
	// What browsers would take for HTML counts, however binary it goes on.
	if web := http.DetectContentType(head); strings.HasPrefix(web, "text/html") || strings.HasPrefix(web, "text/xml") {
		return true
	}
	mime, _, _ := strings.Cut(sniffed.String(), ";")
	if familyOf(mime) != "" {
		return mime == vector // XML, with an <svg> somewhere in it
	}
	switch mime {
	case octets, "text/plain", "text/csv", "text/tab-separated-values":
		return false // it is not text: isText would have known
	case "application/vnd.rn-realmedia-vbr", "application/dicom", "application/fits":
		return false // media, under another name
	case "application/zlib", "application/cbor", "application/pkcs7-signature":
		return false // two or three bytes, or a wrapping for anything
	case "application/x-cpio":
		return bytes.HasPrefix(head, []byte("0707")) // the old mark is two bytes
	case "application/gzip":
		return len(head) < 4 || head[2] == 8 && head[3]&0xe0 == 0
	case "application/vnd.microsoft.portable-executable":
		// The bytes on the last page, of 512.
		return len(head) < 4 || binary.LittleEndian.Uint16(head[2:]) < 512
	}
	return true
}

// isText says whether all of head reads as text: UTF-8, or UTF-16 that says so.
func isText(head []byte) bool {
	text, ok := decode16(head)
	if !ok {
		text = head
	}
	// The last character may be cut.
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if b := text[len(text)-i]; utf8.RuneStart(b) {
			if !utf8.FullRune(text[len(text)-i:]) {
				text = text[:len(text)-i]
			}
			break
		}
	}
	return utf8.Valid(text) && !bytes.ContainsFunc(text, func(r rune) bool {
		return r < ' ' && !strings.ContainsRune("\t\n\f\r\x1b", r) || ok && r == utf8.RuneError
	})
}

// decode16 turns UTF-16 into UTF-8: what has a byte order mark, or begins with
// a tag in it.
func decode16(b []byte) ([]byte, bool) {
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		b = b[2:]
	case bytes.HasPrefix(b, []byte("<\x00")):
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		b, order = b[2:], binary.BigEndian
	case bytes.HasPrefix(b, []byte("\x00<")):
		order = binary.BigEndian
	default:
		return nil, false
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	if n := len(units); n > 0 && utf16.IsSurrogate(rune(units[n-1])) {
		units = units[:n-1] // cut in the middle of a pair
	}
	return []byte(string(utf16.Decode(units))), true
}

// isSVG says whether the first element is <svg>, whatever stands before it.
func isSVG(head []byte) bool {
	text, ok := decode16(head)
	if !ok {
		text = bytes.TrimPrefix(head, []byte("\ufeff"))
	}
	text = bytes.TrimSpace(text)
	if !bytes.HasPrefix(text, []byte("<")) {
		return false
	}
	if bytes.HasPrefix(text, []byte("<?xml ")) {
		// It names an encoding and a version, which the parser is choosy about.
		_, text, _ = bytes.Cut(text, []byte("?>"))
	}
	if !utf8.Valid(text[:max(0, len(text)-utf8.UTFMax)]) {
		text = fromLatin1(text) // or another superset of ASCII: names are ASCII
	}
	parser := xml.NewDecoder(bytes.NewReader(text))
	parser.Strict = false
	for {
		token, err := parser.RawToken()
		if err != nil {
			return false
		}
		switch token := token.(type) {
		case xml.StartElement:
			return token.Name.Local == "svg"
		case xml.Directive:
			if words := strings.Fields(string(token)); len(words) > 1 && strings.EqualFold(words[0], "doctype") && strings.EqualFold(words[1], "html") {
				return false
			}
		case xml.CharData:
			if len(bytes.TrimSpace(token)) > 0 {
				return false
			}
		}
	}
}

func fromLatin1(b []byte) []byte {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return []byte(string(runes))
}
