package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
)

// IsPEM tells the text of a key from the name of its file.
func IsPEM(text string) bool { return strings.Contains(text, "-----BEGIN ") }

// ParsePublicKey reads the one key in a PEM text: a public key (PKIX or PKCS #1)
// or an X.509 certificate, of which only the key counts. Newlines may be written
// \n, as in many an environment variable. Errors show nothing of the text.
func ParsePublicKey(text string) (crypto.PublicKey, error) {
	block, err := onlyBlock(text)
	if err != nil {
		return nil, err
	}
	var key any
	switch {
	case strings.Contains(block.Type, "PRIVATE KEY"):
		return nil, errors.New("this is a private key: servers take the public one (openssl pkey -pubout makes it), and whoever reads this configuration could sign for everybody")
	case block.Type == "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case block.Type == "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case block.Type == "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = c.PublicKey
		}
	default:
		return nil, errors.New("this is neither a public key nor a certificate")
	}
	if err != nil {
		return nil, errors.New("the key cannot be read: it is damaged, or of a kind no algorithm here takes")
	}
	switch key.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		return key, nil
	}
	return nil, errors.New("the key is of a kind no algorithm here takes")
}

// ParsePrivateKey reads the one private key in a PEM text: PKCS #8, PKCS #1 or
// SEC 1, not encrypted. Errors show nothing of the text.
func ParsePrivateKey(text string) (crypto.Signer, error) {
	block, err := onlyBlock(text)
	if err != nil {
		return nil, err
	}
	var key any
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("the key is encrypted: openssl pkey takes its password off")
	default:
		return nil, errors.New("this is no private key: a public one cannot sign")
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, errors.New("the key cannot be read: it is damaged, encrypted, or of a kind no algorithm here takes")
	}
	return signer, nil
}

func onlyBlock(text string) (*pem.Block, error) {
	text = strings.Trim(strings.TrimSpace(text), `"'`)
	text = strings.NewReplacer(`\r`, "", `\n`, "\n").Replace(text)
	if !strings.Contains(text, "\n") { // a variable in which they became spaces
		text = strings.NewReplacer("----- ", "-----\n", " -----", "\n-----").Replace(text)
	}
	if i := strings.Index(text, "-----BEGIN EC PARAMETERS-----"); i >= 0 {
		// openssl ecparam puts the curve's name before the key, which has it, too.
		_, text, _ = strings.Cut(text[i:], "-----END EC PARAMETERS-----")
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("this is no PEM text (-----BEGIN …----- and -----END …-----, on lines of their own)")
	}
	if more, _ := pem.Decode(rest); more != nil {
		return nil, errors.New("this has more than one key or certificate: which is meant?")
	}
	return block, nil
}
