package apptest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
)

// SaysError keeps the text of an error and of all that it wraps: reporters of
// errors walk down the chain.
func (h *LeakHunt) SaysError(where string, err error) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%s", "%d"} {
		h.Says(where, fmt.Sprintf(verb, err))
	}
	encoded, _ := json.Marshal(err)
	h.Says(where, string(encoded))
	switch wrapped := err.(type) {
	case interface{ Unwrap() error }:
		if inner := wrapped.Unwrap(); inner != nil {
			h.SaysError(strings.TrimSuffix(where, ", unwrapped")+", unwrapped", inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range wrapped.Unwrap() {
			h.SaysError(strings.TrimSuffix(where, ", unwrapped")+", unwrapped", inner)
		}
	}
}

// Prints has v printed in every way there is, by itself and inside of others.
func Prints[T any](h *LeakHunt, v T) {
	exported := strings.TrimPrefix(reflect.TypeFor[T]().String(), "*")
	h.mu.Lock()
	h.Printed[exported] = true
	h.mu.Unlock()
	shapes := map[string]any{
		"":                                   v,
		" by pointer":                        &v,
		" in a slice":                        []T{v},
		" in a map":                          map[string]any{"v": v},
		" in a field":                        struct{ V T }{v},
		" by pointer in a field":             struct{ V *T }{&v},
		" in an error":                       fmt.Errorf("around %v, %+v and %#v", v, v, v),
		" by pointer in an unexported field": struct{ v *T }{&v},
	}
	if reflect.TypeFor[T]().Kind() == reflect.Pointer {
		// What vet does not let code copy.
		shapes[" by value"] = reflect.ValueOf(v).Elem()
		shapes[" in an unexported field"] = struct{ v T }{v}
	} else {
		shapes[" by value in an unexported field"] = struct{ v T }{v}
	}
	for shape, v := range shapes {
		h.Show("print of "+exported+shape, v)
	}
}

// Show prints one value.
func (h *LeakHunt) Show(where string, v any) {
	verbs := []string{"%v", "%+v", "%#v", "%10v", "%T", "%s", "%q", "%d", "%x", "%X", "%o", "%b", "%c", "%U", "%!"}
	if strings.Contains(where, "by value") || strings.Contains(where, "unexported") {
		verbs = verbs[:5] // wrong verbs make fmt follow pointers, where it calls no method
	}
	for _, verb := range verbs {
		h.Says(where, fmt.Sprintf(verb, v))
	}
	h.Says(where, fmt.Sprintln(v))
	if _, ok := v.(reflect.Value); ok {
		return
	}
	encoded, err := json.Marshal(v)
	h.Says(where, fmt.Sprintf("%s %v", encoded, err))
	var logged bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(handler).With("with", v).Info("shown", "value", v, slog.Group("group", "value", v))
	}
	h.Says(where, logged.String())
}
