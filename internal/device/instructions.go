package device

// Instructions tell a browser what it has registered: the JSON of a session.
type Instructions struct {
	Identifier        string       `json:"session_identifier"`
	RefreshURL        string       `json:"refresh_url"`
	Scope             scope        `json:"scope"`
	Credentials       []credential `json:"credentials"`
	RefreshInitiators []string     `json:"allowed_refresh_initiators"`
}

type scope struct {
	IncludeSite   bool  `json:"include_site"`
	Specification []any `json:"scope_specification"`
}

type credential struct {
	Type       string `json:"type"`
	Name       string `json:"name"`
	Attributes string `json:"attributes"`
}

// NewInstructions are those of a session whose bound cookie has this name and these
// attributes, and of its origin alone.
func NewInstructions(identifier, path, cookie, attributes string) Instructions {
	return Instructions{
		Identifier:  identifier,
		RefreshURL:  path,
		Scope:       scope{Specification: []any{}},
		Credentials: []credential{{"cookie", cookie, attributes}},
		// Otherwise a link on another site would arrive without the bound cookie.
		RefreshInitiators: []string{"*"},
	}
}

// An End tells a browser to forget a session.
type End struct {
	Continue bool `json:"continue"`
}
