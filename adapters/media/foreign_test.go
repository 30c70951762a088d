package media

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"parley/models"
)

func wantRefused(t *testing.T, content []byte, declared string) {
	t.Helper()
	s, dir := newSpool(t)
	up, err := s.Receive(context.Background(), bytes.NewReader(content), "x", declared, 1<<30)
	if models.CodeOf(err) != models.CodeUnsupportedMedia {
		t.Errorf("%.20q declared as %q: %+v, %v", content, declared, up, err)
	}
	wantEmpty(t, dir)
}

// What is known to be something else is refused, whatever it is declared as.
func TestForeignFormats(t *testing.T) {
	var packed bytes.Buffer
	if err := tar.NewWriter(&packed).WriteHeader(&tar.Header{Name: "picture.png", Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	wide := func(s string) string { return string(encode16(binary.LittleEndian, "\ufeff"+s)) }
	for name, content := range map[string]string{
		"HTML": "<!doctype html><script>alert(1)</script>", "HTML after blanks": "\n\n  <HTML><body>", "HTML in UTF-16": wide("<html><script>alert(1)</script>"),
		"HTML, Latin-1": "<html><title>K\xf6ln</title>", "HTML with NUL": "<html>\x00<script>alert(1)</script>\x00", "HTML after a comment": "<!-- x --><html><svg>",
		"HTML with a drawing": "<!DOCTYPE html><svg xmlns=\"http://www.w3.org/2000/svg\"/>", "HTML in the middle of a text": "hello <svg onload=alert(1)>",
		"XHTML": `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><svg/></html>`,
		"XML":   `<?xml version="1.0"?><note><svg/></note>`, "XML in Latin-1": "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><n>\xfc</n>",
		"XML in Latin-1 with a drawing": "<?xml version=\"1.0\"?><n>\xfc<svg xmlns=\"http://www.w3.org/2000/svg\"/></n>",
		"PDF":                           "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF after junk": "\x00\x01junk\n%PDF-1.4\n\x00", "PostScript": "%!PS-Adobe-3.0\n",
		"zip": "PK\x03\x04\x14\x00\x00\x00\x08\x00" + strings.Repeat("\x00", 20), "docx": "PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00" + strings.Repeat("\x00", 12) + "\x13\x00\x00\x00[Content_Types].xml",
		"gzip": "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "rar": "Rar!\x1a\x07\x01\x00\x33\x92", "7z": "7z\xbc\xaf\x27\x1c\x00\x04", "tar": packed.String(),
		"xz": "\xfd7zXZ\x00\x00\x04", "bzip2": "BZh91AY&SY", "zstd": "\x28\xb5\x2f\xfd\x04\x00", "lz4": "\x04\x22\x4d\x18\x64\x40", "cab": "MSCF\x00\x00\x00\x00",
		"ELF": "\x7fELF\x02\x01\x01\x00", "PE": "MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff", "MZ alone": "MZ" + strings.Repeat("\x00", 200),
		"Mach-O": "\xcf\xfa\xed\xfe\x07\x00\x00\x01\x03\x00\x00\x00", "class": "\xca\xfe\xba\xbe\x00\x00\x00\x34", "wasm": "\x00asm\x01\x00\x00\x00",
		"Dalvik": "dex\n035\x00\x01\x02", "script": "#!/bin/sh\nrm -rf /\n", "script with a payload": "#!/usr/bin/env run\n\x00\x01\xff",
		"PHP": "<?php system($_GET[0]);", "JavaScript": "alert(document.domain)", "JSON": `{"a":1}`,
		"Word": "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 600), "RTF": `{\rtf1\ansi}`, "SQLite": "SQLite format 3\x00\x10\x00",
		"text": "hello", "text, UTF-16": wide("hello, Köln"), "zeros": strings.Repeat("\x00", 2000), "font": "wOF2\x00\x01\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			for _, declared := range []string{"image/png", "image/svg+xml", "video/mp4", "audio/mpeg", declaredNot, ""} {
				wantRefused(t, []byte(content), declared)
			}
		})
	}
}

func encode16(order binary.AppendByteOrder, s string) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		out = order.AppendUint16(out, unit)
	}
	return out
}

func TestDrawings(t *testing.T) {
	const svg = `<svg xmlns="http://www.w3.org/2000/svg"><title>Köln 🙂</title><script>alert(1)</script></svg>`
	const illustrator = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- Generator: Adobe Illustrator -->\n" +
		"<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd\" [\n" +
		"\t<!ENTITY ns_svg \"http://www.w3.org/2000/svg\">\n]>\n<svg xmlns=\"&ns_svg;\" width=\"1\"></svg>"
	for name, content := range map[string]string{
		"plain": svg, "BOM": "\ufeff" + svg, "declaration": `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + svg, "XML 1.1": `<?xml version="1.1"?>` + svg,
		"BOM and declaration": "\ufeff<?xml version='1.0'?>" + svg, "blanks": "\r\n\t " + svg, "comment": "<!-- made by hand -->\n" + svg,
		"long comment": "<!--" + strings.Repeat(" licence ", 2000) + "-->" + svg, "comment that looks like HTML": "<!-- <html> -->" + svg,
		"instruction": `<?xml version="1.0"?><?xml-stylesheet href="a.css"?>` + svg, "doctype": "<!DOCTYPE svg>" + svg, "Illustrator": illustrator,
		"prefix":                        `<svg:svg xmlns:svg="http://www.w3.org/2000/svg"/>`,
		"Latin-1":                       "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><!-- K\xf6ln --><svg xmlns=\"http://www.w3.org/2000/svg\"/>",
		"UTF-16 LE":                     string(encode16(binary.LittleEndian, "\ufeff"+svg)),
		"UTF-16 BE":                     string(encode16(binary.BigEndian, "\ufeff"+`<?xml version="1.0" encoding="UTF-16"?>`+svg)),
		"UTF-16 LE, blank":              string(encode16(binary.LittleEndian, "\ufeff\n<!-- ö -->"+illustrator)),
		"UTF-16, no BOM":                string(encode16(binary.LittleEndian, svg)),
		"longer than what is looked at": "<svg xmlns=\"http://www.w3.org/2000/svg\"><path d=\"" + strings.Repeat("M 0 0 é ", 20_000) + "\"/></svg>",
	} {
		t.Run(name, func(t *testing.T) {
			for _, declared := range []string{"", declaredNot, "image/svg+xml", "image/png", "video/mp4", "text/html"} {
				up := receive(t, []byte(content), declared)
				if up.MIME != "image/svg+xml" || up.Type != models.Image || up.Either || up.Declared {
					t.Fatalf("as %q: %+v", declared, up)
				}
				if contentType, download := served(t, up); contentType != "image/svg+xml" || !download {
					t.Errorf("served as %s, download %v", contentType, download)
				}
			}
		})
	}
}
