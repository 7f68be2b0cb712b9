package protocol

// forAnyIssuer lets every key sign for every issuer.
func forAnyIssuer(*key, []byte) bool { return true }
