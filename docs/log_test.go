package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The keys of log lines: alerts and searches depend on them.
var logKeys = []string{
	// what most lines have
	"event", "provider", "issuer", "subject", "code", "error", "id", "duration",
	// what is of one line
	"backchannel_logout_uri", "began_at", "bytes", "callbacks", "description", "document", "endpoint", "keys", "lang", "left_out",
	"login_path", "logout_path", "members", "path", "provider_code", "redirect_url", "request_bytes", "response_bytes", "used",
}

// Each log line has a constant message and keys of one list, so that "error" is not "err" elsewhere.
func TestLogKeys(t *testing.T) {
	t.Parallel()
	lines := 0
	eachLogCall(t, func(where, message string, args []ast.Expr) {
		lines++
		if message == "oauthlogin: " { // of an event, whose kind follows
			return
		}
		for i := 0; i < len(args); i += 2 {
			key, ok := literal(args[i])
			if _, isCall := args[i].(*ast.CallExpr); isCall && len(args) == 1 { // Error.attrs
				return
			}
			if !ok || !slices.Contains(logKeys, key) {
				t.Errorf("%s: %q has the key %q, which is not one of the list", where, message, key)
			}
		}
	})
	if lines < 25 {
		t.Errorf("found %d log lines", lines)
	}
}

// eachLogCall calls found for each call that writes a log line, with what follows the message.
func eachLogCall(t *testing.T, found func(where, message string, args []ast.Expr)) {
	t.Helper()
	methods := []string{"Debug", "DebugContext", "Info", "InfoContext", "Warn", "WarnContext", "Error", "ErrorContext", "Log", "LogAttrs"}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			strings.HasPrefix(path, "internal/mutants") || strings.HasPrefix(path, "internal/apptest") || strings.HasPrefix(path, "example") {
			return err
		}
		positions := token.NewFileSet()
		file, err := parser.ParseFile(positions, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := ""
			switch f := call.Fun.(type) {
			case *ast.SelectorExpr:
				name = f.Sel.Name
			case *ast.Ident: // a method value
				if f.Name == "log" {
					name = "Log"
				}
			}
			if !slices.Contains(methods, name) {
				return true
			}
			for i, arg := range call.Args {
				if sum, ok := arg.(*ast.BinaryExpr); ok {
					if message, ok := literal(sum.X); ok && strings.HasPrefix(message, "oauthlogin: ") && message != "oauthlogin: " {
						if _, ok := literal(sum.Y); !ok {
							t.Errorf("%s: the message %q is not constant", positions.Position(n.Pos()), message)
						}
					}
				}
				if message, ok := literal(arg); ok && strings.HasPrefix(message, "oauthlogin: ") {
					found(positions.Position(n.Pos()).String(), message, call.Args[i+1:])
					break
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// literal returns the string that an expression is, if it is one or begins with one.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok := literal(e.X)
		right, _ := literal(e.Y)
		return left + right, ok
	}
	return "", false
}
