package seal

// PackText packs a text as a value of its own.
func PackText(text string) []byte {
	p := Packer{buf: make([]byte, 0, len(text)+2)}
	p.String(text)
	return p.Pack()
}

// UnpackText reads what PackText returned. The version before sealed texts as they
// are: they begin with a printable character, which no version is.
func UnpackText(packed []byte) (string, error) {
	if len(packed) > 0 && packed[0] >= ' ' {
		return string(packed), nil
	}
	u, err := Unpack(packed)
	if err != nil {
		return "", err
	}
	text := u.String()
	return text, u.Err()
}
