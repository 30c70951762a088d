//go:build !noembed && !unix

package embedded

// lock does nothing where there is no flock; starting a second process on the
// same directory is up to the user there.
func lock(string) (unlock func() error, err error) { return func() error { return nil }, nil }
